/**
 * Keys that are about to be written, as a batch of commands names them, and where their records lie.
 *
 * A search for a key in a large table mostly waits for memory, once for the table's place and once for the
 * record. Here many keys are searched for together, step by step, in loops whose reads do not depend on each
 * other: a processor then fetches a dozen lines of memory at the same time. That saved a tenth of a node's
 * time under small writes (docs/adr/0010).
 *
 * A position is only ever a guess: it is taken when the record there has the key and is its newest.
 */
import type { Bytes, Key } from "../../core/bytes.js";
import { PREFETCH_KEYS_MAX } from "../../ports/storage-engine.js";
import type { KeyHash } from "./key-hash.js";
import type { Records } from "./records.js";

export class ForeseenKeys {
  readonly #hash: KeyHash;
  readonly #hashes = new Int32Array(PREFETCH_KEYS_MAX);
  /** Of the keys that were found, in order. */
  readonly #positions = new Int32Array(PREFETCH_KEYS_MAX);
  #count = 0;
  #next = 0;
  /** Of words that were read: so that no compiler leaves the reading out. */
  fetched = 0;

  constructor(hash: KeyHash) {
    this.#hash = hash;
  }

  /**
   * Finds the keys `bytes[spans[2i], spans[2i + 1])`, `from` ≤ i < `to`, at most `PREFETCH_KEYS_MAX`; none of the
   * records has a key longer than `keyLengthMax`.
   */
  searchFor(
    places: Int32Array,
    records: Records,
    keyLengthMax: number,
    bytes: Bytes,
    spans: readonly number[],
    from: number,
    to: number,
  ): void {
    const hashes = this.#hashes;
    const positions = this.#positions;
    const mask = (places.length >>> 1) - 1;
    let keys = 0;
    let sum = 0;
    for (let i = from; i < to; i += 1) {
      const start = spans[2 * i];
      const end = spans[2 * i + 1];
      if (end - start > keyLengthMax) continue;
      hashes[keys] = this.#hash.ofBytes(bytes, start, end);
      keys += 1;
    }
    for (let i = 0; i < keys; i += 1) sum ^= places[2 * (hashes[i] & mask)];
    let found = 0;
    for (let i = 0; i < keys; i += 1) {
      const position = positionOf(places, mask, hashes[i]);
      positions[found] = position;
      if (position >= 0) found += 1;
    }
    for (let i = 0; i < found; i += 1) sum ^= records.touch(positions[i]);
    this.fetched = sum;
    this.#count = found;
    this.#next = 0;
  }

  /** The position of the newest record of `key`, when it is the next of those foreseen or the one before; else −1. */
  take(records: Records, key: Key): number {
    const next = this.#next;
    if (next < this.#count && records.isNewest(this.#positions[next], key)) {
      this.#next = next + 1;
      return this.#positions[next];
    }
    // A command may ask more than once for its key.
    if (next > 0 && records.isNewest(this.#positions[next - 1], key)) return this.#positions[next - 1];
    return -1;
  }

  clear(): void {
    this.#count = 0;
    this.#next = 0;
  }
}

/** Of a key with this hash, as good as always the one that is searched for; −1 for none. */
function positionOf(places: Int32Array, mask: number, hash: number): number {
  for (let place = hash & mask; ; place = (place + 1) & mask) {
    const next = places[2 * place + 1];
    if (next === 0 || places[2 * place] === hash) return next - 1;
  }
}
