/** A table's entries in key order: overlays and tree merged, the newest level deciding. */
import { assert } from "../../core/assert.js";
import type { Key } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";
import { type Overlay, TOMBSTONE } from "../../storage/overlay/overlay.js";
import type { SortedKeysCursor } from "../../storage/overlay/sorted-keys.js";
import type { RangeBounds } from "../../storage/range-bounds.js";
import type { TreeCursor } from "./reader.js";

/** What a range needs of its table. */
interface RangedTable {
  readonly writes: number;
  visits: number;
}

export class TableRange implements IterableIterator<[Key, StoredValue]> {
  readonly #table: RangedTable;
  readonly #writesAtStart: number;
  /** The newest first; the same order in `#cursors`. */
  readonly #overlays: readonly Overlay[];
  readonly #cursors: readonly SortedKeysCursor[];
  readonly #end: Key | undefined;
  #treeCursor: TreeCursor | undefined;
  #done = false;

  constructor(
    table: RangedTable,
    overlays: readonly Overlay[],
    treeCursor: TreeCursor | undefined,
    bounds: RangeBounds,
  ) {
    this.#table = table;
    this.#writesAtStart = table.writes;
    this.#overlays = overlays;
    this.#cursors = overlays.map((overlay) => overlay.keysFrom(bounds.start, bounds.exclusive));
    this.#treeCursor = treeCursor;
    this.#end = bounds.end;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<[Key, StoredValue], undefined> {
    assert(this.#table.writes === this.#writesAtStart, "no write to a table between two steps of its range");
    while (!this.#done) {
      const key = this.#smallestKey();
      if (key === undefined || (this.#end !== undefined && key >= this.#end)) break;
      const value = this.#take(key);
      if (value !== TOMBSTONE) return { done: false, value: [key, value] };
    }
    return this.return();
  }

  return(): IteratorResult<[Key, StoredValue], undefined> {
    this.#done = true;
    this.#treeCursor?.close();
    this.#treeCursor = undefined;
    return { done: true, value: undefined };
  }

  #smallestKey(): Key | undefined {
    let smallest = this.#treeCursor?.key;
    for (const cursor of this.#cursors) {
      const key = cursor.key;
      if (key !== undefined && (smallest === undefined || key < smallest)) smallest = key;
    }
    return smallest;
  }

  /** The value of the smallest key, from the newest level that has it; all levels move past it. */
  #take(key: Key): StoredValue {
    let value: StoredValue | undefined;
    for (let level = 0; level < this.#cursors.length; level += 1) {
      const cursor = this.#cursors[level];
      if (cursor.key !== key) continue;
      value ??= this.#overlays[level].get(key);
      cursor.advance();
      this.#table.visits += 1;
    }
    const treeCursor = this.#treeCursor;
    if (treeCursor !== undefined && treeCursor.key === key) {
      value ??= treeCursor.value;
      treeCursor.advance();
      this.#table.visits += 1;
    }
    assert(value !== undefined, "the smallest key is in one of the levels");
    return value;
  }
}
