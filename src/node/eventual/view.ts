/**
 * A replica's data as commands see it: keys that are there, values that counters add up to, no tombstones.
 *
 * For reads it shows what the state has. What commands write is staged: it goes into a batch, and is seen by the
 * commands after them until the batch is merged into the state, on which it changes nothing before. Of a key the whole
 * record is staged, so the latest, and what the state has got from others since, is all that there is to know of it.
 *
 * Each write of a key is a write of the replica, with the next number, and is stamped later than everything that the
 * replica has of that key, or has dropped.
 */
import type { Entry, KeyValueView, ValueType } from "../../commands/types.js";
import { allocOwnBytes, type Bytes, EMPTY_BYTES, type Key } from "../../core/bytes.js";
import { type HybridClock, laterStamp, NO_STAMP, type Stamp } from "../../core/hybrid-clock.js";
import type { Int64 } from "../../core/int64.js";
import { BatchWriter } from "../../eventual/batch.js";
import { deleted, ended, expiringAt, setTo } from "../../eventual/change.js";
import { addTo, exists, isUnended, shown } from "../../eventual/counter.js";
import { latestStamp, merge } from "../../eventual/merge.js";
import {
  expiresAtOf,
  isLaterStored,
  isPlain,
  isValue,
  plainBytes,
  readEventual,
  recordBytes,
  type StoredRecord,
  stampOf,
  typeOf,
  valueStartOf,
  writeEventual,
} from "../../eventual/record.js";
import type { EventualRecord, Stamped } from "../../eventual/types.js";
import { clampExpiry } from "../record.js";
import type { EventualState } from "./state.js";

/** What commands of one turn have written, until it is merged. */
export class StagedBatch {
  /** The replica's writes before those of the batch. */
  readonly after: number;
  /** In the order of the writes. */
  readonly keys: Key[] = [];
  /** Once it is taken from the view: what it has become (eventual/batch.ts), its records where they were. */
  bytes: Bytes | undefined;

  constructor(after: number) {
    this.after = after;
  }

  /** The number of its last write. */
  get upTo(): number {
    return this.after + this.keys.length;
  }
}

/** Where a key's latest staged record lies. */
interface StagedRecord {
  readonly batch: StagedBatch;
  readonly start: number;
  readonly end: number;
  /** How much of others the state had merged: as long as it is no more, the record has all that there is. */
  readonly othersMerged: number;
}

export class EventualView implements KeyValueView {
  nowMs = 0;
  readonly valueBytesMax: number;
  readonly #state: EventualState;
  readonly #stamps: HybridClock;
  readonly #writer = new BatchWriter();
  readonly #staged = new Map<Key, StagedRecord>();
  #filling: StagedBatch;

  constructor(state: EventualState, stamps: HybridClock, valueBytesMax: number) {
    this.#state = state;
    this.#stamps = stamps;
    this.valueBytesMax = valueBytesMax;
    this.#filling = new StagedBatch(state.vector.get(state.self));
  }

  // --- Batches of writes ---

  /** The last write's number. */
  get number(): number {
    return this.#filling.upTo;
  }

  /** Bytes of the batch so far. */
  get stagedBytes(): number {
    return this.#writer.sizeBytes;
  }

  /** What was written since the last call, and still is staged; undefined when nothing was. */
  take(): StagedBatch | undefined {
    const batch = this.#filling;
    if (batch.keys.length === 0) return undefined;
    this.#writer.advance(this.#state.self, batch.after, batch.upTo);
    batch.bytes = this.#writer.take();
    this.#filling = new StagedBatch(batch.upTo);
    return batch;
  }

  /** The batch is merged into the state: it is staged no more. */
  onMerged(batch: StagedBatch): void {
    const staged = this.#staged;
    // As a rule there is nothing beside it.
    if (batch.upTo === this.number) staged.clear();
    else for (const key of batch.keys) if (staged.get(key)?.batch === batch) staged.delete(key);
  }

  // --- What commands read ---

  get(key: Key): Entry | undefined {
    const record = this.#recordOf(key);
    if (record === undefined) return undefined;
    if (!isPlain(record)) return entryOf(readEventual(record), this.nowMs);
    if (!isValue(record)) return undefined;
    const expiresAtMs = expiresAtOf(record);
    if (expiresAtMs !== 0 && expiresAtMs <= this.nowMs) return undefined;
    return {
      type: typeOf(record) === "json" ? "json" : "string",
      bytes: record.bytes,
      start: valueStartOf(record),
      end: record.end,
      expiresAtMs,
      version: stampOf(record),
    };
  }

  has(key: Key): boolean {
    const record = this.#recordOf(key);
    return record !== undefined && isThereAt(record, this.nowMs);
  }

  /** Keys that are there, those whose time has come included. */
  count(): number {
    return this.#state.live;
  }

  *keys(options: { after?: Key | undefined; prefix?: Key | undefined }): IterableIterator<Key> {
    for (const [key, record] of this.#state.records(options.after, options.prefix)) {
      if (isThereAt(record, this.nowMs)) yield key;
    }
  }

  // --- What commands write ---

  set(key: Key, type: ValueType, bytes: Bytes, start: number, end: number, expiresAtMs: number): number {
    const here = this.#recordOf(key);
    const dueMs = clampExpiry(expiresAtMs);
    if (here === undefined || isPlain(here)) {
      return this.#setPlain(key, here, type, bytes, start, end, dueMs);
    }
    const record = readEventual(here);
    const write = this.#writeAfter(latestStamp(record));
    this.#stage(key, setTo(record, write, type, dueMs, bytes, start, end));
    return write.stamp;
  }

  setExpiry(key: Key, expiresAtMs: number): number {
    const here = this.#recordOf(key);
    if (here === undefined || !isThereAt(here, this.nowMs)) return 0;
    const record = readEventual(here);
    const write = this.#writeAfter(latestStamp(record));
    this.#stage(key, expiringAt(record, write, clampExpiry(expiresAtMs), this.nowMs));
    return write.stamp;
  }

  /** Adds to what the key counts, in a way that loses no addition of another replica. */
  increment(key: Key, by: Int64): void {
    const here = this.#recordOf(key);
    const record = here && readEventual(here);
    const write = this.#writeAfter(record === undefined ? NO_STAMP : latestStamp(record));
    this.#stage(key, addTo(record, write, by, this.nowMs));
  }

  /** A deletion also of what is not here: it may be on its way. */
  delete(key: Key): boolean {
    const here = this.#recordOf(key);
    const existed = here !== undefined && isThereAt(here, this.nowMs);
    if (here === undefined || isPlain(here)) this.#setPlain(key, here, "none", EMPTY_BYTES, 0, 0, 0);
    else {
      const record = readEventual(here);
      this.#stage(key, deleted(record, this.#writeAfter(latestStamp(record))));
    }
    return existed;
  }

  /** What has come to its end is no longer shown, and goes in its own time; a counter's end must be written first. */
  purge(key: Key): boolean {
    const here = this.#recordOf(key);
    if (here === undefined || isPlain(here)) return false;
    const record = readEventual(here);
    if (!record.slots.some((slot) => slot.origin === this.#state.self && isUnended(slot, record)))
      return false;
    const after = ended(record, this.#writeAfter(latestStamp(record)));
    if (after !== undefined) this.#stage(key, after);
    return true;
  }

  clear(): void {
    for (const key of [...this.#staged.keys()]) if (this.has(key)) this.delete(key);
    // What is staged is not in the state: this changes nothing below the walk.
    for (const key of this.keys({})) if (this.has(key)) this.delete(key);
  }

  /** `here`, if there is such a record, is plain; so is the new one. */
  #setPlain(
    key: Key,
    here: StoredRecord | undefined,
    type: ValueType | "none",
    bytes: Bytes,
    start: number,
    end: number,
    expiresAtMs: number,
  ): number {
    const { self } = this.#state;
    const stamp = this.#stampAfter(here === undefined ? NO_STAMP : stampOf(here));
    const number = this.number + 1;
    this.#writer.plain(key, type, stamp, self, number, expiresAtMs, bytes, start, end);
    this.#noteStaged(key, plainBytes(end - start, expiresAtMs));
    return stamp;
  }

  /** The next write, later than `stamp`. */
  #writeAfter(stamp: Stamp): Stamped {
    return { origin: this.#state.self, number: this.number + 1, stamp: this.#stampAfter(stamp) };
  }

  #stampAfter(stamp: Stamp): Stamp {
    return this.#stamps.next(this.nowMs, laterStamp(stamp, this.#state.floor));
  }

  #stage(key: Key, record: EventualRecord): void {
    this.#writer.record(key, record);
    this.#noteStaged(key, recordBytes(record));
  }

  /** The batch's last record is of `key`. */
  #noteStaged(key: Key, sizeBytes: number): void {
    const end = this.#writer.sizeBytes;
    const { othersMerged } = this.#state;
    this.#staged.set(key, { batch: this.#filling, start: end - sizeBytes, end, othersMerged });
    this.#filling.keys.push(key);
  }

  #recordOf(key: Key): StoredRecord | undefined {
    const staged = this.#staged.size > 0 ? this.#staged.get(key) : undefined;
    const here = this.#state.stored(key);
    if (staged === undefined) return here;
    const { batch, start, end, othersMerged } = staged;
    const latest: StoredRecord = { bytes: batch.bytes ?? this.#writer.bytes, start, end };
    if (here === undefined || othersMerged === this.#state.othersMerged) return latest;
    if (isPlain(here) && isPlain(latest)) return isLaterStored(here, latest) ? here : latest;
    const merged = merge(readEventual(here), readEventual(latest));
    const bytes = allocOwnBytes(recordBytes(merged));
    writeEventual(bytes, 0, merged);
    return { bytes, start: 0, end: bytes.length };
  }
}

/** What a record says that there is at `nowMs`. */
export function entryOf(record: EventualRecord, nowMs: number): Entry | undefined {
  if (!exists(record, nowMs)) return undefined;
  const { type, bytes, start, end, expiresAtMs } = shown(record, nowMs);
  return { type, bytes, start, end, expiresAtMs, version: latestStamp(record) };
}

function isThereAt(record: StoredRecord, nowMs: number): boolean {
  if (!isPlain(record)) return exists(readEventual(record), nowMs);
  if (!isValue(record)) return false;
  const expiresAtMs = expiresAtOf(record);
  return expiresAtMs === 0 || expiresAtMs > nowMs;
}
