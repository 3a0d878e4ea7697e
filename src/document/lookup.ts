/**
 * Finds one place in a document by walking over its text: fields of objects by name, elements of lists by
 * position from 0. Nothing before the place is parsed and nothing behind it is looked at.
 *
 * An object's names are unique (whoever stores a document sees to that), so the first field of a name is the field.
 */
import type { Bytes } from "../core/bytes.js";
import type { NameMatcher } from "./field-name.js";
import type { Found, JsonKind, MissingPart } from "./found.js";
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  kindAt,
  OPEN_BRACE,
  OPEN_BRACKET,
  skipString,
  skipValue,
} from "./json-bytes.js";
import { SegmentsWay, type Way } from "./way.js";

/** What `path` leads to in the document `bytes[start, end)`; an empty path leads to the whole of it. */
export function lookUp(bytes: Bytes, start: number, end: number, path: readonly string[]): Found {
  return lookUpWay(bytes, start, end, new SegmentsWay(path));
}

/** As `lookUp`, along a way that nobody has walked yet. */
export function lookUpWay(bytes: Bytes, start: number, end: number, way: Way): Found {
  let at = start;
  let depth = 0;
  for (; way.next(); depth += 1) {
    if (bytes[at] === OPEN_BRACE) {
      const field = fieldAt(bytes, at, end, way.name);
      if (field < 0) return missing(depth, "object", 0);
      at = skipString(bytes, field, end) + 1;
    } else if (bytes[at] === OPEN_BRACKET) {
      const value = elementAt(bytes, at, end, way.position());
      if (value < 0) return missing(depth, "array", ~value);
      at = value;
    } else {
      return missing(depth, kindAt(bytes, at), 0);
    }
  }
  return { kind: "value", start: at, end: depth === 0 ? end : skipValue(bytes, at, end) };
}

function missing(depth: number, at: JsonKind, elements: number): MissingPart {
  return { kind: "missing", depth, at, elements };
}

/** Where the field `name`, beginning with its name, is in the object that opens at `start`; −1 when it has none. */
export function fieldAt(bytes: Bytes, start: number, end: number, name: NameMatcher): number {
  let at = start + 1;
  if (bytes[at] === CLOSE_BRACE) return -1;
  for (;;) {
    const nameEnd = skipString(bytes, at, end);
    if (name.matches(bytes, at, nameEnd)) return at;
    at = skipValue(bytes, nameEnd + 1, end);
    if (at >= end || bytes[at] !== COMMA) return -1;
    at += 1;
  }
}

/** Where the element at `position` begins in the list that opens at `start`; `~elements` when it has only so many. */
export function elementAt(bytes: Bytes, start: number, end: number, position: number): number {
  let at = start + 1;
  if (bytes[at] === CLOSE_BRACKET) return ~0;
  for (let i = 0; i < position; i += 1) {
    at = skipValue(bytes, at, end);
    if (at >= end || bytes[at] !== COMMA) return ~(i + 1);
    at += 1;
  }
  return at;
}
