/**
 * The records of one partition on their way: gathered into batches, of which one at a time is at the cluster.
 *
 * So records are stored in the order of the file, and of two with one key the last wins, however often a batch
 * is sent again; and the longer an answer takes, the larger the next batch.
 */
import { ByteWriter } from "../../codec/byte-writer.js";
import { RECORDS_MAX, RecordBatchReader, writeRecordHead } from "../../codec/record-batch.js";
import type { Bytes } from "../../core/bytes.js";
import type { MinikeyError } from "../../core/errors.js";
import type { LoadRecord } from "./records.js";

/** Records as `KV.LOAD` takes them. */
export interface Batch {
  readonly records: Bytes;
  /** Of each record, the line that it comes from; ascending. */
  readonly lines: readonly number[];
  /** On the clock of `performance.now()`; 0 until it is sent. */
  deadlineMs: number;
  /** Why the cluster did not take it the last time that it answered. */
  refusal: MinikeyError | undefined;
}

/** The cost of a batch is spread over this much at least, when more is coming. */
const BATCH_BYTES_MIN = 32 * 1024;
/** What a node stores in one turn of its event loop, up to `RECORDS_MAX` records: a few milliseconds' work. */
export const BATCH_BYTES_MAX = 128 * 1024;

export class RecordQueue {
  /** A batch is at the cluster. */
  isBusy = false;
  #waiting: Batch[] = [];
  #building = new ByteWriter(BATCH_BYTES_MIN);
  #lines: number[] = [];

  /** Whether there is enough for a batch. */
  get isFull(): boolean {
    return (
      this.#waiting.length > 0 ||
      this.#building.length >= BATCH_BYTES_MIN ||
      this.#lines.length === RECORDS_MAX
    );
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#lines.length === 0;
  }

  /** Copies the record; returns the bytes that it takes in a batch. */
  add(record: LoadRecord): number {
    const { type, key, keyStart, keyEnd, value, valueStart, valueEnd } = record;
    const sizeBytes = keyEnd - keyStart + valueEnd - valueStart;
    const isTooLarge = this.#lines.length > 0 && this.#building.length + sizeBytes > BATCH_BYTES_MAX;
    if (isTooLarge || this.#lines.length === RECORDS_MAX) this.#cut();
    const building = this.#building;
    const before = building.length;
    writeRecordHead(building, type, key, keyStart, keyEnd, valueEnd - valueStart);
    building.raw(value, valueStart, valueEnd);
    this.#lines.push(record.line);
    return building.length - before;
  }

  /** The next batch to send; there is one unless the queue is empty. */
  take(): Batch | undefined {
    if (this.#waiting.length === 0 && this.#lines.length > 0) this.#cut();
    return this.#waiting.shift();
  }

  /** What comes before all that waits. */
  putBack(batches: readonly Batch[]): void {
    this.#waiting = [...batches, ...this.#waiting];
  }

  /** Everything that waits. */
  takeAll(): Batch[] {
    if (this.#lines.length > 0) this.#cut();
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }

  #cut(): void {
    const records = this.#building.bytes.subarray(0, this.#building.length);
    this.#waiting.push({ records, lines: this.#lines, deadlineMs: 0, refusal: undefined });
    this.#building = new ByteWriter(BATCH_BYTES_MIN);
    this.#lines = [];
  }
}

/** The first record of a batch. */
export function firstRecord({ records }: Batch): RecordBatchReader {
  const reader = new RecordBatchReader(records, 0, records.length);
  reader.next();
  return reader;
}

/** A batch for each record. */
export function splitBatch({ records, lines }: Batch): Batch[] {
  const reader = new RecordBatchReader(records, 0, records.length);
  const singles: Batch[] = [];
  for (let start = 0; reader.next(); start = reader.valueEnd) {
    const own = records.subarray(start, reader.valueEnd);
    singles.push({ records: own, lines: [lines[singles.length]], deadlineMs: 0, refusal: undefined });
  }
  return singles;
}
