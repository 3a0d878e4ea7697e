/**
 * A key chosen at random without counting keys: a walk down the keys as a trie, one branch at a time, each
 * with the same chance. Every key can be chosen, and of numbered keys each about as often; a key that shares
 * little with the others is chosen more often than its share.
 */
import type { Key } from "../core/bytes.js";
import type { KeyValueView } from "./types.js";

const CODE_MAX = 0xff;

/** `seed` is an integer from 1 to 2^32 − 1; undefined when there are no keys. */
export function randomKey(view: KeyValueView, seed: number): Key | undefined {
  let random = seed >>> 0 || 1;
  let prefix = "";
  for (;;) {
    const branches = firstKeysOfBranches(view, prefix);
    if (branches.length === 0) return undefined;
    random = nextRandom(random);
    const key = branches[random % branches.length];
    if (key.length === prefix.length) return key;
    prefix = key.slice(0, prefix.length + 1);
    if (firstKey(view, prefix, key) === undefined) return key;
  }
}

/** The prefix itself when it is a key, and the first key of each longer prefix by one character. */
function firstKeysOfBranches(view: KeyValueView, prefix: Key): Key[] {
  const branches: Key[] = [];
  let key = firstKey(view, prefix);
  while (key !== undefined) {
    branches.push(key);
    if (key.length === prefix.length) {
      key = firstKey(view, prefix, key);
      continue;
    }
    const code = key.charCodeAt(prefix.length);
    if (code === CODE_MAX) break;
    const next = prefix + String.fromCharCode(code + 1);
    key = view.has(next) ? next : firstKey(view, prefix, next);
  }
  return branches;
}

function firstKey(view: KeyValueView, prefix: Key, after?: Key): Key | undefined {
  for (const key of view.keys({ prefix, after })) return key;
  return undefined;
}

/** Marsaglia's xorshift32. */
function nextRandom(state: number): number {
  let x = state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  return x >>> 0;
}
