/**
 * JSON text as documents are stored: no whitespace between the tokens, and no name twice in an object. Of a name
 * that comes twice the last value counts, in the place of the first, as with `JSON.parse`. All else stays byte for
 * byte: numbers keep their digits, strings their escapes.
 *
 *     {"a": 1, "b": 2.50, "\u0061": 3}   as received
 *     {"a":3,"b":2.50}                   canonical
 */
import { allocUnsafeBytes, type Bytes, EMPTY_BYTES } from "../core/bytes.js";
import { NameTable } from "./json-name-table.js";
import { compactJson, JsonTextScanner, skipJsonSpace } from "./json-text.js";

/**
 * JSON text, or what is wrong with it: `at` is the position of the first byte that no JSON text could have there, or
 * of the bracket that is too deep.
 */
export type CanonicalJson =
  | { readonly kind: "canonical"; readonly bytes: Bytes; readonly start: number; readonly end: number }
  | { readonly kind: "invalid"; readonly at: number; readonly isTooDeep: boolean };

/** The canonical form of `bytes[start, end)`: the same bytes when they are canonical, else a copy. */
export function canonicalJson(bytes: Bytes, start: number, end: number): CanonicalJson {
  const scanner = new JsonTextScanner();
  const valueStart = skipJsonSpace(bytes, start, end);
  const valueEnd = scanner.value(bytes, valueStart, end);
  if (valueEnd < 0) return { kind: "invalid", at: ~valueEnd, isTooDeep: scanner.isTooDeep };
  const textEnd = skipJsonSpace(bytes, valueEnd, end);
  if (textEnd !== end) return { kind: "invalid", at: textEnd, isTooDeep: false };
  if (scanner.hasUniqueNames) {
    if (scanner.isCompact) return { kind: "canonical", bytes, start: valueStart, end: valueEnd };
    const compact = allocUnsafeBytes(valueEnd - valueStart);
    return {
      kind: "canonical",
      bytes: compact,
      start: 0,
      end: compactJson(bytes, valueStart, valueEnd, compact, 0),
    };
  }
  const unique = uniqueNames(bytes, valueStart, valueEnd);
  return { kind: "canonical", bytes: unique, start: 0, end: unique.length };
}

/**
 * The canonical form of checked text with a name that comes twice; a copy. Reads the text once, and writes once what
 * stays of it, however deep it lies.
 */
export function uniqueNames(bytes: Bytes, start: number, end: number): Bytes {
  const members = new Members();
  new MemberReader(bytes, end, members).read(start);
  return new MemberWriter(bytes, members).write(start, end);
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;

/** In `Members.valueOf`: the name has come before. */
const REMOVED = -1;

/**
 * The members of all objects in the order of the text, a column each of what is known of them. Member 1 below takes
 * the value of 4, which is removed; 2 and 3 go with the value that nobody takes.
 *
 *     {"a":0,"b":{"c":1,"d":2},"b":3}
 *     ^0    ^1  ^2    ^3      ^4          start: with the comma before it
 */
class Members {
  count = 0;
  /** Where the value of the member before ends: what lies between goes with the member. */
  starts = new Int32Array(256);
  valueStarts = new Int32Array(256);
  valueEnds = new Int32Array(256);
  /** The member whose value it takes: as a rule itself. */
  valueOf = new Int32Array(256);
  /** The first member behind its value. */
  next = new Int32Array(256);

  open(start: number): number {
    const member = this.count;
    if (member === this.starts.length) this.#grow();
    this.count += 1;
    this.starts[member] = start;
    this.valueOf[member] = member;
    return member;
  }

  #grow(): void {
    this.starts = doubled(this.starts);
    this.valueStarts = doubled(this.valueStarts);
    this.valueEnds = doubled(this.valueEnds);
    this.valueOf = doubled(this.valueOf);
    this.next = doubled(this.next);
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** Goes through checked text and notes its members. As deep as the text, which has a bound. */
class MemberReader {
  readonly #scanner = new JsonTextScanner();
  readonly #bytes: Bytes;
  readonly #end: number;
  readonly #members: Members;
  #at = 0;
  /** By depth: the names of the object that is open there, and their first members. Used again for the next one. */
  readonly #names: NameTable[] = [];
  readonly #firsts: number[][] = [];

  constructor(bytes: Bytes, end: number, members: Members) {
    this.#bytes = bytes;
    this.#end = end;
    this.#members = members;
  }

  read(start: number): void {
    this.#at = start;
    this.#value(0);
  }

  /** From the value's first byte to where it ends. */
  #value(depth: number): void {
    const byte = this.#bytes[this.#at];
    if (byte === OPEN_BRACE) this.#object(depth);
    else if (byte === OPEN_BRACKET) this.#list(depth);
    else this.#at = this.#scanner.value(this.#bytes, this.#at, this.#end);
  }

  #object(depth: number): void {
    const members = this.#members;
    const names = (this.#names[depth] ??= new NameTable());
    const firsts = (this.#firsts[depth] ??= []);
    names.clear();
    let start = this.#at + 1;
    this.#skip(start);
    while (this.#bytes[this.#at] === QUOTE) {
      const member = members.open(start);
      const nameStart = this.#at;
      const nameEnd = this.#scanner.string(this.#bytes, nameStart, this.#end);
      const known = names.add(this.#bytes, nameStart, nameEnd, this.#scanner.isEscaped);
      this.#skip(nameEnd);
      this.#skip(this.#at + 1);
      members.valueStarts[member] = this.#at;
      this.#value(depth + 1);
      members.valueEnds[member] = this.#at;
      members.next[member] = members.count;
      if (known < 0) {
        firsts[names.count - 1] = member;
      } else {
        members.valueOf[firsts[known]] = member;
        members.valueOf[member] = REMOVED;
      }
      start = this.#at;
      this.#skip(start);
      if (this.#bytes[this.#at] === COMMA) this.#skip(this.#at + 1);
    }
    this.#at += 1;
  }

  #list(depth: number): void {
    this.#skip(this.#at + 1);
    while (this.#bytes[this.#at] !== CLOSE_BRACKET) {
      this.#value(depth + 1);
      this.#skip(this.#at);
      if (this.#bytes[this.#at] === COMMA) this.#skip(this.#at + 1);
    }
    this.#at += 1;
  }

  #skip(at: number): void {
    this.#at = skipJsonSpace(this.#bytes, at, this.#end);
  }
}

/** Writes text without the members that are removed, and without whitespace between tokens. */
class MemberWriter {
  readonly #bytes: Bytes;
  readonly #members: Members;
  #out: Bytes = EMPTY_BYTES;
  #to = 0;

  constructor(bytes: Bytes, members: Members) {
    this.#bytes = bytes;
    this.#members = members;
  }

  write(start: number, end: number): Bytes {
    this.#out = allocUnsafeBytes(end - start);
    this.#range(start, end, 0, this.#members.count);
    return this.#out.subarray(0, this.#to);
  }

  /** The text `[start, end)`, in which the members from `first` to before `last` are. */
  #range(start: number, end: number, first: number, last: number): void {
    const { starts, valueStarts, valueEnds, valueOf, next } = this.#members;
    let at = start;
    let member = first;
    while (member < last) {
      const taken = valueOf[member];
      if (taken === member) {
        member += 1;
        continue;
      }
      if (taken === REMOVED) {
        this.#copy(at, starts[member]);
      } else {
        this.#copy(at, valueStarts[member]);
        this.#range(valueStarts[taken], valueEnds[taken], taken + 1, next[taken]);
      }
      at = valueEnds[member];
      member = next[member];
    }
    this.#copy(at, end);
  }

  #copy(start: number, end: number): void {
    this.#to = compactJson(this.#bytes, start, end, this.#out, this.#to);
  }
}
