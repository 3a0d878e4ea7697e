/**
 * Writes to one table that lie over a slower, ordered base: the newest value of each written key, or a
 * tombstone. An overlay is written to (active), then only read (frozen, while it is being saved), then
 * dropped once the base holds its content.
 *
 * A hash table with open addressing leads to records (records.ts). Its places hold pairs of a key's hash and
 * the position of its newest record, so that most searches touch two lines of memory and no object:
 *
 *     ┌──────┬──────────────┬──────┬──────────────┐
 *     │ hash │ position + 1 │ hash │ 0: free      │ …
 *     └──────┴──────────────┴──────┴──────────────┘
 *
 * A small value is replaced in place, and therefore copied out when it is read; a larger one stays as it is
 * until the overlay is dropped, and is read where it lies.
 *
 * The overlay knows its effect on the number of entries without asking the base for every write: of each key it
 * notes whether the levels below have it, when the writer happens to know; the others are asked about once,
 * when somebody counts.
 *
 * Invariants:
 * - a key has one record that is not `OUTDATED`, and one that is not `AGAIN`, the first;
 * - `live` is the number of keys whose newest value is no tombstone;
 * - `below` is the number of keys that the levels below have, without those still in doubt;
 * - a cleared overlay hides everything below, so `below` is 0 and nothing is in doubt.
 */
import { type Bytes, EMPTY_BYTES, type Key } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";
import type { BlockPool } from "./block-pool.js";
import { ForeseenKeys } from "./foreseen-keys.js";
import type { KeyHash } from "./key-hash.js";
import { AGAIN, DELETED, OUTDATED, type RecordBlock, Records, RecordWalk } from "./records.js";
import { SortedKeys, type SortedKeysCursor } from "./sorted-keys.js";
import type { ValueCopies } from "./value-copies.js";

/** Stands for a deleted key; compared by identity. */
export const TOMBSTONE: StoredValue = { bytes: EMPTY_BYTES, start: 0, end: 0 };

/** Whether the levels below an overlay have a key. */
export const BELOW_ABSENT = 0;
export const BELOW_PRESENT = 1;
export const BELOW_UNKNOWN = 2;
export type Below = typeof BELOW_ABSENT | typeof BELOW_PRESENT | typeof BELOW_UNKNOWN;

/** Records with room for so much are written in place. */
const IN_PLACE_BYTES_MAX = 1024;
/** A value that outgrew its room gets so much more, as it may go on growing. */
const GROWTH = 1.25;
const FIRST_PLACES = 16;
/** Of the places, so many are used at most: then their number doubles. */
const USED_PART_MAX = 0.6;

/** The levels below an overlay. */
export interface LevelsBelow {
  has(key: Key): boolean;
}

/** What the overlays of an engine share. */
export interface OverlayParts {
  readonly hash: KeyHash;
  readonly copies: ValueCopies;
  readonly pool: BlockPool;
}

export class Overlay {
  readonly #hash: KeyHash;
  readonly #copies: ValueCopies;
  #places = new Int32Array(2 * FIRST_PLACES);
  /** Number of places − 1. */
  #mask = FIRST_PLACES - 1;
  readonly #records: Records;
  #size = 0;
  /** Of the longest key; 0 without any. What a path may mean is mostly longer, and is not searched for. */
  #keyLengthMax = 0;
  readonly #sorted = new SortedKeys();
  /** Where the records end whose keys are in `#sorted`. */
  #sortedEnd = 0;
  /** Positions of keys. */
  #inDoubt: number[] = [];
  #below = 0;
  #live = 0;
  #cleared = false;
  readonly #foreseen: ForeseenKeys;

  constructor({ hash, copies, pool }: OverlayParts) {
    this.#hash = hash;
    this.#foreseen = new ForeseenKeys(hash);
    this.#copies = copies;
    this.#records = new Records(pool);
  }

  /** Whether the levels below are hidden. */
  get cleared(): boolean {
    return this.#cleared;
  }

  /** Keys written, tombstones included. */
  get size(): number {
    return this.#size;
  }

  get isEmpty(): boolean {
    return this.#size === 0 && !this.#cleared;
  }

  /** Memory taken. */
  get sizeBytes(): number {
    return this.#records.sizeBytes + this.#places.byteLength;
  }

  /** The newest value, `TOMBSTONE`, or undefined when the levels below decide (none when `cleared`). */
  get(key: Key): StoredValue | undefined {
    const position = this.#find(key);
    if (position < 0) return undefined;
    const records = this.#records;
    if ((records.flags(position) & DELETED) !== 0) return TOMBSTONE;
    const value = records.value(position);
    if (records.room(position) > IN_PLACE_BYTES_MAX) return value;
    return this.#copies.of(value.bytes, value.start, value.end);
  }

  /** Whether the newest value is one, or a tombstone; undefined when the levels below decide. */
  has(key: Key): boolean | undefined {
    const position = this.#find(key);
    return position < 0 ? undefined : (this.#records.flags(position) & DELETED) === 0;
  }

  /** A hint: the keys `bytes[spans[2i], spans[2i + 1])`, `from` ≤ i < `to`, are about to be written, in order. */
  prefetch(bytes: Bytes, spans: readonly number[], from: number, to: number): void {
    if (this.#size === 0) return;
    this.#foreseen.searchFor(this.#places, this.#records, this.#keyLengthMax, bytes, spans, from, to);
  }

  /** Room for the new value of a key that is in the overlay already; undefined, and nothing done, when it is not. */
  replace(key: Key, sizeBytes: number): StoredValue | undefined {
    const position = this.#find(key);
    if (position < 0) return undefined;
    const records = this.#records;
    const flags = records.flags(position);
    if ((flags & DELETED) !== 0) this.#live += 1;
    const room = records.room(position);
    if (sizeBytes <= room && room <= IN_PLACE_BYTES_MAX) {
      if ((flags & DELETED) !== 0) records.setFlags(position, flags & ~DELETED);
      return records.reserve(position, sizeBytes);
    }
    const isSmall = sizeBytes * GROWTH <= IN_PLACE_BYTES_MAX;
    const newest = records.add(key, isSmall ? Math.floor(sizeBytes * GROWTH) : sizeBytes, AGAIN);
    records.setFlags(position, flags | OUTDATED);
    this.#move(this.#hash.of(key), position, newest);
    return records.reserve(newest, sizeBytes);
  }

  /** Room for the value of a key that is not in the overlay yet. */
  add(key: Key, sizeBytes: number, below: Below): StoredValue {
    this.#live += 1;
    return this.#records.reserve(this.#add(key, sizeBytes, 0, below), sizeBytes);
  }

  /** Deletes a key that is in the overlay already; returns false, and does nothing, when it is not. */
  bury(key: Key): boolean {
    const position = this.#find(key);
    if (position < 0) return false;
    const flags = this.#records.flags(position);
    if ((flags & DELETED) === 0) this.#live -= 1;
    this.#records.setFlags(position, flags | DELETED);
    return true;
  }

  /** Deletes a key that is not in the overlay yet. */
  addTombstone(key: Key, below: Below): void {
    this.#add(key, 0, DELETED, below);
  }

  #add(key: Key, sizeBytes: number, flags: number, below: Below): number {
    if (this.#size >= USED_PART_MAX * (this.#mask + 1)) this.#grow();
    const position = this.#records.add(key, sizeBytes, flags);
    this.#occupy(this.#hash.of(key), position);
    this.#size += 1;
    this.#keyLengthMax = Math.max(this.#keyLengthMax, key.length);
    if (below === BELOW_PRESENT && !this.#cleared) this.#below += 1;
    if (below === BELOW_UNKNOWN && !this.#cleared) this.#inDoubt.push(position);
    return position;
  }

  /** Hides everything below and forgets what was written. */
  clear(): void {
    this.release();
    this.#cleared = true;
  }

  /** Forgets what was written, and gives the memory back. */
  release(): void {
    this.#places = new Int32Array(2 * FIRST_PLACES);
    this.#mask = FIRST_PLACES - 1;
    this.#records.release();
    this.#foreseen.clear();
    this.#size = 0;
    this.#keyLengthMax = 0;
    this.#sorted.clear();
    this.#sortedEnd = 0;
    this.#inDoubt = [];
    this.#below = 0;
    this.#live = 0;
  }

  /** Entries seen through this overlay, when the levels below have `countBelow` of them. */
  count(countBelow: number, below: LevelsBelow): number {
    if (this.#cleared) return this.#live;
    if (this.#inDoubt.length > 0) this.#settleDoubts(below);
    return countBelow + this.#live - this.#below;
  }

  /** Written keys from `start` on, tombstones included, in order; valid until the next write. */
  keysFrom(start: Key, exclusive: boolean): SortedKeysCursor {
    this.#sortNew();
    return this.#sorted.from(start, exclusive);
  }

  /** Everything written, as records: those that are `OUTDATED` do not count. */
  get blocks(): RecordBlock[] {
    return this.#records.blocks;
  }

  /** The position of a key's newest record, −1 for none. */
  #find(key: Key): number {
    if (key.length > this.#keyLengthMax) return -1;
    const foreseen = this.#foreseen.take(this.#records, key);
    if (foreseen >= 0) return foreseen;
    const hash = this.#hash.of(key);
    const places = this.#places;
    const mask = this.#mask;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const next = places[2 * place + 1];
      if (next === 0) return -1;
      if (places[2 * place] === hash && this.#records.hasKey(next - 1, key)) return next - 1;
    }
  }

  /** Takes the first free place for a key's record. */
  #occupy(hash: number, position: number): void {
    const places = this.#places;
    let place = hash & this.#mask;
    while (places[2 * place + 1] !== 0) place = (place + 1) & this.#mask;
    places[2 * place] = hash;
    places[2 * place + 1] = position + 1;
  }

  /** The place that led to one record leads to another. */
  #move(hash: number, from: number, to: number): void {
    const places = this.#places;
    let place = hash & this.#mask;
    while (places[2 * place + 1] !== from + 1) place = (place + 1) & this.#mask;
    places[2 * place + 1] = to + 1;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = new Int32Array(2 * before.length);
    this.#mask = 2 * this.#mask + 1;
    for (let i = 0; i < before.length; i += 2) {
      if (before[i + 1] !== 0) this.#occupy(before[i], before[i + 1] - 1);
    }
  }

  /** Sorts the keys that came since the last time. */
  #sortNew(): void {
    const walk = new RecordWalk(this.#records.blocks, this.#sortedEnd);
    const keys: Key[] = [];
    while (walk.next()) if ((walk.flags & AGAIN) === 0) keys.push(walk.key);
    this.#sortedEnd = walk.end;
    this.#sorted.add(keys);
  }

  #settleDoubts(below: LevelsBelow): void {
    for (const position of this.#inDoubt) if (below.has(this.#records.key(position))) this.#below += 1;
    this.#inDoubt = [];
  }
}
