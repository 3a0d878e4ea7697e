/**
 * What one replica of an eventual keyspace's partition has: a record for each key in its store, and what must
 * always agree with these: the version vector, fingerprints, counts, and the tables that lead to records.
 *
 * ```
 *   data     key                     → record (eventual/record.ts); deletions are records, too
 *   expiry   due time, key           → nothing; of every key that is there and expires
 *   meta     m, leaf (2 bytes), key  → nothing; of every record: from a leaf of the Merkle tree to its keys
 *            t, key                  → mark (6 bytes); of every record with a deleted or expired base
 *            h, number (6 bytes)     → key; own writes that not all replicas have (hints.ts)
 * ```
 * Invariants:
 * - What `apply` does depends on the entries applied so far and on the store alone, so that a restart, which applies
 *   what the log holds after the last checkpoint, comes to the same. What is done beside the log (values that expire,
 *   tombstones that go) may be undone by a restart, and is done again later.
 * - A record in which nothing is new to the vector, as it was before the record's batch, is not merged: it was here,
 *   and is here still, or was followed by something later, or dropped (docs/adr/0014, "Deletes").
 */
import { ByteReader } from "../../codec/byte-reader.js";
import { ByteWriter } from "../../codec/byte-writer.js";
import type { Entry } from "../../codec/raft-types.js";
import { assert } from "../../core/assert.js";
import { allocOwnBytes, type Bytes, EMPTY_BYTES, type Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { laterStamp, NO_STAMP, type Stamp } from "../../core/hybrid-clock.js";
import { type LogIndex, logIndex, type ReplicaId, term } from "../../core/ids.js";
import { BatchReader } from "../../eventual/batch.js";
import { expired, isSettled, withoutTombstone } from "../../eventual/change.js";
import { DROPPED_AFTER_MS, exists, isUnended } from "../../eventual/counter.js";
import { Fingerprint, Fingerprints } from "../../eventual/fingerprints.js";
import { isCovered, latestStamp, merge } from "../../eventual/merge.js";
import {
  expiresAtOf,
  isLaterStored,
  isPlain,
  isTombstone,
  isValue,
  numberOf,
  originOf,
  readEventual,
  recordBytes,
  type StoredRecord,
  stampOf,
  writeEventual,
} from "../../eventual/record.js";
import type { EventualRecord } from "../../eventual/types.js";
import { VersionVector } from "../../eventual/version-vector.js";
import type { AppliedState, GroupStore, StoredValue } from "../../ports/storage-engine.js";
import { dueTime, expiryKey, keyOfExpiry } from "../record.js";
import { Hints } from "./hints.js";

const STATE_FORMAT = 1;
const COMPLETE = 1;

const LEAF_PREFIX = "m";
const TOMBSTONE_PREFIX = "t";
const MARK_BYTES = 6;

const NO_VALUE: StoredValue = { bytes: EMPTY_BYTES, start: 0, end: 0 };

export class EventualState {
  readonly self: ReplicaId;
  readonly vector: VersionVector;
  readonly fingerprints: Fingerprints;
  readonly hints: Hints;
  /** Counts batches of others merged by this process. */
  othersMerged = 0;
  /** Of values and deletions in the latest of them, the latest stamp. */
  othersStamp: Stamp = NO_STAMP;
  readonly #store: GroupStore;
  /** Of the record that was counted last. */
  readonly #fingerprint = new Fingerprint();
  #appliedIndex: LogIndex = logIndex(0);
  #isComplete: boolean;
  /** Records of keys that are there, those included whose time has come. */
  #live = 0;
  #tombstones = 0;
  /** Of the next tombstone. */
  #nextMark = 1;
  #floor: Stamp = NO_STAMP;
  /** No stamp of the node's clock was later, as far as this state knows. */
  #latestStamp: Stamp = NO_STAMP;
  #unended: Key[] = [];
  /** Tombstones up to this key have been looked at since the last mark. */
  #lookedUpTo: Key = "";

  /** Takes up where the store's last durable state is. */
  constructor(store: GroupStore, self: ReplicaId, isFounder: boolean, hintsMax: number) {
    this.#store = store;
    this.self = self;
    this.#isComplete = isFounder;
    this.hints = new Hints(store, hintsMax);
    const { restored } = store;
    if (restored === undefined) {
      this.vector = new VersionVector();
      this.fingerprints = new Fingerprints();
      return;
    }
    const reader = openState(restored);
    this.#appliedIndex = restored.index;
    if (reader.u8() === COMPLETE) this.#isComplete = true;
    this.#live = reader.u48();
    this.#tombstones = reader.u48();
    this.#nextMark = reader.u48();
    this.#floor = reader.f64() as Stamp;
    this.#latestStamp = reader.f64() as Stamp;
    this.vector = VersionVector.decode(reader);
    this.fingerprints = Fingerprints.decode(reader);
    this.hints.decode(reader);
    reader.expectEnd();
  }

  /** May answer, and counts for levels. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Keys that are there, those included whose time has come. */
  get live(): number {
    return this.#live;
  }

  /** Records with a deleted or expired base. */
  get tombstones(): number {
    return this.#tombstones;
  }

  /** The latest stamp of what was dropped, here or elsewhere. */
  get floor(): Stamp {
    return this.#floor;
  }

  /** Where the node's clock goes on at the earliest, after a restart. */
  get latestStamp(): Stamp {
    return this.#latestStamp;
  }

  /** Nothing is written any more with an earlier stamp. */
  raiseFloor(stamp: Stamp): void {
    if (stamp > this.#floor) this.#floor = stamp;
  }

  /** The record of a key as it is stored, tombstones too; valid until the next write. */
  stored(key: Key): StoredValue | undefined {
    return this.#store.get("data", key);
  }

  /** Keys after `after`, in their order, with this prefix, and their records; tombstones too. */
  *records(after: Key | undefined, prefix: Key | undefined): IterableIterator<[Key, StoredValue]> {
    yield* this.#store.range("data", {
      ...(after === undefined ? {} : { start: after, exclusive: true }),
      ...(prefix === undefined ? {} : { prefix }),
    });
  }

  /** Keys of a leaf with a record, in their order, after `after` (`""`: from the first on). */
  *keysOfLeaf(leaf: number, after: Key): IterableIterator<Key> {
    const prefix = leafPrefix(leaf);
    const range = { prefix, start: prefix + after, exclusive: after !== "" };
    for (const [indexKey] of this.#store.range("meta", range)) yield indexKey.slice(prefix.length);
  }

  // --- What the log says ---

  /** Applies one entry. Throws only for a broken invariant. */
  apply(entry: Entry): void {
    assert(
      entry.index === this.#appliedIndex + 1,
      "group %: entry % after % applied",
      this.#store.group,
      entry.index,
      this.#appliedIndex,
    );
    this.#appliedIndex = entry.index;
    if (entry.kind === "noop") this.#isComplete = true;
    else this.#mergeBatch(entry.data);
  }

  #mergeBatch(data: Bytes): void {
    const batch = new BatchReader(data);
    const hasOwn = batch.advances > 0 && batch.origin(0) === this.self;
    let ownNumber = hasOwn ? batch.after(0) : 0;
    if (!hasOwn) {
      this.othersMerged += 1;
      this.othersStamp = NO_STAMP;
    }
    while (batch.next()) {
      const { key } = batch;
      this.#mergeRecord(key, batch);
      if (!hasOwn) {
        this.othersStamp = laterStamp(this.othersStamp, stampOf(batch));
        continue;
      }
      // An own batch has one record for each own write, in the order of their numbers.
      ownNumber += 1;
      this.hints.add(ownNumber, key);
    }
    for (let i = 0; i < batch.advances; i += 1) {
      // Who misses something before it, has not everything up to there.
      if (this.vector.get(batch.origin(i)) >= batch.after(i))
        this.vector.advance(batch.origin(i), batch.upTo(i));
    }
  }

  #mergeRecord(key: Key, incoming: StoredRecord): void {
    const here = this.#store.get("data", key);
    if (isPlain(incoming)) {
      if (numberOf(incoming) <= this.vector.get(originOf(incoming))) return;
      if (here === undefined) {
        this.#put(key, incoming);
        return;
      }
      if (isPlain(here)) {
        if (isLaterStored(incoming, here)) this.#replace(key, here, incoming);
        return;
      }
    }
    const news = readEventual(incoming);
    if (isCovered(news, this.vector)) return;
    const known = here && readEventual(here);
    const merged = known === undefined ? news : merge(known, news);
    if (merged !== known) this.#write(key, here, merged);
  }

  // --- What is done beside the log ---

  /** Values whose time has come long enough before `nowMs` go, at most so many; what is left counts as tombstones. */
  expire(nowMs: number, countMax: number): void {
    if (this.#store.count("expiry") === 0) return;
    const end = dueTime(Math.max(nowMs - DROPPED_AFTER_MS, 0) + 1);
    const due: Key[] = [];
    for (const [indexKey] of this.#store.range("expiry")) {
      if (indexKey >= end || due.length === countMax) break;
      due.push(keyOfExpiry(indexKey));
    }
    for (const key of due) {
      const here = this.#store.get("data", key);
      assert(here !== undefined, "the expiry table leads to a record");
      this.#write(key, here, expired(readEventual(here)));
    }
  }

  /** A mark in the list of tombstones: those from before it are of now. */
  markTombstones(): number {
    this.#lookedUpTo = "";
    return this.#nextMark;
  }

  /**
   * Drops tombstones from before the mark whose dots are all in `noted`, after looking at `countMax` at most. Returns
   * whether there may be more.
   */
  dropTombstones(mark: number, noted: VersionVector, countMax: number): boolean {
    const found: Key[] = [];
    let looked = 0;
    const range = { prefix: TOMBSTONE_PREFIX, start: TOMBSTONE_PREFIX + this.#lookedUpTo, exclusive: true };
    for (const [indexKey, { bytes, start }] of this.#store.range("meta", range)) {
      if (looked === countMax) break;
      looked += 1;
      this.#lookedUpTo = indexKey.slice(TOMBSTONE_PREFIX.length);
      if (bytes.readUIntBE(start, MARK_BYTES) < mark) found.push(this.#lookedUpTo);
    }
    for (const key of found) this.#drop(key, noted);
    return looked === countMax;
  }

  #drop(key: Key, noted: VersionVector): void {
    const here = this.#store.get("data", key);
    assert(here !== undefined, "the list of tombstones leads to a record");
    const record = readEventual(here);
    if (!isSettled(record, noted)) return;
    if (record.slots.some((slot) => slot.origin === this.self && isUnended(slot, record))) {
      this.#unended.push(key);
      return;
    }
    this.raiseFloor(latestStamp(record));
    const left = withoutTombstone(record);
    if (left === undefined) this.#remove(key, here);
    else if (left !== record) this.#write(key, here, left);
  }

  /** Keys that have expired with an own slot that does not say so: `ENDKEY` writes it, and then they may go. */
  takeUnended(): readonly Key[] {
    const keys = this.#unended;
    if (keys.length > 0) this.#unended = [];
    return keys;
  }

  // --- Records and what leads to them ---

  #put(key: Key, record: StoredRecord): void {
    this.#store.put("data", key, record);
    this.#enter(key, record);
    this.#store.put("meta", leafPrefix(this.#fingerprint.leaf) + key, NO_VALUE);
  }

  #replace(key: Key, here: StoredRecord, record: StoredRecord): void {
    this.#leave(key, here, isTombstone(record));
    this.#store.put("data", key, record);
    this.#enter(key, record);
  }

  #write(key: Key, here: StoredRecord | undefined, record: EventualRecord): void {
    const bytes = allocOwnBytes(recordBytes(record));
    writeEventual(bytes, 0, record);
    const stored = { bytes, start: 0, end: bytes.length };
    if (here === undefined) this.#put(key, stored);
    else this.#replace(key, here, stored);
  }

  #remove(key: Key, here: StoredRecord): void {
    this.#leave(key, here, false);
    this.#store.delete("data", key);
    this.#store.delete("meta", leafPrefix(this.#fingerprint.leaf) + key);
  }

  #enter(key: Key, record: StoredRecord): void {
    this.#toggle(key, record);
    if (isThere(record)) this.#live += 1;
    const expiresAtMs = isValue(record) ? expiresAtOf(record) : 0;
    if (expiresAtMs !== 0) this.#store.put("expiry", expiryKey(expiresAtMs, key), NO_VALUE);
    if (isTombstone(record)) this.#addTombstone(key);
  }

  /** `here` is no longer the key's record. */
  #leave(key: Key, here: StoredRecord, staysTombstone: boolean): void {
    // First what is read of it, then what is written.
    this.#toggle(key, here);
    const wasThere = isThere(here);
    const expiresAtMs = isValue(here) ? expiresAtOf(here) : 0;
    const wasTombstone = isTombstone(here);
    if (wasThere) this.#live -= 1;
    if (expiresAtMs !== 0) this.#store.delete("expiry", expiryKey(expiresAtMs, key));
    if (!wasTombstone) return;
    this.#tombstones -= 1;
    if (!staysTombstone) this.#store.delete("meta", TOMBSTONE_PREFIX + key);
  }

  #addTombstone(key: Key): void {
    this.#tombstones += 1;
    const { bytes, start } = this.#store.reserve("meta", TOMBSTONE_PREFIX + key, MARK_BYTES);
    bytes.writeUIntBE(this.#nextMark, start, MARK_BYTES);
    this.#nextMark += 1;
  }

  #toggle(key: Key, record: StoredRecord): void {
    this.#fingerprint.ofStored(key, record);
    this.fingerprints.toggleFingerprint(this.#fingerprint);
  }

  // --- Checkpoints ---

  /** Everything beside the tables, as of the applied index; `clock` is the node's latest stamp. */
  capture(clock: Stamp): AppliedState {
    const writer = new ByteWriter();
    writer.u8(STATE_FORMAT);
    writer.u8(this.#isComplete ? COMPLETE : 0);
    writer.u48(this.#live);
    writer.u48(this.#tombstones);
    writer.u48(this.#nextMark);
    writer.f64(this.#floor);
    writer.f64(Math.max(clock, this.#latestStamp));
    this.vector.encode(writer);
    this.fingerprints.encode(writer);
    this.hints.encode(writer);
    return { index: this.#appliedIndex, term: term(1), state: writer.toBytes() };
  }
}

/** Whether the key is there until its time has come. */
export function isThere(record: StoredRecord): boolean {
  return isPlain(record) ? isValue(record) : exists(readEventual(record), 0);
}

function leafPrefix(leaf: number): string {
  return LEAF_PREFIX + String.fromCharCode(leaf >> 8, leaf & 0xff);
}

function openState(applied: AppliedState): ByteReader {
  const reader = new ByteReader(applied.state, "state of an eventual partition", "DATA_CORRUPT");
  const format = reader.u8();
  if (format > STATE_FORMAT) {
    throw new MinikeyError(
      "DATA_NEWER",
      `the data has state format ${format}, newer than ${STATE_FORMAT}, the latest that this version knows`,
    );
  }
  if (format < STATE_FORMAT) throw reader.error(`format ${format}`, 0);
  return reader;
}
