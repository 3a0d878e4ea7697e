/**
 * A field's name, made ready to be compared with the names in a document's text: there `a` may also be written
 * `\u0061`, and `é` is two bytes.
 */
import { hasEscape } from "../codec/json-name.js";
import { type Bytes, utf8ToBytes } from "../core/bytes.js";
import { BACKSLASH, parseStored, QUOTE } from "./json-bytes.js";

/** A name to find among those of an object. */
export interface NameMatcher {
  /** True when the string `bytes[start, end)`, quotes included, spells this name. */
  matches(bytes: Bytes, start: number, end: number): boolean;
}

export class FieldName implements NameMatcher {
  readonly text: string;
  /** Every character is one byte, and stands for itself: the text is the name as a document's text has it. */
  readonly #isAscii: boolean;
  /** Else the UTF-8 of the name; undefined when a document's text can only have it with an escape. */
  readonly #utf8: Bytes | undefined;

  constructor(text: string) {
    this.text = text;
    this.#isAscii = isPlainAscii(text);
    this.#utf8 = this.#isAscii || needsEscape(text) ? undefined : utf8ToBytes(text);
  }

  matches(bytes: Bytes, start: number, end: number): boolean {
    const length = end - start - 2;
    // An escape is longer than what it stands for, so only a longer string can be this name by another spelling.
    if (this.#isAscii) {
      const { text } = this;
      if (length < text.length) return false;
      if (length === text.length) return isAsciiAt(bytes, start + 1, text);
    } else if (this.#utf8 !== undefined) {
      const utf8 = this.#utf8;
      if (length < utf8.length) return false;
      if (length === utf8.length) return isEqualAt(bytes, start + 1, utf8);
    }
    return hasEscape(bytes, start + 1, end - 1) && decodeString(bytes, start, end) === this.text;
  }
}

/** A character that is one byte and stands for itself in JSON text, too. */
export const isPlainCode = (code: number): boolean =>
  code >= 0x20 && code <= 0x7e && code !== QUOTE && code !== BACKSLASH;

function isPlainAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (!isPlainCode(text.charCodeAt(i))) return false;
  return true;
}

/** Quotes, backslashes, control characters and halves of characters are what JSON must escape. */
const needsEscape = (text: string): boolean => JSON.stringify(text).length > text.length + 2;

function isAsciiAt(bytes: Bytes, start: number, text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

function isEqualAt(bytes: Bytes, start: number, other: Bytes): boolean {
  for (let i = 0; i < other.length; i += 1) if (bytes[start + i] !== other[i]) return false;
  return true;
}

/** The text of the JSON string `bytes[start, end)`, quotes included. */
export function decodeString(bytes: Bytes, start: number, end: number): string {
  if (!hasEscape(bytes, start + 1, end - 1)) return bytes.utf8Slice(start + 1, end - 1);
  return parseStored(bytes, start, end) as string;
}
