/**
 * The pieces that a group's snapshot travels in: the same for every engine, so that one kind can be installed
 * from another, and the same in snapshot files.
 *
 *     piece                                record
 *     +--------+--------+--------+----     +-------+---------+----------+-----+-------+
 *     | CRC-32C| record | record | …       | table | key size| value size| key | value |
 *     |   u32  |        |        |         |  u8   |   u16   |    u32   |     |       |
 *     +--------+--------+--------+----     +-------+---------+----------+-----+-------+
 *
 * Integers are little-endian; the checksum covers everything after it. Records of one snapshot are in the
 * order of (table, key).
 */
import { allocOwnBytes, type Bytes, type Key } from "../core/bytes.js";
import { crc32c } from "../core/crc32c.js";
import { MinikeyError } from "../core/errors.js";
import type { StoredValue } from "../ports/storage-engine.js";
import { KEY_BYTES_MAX, TABLE_COUNT, VALUE_BYTES_MAX } from "./tables.js";

const CHECKSUM_BYTES = 4;
const RECORD_HEADER_BYTES = 7;

/** Fills one piece. */
export class PieceWriter {
  readonly #sizeBytes: number;
  #bytes: Bytes;
  #length = CHECKSUM_BYTES;

  /** `sizeBytes`: up to where records fit; the first always does. */
  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#bytes = allocOwnBytes(Math.max(sizeBytes, CHECKSUM_BYTES));
  }

  get isEmpty(): boolean {
    return this.#length === CHECKSUM_BYTES;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Whether a record fits into the size asked for. */
  fits(key: Key, value: StoredValue): boolean {
    return (
      this.isEmpty ||
      this.#length + RECORD_HEADER_BYTES + key.length + value.end - value.start <= this.#sizeBytes
    );
  }

  add(table: number, key: Key, value: StoredValue): void {
    const valueBytes = value.end - value.start;
    const start = this.#length;
    const keyStart = start + RECORD_HEADER_BYTES;
    const end = keyStart + key.length + valueBytes;
    if (end > this.#bytes.length) this.#grow(end);
    const bytes = this.#bytes;
    bytes[start] = table;
    bytes[start + 1] = key.length;
    bytes[start + 2] = key.length >>> 8;
    bytes.writeUInt32LE(valueBytes, start + 3);
    bytes.latin1Write(key, keyStart, key.length);
    value.bytes.copy(bytes, keyStart + key.length, value.start, value.end);
    this.#length = end;
  }

  /** The piece; the writer is spent. */
  finish(): Bytes {
    this.#bytes.writeUInt32LE(crc32c(this.#bytes, CHECKSUM_BYTES, this.#length), 0);
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(neededBytes: number): void {
    const larger = allocOwnBytes(neededBytes);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Reads one piece, record by record. */
export class PieceReader {
  readonly #bytes: Bytes;
  #next = CHECKSUM_BYTES;
  /** The current record, after `advance` returned true. */
  table = 0;
  keyStart = 0;
  valueStart = 0;
  valueEnd = 0;

  /** Throws `DATA_CORRUPT` when the checksum does not match. */
  constructor(piece: Bytes) {
    this.#bytes = piece;
    if (piece.length < CHECKSUM_BYTES) throw malformed("it is too short");
    if (piece.readUInt32LE(0) !== crc32c(piece, CHECKSUM_BYTES, piece.length)) {
      throw malformed("its checksum does not match");
    }
  }

  get bytes(): Bytes {
    return this.#bytes;
  }

  get key(): Key {
    return this.#bytes.latin1Slice(this.keyStart, this.valueStart);
  }

  /** Goes to the next record; false at the end. Throws `DATA_CORRUPT` for a malformed record. */
  advance(): boolean {
    const bytes = this.#bytes;
    const start = this.#next;
    if (start === bytes.length) return false;
    if (start + RECORD_HEADER_BYTES > bytes.length) throw malformed(`a record is cut off at byte ${start}`);
    const keyBytes = bytes[start + 1] | (bytes[start + 2] << 8);
    const valueBytes = bytes.readUInt32LE(start + 3);
    this.table = bytes[start];
    this.keyStart = start + RECORD_HEADER_BYTES;
    this.valueStart = this.keyStart + keyBytes;
    this.valueEnd = this.valueStart + valueBytes;
    if (this.table >= TABLE_COUNT) throw malformed(`table ${this.table} at byte ${start}`);
    if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX || valueBytes > VALUE_BYTES_MAX) {
      throw malformed(`a key of ${keyBytes} and a value of ${valueBytes} bytes at byte ${start}`);
    }
    if (this.valueEnd > bytes.length) throw malformed(`a record is cut off at byte ${start}`);
    this.#next = this.valueEnd;
    return true;
  }
}

const malformed = (problem: string): MinikeyError =>
  new MinikeyError("DATA_CORRUPT", `malformed snapshot piece: ${problem}`);
