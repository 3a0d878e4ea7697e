/**
 * Replicas of one key that take writes, exchange what they have in any order and as often as one likes, and drop
 * tombstones in rounds (docs/adr/0014): all that the pure parts are for, without disks and connections. Beside them a
 * reference that remembers every write and what its replica knew.
 */

import { allocBytes, type Bytes, latin1ToBytes } from "../../../src/core/bytes.js";
import { HybridClock, laterStamp, NO_STAMP, type Stamp } from "../../../src/core/hybrid-clock.js";
import { type ReplicaId, replicaOf } from "../../../src/core/ids.js";
import { BatchReader, BatchWriter, checkBatch } from "../../../src/eventual/batch.js";
import {
  deleted,
  ended,
  expired,
  expiringAt,
  isSettled,
  setTo,
  withoutTombstone,
} from "../../../src/eventual/change.js";
import { addTo, DROPPED_AFTER_MS, exists, isUnended, shown } from "../../../src/eventual/counter.js";
import { isCovered, latestStamp, merge } from "../../../src/eventual/merge.js";
import { isTombstone, readEventual, recordBytes, writeEventual } from "../../../src/eventual/record.js";
import type { EventualRecord, Stamped } from "../../../src/eventual/types.js";
import { VersionVector } from "../../../src/eventual/version-vector.js";

const KEY = "k";

/** What the reference remembers of a write. */
export type Written =
  | {
      readonly kind: "base";
      readonly write: Stamped;
      readonly value: bigint | undefined;
      readonly over: ReadonlySet<Written>;
    }
  | { readonly kind: "addition"; readonly by: bigint };

/** A replica as it was at one moment. */
export interface Copy {
  readonly from: ReplicaId;
  readonly batch: Bytes;
  readonly vector: VersionVector;
  readonly floor: Stamp;
  readonly known: ReadonlySet<Written>;
}

interface Round {
  readonly noted: VersionVector;
  /** The tombstone that was there. */
  readonly marked: string | undefined;
  readonly told: Map<ReplicaId, VersionVector>;
}

export class ModelReplica {
  readonly id: ReplicaId;
  readonly vector = new VersionVector();
  record: EventualRecord | undefined;
  known: Set<Written> = new Set();
  #clock = new HybridClock();
  #floor: Stamp = NO_STAMP;
  #round: Round | undefined;

  constructor(member: number) {
    this.id = replicaOf(member, 0);
  }

  get writes(): number {
    return this.vector.get(this.id);
  }

  /** What a client sees. */
  value(nowMs: number): string | undefined {
    if (this.record === undefined || !exists(this.record, nowMs)) return undefined;
    const { bytes, start, end } = shown(this.record, nowMs);
    return bytes.latin1Slice(start, end);
  }

  /** Writes of other keys leave gaps. */
  writeElsewhere(): void {
    this.vector.advance(this.id, this.writes + 1);
  }

  set(nowMs: number, value: bigint, expiresAtMs = 0): void {
    const write = this.#write(nowMs);
    const bytes = latin1ToBytes(value.toString());
    this.record = setTo(this.record, write, "string", expiresAtMs, bytes, 0, bytes.length);
    this.known.add({ kind: "base", write, value, over: new Set(this.known) });
  }

  delete(nowMs: number): void {
    if (this.record === undefined || !exists(this.record, nowMs)) return;
    const write = this.#write(nowMs);
    this.record = deleted(this.record, write);
    this.known.add({ kind: "base", write, value: undefined, over: new Set(this.known) });
  }

  add(nowMs: number, by: bigint): void {
    const sum = BigInt(this.value(nowMs) ?? 0) + by;
    if (sum !== BigInt.asIntN(64, sum)) return;
    this.record = addTo(this.record, this.#write(nowMs), by, nowMs);
    this.known.add({ kind: "addition", by });
  }

  expire(nowMs: number, expiresAtMs: number): void {
    if (this.record === undefined || !exists(this.record, nowMs)) return;
    this.record = expiringAt(this.record, this.#write(nowMs), expiresAtMs, nowMs);
  }

  /** Drops the value when its time has come long enough ago. */
  sweep(nowMs: number): void {
    const { record } = this;
    if (record === undefined) return;
    if (record.type === "expired") this.#end(nowMs, record);
    if (record.type !== "string" && record.type !== "json") return;
    if (record.expiresAtMs !== 0 && record.expiresAtMs + DROPPED_AFTER_MS <= nowMs)
      this.record = expired(record);
  }

  copy(): Copy {
    const batch = new BatchWriter();
    if (this.record !== undefined) batch.record(KEY, this.record);
    const { id, vector } = this;
    return {
      from: id,
      batch: batch.take(),
      vector: vector.copy(),
      floor: this.#floor,
      known: new Set(this.known),
    };
  }

  /** Takes a copy of another, of whatever time. */
  take(copy: Copy): void {
    this.takeRecord(copy);
    const { from, vector, floor } = copy;
    this.vector.mergeFrom(vector);
    this.#floor = laterStamp(this.#floor, floor);
    const round = this.#round;
    if (round !== undefined && vector.covers(round.noted) && !round.told.has(from))
      round.told.set(from, vector);
  }

  /** The record alone, beside the vector. */
  takeRecord({ batch, known }: Copy): void {
    checkBatch(batch);
    const reader = new BatchReader(batch);
    while (reader.next()) this.#merge(readEventual(reader));
    for (const write of known) this.known.add(write);
  }

  beginRound(): void {
    this.#round = { noted: this.vector.copy(), marked: this.#tombstone(), told: new Map() };
  }

  /** Drops the tombstone from before the round, once the others have said that they have what was there. */
  finishRound(others: number): void {
    const round = this.#round;
    if (round === undefined || round.told.size < others) return;
    for (const told of round.told.values()) if (!this.vector.covers(told)) return;
    this.#round = undefined;
    const { record } = this;
    if (record === undefined || round.marked === undefined || this.#tombstone() !== round.marked) return;
    if (!isSettled(record, round.noted)) return;
    this.#floor = laterStamp(this.#floor, latestStamp(record));
    this.record = withoutTombstone(record);
  }

  #tombstone(): string | undefined {
    const { record } = this;
    if (record === undefined) return undefined;
    const bytes = allocBytes(recordBytes(record));
    writeEventual(bytes, 0, record);
    const { stamp, origin } = record.base;
    return isTombstone({ bytes, start: 0, end: bytes.length })
      ? `${stamp} ${origin} ${record.type}`
      : undefined;
  }

  #merge(news: EventualRecord): void {
    if (isCovered(news, this.vector)) return;
    this.record = this.record === undefined ? news : merge(this.record, news);
  }

  #end(nowMs: number, record: EventualRecord): void {
    const own = record.slots.find(({ origin }) => origin === this.id);
    if (own !== undefined && isUnended(own, record)) this.record = ended(record, this.#write(nowMs));
  }

  #write(nowMs: number): Stamped {
    const number = this.writes + 1;
    this.vector.advance(this.id, number);
    const after = this.record === undefined ? NO_STAMP : latestStamp(this.record);
    return { origin: this.id, number, stamp: this.#clock.next(nowMs, laterStamp(after, this.#floor)) };
  }
}
