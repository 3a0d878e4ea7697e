/**
 * Values read from a tree lately, so that what is read again and again does not go through LMDB: about a third
 * of a microsecond in place of one and a half.
 *
 * Two generations: the younger takes what is read; when it is full it becomes the older one, and what was older
 * and not asked for meanwhile is gone. Holds only what is in the tree: emptied whenever the tree changes.
 */
import type { Key } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";

/** Values of one generation of one table; with keys and bookkeeping at most about 4 MB a table. */
const GENERATION_VALUES = 8_192;
/** Larger values cost more to copy than to find. */
const VALUE_BYTES_MAX = 512;

export class ReadCache {
  #young = new Map<Key, StoredValue>();
  #old = new Map<Key, StoredValue>();

  get(key: Key): StoredValue | undefined {
    const value = this.#young.get(key);
    if (value !== undefined || this.#old.size === 0) return value;
    const older = this.#old.get(key);
    if (older !== undefined) this.#keep(key, older);
    return older;
  }

  add(key: Key, value: StoredValue): void {
    if (value.end - value.start <= VALUE_BYTES_MAX) this.#keep(key, value);
  }

  clear(): void {
    if (this.#young.size > 0) this.#young = new Map();
    if (this.#old.size > 0) this.#old = new Map();
  }

  #keep(key: Key, value: StoredValue): void {
    if (this.#young.size >= GENERATION_VALUES) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
