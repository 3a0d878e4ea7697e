/**
 * A keyed hash of keys for tables in memory: HalfSipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF", 2012; the variant on 32-bit words is theirs). Who does not know the two secret numbers
 * cannot choose keys that all fall into one place of a table.
 */
import type { Key } from "../../core/bytes.js";

const FINAL_ROUNDS = 3;

export class KeyHash {
  readonly #key0: number;
  readonly #key1: number;

  /** Two secret numbers of 32 bits. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  /** 32 bits, as a signed number. */
  of(key: Key): number {
    const length = key.length;
    let v0 = this.#key0;
    let v1 = this.#key1;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    const blocksEnd = length & ~3;
    let rounds = (length >>> 2) + 1 + FINAL_ROUNDS;
    let word = 0;
    for (let at = 0; rounds > 0; rounds -= 1, at += 4) {
      if (at < blocksEnd) word = wordAt(key, at);
      else if (at === blocksEnd) word = lastWord(key, at);
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
function wordAt(key: Key, at: number): number {
  return (
    key.charCodeAt(at) |
    (key.charCodeAt(at + 1) << 8) |
    (key.charCodeAt(at + 2) << 16) |
    (key.charCodeAt(at + 3) << 24)
  );
}

/** The bytes that are left, up to three, and the length in the highest. */
function lastWord(key: Key, start: number): number {
  let word = key.length << 24;
  for (let at = start; at < key.length; at += 1) word |= key.charCodeAt(at) << (8 * (at - start));
  return word;
}
