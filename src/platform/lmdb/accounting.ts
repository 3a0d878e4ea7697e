/**
 * How much memory the overlays hold, as a measure of when to checkpoint.
 *
 * A value is kept as a part of the buffer it came in, often a whole batch of the log, and keeps all of that
 * alive: so each buffer is counted once, in full, when the first of its values arrives.
 */
import type { Bytes, Key } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";

/** A map entry, the string and the value's object, and two places in lists of keys. Measured: about 140. */
const ENTRY_BYTES = 140;

export class Accounting {
  #bytes = 0;
  #lastBuffer: Bytes | undefined;
  #buffers = new WeakSet<ArrayBufferLike>();

  get bytes(): number {
    return this.#bytes;
  }

  /** The overlays are being saved: what comes from now on counts. */
  reset(): void {
    this.#bytes = 0;
    this.#lastBuffer = undefined;
    this.#buffers = new WeakSet();
  }

  addKey(key: Key): void {
    this.#bytes += ENTRY_BYTES + key.length;
  }

  addValue(value: StoredValue): void {
    if (value.bytes !== this.#lastBuffer) this.#addBuffer(value.bytes);
  }

  #addBuffer(bytes: Bytes): void {
    this.#lastBuffer = bytes;
    const memory = bytes.buffer;
    if (this.#buffers.has(memory)) return;
    this.#buffers.add(memory);
    this.#bytes += memory.byteLength;
  }
}
