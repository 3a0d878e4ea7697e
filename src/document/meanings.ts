/** What a path may mean: of `a.b.c` the keys `a.b.c`, `a.b` and `a`, and the way into the document of each. */
import type { Key } from "../core/bytes.js";
import { type Candidate, candidates, parseKeyPath } from "./key-path.js";

/** Keys, the longest first, each of which begins with the next: of those that exist the first is meant. */
export interface Meanings {
  /** The path, as errors name it. */
  readonly text: string;
  /** At least 1. */
  readonly count: number;
  keyAt(i: number): Key;
  /** Into the document at that key. */
  wayAt(i: number): readonly string[];
}

/** What the path may mean. Throws as `parseKeyPath` and `candidates` do. */
export function meaningsOf(text: string): Meanings {
  return new ListedMeanings(text, candidates(parseKeyPath(text)));
}

/** One key and nothing else. */
export const oneMeaning = (key: Key, path: readonly string[]): Meanings =>
  new ListedMeanings(key, [{ key, path }]);

class ListedMeanings implements Meanings {
  readonly text: string;
  readonly #candidates: readonly Candidate[];

  constructor(text: string, list: readonly Candidate[]) {
    this.text = text;
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
