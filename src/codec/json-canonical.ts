/**
 * JSON text as documents are stored: no whitespace between the tokens, and no name twice in an object. Of a name
 * that comes twice the last value counts, in the place of the first, as with `JSON.parse`. All else stays byte for
 * byte: numbers keep their digits, strings their escapes.
 *
 *     {"a": 1, "b": 2.50, "\u0061": 3}   as received
 *     {"a":3,"b":2.50}                   canonical
 */
import { allocUnsafeBytes, type Bytes, concatBytes } from "../core/bytes.js";
import { nameOf } from "./json-names.js";
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

/** The canonical form of checked text with a name that comes twice; a copy. */
export function uniqueNames(bytes: Bytes, start: number, end: number): Bytes {
  return new UniqueNames(bytes, end).run(start);
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** A member as it was written to the output: `[start, end)` its name and colon, `[valueStart, valueEnd)` its value. */
interface Member {
  readonly start: number;
  readonly end: number;
  valueStart: number;
  valueEnd: number;
}

/** Reads checked text once and writes what stays of it. As deep as the text, which has a bound. */
class UniqueNames {
  readonly #scanner = new JsonTextScanner();
  readonly #bytes: Bytes;
  readonly #end: number;
  #at = 0;
  readonly #out: Bytes;
  #to = 0;

  constructor(bytes: Bytes, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.#out = allocUnsafeBytes(end);
  }

  run(start: number): Bytes {
    this.#at = start;
    this.#value();
    return this.#out.subarray(0, this.#to);
  }

  /** From the value's first byte to the first behind it that is no whitespace. */
  #value(): void {
    const byte = this.#bytes[this.#at];
    if (byte === OPEN_BRACE) this.#object();
    else if (byte === OPEN_BRACKET) this.#list();
    else this.#copy(this.#scanner.value(this.#bytes, this.#at, this.#end));
    this.#skip();
  }

  #object(): void {
    const start = this.#to;
    const members = new Map<string, Member>();
    let hasTwice = false;
    this.#token(OPEN_BRACE);
    while (this.#bytes[this.#at] === QUOTE) {
      const nameEnd = this.#scanner.string(this.#bytes, this.#at, this.#end);
      const name = nameOf(this.#bytes, this.#at, nameEnd);
      const memberStart = this.#to;
      this.#copy(nameEnd);
      this.#skip();
      this.#token(COLON);
      const valueStart = this.#to;
      this.#value();
      const member = members.get(name);
      if (member === undefined) {
        members.set(name, { start: memberStart, end: valueStart, valueStart, valueEnd: this.#to });
      } else {
        hasTwice = true;
        member.valueStart = valueStart;
        member.valueEnd = this.#to;
      }
      if (this.#bytes[this.#at] === COMMA) this.#token(COMMA);
    }
    this.#token(CLOSE_BRACE);
    if (hasTwice) this.#rewrite(start, [...members.values()]);
  }

  /** Writes the object at `start` once more, of the members that stay. */
  #rewrite(start: number, members: readonly Member[]): void {
    const parts: Bytes[] = [];
    for (const { start, end, valueStart, valueEnd } of members) {
      parts.push(this.#out.subarray(start, end), this.#out.subarray(valueStart, valueEnd));
    }
    const text = concatBytes(parts);
    let from = 0;
    this.#to = start + 1;
    for (const [i, part] of parts.entries()) {
      if (i > 0 && i % 2 === 0) this.#write(COMMA);
      text.copy(this.#out, this.#to, from, from + part.length);
      this.#to += part.length;
      from += part.length;
    }
    this.#write(CLOSE_BRACE);
  }

  #list(): void {
    this.#token(OPEN_BRACKET);
    while (this.#bytes[this.#at] !== CLOSE_BRACKET) {
      this.#value();
      if (this.#bytes[this.#at] === COMMA) this.#token(COMMA);
    }
    this.#token(CLOSE_BRACKET);
  }

  #write(byte: number): void {
    this.#out[this.#to] = byte;
    this.#to += 1;
  }

  /** One byte of the text, and past the whitespace behind it. */
  #token(byte: number): void {
    this.#write(byte);
    this.#at += 1;
    this.#skip();
  }

  #copy(end: number): void {
    this.#bytes.copy(this.#out, this.#to, this.#at, end);
    this.#to += end - this.#at;
    this.#at = end;
  }

  #skip(): void {
    this.#at = skipJsonSpace(this.#bytes, this.#at, this.#end);
  }
}
