/**
 * What a path may mean, made for looking: of `a.b.c` the keys `a.b.c`, `a.b` and `a`, and the way into the document
 * of each. Nearly every path is ASCII without quotes; of that keys and ways are parts of one text, and none of them
 * is made before somebody asks for it.
 */
import { KEY_BYTES_MAX, type Key } from "../core/bytes.js";
import { isPlainCode } from "./field-name.js";
import { type Candidate, candidates, PATH_SEGMENTS_MAX, parseKeyPath } from "./key-path.js";

/** Keys, the longest first, each of which begins with the next: of those that exist the first is meant. */
export interface Meanings {
  /** At least 1. */
  readonly count: number;
  keyAt(i: number): Key;
  /** Into the document at that key. */
  wayAt(i: number): readonly string[];
}

/** What the path may mean. Throws as `parseKeyPath` and `candidates` do. */
export function meaningsOf(text: string): Meanings {
  return plainMeanings(text) ?? new ListedMeanings(candidates(parseKeyPath(text)));
}

/** One key and nothing else. */
export const oneMeaning = (key: Key, path: readonly string[]): Meanings =>
  new ListedMeanings([{ key, path }]);

class ListedMeanings implements Meanings {
  readonly #candidates: readonly Candidate[];

  constructor(list: readonly Candidate[]) {
    this.#candidates = list;
  }

  get count(): number {
    return this.#candidates.length;
  }

  keyAt(i: number): Key {
    return this.#candidates[i].key;
  }

  wayAt(i: number): readonly string[] {
    return this.#candidates[i].path;
  }
}

const DOT = 0x2e;
const NO_WAY: readonly string[] = [];

/** Of a path without quotes, whose characters are bytes. */
class PlainMeanings implements Meanings {
  readonly #text: string;
  /** Where the keys end, the shortest first. */
  readonly #ends: readonly number[];

  constructor(text: string, ends: readonly number[]) {
    this.#text = text;
    this.#ends = ends;
  }

  get count(): number {
    return this.#ends.length;
  }

  keyAt(i: number): Key {
    return this.#text.slice(0, this.#endAt(i));
  }

  wayAt(i: number): readonly string[] {
    const end = this.#endAt(i);
    return end === this.#text.length ? NO_WAY : segmentsFrom(this.#text, end + 1);
  }

  #endAt(i: number): number {
    return this.#ends[this.#ends.length - 1 - i];
  }
}

/** Undefined for what is not so simple, and for what is wrong. */
function plainMeanings(text: string): Meanings | undefined {
  const { length } = text;
  if (length === 0 || length > KEY_BYTES_MAX) return undefined;
  const ends: number[] = [];
  let segments = 1;
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (!isPlainCode(code)) return undefined;
    if (code !== DOT) continue;
    segments += 1;
    // No key is empty.
    if (at > 0) ends.push(at);
  }
  if (segments > PATH_SEGMENTS_MAX) return undefined;
  ends.push(length);
  return new PlainMeanings(text, ends);
}

/** As `text.slice(start).split(".")`, which takes several times as long. */
function segmentsFrom(text: string, start: number): readonly string[] {
  const segments: string[] = [];
  let at = start;
  for (let dot = text.indexOf(".", at); dot >= 0; dot = text.indexOf(".", at)) {
    segments.push(text.slice(at, dot));
    at = dot + 1;
  }
  segments.push(text.slice(at));
  return segments;
}
