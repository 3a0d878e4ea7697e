/**
 * Writes on their way to the writer thread, packed so that a message is one memory block handed over, not
 * thousands of objects copied:
 *
 *     +----------+------------+-----------+----------+-----+-------+
 *     | key size | value size | tree      | key      |     value   |     … next operation
 *     |   u16    |    u32     | u32, BE   |          |             |
 *     +----------+------------+-----------+----------+-----+-------+
 *
 * Sizes are little-endian; the key size leaves out the tree; a value size of 0xFFFFFFFF deletes the key.
 */
import { allocOwnBytes, asBytes, type Bytes, EMPTY_BYTES, type Key } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";

const HEADER_BYTES = 10;
const SIZES_BYTES = 6;
const DELETE = 0xffff_ffff;
/** The first block is small, each next one twice as large, up to this; a larger operation has one of its own. */
const BLOCK_BYTES_MAX = 256 * 1024;
const FIRST_BLOCK_BYTES = 4096;

/** Filled blocks, ready to be handed over. */
export interface OperationBlock {
  readonly bytes: Uint8Array;
  readonly length: number;
}

export class OperationWriter {
  #block: Bytes = EMPTY_BYTES;
  #length = 0;
  #nextBlockBytes = FIRST_BLOCK_BYTES;
  #full: OperationBlock[] = [];

  /** `value` undefined deletes. */
  add(tree: number, key: Key, value: StoredValue | undefined): void {
    const valueBytes = value === undefined ? 0 : value.end - value.start;
    const start = this.#reserve(HEADER_BYTES + key.length + valueBytes);
    const block = this.#block;
    block[start] = key.length;
    block[start + 1] = key.length >>> 8;
    block.writeUInt32LE(value === undefined ? DELETE : valueBytes, start + 2);
    block.writeUInt32BE(tree, start + SIZES_BYTES);
    block.latin1Write(key, start + HEADER_BYTES, key.length);
    if (value !== undefined) {
      value.bytes.copy(block, start + HEADER_BYTES + key.length, value.start, value.end);
    }
  }

  /** The blocks that are full. */
  takeFull(): OperationBlock[] {
    const blocks = this.#full;
    this.#full = [];
    return blocks;
  }

  /** All that is left, full or not. */
  takeRest(): OperationBlock[] {
    this.#close();
    return this.takeFull();
  }

  #reserve(sizeBytes: number): number {
    if (this.#length + sizeBytes > this.#block.length) {
      this.#close();
      this.#block = allocOwnBytes(Math.max(this.#nextBlockBytes, sizeBytes));
      this.#nextBlockBytes = Math.min(2 * this.#nextBlockBytes, BLOCK_BYTES_MAX);
    }
    const start = this.#length;
    this.#length = start + sizeBytes;
    return start;
  }

  #close(): void {
    if (this.#length > 0) this.#full.push({ bytes: this.#block, length: this.#length });
    this.#block = EMPTY_BYTES;
    this.#length = 0;
  }
}

/** One write, as the writer thread sees it. */
export interface Operation {
  /** With the tree in front, as the environment stores it. */
  readonly key: Key;
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined;
}

export function readOperations(blocks: readonly OperationBlock[]): Operation[] {
  const operations: Operation[] = [];
  for (const block of blocks) {
    const bytes = asBytes(block.bytes);
    let at = 0;
    while (at < block.length) {
      const keyBytes = bytes[at] | (bytes[at + 1] << 8);
      const valueBytes = bytes.readUInt32LE(at + 2);
      const keyStart = at + SIZES_BYTES;
      const valueStart = at + HEADER_BYTES + keyBytes;
      const valueEnd = valueBytes === DELETE ? valueStart : valueStart + valueBytes;
      operations.push({
        key: bytes.latin1Slice(keyStart, valueStart),
        value: valueBytes === DELETE ? undefined : bytes.subarray(valueStart, valueEnd),
      });
      at = valueEnd;
    }
  }
  return operations;
}
