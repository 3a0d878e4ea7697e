/**
 * Writes laid out one after the other in blocks of memory: no object for each, and a thread that saves them
 * reads them where they lie, as the blocks are shared memory (but for those with a single large record).
 *
 *     0          2       3         4            8             12
 *     ┌──────────┬───────┬─────────┬────────────┬─────────────┬───────┬─────────────────────┐
 *     │ key size │ flags │         │ room       │ value size  │ key   │ value, room in all  │  … at 8 bytes
 *     │ u16      │ u8    │         │ u32        │ u32         │       │                     │
 *     └──────────┴───────┴─────────┴────────────┴─────────────┴───────┴─────────────────────┘
 *
 * Integers are little-endian. A record is named by its position: the block's number above 15 bits for the
 * offset in units of 8 bytes. Blocks double in size up to 256 KiB; a record that is larger has one of its own.
 */
import { assert } from "../../core/assert.js";
import {
  allocOwnBytes,
  asBytes,
  type Bytes,
  EMPTY_BYTES,
  isKeyAt,
  type Key,
  writeKey,
} from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";
import type { BlockPool } from "./block-pool.js";

/** Deletes the key. */
export const DELETED = 1;
/** A newer record of the key follows. */
export const OUTDATED = 2;
/** The key has an older record. */
export const AGAIN = 4;

const HEADER_BYTES = 12;
const FLAGS_SHIFT = 16;
const KEY_SIZE_MASK = 0xffff;
const OFFSET_BITS = 15;
const OFFSET_MASK = (1 << OFFSET_BITS) - 1;
const FIRST_BLOCK_BYTES = 4 * 1024;
const BLOCK_BYTES_MAX = 256 * 1024;
/** 16 GiB. */
const BLOCKS_MAX = 1 << 16;

/** A block, filled up to `length`. */
export interface RecordBlock {
  readonly bytes: Uint8Array;
  readonly length: number;
}

export class Records {
  readonly #pool: BlockPool;
  #bytes: Bytes[] = [];
  /** The same memory as 32-bit words. */
  #words: Int32Array[] = [];
  #lengths: number[] = [];
  #nextBlockBytes = FIRST_BLOCK_BYTES;
  /** Memory taken. */
  sizeBytes = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** Appends a record with room for a value of `room` bytes, none yet; returns its position. */
  add(key: Key, room: number, flags: number): number {
    const sizeBytes = (HEADER_BYTES + key.length + room + 7) & ~7;
    const block = this.#blockFor(sizeBytes);
    const start = this.#lengths[block];
    this.#lengths[block] = start + sizeBytes;
    const words = this.#words[block];
    const word = start >>> 2;
    words[word] = key.length | (flags << FLAGS_SHIFT);
    words[word + 1] = sizeBytes - HEADER_BYTES - key.length;
    words[word + 2] = 0;
    writeKey(this.#bytes[block], start + HEADER_BYTES, key);
    return (block << OFFSET_BITS) | (start >>> 3);
  }

  flags(position: number): number {
    return this.#words[position >>> OFFSET_BITS][(position & OFFSET_MASK) << 1] >>> FLAGS_SHIFT;
  }

  setFlags(position: number, flags: number): void {
    const words = this.#words[position >>> OFFSET_BITS];
    const word = (position & OFFSET_MASK) << 1;
    words[word] = (words[word] & KEY_SIZE_MASK) | (flags << FLAGS_SHIFT);
  }

  /** Bytes that a value may have in place of the one that is there. */
  room(position: number): number {
    return this.#words[position >>> OFFSET_BITS][((position & OFFSET_MASK) << 1) + 1];
  }

  /** Reads of the lines of memory that a small record takes. */
  touch(position: number): number {
    const words = this.#words[position >>> OFFSET_BITS];
    const word = (position & OFFSET_MASK) << 1;
    const next = word + 16 < words.length ? word + 16 : word;
    return words[word] + words[next];
  }

  /** Takes so much of the record's room for a value, which the caller lays there. */
  reserve(position: number, sizeBytes: number): StoredValue {
    this.#words[position >>> OFFSET_BITS][((position & OFFSET_MASK) << 1) + 2] = sizeBytes;
    return this.value(position);
  }

  /** The value where it lies. */
  value(position: number): StoredValue {
    const block = position >>> OFFSET_BITS;
    const words = this.#words[block];
    const word = (position & OFFSET_MASK) << 1;
    const start = (word << 2) + HEADER_BYTES + (words[word] & KEY_SIZE_MASK);
    return { bytes: this.#bytes[block], start, end: start + words[word + 2] };
  }

  key(position: number): Key {
    const block = position >>> OFFSET_BITS;
    const word = (position & OFFSET_MASK) << 1;
    const start = (word << 2) + HEADER_BYTES;
    return this.#bytes[block].latin1Slice(start, start + (this.#words[block][word] & KEY_SIZE_MASK));
  }

  hasKey(position: number, key: Key): boolean {
    const block = position >>> OFFSET_BITS;
    const word = (position & OFFSET_MASK) << 1;
    if ((this.#words[block][word] & KEY_SIZE_MASK) !== key.length) return false;
    return isKeyAt(this.#bytes[block], (word << 2) + HEADER_BYTES, key);
  }

  /** Whether the record is the key's newest. */
  isNewest(position: number, key: Key): boolean {
    return (this.flags(position) & OUTDATED) === 0 && this.hasKey(position, key);
  }

  /** All records so far, where they lie. Whoever reads them while records are added sees some of those. */
  get blocks(): RecordBlock[] {
    return this.#bytes.map((bytes, i) => ({ bytes, length: this.#lengths[i] }));
  }

  /** Gives the memory back: there are no records any more. */
  release(): void {
    this.#pool.give(this.#bytes.filter((bytes) => bytes.length <= BLOCK_BYTES_MAX));
    this.#bytes = [];
    this.#words = [];
    this.#lengths = [];
    this.#nextBlockBytes = FIRST_BLOCK_BYTES;
    this.sizeBytes = 0;
  }

  #blockFor(sizeBytes: number): number {
    const last = this.#bytes.length - 1;
    if (last >= 0 && this.#lengths[last] + sizeBytes <= this.#bytes[last].length) return last;
    assert(last + 1 < BLOCKS_MAX, "the writes of one table between two checkpoints take at most 16 GiB");
    while (this.#nextBlockBytes < Math.min(sizeBytes, BLOCK_BYTES_MAX)) this.#nextBlockBytes *= 2;
    const isLarge = sizeBytes > BLOCK_BYTES_MAX;
    const bytes = isLarge ? allocOwnBytes(sizeBytes) : this.#pool.take(this.#nextBlockBytes);
    const blockBytes = bytes.length;
    this.#nextBlockBytes = Math.min(2 * this.#nextBlockBytes, BLOCK_BYTES_MAX);
    this.#bytes.push(bytes);
    this.#words.push(new Int32Array(bytes.buffer, 0, blockBytes >>> 2));
    this.#lengths.push(0);
    this.sizeBytes += blockBytes;
    return last + 1;
  }
}

/** Goes through records, in the order in which they were added or to any position. */
export class RecordWalk {
  readonly #blocks: readonly RecordBlock[];
  /** By block, once it is entered: its memory as 32-bit words and as bytes. */
  readonly #words: Int32Array[] = [];
  readonly #bytes: Bytes[] = [];
  #block: number;
  /** Where the next record starts. */
  #offset: number;
  /** Of the current record. */
  position = 0;
  flags = 0;
  bytes: Bytes = EMPTY_BYTES;
  keyStart = 0;
  /** The value starts here, too. */
  keyEnd = 0;
  valueEnd = 0;

  /** Starts at `end` of another walk over the same records, or fewer of them. */
  constructor(blocks: readonly RecordBlock[], start = 0) {
    this.#blocks = blocks;
    this.#block = start >>> OFFSET_BITS;
    this.#offset = (start & OFFSET_MASK) << 3;
  }

  /** Where a later walk goes on with what has been added since. */
  get end(): number {
    const unit = this.#offset >>> 3;
    return unit > OFFSET_MASK ? (this.#block + 1) << OFFSET_BITS : (this.#block << OFFSET_BITS) | unit;
  }

  get key(): Key {
    return this.bytes.latin1Slice(this.keyStart, this.keyEnd);
  }

  /** Moves on to the next record; false when there is none. */
  next(): boolean {
    const blocks = this.#blocks;
    while (this.#block < blocks.length && this.#offset >= blocks[this.#block].length) {
      // The last block may still grow.
      if (this.#block + 1 === blocks.length) return false;
      this.#block += 1;
      this.#offset = 0;
    }
    if (this.#block >= blocks.length) return false;
    this.moveTo((this.#block << OFFSET_BITS) | (this.#offset >>> 3));
    return true;
  }

  moveTo(position: number): void {
    const block = position >>> OFFSET_BITS;
    const words = this.#words[block] ?? this.#enter(block);
    const word = (position & OFFSET_MASK) << 1;
    this.position = position;
    this.flags = words[word] >>> FLAGS_SHIFT;
    this.bytes = this.#bytes[block];
    this.keyStart = (word << 2) + HEADER_BYTES;
    this.keyEnd = this.keyStart + (words[word] & KEY_SIZE_MASK);
    this.valueEnd = this.keyEnd + words[word + 2];
    this.#block = block;
    this.#offset = this.keyEnd + words[word + 1];
  }

  #enter(block: number): Int32Array {
    const bytes = asBytes(this.#blocks[block].bytes);
    const words = new Int32Array(bytes.buffer, 0, bytes.length >>> 2);
    this.#bytes[block] = bytes;
    this.#words[block] = words;
    return words;
  }
}
