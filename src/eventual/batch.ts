/**
 * Records on their way: the data of a log entry, and what one replica sends another.
 *
 * ```
 *   ┌──────────┬──────────┬─────┬───────────┬───────────┬─────┬───────────────┐
 *   │ record   │ record   │  …  │ advance   │ advance   │  …  │ advances u16  │
 *   └──────────┴──────────┴─────┴───────────┴───────────┴─────┴───────────────┘
 *   record     key bytes varint, key, record bytes varint, record (record.ts)
 *   advance    origin u32, after u48, up to u48          16 bytes
 * ```
 * An advance says: with these records, whoever had everything of the origin up to `after` has everything up to
 * `up to`. The advances are at the end, since who writes knows them last.
 */
import { ByteReader } from "../codec/byte-reader.js";
import { ByteWriter } from "../codec/byte-writer.js";
import { assert } from "../core/assert.js";
import { type Bytes, copyBytes, KEY_BYTES_MAX, type Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { Stamp } from "../core/hybrid-clock.js";
import { type ReplicaId, replicaId } from "../core/ids.js";
import {
  checkRecord,
  plainBytes,
  recordBytes,
  type StoredRecord,
  writeEventual,
  writePlain,
} from "./record.js";
import type { BaseType, EventualRecord } from "./types.js";

const ADVANCE_BYTES = 16;
const COUNT_BYTES = 2;
const ADVANCES_MAX = 0xffff;

/** What is larger is handed over as it is, and not copied. */
const COPIED_BYTES_MAX = 64 * 1024;

/** Gathers one batch after another. */
export class BatchWriter {
  #writer = new ByteWriter(4096);
  #records = 0;
  readonly #advances: number[] = [];

  get records(): number {
    return this.#records;
  }

  /** Of the records so far. */
  get sizeBytes(): number {
    return this.#writer.length;
  }

  /** Where the records so far lie: valid up to `sizeBytes`, until the next one. */
  get bytes(): Bytes {
    return this.#writer.bytes;
  }

  get isEmpty(): boolean {
    return this.#records === 0 && this.#advances.length === 0;
  }

  record(key: Key, record: EventualRecord): void {
    const sizeBytes = recordBytes(record);
    const at = this.#reserve(key, sizeBytes);
    writeEventual(this.#writer.bytes, at, record);
  }

  /** A base and nothing else, without an object made of it. */
  plain(
    key: Key,
    type: BaseType,
    stamp: Stamp,
    origin: ReplicaId,
    number: number,
    expiresAtMs: number,
    bytes: Bytes,
    start: number,
    end: number,
  ): void {
    const at = this.#reserve(key, plainBytes(end - start, expiresAtMs));
    writePlain(this.#writer.bytes, at, type, stamp, origin, number, expiresAtMs, bytes, start, end);
  }

  stored(key: Key, { bytes, start, end }: StoredRecord): void {
    this.#head(key, end - start);
    this.#writer.raw(bytes, start, end);
  }

  advance(origin: ReplicaId, after: number, upTo: number): void {
    this.#advances.push(origin, after, upTo);
  }

  /** All that is in another batch, too: its records, then its advances. */
  batch(bytes: Bytes): void {
    const reader = new BatchReader(bytes);
    this.#writer.raw(bytes, 0, reader.recordsEnd);
    while (reader.next()) this.#records += 1;
    for (let i = 0; i < reader.advances; i += 1)
      this.advance(reader.origin(i), reader.after(i), reader.upTo(i));
  }

  /** The batch, in memory of its own; the next one begins. */
  take(): Bytes {
    const writer = this.#writer;
    const advances = this.#advances;
    assert(advances.length <= 3 * ADVANCES_MAX, "% advances", advances.length / 3);
    for (let i = 0; i < advances.length; i += 3) {
      writer.u32(advances[i]);
      writer.u48(advances[i + 1]);
      writer.u48(advances[i + 2]);
    }
    const at = writer.reserve(COUNT_BYTES);
    writer.bytes.writeUIntLE(advances.length / 3, at, COUNT_BYTES);
    advances.length = 0;
    this.#records = 0;
    if (writer.length > COPIED_BYTES_MAX) {
      this.#writer = new ByteWriter(4096);
      return writer.bytes.subarray(0, writer.length);
    }
    const batch = copyBytes(writer.bytes, 0, writer.length);
    writer.clear();
    return batch;
  }

  #reserve(key: Key, sizeBytes: number): number {
    this.#head(key, sizeBytes);
    return this.#writer.reserve(sizeBytes);
  }

  #head(key: Key, sizeBytes: number): void {
    this.#records += 1;
    this.#writer.latin1(key);
    this.#writer.varint(sizeBytes);
  }
}

/** Goes through the records of a batch: after `next` it is the record that this came to. */
export class BatchReader implements StoredRecord {
  readonly bytes: Bytes;
  /** Of the record. */
  start = 0;
  end = 0;
  keyStart = 0;
  keyEnd = 0;
  readonly advances: number;
  readonly recordsEnd: number;
  readonly #reader: ByteReader;

  /** Throws `MinikeyError` `PROTOCOL` for what cannot be a batch. */
  constructor(bytes: Bytes) {
    this.bytes = bytes;
    if (bytes.length < COUNT_BYTES) throw malformed(`${bytes.length} bytes`);
    this.advances = bytes.readUIntLE(bytes.length - COUNT_BYTES, COUNT_BYTES);
    this.recordsEnd = bytes.length - COUNT_BYTES - this.advances * ADVANCE_BYTES;
    if (this.recordsEnd < 0) throw malformed(`${this.advances} advances announced`);
    this.#reader = new ByteReader(bytes, "batch of records", "PROTOCOL", 0, this.recordsEnd);
  }

  /** False at the end. Throws `MinikeyError` `PROTOCOL` for what cannot be a record's place. */
  next(): boolean {
    const reader = this.#reader;
    if (reader.remaining === 0) return false;
    const keyBytes = reader.varint();
    if (keyBytes > KEY_BYTES_MAX) throw reader.error(`a key of ${keyBytes} bytes`);
    this.keyStart = reader.skip(keyBytes);
    this.keyEnd = this.keyStart + keyBytes;
    const sizeBytes = reader.varint();
    this.start = reader.skip(sizeBytes);
    this.end = this.start + sizeBytes;
    return true;
  }

  get key(): Key {
    return this.bytes.latin1Slice(this.keyStart, this.keyEnd);
  }

  /** Of the i-th advance. */
  origin(i: number): ReplicaId {
    return replicaId(this.bytes.readUInt32LE(this.#advanceAt(i)));
  }

  after(i: number): number {
    return this.bytes.readUIntLE(this.#advanceAt(i) + 4, 6);
  }

  upTo(i: number): number {
    return this.bytes.readUIntLE(this.#advanceAt(i) + 10, 6);
  }

  #advanceAt(i: number): number {
    return this.recordsEnd + i * ADVANCE_BYTES;
  }
}

/** For bytes from another node: throws `MinikeyError` `PROTOCOL` unless they are a batch of records. */
export function checkBatch(bytes: Bytes): void {
  const reader = new BatchReader(bytes);
  while (reader.next()) {
    if (reader.keyStart === reader.keyEnd) throw malformed("an empty key");
    checkRecord(reader);
  }
  for (let i = 0; i < reader.advances; i += 1) {
    if (reader.after(i) > reader.upTo(i)) throw malformed("an advance backwards");
  }
}

const malformed = (problem: string): MinikeyError =>
  new MinikeyError("PROTOCOL", `malformed batch of records: ${problem}`);
