/**
 * Keys in order: sorted runs, as in a log-structured merge tree, held in memory. Keys that are added become a
 * run of their own; then the last two runs are merged while the older is less than twice as long as the newer,
 * so a key is merged O(log n) times over the life of the collection.
 *
 * Invariant: every run is strictly ascending, and each key is in one run.
 */
import type { Key } from "../../core/bytes.js";

/** Where reading starts in a sorted run: at the first key after `start`, or at `start` itself. */
function lowerBound(run: readonly Key[], start: Key, exclusive: boolean): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = run[middle];
    if (key < start || (exclusive && key === start)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function mergeRuns(older: readonly Key[], newer: readonly Key[]): Key[] {
  const merged: Key[] = [];
  let i = 0;
  let j = 0;
  while (i < older.length && j < newer.length) {
    if (older[i] < newer[j]) merged.push(older[i++]);
    else merged.push(newer[j++]);
  }
  while (i < older.length) merged.push(older[i++]);
  while (j < newer.length) merged.push(newer[j++]);
  return merged;
}

export class SortedKeys {
  readonly #runs: Key[][] = [];

  clear(): void {
    this.#runs.length = 0;
  }

  /** Takes keys that are not in the collection yet, in any order. */
  add(keys: Key[]): void {
    if (keys.length === 0) return;
    const runs = this.#runs;
    runs.push(keys.sort());
    while (runs.length > 1 && runs.at(-2)!.length < 2 * runs.at(-1)!.length) {
      const newer = runs.pop()!;
      const older = runs.pop()!;
      runs.push(mergeRuns(older, newer));
    }
  }

  /** The keys from `start` on, in order; valid until the next ones are added. */
  from(start: Key, exclusive: boolean): SortedKeysCursor {
    return new SortedKeysCursor(this.#runs, start, exclusive);
  }
}

/** Merges the runs while they are read. */
export class SortedKeysCursor {
  readonly #runs: readonly (readonly Key[])[];
  readonly #positions: number[];
  #smallest = -1;

  constructor(runs: readonly (readonly Key[])[], start: Key, exclusive: boolean) {
    this.#runs = runs;
    this.#positions = runs.map((run) => lowerBound(run, start, exclusive));
    this.#findSmallest();
  }

  /** The current key, or undefined at the end. */
  get key(): Key | undefined {
    return this.#smallest < 0 ? undefined : this.#runs[this.#smallest][this.#positions[this.#smallest]];
  }

  advance(): void {
    this.#positions[this.#smallest] += 1;
    this.#findSmallest();
  }

  #findSmallest(): void {
    this.#smallest = -1;
    let smallest: Key | undefined;
    for (let i = 0; i < this.#runs.length; i += 1) {
      const key = this.#runs[i][this.#positions[i]];
      if (key !== undefined && (smallest === undefined || key < smallest)) {
        smallest = key;
        this.#smallest = i;
      }
    }
  }
}
