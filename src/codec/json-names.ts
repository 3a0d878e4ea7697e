/**
 * Which names the objects that are open have had, to notice the one that comes twice. `"a"` and `"\u0061"` are the
 * same name.
 *
 * Most objects have a few names, all different, and none with an escape. So of each open object 32 bits say which
 * hashes of names it has had: a hash that is new is a name that is new, and nothing is compared. Else the names are
 * compared one by one, and in an object with many names looked up in a set.
 */
import { type Bytes, keyFromText } from "../core/bytes.js";

/** From so many names on an object has a set of them. */
const SET_FROM = 16;
const ALL_HASHES = -1;

export class OpenNames {
  /** Where the names are, quotes included, of the open objects from the outermost in; without those in sets. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #count = 0;
  /** By depth: how many names the objects outside of this one have, and what is known of its own. */
  readonly #first: number[] = [];
  readonly #hashes: number[] = [];
  readonly #hasEscapes: boolean[] = [];
  readonly #sets: (Set<string> | undefined)[] = [];

  open(depth: number): void {
    if (depth === 0) this.#count = 0;
    this.#first[depth] = this.#count;
    this.#hashes[depth] = 0;
    this.#hasEscapes[depth] = false;
    this.#sets[depth] = undefined;
  }

  close(depth: number): void {
    this.#count = this.#first[depth];
    this.#sets[depth] = undefined;
  }

  /** Notes the name `bytes[start, end)`, quotes included; false when the object has had it. */
  add(depth: number, bytes: Bytes, start: number, end: number, isEscaped: boolean): boolean {
    const set = this.#sets[depth];
    if (set !== undefined) return addTo(set, nameOf(bytes, start, end, isEscaped));
    if (isEscaped) {
      this.#hasEscapes[depth] = true;
      this.#hashes[depth] = ALL_HASHES;
    }
    const hash =
      1 << ((bytes[start + 1] * 5 + bytes[end - 2] * 3 + bytes[(start + end) >> 1] + end - start) & 31);
    if ((this.#hashes[depth] & hash) !== 0 && this.#has(depth, bytes, start, end, isEscaped)) return false;
    this.#hashes[depth] |= hash;
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#count += 1;
    if (this.#count - this.#first[depth] === SET_FROM) this.#moveToSet(depth, bytes);
    return true;
  }

  #has(depth: number, bytes: Bytes, start: number, end: number, isEscaped: boolean): boolean {
    const name = this.#hasEscapes[depth] ? nameOf(bytes, start, end, isEscaped) : undefined;
    for (let i = this.#first[depth]; i < this.#count; i += 1) {
      const isSame =
        name === undefined
          ? isEqual(bytes, start, end, this.#starts[i], this.#ends[i])
          : nameOf(bytes, this.#starts[i], this.#ends[i]) === name;
      if (isSame) return true;
    }
    return false;
  }

  #moveToSet(depth: number, bytes: Bytes): void {
    const set = new Set<string>();
    for (let i = this.#first[depth]; i < this.#count; i += 1) {
      set.add(nameOf(bytes, this.#starts[i], this.#ends[i]));
    }
    this.#sets[depth] = set;
    this.#count = this.#first[depth];
  }
}

function addTo(set: Set<string>, name: string): boolean {
  if (set.has(name)) return false;
  set.add(name);
  return true;
}

function isEqual(bytes: Bytes, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let i = end - start - 1; i > 0; i -= 1) if (bytes[start + i] !== bytes[otherStart + i]) return false;
  return true;
}

const BACKSLASH = 0x5c;

/**
 * The name that the checked string `bytes[start, end)` spells, quotes included: the same for two strings exactly
 * when they spell the same. Its UTF-8 bytes, one character each; but a name with half of a surrogate pair in it has
 * none, so it stands for itself behind a character that no byte is.
 */
export function nameOf(bytes: Bytes, start: number, end: number, isEscaped?: boolean): string {
  if (!(isEscaped ?? hasEscape(bytes, start, end))) return bytes.latin1Slice(start + 1, end - 1);
  const text = JSON.parse(bytes.utf8Slice(start, end)) as string;
  return /\p{Surrogate}/u.test(text) ? `\u0100${text}` : keyFromText(text);
}

function hasEscape(bytes: Bytes, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === BACKSLASH) return true;
  return false;
}
