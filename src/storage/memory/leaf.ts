/**
 * Leaves: one entry each, with its whole key.
 *
 *     +----------------------------------+----------------------------------+-----+---------------+
 *     | value size, 27 bits │ key size,  | key size,  │ epoch, 26 bits      | key | value, or the |
 *     |                     │ low 5 bits | high 6 bits│                     |     | number of one |
 *     +----------------------------------+----------------------------------+-----+---------------+
 *      word 0 (low bits first)            word 1
 *
 * A leaf is never changed: a new value is a new leaf. One that would not fit a slot keeps its value outside
 * the arena and its number, a u32, in place of it.
 *
 * A leaf's reference is negative, so that a look at a reference tells a leaf from an inner node:
 * `slot | 0x8000_0000` as a signed number.
 */
import { assert } from "../../core/assert.js";
import { allocOwnBytes, type Bytes, isKeyAt, type Key, writeKey } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from "../tables.js";
import { type Arena, PAGE_SHIFT, RECORD_BYTES_MAX, UNIT_MASK } from "./arena.js";

const LEAF_BIT = 0x8000_0000;
const SLOT_MASK = 0x7fff_ffff;
const HEADER_BYTES = 8;
const OUTSIDE_NUMBER_BYTES = 4;
const VALUE_SIZE_BITS = 27;
const VALUE_SIZE_MASK = 2 ** VALUE_SIZE_BITS - 1;
/** Of the key's size in word 0, and in word 1. */
const KEY_LOW_BITS = 32 - VALUE_SIZE_BITS;
const KEY_HIGH_BITS = 6;
const KEY_HIGH_MASK = 2 ** KEY_HIGH_BITS - 1;
export const EPOCH_MAX = 2 ** (32 - KEY_HIGH_BITS) - 1;

/** Creates, reads and frees leaves. */
export class Leaves {
  readonly #arena: Arena;
  readonly #outside: (StoredValue | undefined)[] = [];
  readonly #unusedNumbers: number[] = [];
  #outsideBytes = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Bytes of values outside the arena. */
  get outsideBytes(): number {
    return this.#outsideBytes;
  }

  /** With room for a value, which `value` tells: it is laid there once, and then never changed. */
  create(key: Key, valueBytes: number, epoch: number): number {
    const keyBytes = key.length;
    assert(keyBytes > 0 && keyBytes <= KEY_BYTES_MAX, "a key has 1 to 1,536 bytes");
    assert(valueBytes <= VALUE_BYTES_MAX, "a value has less than 128 MiB");
    const sizeBytes = leafBytes(keyBytes, valueBytes);
    const slot = this.#arena.alloc(sizeBytes);
    const page = slot >>> PAGE_SHIFT;
    const words = this.#arena.words[page];
    const bytes = this.#arena.bytes[page];
    const word = (slot & UNIT_MASK) << 1;
    words[word] = valueBytes | (keyBytes << VALUE_SIZE_BITS);
    words[word + 1] = (keyBytes >>> KEY_LOW_BITS) | (epoch << KEY_HIGH_BITS);
    const keyStart = (word << 2) + HEADER_BYTES;
    writeKey(bytes, keyStart, key);
    if (!isInside(keyBytes, valueBytes)) {
      bytes.writeUInt32LE(this.#addOutside(valueBytes), keyStart + keyBytes);
    }
    return slot | LEAF_BIT;
  }

  keyBytes(leaf: number): number {
    const slot = leaf & SLOT_MASK;
    const words = this.#arena.words[slot >>> PAGE_SHIFT];
    const word = (slot & UNIT_MASK) << 1;
    return keyBytesOf(words, word);
  }

  key(leaf: number): Key {
    const start = this.keyStart(leaf);
    return this.pageBytes(leaf).latin1Slice(start, start + this.keyBytes(leaf));
  }

  /** The page that a leaf's key is in, from `keyStart` on. */
  pageBytes(leaf: number): Bytes {
    return this.#arena.bytes[(leaf & SLOT_MASK) >>> PAGE_SHIFT];
  }

  keyStart(leaf: number): number {
    return ((leaf & UNIT_MASK) << 3) + HEADER_BYTES;
  }

  hasKey(leaf: number, key: Key): boolean {
    return this.keyBytes(leaf) === key.length && isKeyAt(this.pageBytes(leaf), this.keyStart(leaf), key);
  }

  /** A view into the arena: valid until the leaf is freed. */
  value(leaf: number): StoredValue {
    const slot = leaf & SLOT_MASK;
    const page = slot >>> PAGE_SHIFT;
    const words = this.#arena.words[page];
    const word = (slot & UNIT_MASK) << 1;
    const valueBytes = words[word] & VALUE_SIZE_MASK;
    const keyBytes = keyBytesOf(words, word);
    const bytes = this.#arena.bytes[page];
    const start = (word << 2) + HEADER_BYTES + keyBytes;
    if (isInside(keyBytes, valueBytes)) return { bytes, start, end: start + valueBytes };
    const outside = this.#outside[bytes.readUInt32LE(start)];
    assert(outside !== undefined, "a value outside the arena lives as long as its leaf");
    return outside;
  }

  epoch(leaf: number): number {
    const slot = leaf & SLOT_MASK;
    return this.#arena.words[slot >>> PAGE_SHIFT][((slot & UNIT_MASK) << 1) + 1] >>> KEY_HIGH_BITS;
  }

  free(leaf: number): void {
    const slot = leaf & SLOT_MASK;
    const page = slot >>> PAGE_SHIFT;
    const valueBytes = this.#arena.words[page][(slot & UNIT_MASK) << 1] & VALUE_SIZE_MASK;
    const keyBytes = this.keyBytes(leaf);
    if (!isInside(keyBytes, valueBytes)) {
      const number = this.#arena.bytes[page].readUInt32LE(this.keyStart(leaf) + keyBytes);
      this.#outside[number] = undefined;
      this.#unusedNumbers.push(number);
      this.#outsideBytes -= valueBytes;
    }
    this.#arena.free(slot, leafBytes(keyBytes, valueBytes));
  }

  #addOutside(sizeBytes: number): number {
    const number = this.#unusedNumbers.pop() ?? this.#outside.length;
    this.#outside[number] = { bytes: allocOwnBytes(sizeBytes), start: 0, end: sizeBytes };
    this.#outsideBytes += sizeBytes;
    return number;
  }
}

const keyBytesOf = (words: Int32Array, word: number): number =>
  (words[word] >>> VALUE_SIZE_BITS) | ((words[word + 1] & KEY_HIGH_MASK) << KEY_LOW_BITS);

const isInside = (keyBytes: number, valueBytes: number): boolean =>
  HEADER_BYTES + keyBytes + valueBytes <= RECORD_BYTES_MAX;

function leafBytes(keyBytes: number, valueBytes: number): number {
  return HEADER_BYTES + keyBytes + (isInside(keyBytes, valueBytes) ? valueBytes : OUTSIDE_NUMBER_BYTES);
}
