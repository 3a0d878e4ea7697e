/**
 * Copies of small values that somebody reads, in blocks shared by many of them: where they came from may change
 * or go before the turn ends.
 */
import { allocOwnBytes, type Bytes, copyBytes, copyInto } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";

const BLOCK_BYTES = 64 * 1024;
/** Larger values get memory of their own. */
const SHARED_VALUE_BYTES_MAX = 4096;

export class ValueCopies {
  #block: Bytes = allocOwnBytes(BLOCK_BYTES);
  #length = 0;

  /** A copy of `bytes[start, end)`. */
  of(bytes: Bytes, start: number, end: number): StoredValue {
    const sizeBytes = end - start;
    if (sizeBytes > SHARED_VALUE_BYTES_MAX) {
      return { bytes: copyBytes(bytes, start, end), start: 0, end: sizeBytes };
    }
    if (this.#length + sizeBytes > BLOCK_BYTES) {
      this.#block = allocOwnBytes(BLOCK_BYTES);
      this.#length = 0;
    }
    const at = this.#length;
    copyInto(this.#block, at, bytes, start, end);
    this.#length = at + sizeBytes;
    return { bytes: this.#block, start: at, end: at + sizeBytes };
  }
}
