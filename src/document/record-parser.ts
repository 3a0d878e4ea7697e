/**
 * The record format: one record a line, white space (spaces and tabs) where one likes.
 *
 *     record := key "->" set
 *     set    := "[" "]" | "[" pair { "|" pair } "]"
 *     pair   := key "->" value
 *     value  := number | string | "true" | "false" | "null" | set
 *     key    := string | name
 *
 *     "person2" -> [ "name" -> "Mary" | "address" -> [ "number" -> 12 ] ]
 *
 * Strings and numbers are JSON's (RFC 8259). A name is a key without quotes: UTF-8 without white space, `"`, `\`,
 * `[`, `]`, `{`, `}`, `|`, `;`, `,`, `:` and `->`. Older files write `:` for `->`, and sets as `{ a : 1 ; b : { } }`;
 * both are read, also mixed.
 *
 * Bytes in, bytes out: a line is gone through once, and its set is written as compact JSON into a buffer that is
 * used again and again. Numbers stay as they are written; of names and strings those with escapes are written
 * again as `JSON.stringify` does, so that equal names are equal bytes. A name that comes twice in a set is an
 * error. Sets are nested `JSON_DEPTH_MAX` deep at most.
 */
import { JSON_DEPTH_MAX, JsonTextScanner, skipCharacter } from "../codec/json-text.js";
import { allocOwnBytes, type Bytes, copyInto, EMPTY_BYTES, utf8ToBytes } from "../core/bytes.js";

const TAB = 0x09;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const GREATER = 0x3e;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const BAR = 0x7c;
const CLOSE_BRACE = 0x7d;

const ENDS_NAME = 0;
const PLAIN = 1;
const MANY_BYTES = 2;
const SIGNS = '",:;[\\]{|}';
/** What a byte means in a name without quotes. */
const NAME_CLASS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return MANY_BYTES;
  return byte <= SPACE || byte === 0x7f || SIGNS.includes(String.fromCharCode(byte)) ? ENDS_NAME : PLAIN;
});

/** So many names of a set are compared with a new one; of more a table is kept. */
const NAMES_COMPARED_MAX = 16;
/** A buffer that a long line needed is not kept beyond this. */
const BUFFER_BYTES_KEPT = 1024 * 1024;
/** Of a text that is named in a message. */
const SHOWN_LENGTH_MAX = 40;

export class RecordTextParser {
  /** The key, unescaped: `key[keyStart, keyEnd)`. Valid until the line's bytes change. */
  key: Bytes = EMPTY_BYTES;
  keyStart = 0;
  keyEnd = 0;
  /** The set as compact JSON: `value[0, valueEnd)`. Valid until the next line. */
  value: Bytes = EMPTY_BYTES;
  valueEnd = 0;
  /** Why the line is no record, and the first byte that no record could have there. */
  reason = "";
  errorAt = 0;
  readonly #scanner = new JsonTextScanner();
  #bytes: Bytes = EMPTY_BYTES;
  #at = 0;
  #end = 0;
  #to = 0;
  /** Where in `value` the first names of the open sets are: start and end of each. */
  readonly #names = new Int32Array(2 * NAMES_COMPARED_MAX * JSON_DEPTH_MAX);
  readonly #nameCounts = new Int32Array(JSON_DEPTH_MAX);
  readonly #tables: (Set<string> | undefined)[] = [];

  /** Reads the record `bytes[start, end)`; false when it is none. */
  parse(bytes: Bytes, start: number, end: number): boolean {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#to = 0;
    this.#tables.length = 0;
    this.#makeRoom(end - start);
    if (!this.#key() || !this.#arrow()) return false;
    const first = this.#peek();
    if (first !== OPEN_BRACKET && first !== OPEN_BRACE) {
      return this.#fail(this.#at, "the value of a record is a set: [ … ]");
    }
    if (!this.#set(0)) return false;
    if (this.#peek() !== -1) return this.#fail(this.#at, "nothing may follow the record");
    this.valueEnd = this.#to;
    return true;
  }

  /**
   * JSON takes at most half as much again as the record: the shortest pair, `a:1;`, becomes `"a":1,`. No escape
   * takes more when it is written again.
   */
  #makeRoom(sizeBytes: number): void {
    const needed = sizeBytes + (sizeBytes >> 1) + 8;
    if (needed > this.value.length) this.value = allocOwnBytes(Math.max(4096, needed));
    else if (this.value.length > BUFFER_BYTES_KEPT && needed <= BUFFER_BYTES_KEPT) {
      this.value = allocOwnBytes(needed);
    }
  }

  #fail(at: number, reason: string): false {
    this.errorAt = at;
    this.reason = reason;
    return false;
  }

  /** The next byte that is no white space, or −1 at the end. */
  #peek(): number {
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at];
      if (byte !== SPACE && byte !== TAB && byte !== CR) return byte;
      this.#at += 1;
    }
    return -1;
  }

  #key(): boolean {
    const isQuoted = this.#peek() === QUOTE;
    const start = this.#at;
    if (!(isQuoted ? this.#string() : this.#name("a key"))) return false;
    this.key = this.#bytes;
    this.keyStart = isQuoted ? start + 1 : start;
    this.keyEnd = isQuoted ? this.#at - 1 : this.#at;
    if (!isQuoted || !this.#scanner.isEscaped) return true;
    const text = this.#unescaped(start);
    if (/\p{Surrogate}/u.test(text)) return this.#fail(start, "the key holds half of a surrogate pair");
    this.key = utf8ToBytes(text);
    this.keyStart = 0;
    this.keyEnd = this.key.length;
    return true;
  }

  #arrow(): boolean {
    const byte = this.#peek();
    if (byte === COLON) {
      this.#at += 1;
      return true;
    }
    if (byte === MINUS && this.#at + 1 < this.#end && this.#bytes[this.#at + 1] === GREATER) {
      this.#at += 2;
      return true;
    }
    return this.#fail(this.#at, byte === -1 ? 'the record ends before "->"' : 'expected "->" here');
  }

  #set(depth: number): boolean {
    if (depth === JSON_DEPTH_MAX) return this.#fail(this.#at, `nested more than ${JSON_DEPTH_MAX} deep`);
    const isOld = this.#bytes[this.#at] === OPEN_BRACE;
    const closer = isOld ? CLOSE_BRACE : CLOSE_BRACKET;
    const separator = isOld ? SEMICOLON : BAR;
    this.#nameCounts[depth] = 0;
    this.#at += 1;
    this.#put(OPEN_BRACE);
    if (this.#peek() !== closer) {
      for (;;) {
        if (!this.#pair(depth)) return false;
        const next = this.#peek();
        if (next === closer) break;
        if (next !== separator) return this.#failInSet(next, isOld);
        this.#at += 1;
        this.#put(COMMA);
      }
    }
    this.#at += 1;
    this.#put(CLOSE_BRACE);
    return true;
  }

  #failInSet(byte: number, isOld: boolean): false {
    const expected = isOld ? '";" or "}"' : '"|" or "]"';
    return this.#fail(
      this.#at,
      byte === -1 ? `the record ends before ${expected}` : `expected ${expected} here`,
    );
  }

  #pair(depth: number): boolean {
    const first = this.#peek();
    const start = this.#at;
    const to = this.#to;
    if (first === QUOTE) {
      if (!this.#string()) return false;
      this.#putString(start);
    } else {
      if (!this.#name("a name")) return false;
      this.#put(QUOTE);
      this.#copy(start, this.#at);
      this.#put(QUOTE);
    }
    if (!this.#isNewName(depth, to, this.#to)) {
      return this.#fail(start, `${shown(this.value.utf8Slice(to, this.#to))} is there twice in one set`);
    }
    if (!this.#arrow()) return false;
    this.#put(COLON);
    return this.#value(depth);
  }

  #value(depth: number): boolean {
    const first = this.#peek();
    if (first === OPEN_BRACKET || first === OPEN_BRACE) return this.#set(depth + 1);
    const start = this.#at;
    if (first === QUOTE) {
      if (!this.#string()) return false;
      this.#putString(start);
      return true;
    }
    const end = this.#scanner.value(this.#bytes, start, this.#end);
    if (end < 0 || !this.#isEndOfWord(end)) return this.#failAtValue(first);
    this.#at = end;
    this.#copy(start, end);
    return true;
  }

  #failAtValue(first: number): false {
    const start = this.#at;
    if (first === -1) return this.#fail(start, "the record ends before the value");
    const end = this.#endOfWord(start);
    if (end === start) return this.#fail(start, "expected a value here");
    const word = shown(this.#bytes.utf8Slice(start, end));
    if (/^[-+.\d]/.test(word)) return this.#fail(start, `${word} is no number: they are written as in JSON`);
    return this.#fail(start, `${word} is no value: text stands in quotes`);
  }

  #endOfWord(start: number): number {
    let end = start;
    while (!this.#isEndOfWord(end)) end += 1;
    return end;
  }

  #isEndOfWord(at: number): boolean {
    return at >= this.#end || NAME_CLASS[this.#bytes[at]] === ENDS_NAME;
  }

  /** Goes over the string at the position. */
  #string(): boolean {
    const end = this.#scanner.string(this.#bytes, this.#at, this.#end);
    if (end >= 0) {
      this.#at = end;
      return true;
    }
    const wrong = ~end;
    if (wrong >= this.#end) return this.#fail(wrong, "the record ends inside a string");
    const byte = this.#bytes[wrong];
    if (byte >= 0x80) return this.#fail(wrong, "not UTF-8");
    if (byte < SPACE) return this.#fail(wrong, "a control character in a string is written as an escape");
    return this.#fail(wrong, "no such escape");
  }

  /** Goes over the name at the position. */
  #name(what: string): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.#at;
    let at = start;
    for (; at < end; at += 1) {
      const kind = NAME_CLASS[bytes[at]];
      if (kind === ENDS_NAME) break;
      if (kind === MANY_BYTES) {
        const next = skipCharacter(bytes, at, end);
        if (next < 0) return this.#fail(at, "not UTF-8");
        at = next - 1;
      } else if (bytes[at] === MINUS && at + 1 < end && bytes[at + 1] === GREATER) break;
    }
    this.#at = at;
    if (at > start) return true;
    return this.#fail(at, at === end ? `the record ends before ${what}` : `expected ${what} here`);
  }

  /** The text of the string from `start` to the position. */
  #unescaped(start: number): string {
    return JSON.parse(this.#bytes.utf8Slice(start, this.#at)) as string;
  }

  /** Writes the string from `start` to the position, which the scanner has just gone over. */
  #putString(start: number): void {
    if (!this.#scanner.isEscaped) {
      this.#copy(start, this.#at);
      return;
    }
    const written = JSON.stringify(this.#unescaped(start));
    this.#to += this.value.utf8Write(written, this.#to);
  }

  #put(byte: number): void {
    this.value[this.#to] = byte;
    this.#to += 1;
  }

  #copy(start: number, end: number): void {
    copyInto(this.value, this.#to, this.#bytes, start, end);
    this.#to += end - start;
  }

  /** Whether the name `value[start, end)` is the first of its kind in the set that is open at `depth`. */
  #isNewName(depth: number, start: number, end: number): boolean {
    const count = this.#nameCounts[depth];
    this.#nameCounts[depth] = count + 1;
    if (count >= NAMES_COMPARED_MAX) return this.#isNewInTable(depth, count, start, end);
    const names = this.#names;
    const base = 2 * NAMES_COMPARED_MAX * depth;
    for (let at = base; at < base + 2 * count; at += 2) {
      if (this.#isSame(names[at], names[at + 1], start, end)) return false;
    }
    names[base + 2 * count] = start;
    names[base + 2 * count + 1] = end;
    return true;
  }

  #isSame(start: number, end: number, otherStart: number, otherEnd: number): boolean {
    if (end - start !== otherEnd - otherStart) return false;
    const { value } = this;
    for (let at = start, other = otherStart; at < end; at += 1, other += 1) {
      if (value[at] !== value[other]) return false;
    }
    return true;
  }

  #isNewInTable(depth: number, count: number, start: number, end: number): boolean {
    if (count === NAMES_COMPARED_MAX) this.#tables[depth] = this.#tableOf(depth);
    const table = this.#tables[depth]!;
    const { size } = table;
    table.add(this.value.latin1Slice(start, end));
    return table.size > size;
  }

  #tableOf(depth: number): Set<string> {
    const table = new Set<string>();
    const base = 2 * NAMES_COMPARED_MAX * depth;
    for (let at = base; at < base + 2 * NAMES_COMPARED_MAX; at += 2) {
      table.add(this.value.latin1Slice(this.#names[at], this.#names[at + 1]));
    }
    return table;
  }
}

const shown = (text: string): string =>
  text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX - 1)}…`;
