/**
 * A table of names by the hash of their bytes: what an object with many names is checked with, and what two objects
 * are matched by. No text is made of a name; one with an escape is spelled out behind the others.
 *
 *     slots    ┌────┬────┬────┬────┐      1 + the number of a name, 0 for none; at most half are taken
 *              │ 0  │ 2  │ 0  │ 1  │      a name is in the first free slot from its hash on
 *              └────┴─┬──┴────┴─┬──┘
 *     names      0: "a" ◄───────┘  1: "b" …     numbered as they came: where each is, and its hash
 *
 * The hash is known, so somebody could send names that all have the same one. Their collisions are counted: when there
 * are more than chance makes, the names go into a `Map` of texts, whose hashes nobody can foresee.
 */
import { allocUnsafeBytes, type Bytes, EMPTY_BYTES } from "../core/bytes.js";
import { spellName } from "./json-name.js";

/** Slots of a new table: a power of two. */
const SLOTS_MIN = 64;
/** What a cleared table keeps of its memory. */
const SLOTS_KEPT_MAX = 1024;
/** Names that a slot is searched past: half of one for each is what chance makes; so many are allowed beyond 4. */
const COLLISIONS_SPARE = 256;
const COLLISIONS_A_NAME = 4;

export class NameTable {
  /** How many names there are. */
  count = 0;
  #slots = new Int32Array(SLOTS_MIN);
  #hashes = new Int32Array(SLOTS_MIN / 2);
  #starts = new Int32Array(SLOTS_MIN / 2);
  #ends = new Int32Array(SLOTS_MIN / 2);
  #spare = COLLISIONS_SPARE;
  /** Names without escapes lie here, where they came from; the others, their place negative, in `#spelled`. */
  #source: Bytes = EMPTY_BYTES;
  #spelled: Bytes = EMPTY_BYTES;
  #spelledEnd = 0;
  #texts: Map<string, number> | undefined;

  clear(): void {
    this.count = 0;
    this.#spare = COLLISIONS_SPARE;
    this.#spelledEnd = 0;
    this.#texts = undefined;
    if (this.#slots.length <= SLOTS_KEPT_MAX) this.#slots.fill(0);
    else this.#resize(SLOTS_MIN);
  }

  /**
   * Adds the name that the checked string `bytes[start, end)` spells, quotes included. The number of the same name
   * when it is there, else −1. All names that are added lie in the same bytes.
   */
  add(bytes: Bytes, start: number, end: number, isEscaped: boolean): number {
    this.#source = bytes;
    if (isEscaped) {
      const from = this.#spell(bytes, start, end);
      const known = this.#addAt(this.#spelled, from, this.#spelledEnd, ~from, ~this.#spelledEnd);
      if (known >= 0) this.#spelledEnd = from;
      return known;
    }
    return this.#addAt(bytes, start + 1, end - 1, start + 1, end - 1);
  }

  /** The number of the name that `bytes[start, end)` spells, as {@link add} takes it; −1 when it is not there. */
  find(bytes: Bytes, start: number, end: number, isEscaped: boolean): number {
    if (!isEscaped) return this.#findAt(bytes, start + 1, end - 1, hashOfName(bytes, start + 1, end - 1));
    const from = this.#spell(bytes, start, end);
    const to = this.#spelledEnd;
    this.#spelledEnd = from;
    return this.#findAt(this.#spelled, from, to, hashOfName(this.#spelled, from, to));
  }

  /** The name is `bytes[start, end)`, and kept as `[keptStart, keptEnd)`. */
  #addAt(bytes: Bytes, start: number, end: number, keptStart: number, keptEnd: number): number {
    const hash = hashOfName(bytes, start, end);
    const known = this.#findAt(bytes, start, end, hash);
    if (known >= 0) return known;
    const number = this.count;
    this.count += 1;
    if (this.#texts !== undefined) {
      this.#texts.set(bytes.latin1Slice(start, end), number);
      return -1;
    }
    if (2 * this.count > this.#slots.length) this.#resize(2 * this.#slots.length);
    this.#starts[number] = keptStart;
    this.#ends[number] = keptEnd;
    this.#hashes[number] = hash;
    this.#place(number, hash);
    return -1;
  }

  #findAt(bytes: Bytes, start: number, end: number, hash: number): number {
    if (this.#texts !== undefined) return this.#texts.get(bytes.latin1Slice(start, end)) ?? -1;
    const slots = this.#slots;
    const mask = slots.length - 1;
    this.#spare += COLLISIONS_A_NAME;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = slots[slot] - 1;
      if (number < 0) return -1;
      if (this.#hashes[number] === hash && this.#isName(number, bytes, start, end)) return number;
      this.#spare -= 1;
      if (this.#spare < 0) {
        this.#moveToTexts();
        return this.#findAt(bytes, start, end, hash);
      }
    }
  }

  #isName(number: number, bytes: Bytes, start: number, end: number): boolean {
    const isSpelled = this.#ends[number] < 0;
    const own = isSpelled ? this.#spelled : this.#source;
    const from = isSpelled ? ~this.#starts[number] : this.#starts[number];
    const to = isSpelled ? ~this.#ends[number] : this.#ends[number];
    if (to - from !== end - start) return false;
    for (let i = end - start - 1; i >= 0; i -= 1) if (bytes[start + i] !== own[from + i]) return false;
    return true;
  }

  #place(number: number, hash: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = number + 1;
  }

  #resize(size: number): void {
    this.#slots = new Int32Array(size);
    this.#hashes = resized(this.#hashes, size / 2, this.count);
    this.#starts = resized(this.#starts, size / 2, this.count);
    this.#ends = resized(this.#ends, size / 2, this.count);
    for (let number = 0; number < this.count; number += 1) this.#place(number, this.#hashes[number]);
  }

  #moveToTexts(): void {
    const texts = new Map<string, number>();
    for (let number = 0; number < this.count; number += 1) {
      const start = this.#starts[number];
      const end = this.#ends[number];
      texts.set(
        end < 0 ? this.#spelled.latin1Slice(~start, ~end) : this.#source.latin1Slice(start, end),
        number,
      );
    }
    this.#texts = texts;
  }

  /** Puts what a string spells behind what is there; returns where. */
  #spell(bytes: Bytes, start: number, end: number): number {
    const from = this.#spelledEnd;
    if (this.#spelled.length - from < end - start) {
      const spelled = allocUnsafeBytes(2 * (from + end - start));
      this.#spelled.copy(spelled, 0, 0, from);
      this.#spelled = spelled;
    }
    this.#spelledEnd = spellName(bytes, start, end, this.#spelled, from);
    return from;
  }
}

/** Of bytes without escapes: FNV-1a, its bits mixed once more so that the lowest depend on all. */
export function hashOfName(bytes: Bytes, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ bytes[at], 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** The first `count` numbers of `array`, with room for `size`. */
function resized(array: Int32Array, size: number, count: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(size);
  larger.set(array.subarray(0, count));
  return larger;
}
