/**
 * The names of objects in JSON text: which of them an object has had, to notice the one that comes twice. `"a"` and
 * `"\u0061"` are the same name.
 *
 * Most objects have a few names, all different, and none with an escape. So of each open object 32 bits say which
 * hashes of names it has had: a hash that is new is a name that is new, and nothing is compared. Else the names are
 * compared one by one, and in an object with many names looked up in a `NameTable`.
 */
import type { Bytes } from "../core/bytes.js";
import { hasEscape, nameOf } from "./json-name.js";
import { NameTable } from "./json-name-table.js";

/** From so many names on an object has a table of them. */
const TABLE_FROM = 16;
const ALL_HASHES = -1;

export class OpenNames {
  /** Where the names are, quotes included, of the open objects from the outermost in; without those in tables. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #count = 0;
  /** By depth: how many names the objects outside of this one have, and what is known of its own. */
  readonly #first: number[] = [];
  readonly #hashes: number[] = [];
  readonly #hasEscapes: boolean[] = [];
  readonly #hasTable: boolean[] = [];
  /** By depth; used again for the next object there. */
  readonly #tables: (NameTable | undefined)[] = [];

  open(depth: number): void {
    if (depth === 0) this.#count = 0;
    this.#first[depth] = this.#count;
    this.#hashes[depth] = 0;
    this.#hasEscapes[depth] = false;
    this.#hasTable[depth] = false;
  }

  close(depth: number): void {
    this.#count = this.#first[depth];
  }

  /** Notes the name `bytes[start, end)`, quotes included; false when the object has had it. */
  add(depth: number, bytes: Bytes, start: number, end: number, isEscaped: boolean): boolean {
    if (this.#hasTable[depth]) return this.#tables[depth]!.add(bytes, start, end, isEscaped) < 0;
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
    if (this.#count - this.#first[depth] === TABLE_FROM) this.#moveToTable(depth, bytes);
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

  #moveToTable(depth: number, bytes: Bytes): void {
    const table = (this.#tables[depth] ??= new NameTable());
    table.clear();
    for (let i = this.#first[depth]; i < this.#count; i += 1) {
      const start = this.#starts[i];
      const end = this.#ends[i];
      table.add(bytes, start, end, this.#hasEscapes[depth] && hasEscape(bytes, start, end));
    }
    this.#hasTable[depth] = true;
    this.#count = this.#first[depth];
  }
}

function isEqual(bytes: Bytes, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let i = end - start - 1; i > 0; i -= 1) if (bytes[start + i] !== bytes[otherStart + i]) return false;
  return true;
}
