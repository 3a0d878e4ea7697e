/**
 * Walking over compact JSON text in bytes, value by value, without parsing it. The text is known to be JSON
 * (`codec/json-text.ts` has checked it before it was stored), so nothing is checked again. Should a document be
 * none all the same, no function here reads outside of it or goes on for ever: they throw `DATA_CORRUPT`, so that
 * one bad value stops no replica.
 *
 *     {"tags":["a","b"],"age":22}
 *     ^open   ^value    ^name     a place is an offset into the bytes
 */
import type { Bytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { JsonKind } from "./found.js";

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const BACKSLASH = 0x5c;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/** What a byte means to somebody who skips a value; 0 when nothing. */
const STRING = 1;
const OPENS = 2;
const CLOSES = 3;
const ENDS = 4;
const BYTE_CLASS = new Uint8Array(256);
BYTE_CLASS[QUOTE] = STRING;
BYTE_CLASS[OPEN_BRACE] = OPENS;
BYTE_CLASS[OPEN_BRACKET] = OPENS;
BYTE_CLASS[CLOSE_BRACE] = CLOSES;
BYTE_CLASS[CLOSE_BRACKET] = CLOSES;
BYTE_CLASS[COMMA] = ENDS;

/** Of longer strings the end is looked for by native code, which is faster than a loop from about here on. */
const LOOP_BYTES = 24;

/** Where the value that begins at `start` ends. */
export function skipValue(bytes: Bytes, start: number, end: number): number {
  if (start >= end) throw noDocument();
  const first = BYTE_CLASS[bytes[start]];
  if (first === STRING) return skipString(bytes, start, end);
  if (first === OPENS) return skipNested(bytes, start, end);
  let at = start + 1;
  while (at < end && BYTE_CLASS[bytes[at]] < CLOSES) at += 1;
  return at;
}

/** Where the string whose opening quote is at `start` ends, its closing quote included. */
export function skipString(bytes: Bytes, start: number, end: number): number {
  let at = start + 1;
  const loopEnd = Math.min(end, at + LOOP_BYTES);
  while (at < loopEnd) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    at += byte === BACKSLASH ? 2 : 1;
  }
  for (;;) {
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0 || quote >= end) throw noDocument();
    // A quote behind an odd number of backslashes is one of the string's characters.
    let before = quote;
    while (before > at && bytes[before - 1] === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

/** Where the object or list that opens at `start` ends. */
function skipNested(bytes: Bytes, start: number, end: number): number {
  let depth = 0;
  let at = start;
  while (at < end) {
    const byteClass = BYTE_CLASS[bytes[at]];
    if (byteClass === STRING) {
      at = skipString(bytes, at, end);
      continue;
    }
    at += 1;
    if (byteClass === OPENS) depth += 1;
    else if (byteClass === CLOSES) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  throw noDocument();
}

/** For stored text that is no JSON. */
export const noDocument = (): MinikeyError =>
  new MinikeyError("DATA_CORRUPT", "what is stored as a document is not JSON");

/** What kind of value begins at `start`. */
export function kindAt(bytes: Bytes, start: number): JsonKind {
  switch (bytes[start]) {
    case OPEN_BRACE:
      return "object";
    case OPEN_BRACKET:
      return "array";
    case QUOTE:
      return "text";
    case 0x74: // true
    case 0x66: // false
      return "boolean";
    case 0x6e: // null
      return "null";
    default:
      return "number";
  }
}

/** How many elements the list, or fields the object, that opens at `start` has. */
export function countMembers(bytes: Bytes, start: number, end: number): number {
  const isObject = bytes[start] === OPEN_BRACE;
  let at = start + 1;
  if (BYTE_CLASS[bytes[at]] === CLOSES) return 0;
  for (let count = 1; ; count += 1) {
    if (isObject) at = skipString(bytes, at, end) + 1;
    at = skipValue(bytes, at, end);
    if (at >= end || bytes[at] !== COMMA) return count;
    at += 1;
  }
}

/** The stored value `bytes[start, end)` as JavaScript has it. */
export function parseStored(bytes: Bytes, start: number, end: number): unknown {
  try {
    return JSON.parse(bytes.utf8Slice(start, end));
  } catch {
    throw noDocument();
  }
}
