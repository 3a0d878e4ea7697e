/**
 * Sorts records by their keys, byte by byte, where they lie: numbers in typed arrays move, and no string or
 * object is made for a key, of which there may be hundreds of thousands.
 *
 * Multikey quicksort (Bentley and Sedgewick, 1997), four bytes at a time (Rantala's and Ng and Kakehi's caching):
 * a group of keys that agree in their first `depth` bytes is split into those whose next four bytes are below,
 * equal to and above a pivot's; the equal ones go on four bytes deeper.
 *
 *     depth 4:  key:0017  key:0042  key:0042x     pivot "0042"
 *               below     equal, the one that ends here first, the rest at depth 8
 *
 * The pivot is the middle one of three taken at random: from fixed places there are orders of writing, as simple as
 * down and then up, in which it is always nearly the smallest, and the time would grow with the square of the keys.
 *
 * Bytes behind a key's end count as 0. Keys that end within the four bytes differ from each other, and from those
 * that go on with zeros, in length alone: they come first, the shortest before.
 */
import { type RecordBlock, RecordWalk } from "../../storage/overlay/records.js";

const STEP_BYTES = 4;
/** Groups up to here are sorted by insertion. */
const SMALL_GROUP = 12;

/** Puts `positions` of records, whose keys differ, into the order of the keys. */
export function sortByKey(blocks: readonly RecordBlock[], positions: Int32Array): void {
  new KeySort(blocks, positions).sort(0, positions.length, 0);
}

class KeySort {
  readonly #positions: Int32Array;
  /** Of each place in `#positions`, the four bytes of its key at the depth of its group. */
  readonly #next: Uint32Array;
  readonly #a: RecordWalk;
  readonly #b: RecordWalk;

  constructor(blocks: readonly RecordBlock[], positions: Int32Array) {
    this.#positions = positions;
    this.#next = new Uint32Array(positions.length);
    this.#a = new RecordWalk(blocks);
    this.#b = new RecordWalk(blocks);
  }

  /** Sorts the group in `[start, end)`, whose keys agree in their first `depth` bytes. */
  sort(start: number, end: number, depth: number): void {
    if (end - start <= SMALL_GROUP) {
      this.#insert(start, end, depth);
      return;
    }
    for (let i = start; i < end; i += 1) this.#next[i] = this.#bytesAt(this.#positions[i], depth);
    this.#split(start, end, depth);
  }

  /** As `sort`, when the group's next bytes are known. */
  #split(start: number, end: number, depth: number): void {
    let from = start;
    let to = end;
    while (to - from > SMALL_GROUP) {
      const pivot = this.#medianOf(this.#anyOf(from, to), this.#anyOf(from, to), this.#anyOf(from, to));
      const next = this.#next;
      let below = from;
      let above = to;
      for (let i = from; i < above; ) {
        if (next[i] < pivot) this.#swap(below++, i++);
        else if (next[i] > pivot) this.#swap(i, --above);
        else i += 1;
      }
      this.#goDeeper(below, above, depth);
      // The smaller side by recursion, the larger one here: the stack stays low.
      if (below - from < to - above) {
        this.#split(from, below, depth);
        from = above;
      } else {
        this.#split(above, to, depth);
        to = below;
      }
    }
    this.#insert(from, to, depth);
  }

  /** Keys that agree in four more bytes. */
  #goDeeper(start: number, end: number, depth: number): void {
    if (end - start < 2) return;
    let ended = start;
    for (let i = start; i < end; i += 1) {
      if (this.#lengthOf(this.#positions[i]) <= depth + STEP_BYTES) this.#swap(ended++, i);
    }
    this.#insert(start, ended, depth);
    this.sort(ended, end, depth + STEP_BYTES);
  }

  #insert(start: number, end: number, depth: number): void {
    const positions = this.#positions;
    for (let i = start + 1; i < end; i += 1) {
      const position = positions[i];
      let at = i;
      while (at > start && this.#isBefore(position, positions[at - 1], depth)) {
        positions[at] = positions[at - 1];
        at -= 1;
      }
      positions[at] = position;
    }
  }

  /** Compares two keys that agree in their first `depth` bytes. */
  #isBefore(first: number, second: number, depth: number): boolean {
    const a = this.#a;
    const b = this.#b;
    a.moveTo(first);
    b.moveTo(second);
    const shared = Math.min(a.keyEnd - a.keyStart, b.keyEnd - b.keyStart);
    for (let i = depth; i < shared; i += 1) {
      const difference = a.bytes[a.keyStart + i] - b.bytes[b.keyStart + i];
      if (difference !== 0) return difference < 0;
    }
    return a.keyEnd - a.keyStart < b.keyEnd - b.keyStart;
  }

  #bytesAt(position: number, depth: number): number {
    const { bytes, keyStart, keyEnd } = this.#at(position);
    const at = keyStart + depth;
    if (at + STEP_BYTES <= keyEnd) {
      return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    let value = 0;
    for (let i = 0; i < STEP_BYTES; i += 1) value = value * 256 + (at + i < keyEnd ? bytes[at + i] : 0);
    return value;
  }

  #lengthOf(position: number): number {
    const { keyStart, keyEnd } = this.#at(position);
    return keyEnd - keyStart;
  }

  #at(position: number): RecordWalk {
    this.#a.moveTo(position);
    return this.#a;
  }

  #anyOf(start: number, end: number): number {
    return start + Math.floor(Math.random() * (end - start));
  }

  #medianOf(i: number, j: number, k: number): number {
    const next = this.#next;
    const a = next[i];
    const b = next[j];
    const c = next[k];
    return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
  }

  #swap(i: number, j: number): void {
    const position = this.#positions[i];
    this.#positions[i] = this.#positions[j];
    this.#positions[j] = position;
    const next = this.#next[i];
    this.#next[i] = this.#next[j];
    this.#next[j] = next;
  }
}
