/**
 * Documents in the notation of the record format, in two styles:
 *
 *     record    "name" -> "John"     what `minikey load` reads back; names and strings keep JSON's quotes and escapes
 *     display   name -> John         what the shell shows
 *
 * An object is a set, `[ name -> value | name -> value ]`; an empty one is `[]`. Numbers, `true`, `false` and
 * `null` stand as they were written. A list is `[ value, value ]`, and `[]` when it is empty; the record format
 * has no lists, so `load` refuses a record with one in it.
 *
 * The display style leaves the quotes out where that cannot mislead: a text that is empty, that begins or ends
 * with a space, that holds a control character, a quote or one of the notation's own signs, or that would read as
 * a number, `true`, `false` or `null`, is shown in quotes, and its control characters as escapes, so that no
 * value can play tricks on a terminal.
 */
import { JsonTextScanner, skipJsonSpace } from "../codec/json-text.js";
import { assert } from "../core/assert.js";
import type { Bytes } from "../core/bytes.js";
import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./json-bytes.js";

export type RecordStyle = "record" | "display";

/**
 * `name -> value`, where `bytes[start, end)` is the value: JSON text. In the display style the name stands as it
 * is given: it is what the user asked for, a key or a path.
 */
export function printEntry(
  name: string,
  bytes: Bytes,
  start: number,
  end: number,
  style: RecordStyle,
): string {
  const shown = style === "record" ? JSON.stringify(name) : withoutControls(name);
  return `${shown} -> ${printDocument(bytes, start, end, style)}`;
}

/** The value `bytes[start, end)`, which is JSON text. */
export function printDocument(bytes: Bytes, start: number, end: number, style: RecordStyle): string {
  return new Printer(bytes, start, end, style).print();
}

/** A text in the display style: in quotes only where it has to be. */
export function displayText(text: string): string {
  return isPlain(text) && !READS_AS_ANOTHER.test(text) ? text : quote(text);
}

/** Control characters, halves of surrogate pairs, and signs that mean something in the notation. */
const SIGNS = /[\p{Cc}\p{Cs}"|,[\]{}]|->/u;
const SPACE_AROUND = /^\s|\s$/u;
const READS_AS_ANOTHER = /^(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)$/u;
const CONTROLS = /\p{Cc}/gu;

const isPlain = (text: string): boolean => text !== "" && !SIGNS.test(text) && !SPACE_AROUND.test(text);

const displayName = (name: string): string => (isPlain(name) ? name : quote(name));

/** JSON, and escapes for the control characters that JSON takes as they are (U+007F to U+009F). */
const quote = (text: string): string => withoutControls(JSON.stringify(text));

const withoutControls = (text: string): string =>
  text.replaceAll(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Goes through the text once; documents are nested no deeper than `JSON_DEPTH_MAX`, so it may recurse. */
class Printer {
  readonly #bytes: Bytes;
  readonly #end: number;
  readonly #isRecord: boolean;
  readonly #scanner = new JsonTextScanner();
  #at: number;

  constructor(bytes: Bytes, start: number, end: number, style: RecordStyle) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#isRecord = style === "record";
  }

  print(): string {
    const text = this.#value();
    assert(this.#peek() === -1, "a document ends where its value ends");
    return text;
  }

  #value(): string {
    const first = this.#peek();
    if (first === OPEN_BRACE) return this.#set();
    if (first === OPEN_BRACKET) return this.#list();
    if (first === QUOTE) {
      const token = this.#token();
      return this.#isRecord ? token : displayText(JSON.parse(token) as string);
    }
    return this.#token();
  }

  #set(): string {
    this.#at += 1;
    if (this.#take(CLOSE_BRACE)) return "[]";
    let text = "[ ";
    for (;;) {
      this.#peek();
      const name = this.#token();
      assert(this.#take(COLON), "a name has a value");
      text += `${this.#isRecord ? name : displayName(JSON.parse(name) as string)} -> ${this.#value()}`;
      if (this.#take(CLOSE_BRACE)) return `${text} ]`;
      assert(this.#take(COMMA), "fields are separated");
      text += " | ";
    }
  }

  #list(): string {
    this.#at += 1;
    if (this.#take(CLOSE_BRACKET)) return "[]";
    let text = "[ ";
    for (;;) {
      text += this.#value();
      if (this.#take(CLOSE_BRACKET)) return `${text} ]`;
      assert(this.#take(COMMA), "elements are separated");
      text += ", ";
    }
  }

  /** The string, number or word at the position, as it is written. */
  #token(): string {
    const start = this.#at;
    const end = this.#scanner.value(this.#bytes, start, this.#end);
    assert(end >= 0, "a document is JSON text");
    this.#at = end;
    return this.#bytes.utf8Slice(start, end);
  }

  /** The next byte that is no white space, or −1 at the end. */
  #peek(): number {
    this.#at = skipJsonSpace(this.#bytes, this.#at, this.#end);
    return this.#at < this.#end ? this.#bytes[this.#at] : -1;
  }

  #take(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.#at += 1;
    return true;
  }
}
