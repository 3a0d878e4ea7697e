/**
 * A keyed hash of keys for tables in memory: HalfSipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF", 2012; the variant on 32-bit words is theirs). Who does not know the two secret numbers
 * cannot choose keys that all fall into one place of a table.
 */
import { allocOwnBytes, type Bytes, type Key, latin1ToBytes } from "../../core/bytes.js";

const FINAL_ROUNDS = 3;
/** Longer keys are copied by a call into the runtime. */
const SCRATCH_BYTES = 64;

export class KeyHash {
  readonly #key0: number;
  readonly #key1: number;
  readonly #scratch: Bytes = allocOwnBytes(SCRATCH_BYTES);
  /** A key is looked for in one table after the other. */
  #lastKey: Key = "";
  #lastHash: number;

  /** Two secret numbers of 32 bits. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
    this.#lastHash = this.#ofText(this.#lastKey);
  }

  /** 32 bits, as a signed number. */
  of(key: Key): number {
    if (key !== this.#lastKey) {
      this.#lastHash = this.#ofText(key);
      this.#lastKey = key;
    }
    return this.#lastHash;
  }

  #ofText(key: Key): number {
    const length = key.length;
    if (length > SCRATCH_BYTES) return this.ofBytes(latin1ToBytes(key), 0, length);
    const scratch = this.#scratch;
    for (let i = 0; i < length; i += 1) scratch[i] = key.charCodeAt(i);
    return this.ofBytes(scratch, 0, length);
  }

  /** Of the key that is `bytes[start, end)`. */
  ofBytes(bytes: Bytes, start: number, end: number): number {
    const length = end - start;
    let v0 = this.#key0;
    let v1 = this.#key1;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    const blocksEnd = length & ~3;
    let rounds = (length >>> 2) + 1 + FINAL_ROUNDS;
    let word = 0;
    for (let at = 0; rounds > 0; rounds -= 1, at += 4) {
      if (at < blocksEnd) word = wordAt(bytes, start + at);
      else if (at === blocksEnd) word = lastWord(bytes, length, start + at, end);
      else word = 0;
      if (at === blocksEnd + 4) v2 ^= 0xff;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return v1 ^ v3;
  }
}

/** Four bytes, little-endian. */
function wordAt(bytes: Bytes, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** The bytes that are left, up to three, and the length in the highest. */
function lastWord(bytes: Bytes, length: number, start: number, end: number): number {
  let word = length << 24;
  for (let at = start; at < end; at += 1) word |= bytes[at] << (8 * (at - start));
  return word;
}
