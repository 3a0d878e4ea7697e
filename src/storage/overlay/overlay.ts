/**
 * Writes to one table that lie over a slower, ordered base: the newest value of each written key, or a
 * tombstone. An overlay is written to (active), then only read (frozen, while it is being saved), then
 * dropped once the base holds its content.
 *
 * It knows its effect on the number of entries without asking the base for every write: of each key it notes
 * whether the levels below have it, when the writer happens to know; the others are asked about once, when
 * somebody counts.
 *
 * Invariants:
 * - `live` is the number of keys whose newest value is no tombstone;
 * - `below` is the number of keys that the levels below have, without those still in doubt;
 * - a cleared overlay hides everything below, so `below` is 0 and nothing is in doubt.
 */
import { EMPTY_BYTES, type Key } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";
import { SortedKeys, type SortedKeysCursor } from "./sorted-keys.js";

/** Stands for a deleted key; compared by identity. */
export const TOMBSTONE: StoredValue = { bytes: EMPTY_BYTES, start: 0, end: 0 };

/** Whether the levels below an overlay have a key. */
export const BELOW_ABSENT = 0;
export const BELOW_PRESENT = 1;
export const BELOW_UNKNOWN = 2;
export type Below = typeof BELOW_ABSENT | typeof BELOW_PRESENT | typeof BELOW_UNKNOWN;

/** Holds a key's newest value, so that writing it again looks the key up once. */
interface Cell {
  value: StoredValue;
}

/** The levels below an overlay. */
export interface LevelsBelow {
  has(key: Key): boolean;
}

export class Overlay {
  readonly #values = new Map<Key, Cell>();
  readonly #keys = new SortedKeys(this.#values);
  #inDoubt: Key[] = [];
  #below = 0;
  #live = 0;
  #cleared = false;

  /** Whether the levels below are hidden. */
  get cleared(): boolean {
    return this.#cleared;
  }

  /** Keys written, tombstones included. */
  get size(): number {
    return this.#values.size;
  }

  get isEmpty(): boolean {
    return this.#values.size === 0 && !this.#cleared;
  }

  /** The newest value, `TOMBSTONE`, or undefined when the levels below decide (none when `cleared`). */
  get(key: Key): StoredValue | undefined {
    return this.#values.get(key)?.value;
  }

  /** Sets a key that is in the overlay already; returns false, and does nothing, when it is not. */
  replace(key: Key, value: StoredValue): boolean {
    const cell = this.#values.get(key);
    if (cell === undefined) return false;
    if (cell.value === TOMBSTONE) this.#live += 1;
    if (value === TOMBSTONE) this.#live -= 1;
    cell.value = value;
    return true;
  }

  /** Sets a key that is not in the overlay yet. */
  add(key: Key, value: StoredValue, below: Below): void {
    this.#values.set(key, { value });
    if (value !== TOMBSTONE) this.#live += 1;
    if (this.#cleared || below === BELOW_ABSENT) return;
    if (below === BELOW_PRESENT) this.#below += 1;
    else this.#inDoubt.push(key);
  }

  /** Hides everything below and forgets what was written. */
  clear(): void {
    this.#values.clear();
    this.#keys.clear();
    this.#inDoubt = [];
    this.#below = 0;
    this.#live = 0;
    this.#cleared = true;
  }

  /** Entries seen through this overlay, when the levels below have `countBelow` of them. */
  count(countBelow: number, below: LevelsBelow): number {
    if (this.#cleared) return this.#live;
    if (this.#inDoubt.length > 0) this.#settleDoubts(below);
    return countBelow + this.#live - this.#below;
  }

  /** Written keys from `start` on, tombstones included, in order; valid until the next write. */
  keysFrom(start: Key, exclusive: boolean): SortedKeysCursor {
    return this.#keys.from(start, exclusive);
  }

  /** Everything written, in no order. */
  *entries(): IterableIterator<[Key, StoredValue]> {
    for (const [key, cell] of this.#values) yield [key, cell.value];
  }

  #settleDoubts(below: LevelsBelow): void {
    for (const key of this.#inDoubt) if (below.has(key)) this.#below += 1;
    this.#inDoubt = [];
  }
}
