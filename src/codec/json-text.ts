/**
 * Checks JSON text (RFC 8259) in bytes, without building objects from it: accepts what `JSON.parse` accepts of
 * the same bytes read as strict UTF-8, but for text nested deeper than `JSON_DEPTH_MAX`.
 *
 * A value is looked at once, byte by byte, and nothing is allocated but for objects with many names. There is no
 * recursion: of each open object or array one byte is kept, that which closes it, and of objects the names, to
 * notice one that comes twice.
 *
 *     {"a":[1, 2]}      closers while at `2`:  }  ]
 *
 * A position is an offset into the bytes; a negative result is `~position` of the first byte that no JSON text
 * could have there (or of the end, when the text ends too early).
 */
import type { Bytes } from "../core/bytes.js";
import { OpenNames } from "./json-names.js";

/** Deeper text is refused: many JSON readers stop at this depth, and none should overflow its stack on ours. */
export const JSON_DEPTH_MAX = 128;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** What a byte means inside a string. */
const PLAIN = 0;
const ENDS_RUN = 1;
const STRING_CLASS = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH || byte >= 0x80 ? ENDS_RUN : PLAIN,
);

const WORDS: ReadonlyMap<number, string> = new Map([
  [0x74, "true"],
  [0x66, "false"],
  [0x6e, "null"],
]);

export const isJsonSpace = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** The first position from `at` on that is no whitespace. */
export function skipJsonSpace(bytes: Bytes, at: number, end: number): number {
  let next = at;
  while (next < end && isJsonSpace(bytes[next])) next += 1;
  return next;
}

/**
 * Where `bytes[start, end)` stops being one JSON value, with or without whitespace around it: the position of the
 * first byte that no JSON text could have there, `end` when it ends too early; −1 when it is one.
 */
export function jsonErrorAt(scanner: JsonTextScanner, bytes: Bytes, start: number, end: number): number {
  const valueEnd = scanner.value(bytes, skipJsonSpace(bytes, start, end), end);
  if (valueEnd < 0) return ~valueEnd;
  const next = skipJsonSpace(bytes, valueEnd, end);
  return next === end ? -1 : next;
}

/** True when `bytes[start, end)` is one JSON value, with or without whitespace around it. */
export const isJsonText = (scanner: JsonTextScanner, bytes: Bytes, start: number, end: number): boolean =>
  jsonErrorAt(scanner, bytes, start, end) < 0;

/**
 * Copies the JSON text `source[start, end)`, which has been checked, without the whitespace between its tokens
 * to `target` at `at`, which may be the same memory; returns where the copy ends.
 */
export function compactJson(source: Bytes, start: number, end: number, target: Bytes, at: number): number {
  let isInString = false;
  let to = at;
  for (let from = start; from < end; from += 1) {
    const byte = source[from];
    if (!isInString && isJsonSpace(byte)) continue;
    if (byte === QUOTE) isInString = !isInString;
    target[to] = byte;
    to += 1;
    if (byte === BACKSLASH) {
      from += 1;
      target[to] = source[from];
      to += 1;
    }
  }
  return to;
}

export class JsonTextScanner {
  /** Whether the value scanned last has no whitespace between its tokens. */
  isCompact = true;
  /** Where in the value scanned last the first name begins that its object has had before; −1 when there is none. */
  twiceAt = -1;
  /** Whether the value scanned last is no value only because it is nested too deep. */
  isTooDeep = false;
  /** Whether the string scanned last has an escape in it. */
  isEscaped = false;
  /** A plain array: a typed one takes longer to make than a small document to scan. */
  readonly #closers: number[] = [];
  readonly #names = new OpenNames();

  /** Whether in the value scanned last every object has each name once. */
  get hasUniqueNames(): boolean {
    return this.twiceAt < 0;
  }

  /** Where the value that begins at `start` ends, or `~position` of what is wrong. */
  value(bytes: Bytes, start: number, end: number): number {
    this.isCompact = true;
    this.twiceAt = -1;
    this.isTooDeep = false;
    const closers = this.#closers;
    let depth = 0;
    let at = start;
    for (;;) {
      const byte = at < end ? bytes[at] : -1;
      if (byte === QUOTE) {
        at = this.string(bytes, at, end);
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (depth === JSON_DEPTH_MAX) {
          this.isTooDeep = true;
          return ~at;
        }
        const closer = byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
        at = this.#skip(bytes, at + 1, end);
        if (at >= end || bytes[at] !== closer) {
          closers[depth] = closer;
          if (byte === OPEN_BRACE) {
            this.#names.open(depth);
            at = this.#name(bytes, at, end, depth);
          }
          depth += 1;
          if (at < 0) return at;
          continue;
        }
        at += 1;
      } else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) {
        at = number(bytes, at, end);
      } else {
        at = word(bytes, at, end);
      }
      if (at < 0) return at;
      // A value ends here, and with it all that close behind it.
      for (;;) {
        if (depth === 0) return at;
        at = this.#skip(bytes, at, end);
        if (at >= end || bytes[at] !== closers[depth - 1]) break;
        depth -= 1;
        if (closers[depth] === CLOSE_BRACE) this.#names.close(depth);
        at += 1;
      }
      if (at >= end || bytes[at] !== COMMA) return ~at;
      at = this.#skip(bytes, at + 1, end);
      if (closers[depth - 1] === CLOSE_BRACE) at = this.#name(bytes, at, end, depth - 1);
      if (at < 0) return at;
    }
  }

  /** Where the string whose opening quote is at `start` ends, its closing quote included; or `~position`. */
  string(bytes: Bytes, start: number, end: number): number {
    this.isEscaped = false;
    let at = start + 1;
    for (;;) {
      while (at < end && STRING_CLASS[bytes[at]] === PLAIN) at += 1;
      if (at >= end) return ~end;
      const byte = bytes[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) {
        this.isEscaped = true;
        at = escape(bytes, at, end);
      } else if (byte >= 0x80) {
        at = skipCharacter(bytes, at, end);
      } else {
        return ~at;
      }
      if (at < 0) return at;
    }
  }

  /** A member's name and its colon; returns where its value begins, or `~position`. */
  #name(bytes: Bytes, start: number, end: number, depth: number): number {
    if (start >= end || bytes[start] !== QUOTE) return ~start;
    const nameEnd = this.string(bytes, start, end);
    if (nameEnd < 0) return nameEnd;
    // One is enough to know: behind it names are not compared any more.
    if (this.twiceAt < 0 && !this.#names.add(depth, bytes, start, nameEnd, this.isEscaped))
      this.twiceAt = start;
    const at = this.#skip(bytes, nameEnd, end);
    if (at >= end || bytes[at] !== COLON) return ~at;
    return this.#skip(bytes, at + 1, end);
  }

  #skip(bytes: Bytes, at: number, end: number): number {
    if (at >= end || bytes[at] > 0x20) return at;
    const next = skipJsonSpace(bytes, at, end);
    if (next > at) this.isCompact = false;
    return next;
  }
}

/** `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?` */
function number(bytes: Bytes, start: number, end: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  if (at < end && bytes[at] === ZERO) at += 1;
  else at = digits(bytes, at, end);
  if (at >= 0 && at < end && bytes[at] === DOT) at = digits(bytes, at + 1, end);
  if (at >= 0 && at < end && (bytes[at] | 0x20) === 0x65) {
    at += 1;
    if (at < end && (bytes[at] === PLUS || bytes[at] === MINUS)) at += 1;
    at = digits(bytes, at, end);
  }
  return at;
}

/** At least one. */
function digits(bytes: Bytes, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] >= ZERO && bytes[at] <= NINE) at += 1;
  return at === start ? ~start : at;
}

function word(bytes: Bytes, start: number, end: number): number {
  const text = start < end ? WORDS.get(bytes[start]) : undefined;
  if (text === undefined) return ~start;
  for (let i = 1; i < text.length; i += 1) {
    if (start + i >= end || bytes[start + i] !== text.charCodeAt(i)) return ~(start + i);
  }
  return start + text.length;
}

/** `\n`, `\u00e9` … from the backslash at `start` on. */
function escape(bytes: Bytes, start: number, end: number): number {
  if (start + 1 >= end) return ~end;
  switch (bytes[start + 1]) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return start + 2;
    case 0x75: // u
      for (let at = start + 2; at < start + 6; at += 1) {
        if (at >= end || !isHexDigit(bytes[at])) return ~at;
      }
      return start + 6;
    default:
      return ~(start + 1);
  }
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= ZERO && byte <= NINE) || (lower >= 0x61 && lower <= 0x66);
}

/**
 * Where the character of two to four bytes at `start` ends, or `~start`: well-formed UTF-8 (Unicode, table 3-7),
 * so no overlong form, no surrogate, nothing beyond U+10FFFF.
 */
export function skipCharacter(bytes: Bytes, start: number, end: number): number {
  const lead = bytes[start];
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || start + length > end) return ~start;
  const second = bytes[start + 1];
  if (second < secondByteMin(lead) || second > secondByteMax(lead)) return ~start;
  for (let at = start + 2; at < start + length; at += 1) if ((bytes[at] & 0xc0) !== 0x80) return ~start;
  return start + length;
}

function secondByteMin(lead: number): number {
  if (lead === 0xe0) return 0xa0;
  return lead === 0xf0 ? 0x90 : 0x80;
}

function secondByteMax(lead: number): number {
  if (lead === 0xed) return 0x9f;
  return lead === 0xf4 ? 0x8f : 0xbf;
}
