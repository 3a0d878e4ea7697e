/**
 * Many records in one argument, as `KV.LOAD` takes them: a loader writes them one behind the other, and nobody
 * takes them apart before they are stored.
 *
 * ```
 *   ┌────────┬──────────────┬───────┬──────────────┬─────────┐
 *   │ type   │ key length   │ key   │ value length │ value   │   … next record
 *   │ u8     │ varint       │       │ varint       │         │
 *   └────────┴──────────────┴───────┴──────────────┴─────────┘
 * ```
 * type: 0 bytes, 1 a document (JSON text).
 */
import type { Bytes } from "../core/bytes.js";
import { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";

export const RECORD_STRING = 0;
export const RECORD_JSON = 1;
/** In one batch: what a node checks and stores in a few milliseconds, however small they are. */
export const RECORDS_MAX = 2_048;
export type RecordType = typeof RECORD_STRING | typeof RECORD_JSON;

/** Appends a record without its value: the next thing written is `valueBytes` of value. */
export function writeRecordHead(
  writer: ByteWriter,
  type: RecordType,
  key: Bytes,
  keyStart: number,
  keyEnd: number,
  valueBytes: number,
): void {
  writer.u8(type);
  writer.blob(key, keyStart, keyEnd);
  writer.varint(valueBytes);
}

/** Goes through the records of a batch; the fields are those of the record that `next` came to. */
export class RecordBatchReader {
  readonly bytes: Bytes;
  type: RecordType = RECORD_STRING;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  readonly #reader: ByteReader;

  constructor(bytes: Bytes, start: number, end: number) {
    this.bytes = bytes;
    this.#reader = new ByteReader(bytes, "batch of records", "BAD_REQUEST", start, end);
  }

  /** False at the end. Throws `BAD_REQUEST` for what is no batch of records. */
  next(): boolean {
    const reader = this.#reader;
    if (reader.remaining === 0) return false;
    const type = reader.u8();
    if (type !== RECORD_STRING && type !== RECORD_JSON) throw reader.error(`record type ${type}`);
    this.type = type;
    const keyBytes = reader.varint();
    this.keyStart = reader.skip(keyBytes);
    this.keyEnd = this.keyStart + keyBytes;
    const valueBytes = reader.varint();
    this.valueStart = reader.skip(valueBytes);
    this.valueEnd = this.valueStart + valueBytes;
    return true;
  }
}
