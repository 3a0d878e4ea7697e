/**
 * Finds several places in one document in one walk over its text, however many they are: what `lookUp` finds, path
 * by path.
 *
 * The paths make a tree. Where the walk comes to an object or a list that some of them lead into, it looks for all
 * of their next segments at once:
 *
 *     a.b  a.c.0  d        ──►        ┬ a ┬ b
 *                                     │   └ c ─ 0
 *                                     └ d
 */
import { type Bytes, utf8ToBytes } from "../core/bytes.js";
import { decodeString } from "./field-name.js";
import type { Found, JsonKind } from "./found.js";
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  kindAt,
  OPEN_BRACE,
  OPEN_BRACKET,
  skipString,
  skipValue,
} from "./json-bytes.js";
import { positionOf } from "./way.js";

/** What each path leads to in the document `bytes[start, end)`. */
export function lookUpAll(
  bytes: Bytes,
  start: number,
  end: number,
  paths: readonly (readonly string[])[],
): Found[] {
  const root = new Branch();
  paths.forEach((path, i) => root.add(path, i, 0));
  const walk = new Walk(bytes, end, paths.length);
  walk.value(root, start, 0);
  // Of the whole that is said to be the document.
  for (const i of root.ends) walk.found[i] = { kind: "value", start, end };
  return walk.found;
}

/** A power of two. */
const FILTER_BITS = 4096;

/** A place in the tree of paths. */
class Branch {
  /** The paths that lead here. */
  readonly ends: number[] = [];
  readonly next = new Map<string, Branch>();
  /** Of the next segments that may be positions, the first first. */
  #positions: number[] | undefined;
  /** By the hash of a name, whether it may be among the next. */
  #filter: Uint8Array | undefined;

  /** Path i goes on from here with its segments from `depth` on. */
  add(path: readonly string[], i: number, depth: number): void {
    if (depth === path.length) {
      this.ends.push(i);
      return;
    }
    let next = this.next.get(path[depth]);
    if (next === undefined) {
      next = new Branch();
      this.next.set(path[depth], next);
    }
    next.add(path, i, depth + 1);
  }

  get positions(): readonly number[] {
    this.#positions ??= [...this.next.keys()]
      .map((segment) => positionOf(segment))
      .filter((position) => Number.isFinite(position))
      .toSorted((a, b) => a - b);
    return this.#positions;
  }

  /** The next of the name `bytes[start, end)`, quotes included. Most names are none, and are not made a text of. */
  named(bytes: Bytes, start: number, end: number): Branch | undefined {
    this.#filter ??= filterOf(this.next.keys());
    const hash = hashOfName(bytes, start + 1, end - 1);
    if (hash >= 0 && this.#filter[hash] === 0) return undefined;
    return this.next.get(decodeString(bytes, start, end));
  }
}

function filterOf(names: Iterable<string>): Uint8Array {
  const filter = new Uint8Array(FILTER_BITS);
  for (const name of names) {
    const bytes = utf8ToBytes(name);
    const hash = hashOfName(bytes, 0, bytes.length);
    if (hash >= 0) filter[hash] = 1;
  }
  return filter;
}

/** FNV-1a, cut; −1 of what holds an escape. */
function hashOfName(bytes: Bytes, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at];
    if (byte === BACKSLASH) return -1;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash ^ (hash >>> 15)) & (FILTER_BITS - 1);
}

class Walk {
  readonly found: Found[];
  readonly #bytes: Bytes;
  readonly #end: number;

  constructor(bytes: Bytes, end: number, paths: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.found = Array.from({ length: paths });
  }

  /** Where the value ends that begins at `start`, `depth` segments deep, after all that is below `branch` is found. */
  value(branch: Branch, start: number, depth: number): number {
    const end =
      branch.next.size === 0 ? skipValue(this.#bytes, start, this.#end) : this.#inside(branch, start, depth);
    for (const i of branch.ends) this.found[i] = { kind: "value", start, end };
    return end;
  }

  #inside(branch: Branch, start: number, depth: number): number {
    switch (this.#bytes[start]) {
      case OPEN_BRACE:
        return this.#object(branch, start, depth);
      case OPEN_BRACKET:
        return this.#list(branch, start, depth);
      default:
        for (const next of branch.next.values()) this.#miss(next, depth, kindAt(this.#bytes, start), 0);
        return skipValue(this.#bytes, start, this.#end);
    }
  }

  #object(branch: Branch, start: number, depth: number): number {
    const bytes = this.#bytes;
    const left = new Set(branch.next.values());
    let at = start + 1;
    while (at < this.#end && bytes[at] !== CLOSE_BRACE) {
      const nameEnd = skipString(bytes, at, this.#end);
      const next = branch.named(bytes, at, nameEnd);
      // Of a name that comes twice, which is no document's, the first is the field.
      if (next !== undefined && left.delete(next)) at = this.value(next, nameEnd + 1, depth + 1);
      else at = skipValue(bytes, nameEnd + 1, this.#end);
      if (bytes[at] === COMMA) at += 1;
    }
    for (const next of left) this.#miss(next, depth, "object", 0);
    return at + 1;
  }

  #list(branch: Branch, start: number, depth: number): number {
    const bytes = this.#bytes;
    const { positions } = branch;
    let met = 0;
    let elements = 0;
    let at = start + 1;
    while (at < this.#end && bytes[at] !== CLOSE_BRACKET) {
      const next = positions[met] === elements ? branch.next.get(String(elements)) : undefined;
      if (next === undefined) {
        at = skipValue(bytes, at, this.#end);
      } else {
        met += 1;
        at = this.value(next, at, depth + 1);
      }
      elements += 1;
      if (bytes[at] === COMMA) at += 1;
    }
    for (const [segment, next] of branch.next) {
      if (!(positionOf(segment) < elements)) this.#miss(next, depth, "array", elements);
    }
    return at + 1;
  }

  /** All paths from `branch` on lack their segment behind `depth` others. */
  #miss(branch: Branch, depth: number, at: JsonKind, elements: number): void {
    for (const i of branch.ends) this.found[i] = { kind: "missing", depth, at, elements };
    for (const next of branch.next.values()) this.#miss(next, depth, at, elements);
  }
}
