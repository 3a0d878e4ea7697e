/**
 * A field's name, made ready to be compared with the names in a document's text: there `a` may also be written
 * `\u0061`, and `é` is two bytes.
 */
import { type Bytes, utf8ToBytes } from "../core/bytes.js";
import { BACKSLASH } from "./json-bytes.js";

export class FieldName {
  readonly text: string;
  /** The name as a document's text has it when it has no escape; undefined when it must have one. */
  readonly #plain: Bytes | undefined;

  constructor(text: string) {
    this.text = text;
    // Quotes, backslashes, control characters and halves of characters are the ones that JSON must escape.
    const needsEscape = JSON.stringify(text).length > text.length + 2;
    this.#plain = needsEscape ? undefined : utf8ToBytes(text);
  }

  /** True when the string `bytes[start, end)`, quotes included, spells this name. */
  matches(bytes: Bytes, start: number, end: number): boolean {
    const plain = this.#plain;
    const length = end - start - 2;
    if (plain !== undefined) {
      // An escape is longer than what it stands for, so only a longer string can be this name by another spelling.
      if (length < plain.length) return false;
      if (length === plain.length) return isEqualAt(bytes, start + 1, plain);
    }
    return hasEscape(bytes, start + 1, end - 1) && decodeString(bytes, start, end) === this.text;
  }
}

function isEqualAt(bytes: Bytes, start: number, plain: Bytes): boolean {
  for (let i = 0; i < plain.length; i += 1) if (bytes[start + i] !== plain[i]) return false;
  return true;
}

export function hasEscape(bytes: Bytes, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === BACKSLASH) return true;
  return false;
}

/** The text of the JSON string `bytes[start, end)`, quotes included. */
export function decodeString(bytes: Bytes, start: number, end: number): string {
  if (!hasEscape(bytes, start + 1, end - 1)) return bytes.utf8Slice(start + 1, end - 1);
  const text: unknown = JSON.parse(bytes.utf8Slice(start, end));
  return text as string;
}
