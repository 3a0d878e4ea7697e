/** Building blocks of table entries: every `CommandSpec` is made here, with all fields, so that all have one shape. */
import { assert } from "../core/assert.js";
import { type Bytes, type Key, latin1ToBytes, utf8ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { type Int64, parseInt64 } from "../core/int64.js";
import { notAnInteger, wrongType } from "./errors.js";
import { Slice } from "./reply.js";
import type { Args, CommandSpec, Entry, KeyPositions } from "./types.js";

type Optional =
  | "opcode"
  | "keys"
  | "keysInside"
  | "eventual"
  | "flags"
  | "categories"
  | "internal"
  | "check"
  | "prepare"
  | "run"
  | "plan"
  | "query";

/** What an entry has to say; the rest has defaults. A write says what it is in an eventual keyspace. */
export type CommandFields = Omit<CommandSpec, Optional> & Partial<Pick<CommandSpec, Optional>>;

export function command(fields: CommandFields): CommandSpec {
  assert(fields.access !== "write" || fields.eventual !== undefined, "% has no rule", fields.name);
  return {
    name: fields.name,
    opcode: fields.opcode ?? 0,
    arity: fields.arity,
    keys: fields.keys ?? NO_KEYS,
    keysInside: fields.keysInside,
    spread: fields.spread,
    access: fields.access,
    eventual: fields.eventual ?? "as is",
    flags: fields.flags ?? [],
    categories: fields.categories ?? [],
    group: fields.group,
    summary: fields.summary,
    internal: fields.internal ?? false,
    check: fields.check,
    prepare: fields.prepare,
    run: fields.run,
    plan: fields.plan,
    query: fields.query,
  };
}

export const NO_KEYS: KeyPositions = { first: 0, last: 0, step: 0 };
export const ONE_KEY: KeyPositions = { first: 1, last: 1, step: 1 };
export const TWO_KEYS: KeyPositions = { first: 1, last: 2, step: 1 };
export const ALL_KEYS: KeyPositions = { first: 1, last: -1, step: 1 };
export const KEY_VALUE_PAIRS: KeyPositions = { first: 1, last: -1, step: 2 };

/** True when argument i is `word` (upper case), in any case. */
export function isWord(args: Args, i: number, word: string): boolean {
  const start = args.start(i);
  if (args.end(i) - start !== word.length) return false;
  const bytes = args.bytes;
  for (let at = 0; at < word.length; at += 1) {
    const byte = bytes[start + at];
    const upper = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
    if (upper !== word.charCodeAt(at)) return false;
  }
  return true;
}

/** Argument i as a 64-bit integer; throws `NOT_AN_INTEGER`. */
export function integerArg(args: Args, i: number): Int64 {
  const value = parseInt64(args.bytes, args.start(i), args.end(i));
  if (value === undefined) throw notAnInteger();
  return value;
}

/** As {@link integerArg}, rounded to a `number` beyond ±(2^53 − 1). */
export function numberArg(args: Args, i: number): number {
  return Number(integerArg(args, i));
}

/** Argument i as a key; undefined when it is empty, as no key is. */
export function optionalKeyArg(args: Args, i: number): Key | undefined {
  return args.lengthBytes(i) === 0 ? undefined : args.key(i);
}

/** Argument i as text; throws `BAD_REQUEST`, which calls it `what`, when it is not UTF-8. */
export function textArg(args: Args, i: number, what: string): string {
  const text = args.text(i);
  // What is not UTF-8 is read as U+FFFD, which may also be there.
  if (text.includes("\uFFFD") && !utf8ToBytes(text).equals(args.bytes.subarray(args.start(i), args.end(i)))) {
    throw new MinikeyError("BAD_REQUEST", `${what} is not valid UTF-8`);
  }
  return text;
}

/** The entry of a key that must hold bytes, not a document. */
export function stringEntry(entry: Entry | undefined): Entry | undefined {
  if (entry !== undefined && entry.type !== "string") throw wrongType();
  return entry;
}

/** A value as a bulk string, no copy. */
export function valueReply(entry: Entry): Slice {
  return new Slice(entry.bytes, entry.start, entry.end);
}

export function bytesReply(bytes: Bytes): Slice {
  return new Slice(bytes, 0, bytes.length);
}

/** A key as a bulk string: its bytes, not its characters as UTF-8. */
export function keyReply(key: Key): Slice {
  return bytesReply(latin1ToBytes(key));
}
