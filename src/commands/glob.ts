/**
 * Redis's glob patterns: `*`, `?`, `[a-z]`, `[^a]`, `\x`. Matches exactly what Redis's `stringmatchlen` (7.0,
 * `util.c`) matches, a bracket left open and bytes compared as signed included, but in time bounded by the
 * product of both lengths: one step back, to the last star, is enough.
 */
import type { Key } from "../core/bytes.js";

const STAR = 0x2a;
const QUESTION_MARK = 0x3f;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;
const CARET = 0x5e;
const MINUS = 0x2d;

/** One step of a pattern: any run of characters, or one character of a set (256 flags), or just this one. */
type Token = "star" | Uint8Array | number;

export class Glob {
  readonly #tokens: readonly Token[];
  /** What every match starts with: a scan in key order need look no further. */
  readonly prefix: Key;
  /** Whether a key with the prefix surely matches. */
  readonly #prefixSuffices: boolean;

  constructor(pattern: Key) {
    this.#tokens = parse(pattern);
    let prefix = "";
    for (const token of this.#tokens) {
      if (typeof token !== "number") break;
      prefix += String.fromCharCode(token);
    }
    this.prefix = prefix;
    this.#prefixSuffices =
      this.#tokens.length === prefix.length + 1 && this.#tokens[prefix.length] === "star";
  }

  matches(key: Key): boolean {
    if (this.#prefixSuffices) return key.startsWith(this.prefix);
    const tokens = this.#tokens;
    let token = 0;
    let at = 0;
    let starToken = -1;
    let starAt = 0;
    while (at < key.length) {
      const next = token < tokens.length ? tokens[token] : undefined;
      if (next === "star") {
        starToken = token;
        starAt = at;
        token += 1;
      } else if (next !== undefined && accepts(next, key.charCodeAt(at))) {
        token += 1;
        at += 1;
      } else if (starToken !== -1) {
        starAt += 1;
        at = starAt;
        token = starToken + 1;
      } else return false;
    }
    while (token < tokens.length && tokens[token] === "star") token += 1;
    return token === tokens.length;
  }
}

function accepts(token: Exclude<Token, "star">, code: number): boolean {
  return typeof token === "number" ? token === code : token[code] === 1;
}

function parse(pattern: Key): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < pattern.length) {
    const code = pattern.charCodeAt(at);
    if (code === STAR) {
      if (tokens.at(-1) !== "star") tokens.push("star");
    } else if (code === QUESTION_MARK) tokens.push(new Uint8Array(256).fill(1));
    else if (code === OPEN_BRACKET) {
      const set = new Uint8Array(256);
      at = parseSet(pattern, at + 1, set);
      tokens.push(set);
      continue;
    } else if (code === BACKSLASH && at + 1 < pattern.length) {
      at += 1;
      tokens.push(pattern.charCodeAt(at));
    } else tokens.push(code);
    at += 1;
  }
  return tokens;
}

/** Fills `set` from what follows an opening bracket; returns where the pattern goes on. */
function parseSet(pattern: Key, start: number, set: Uint8Array): number {
  let at = start;
  const negated = pattern.charCodeAt(at) === CARET;
  if (negated) at += 1;
  while (at < pattern.length) {
    const code = pattern.charCodeAt(at);
    if (code === BACKSLASH && at + 1 < pattern.length) {
      at += 1;
      set[pattern.charCodeAt(at)] = 1;
    } else if (code === CLOSE_BRACKET) break;
    else if (at + 2 < pattern.length && pattern.charCodeAt(at + 1) === MINUS) {
      addRange(set, signed(code), signed(pattern.charCodeAt(at + 2)));
      at += 2;
    } else set[code] = 1;
    at += 1;
  }
  if (negated) {
    for (let code = 0; code < 256; code += 1) set[code] ^= 1;
  }
  return at + 1;
}

function addRange(set: Uint8Array, first: number, last: number): void {
  const high = Math.max(first, last);
  for (let code = Math.min(first, last); code <= high; code += 1) set[code & 0xff] = 1;
}

/** As C's `char` on the machines that Redis is built for. */
const signed = (code: number): number => (code << 24) >> 24;
