/**
 * Paths as `QUERY` takes them: a key, and behind it the way into its document, all separated by dots.
 *
 *     person2.address.number     the field `number` of `address` of the document at `person2`
 *     tags.0                     the first element of the list at `tags`
 *     city:AD:Vila               the whole value
 *     "a.b".c  a."x.y"           quoted: a segment with a dot (or a quote, or nothing) in it
 *
 * Keys may hold dots without being quoted. So `a.b.c` may mean the key `a.b.c`, the field `c` of the key `a.b`, or
 * `b.c` in the key `a`: of those keys that exist the longest is meant. Quotes settle it: a segment in quotes is
 * one segment and is joined to no other, so that `"a".b` is the field `b` of `a` even when there is a key `a.b`, and
 * in `a.b."c"` the key ends before `c`.
 *
 * A segment is quoted when it begins with `"`; quotes further inside mean themselves. Inside of quotes the escapes
 * are JSON's: `\"`, `\\`, `\u00e9` …
 */
import { KEY_BYTES_MAX, type Key, keyFromText, keyToText, utf8Length } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";

export const PATH_BYTES_MAX = 4096;
export const PATH_SEGMENTS_MAX = 128;

export interface PathSegment {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** A key that a path may mean, and the rest of the path: the way into that key's document. */
export interface Candidate {
  readonly key: Key;
  readonly path: readonly string[];
}

/** The segments of a path, at least one; throws `BAD_REQUEST`, which names the column (from 1) of what is wrong. */
export function parseKeyPath(text: string): readonly PathSegment[] {
  if (text === "") throw new MinikeyError("BAD_REQUEST", "the path is empty: it begins with a key");
  const sizeBytes = utf8Length(text);
  if (sizeBytes > PATH_BYTES_MAX) {
    throw new MinikeyError("BAD_REQUEST", `the path has ${sizeBytes} bytes: ${PATH_BYTES_MAX} are the most`);
  }
  const segments: PathSegment[] = [];
  for (let at = 0; ; at += 1) {
    if (segments.length === PATH_SEGMENTS_MAX) {
      throw pathError(text, at, `more than ${PATH_SEGMENTS_MAX} segments`);
    }
    if (text[at] === '"') {
      const end = quotedEnd(text, at);
      segments.push({ text: unquote(text, at, end), isQuoted: true });
      if (end < text.length && text[end] !== ".") throw pathError(text, end, "a dot must follow the quotes");
      at = end;
    } else {
      const dot = text.indexOf(".", at);
      const end = dot < 0 ? text.length : dot;
      segments.push({ text: text.slice(at, end), isQuoted: false });
      at = end;
    }
    if (at >= text.length) return segments;
  }
}

/** No key has it: its UTF-8 would have U+FFFD instead, and that is another key. */
const HALF_CHARACTER = /\p{Surrogate}/u;

/**
 * What the path may mean, the longest key first. Keys of more than 1,024 bytes are left out, for none exists, and so
 * is what is no text; throws `KEY_EMPTY`, `KEY_TOO_LARGE` or `BAD_REQUEST` when that leaves nothing.
 */
export function candidates(segments: readonly PathSegment[]): readonly Candidate[] {
  const texts = segments.map((segment) => segment.text);
  const found: Candidate[] = [];
  let sizeBytes = 0;
  let joined = "";
  for (let count = 1; count <= joinable(segments); count += 1) {
    joined = count === 1 ? texts[0] : `${joined}.${texts[count - 1]}`;
    if (HALF_CHARACTER.test(joined)) {
      if (found.length > 0) break;
      throw new MinikeyError("BAD_REQUEST", "the key holds half of a surrogate pair, which UTF-8 cannot");
    }
    const key = keyFromText(joined);
    sizeBytes = key.length;
    if (sizeBytes > KEY_BYTES_MAX) break;
    if (sizeBytes > 0) found.push({ key, path: texts.slice(count) });
  }
  if (found.length > 0) return found.toReversed();
  if (sizeBytes === 0) throw new MinikeyError("KEY_EMPTY", "key is empty: keys have 1 to 1,024 bytes");
  throw new MinikeyError(
    "KEY_TOO_LARGE",
    `key of ${sizeBytes} bytes is larger than the limit of ${KEY_BYTES_MAX} bytes`,
  );
}

/** How many of the first segments may make up the key together. */
function joinable(segments: readonly PathSegment[]): number {
  if (segments[0].isQuoted) return 1;
  const quoted = segments.findIndex((segment) => segment.isQuoted);
  return quoted < 0 ? segments.length : quoted;
}

/** A path that means this key and this way into its document, for people to read and to type. */
export function formatKeyPath(key: Key, path: readonly string[]): string {
  return [keyToText(key), ...path].map(formatSegment).join(".");
}

/** What stands for itself: no dot, no quote or backslash, no space or control character, not nothing. */
const PLAIN_SEGMENT = /^[^."\\\s\p{Cc}\p{Surrogate}]+$/u;

const formatSegment = (text: string): string => (PLAIN_SEGMENT.test(text) ? text : JSON.stringify(text));

/** Where the quotes that open at `start` close, the closing one included. */
function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '"') return at + 1;
    if (text[at] === "\\") at += 1;
  }
  throw pathError(text, start, "the quotes are not closed");
}

const ESCAPE = /^(?:["\\/bfnrt]|u[\da-fA-F]{4})/;

function unquote(text: string, start: number, end: number): string {
  let result = "";
  let at = start + 1;
  while (at < end - 1) {
    const backslash = text.indexOf("\\", at);
    if (backslash < 0 || backslash >= end - 1) break;
    const escape = ESCAPE.exec(text.slice(backslash + 1, end - 1));
    if (escape === null) throw pathError(text, backslash, "no such escape");
    const value: unknown = JSON.parse(`"\\${escape[0]}"`);
    result += text.slice(at, backslash) + (value as string);
    at = backslash + 1 + escape[0].length;
  }
  return result + text.slice(at, end - 1);
}

function pathError(text: string, at: number, what: string): MinikeyError {
  let column = 1;
  for (const _ of text.slice(0, at)) column += 1;
  return new MinikeyError("BAD_REQUEST", `path, column ${column}: ${what}`);
}
