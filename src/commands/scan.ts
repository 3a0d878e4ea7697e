/**
 * Commands that go through the keys. How they are carried out over all partitions: `fan-out.ts`.
 * Source: Redis 7.0, `db.c` (`scanGenericCommand`, `keysCommand`, `flushdbCommand`).
 */
import type { Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { syntaxError } from "./errors.js";
import { command, isWord, numberArg } from "./spec.js";
import type { Args, CommandSpec } from "./types.js";

export interface ScanRequest {
  readonly cursor: number;
  readonly pattern: Key;
  /** Keys to look at, about. */
  readonly count: number;
  /** Only keys of this type; empty for any. */
  readonly type: string;
}

const COUNT_DEFAULT = 10;

/** `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]` */
export function parseScan(args: Args): ScanRequest {
  const cursor = parseCursor(args.text(1));
  let pattern = "*";
  let count = COUNT_DEFAULT;
  let type = "";
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 >= args.count) throw syntaxError();
    if (isWord(args, i, "COUNT")) {
      count = numberArg(args, i + 1);
      if (count < 1) throw syntaxError();
    } else if (isWord(args, i, "MATCH")) pattern = args.key(i + 1);
    else if (isWord(args, i, "TYPE")) type = args.key(i + 1);
    else throw syntaxError();
  }
  return { cursor, pattern, count, type };
}

function parseCursor(text: string): number {
  // Nothing stands for 0, as it does in C.
  const cursor = /^\d{0,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(cursor)) throw new MinikeyError("BAD_REQUEST", "invalid cursor");
  return cursor;
}

function checkFlush(args: Args): void {
  if (args.count === 1) return;
  if (args.count > 2 || !(isWord(args, 1, "SYNC") || isWord(args, 1, "ASYNC"))) throw syntaxError();
}

export const SCAN_COMMANDS: readonly CommandSpec[] = [
  command({
    name: "SCAN",
    opcode: 60,
    arity: -2,
    spread: "all",
    access: "read",
    flags: ["readonly"],
    categories: ["@keyspace", "@read", "@slow"],
    group: "generic",
    summary: "Incrementally iterate the keys space",
    check: (args) => {
      parseScan(args);
    },
  }),
  command({
    name: "KEYS",
    opcode: 61,
    arity: 2,
    spread: "all",
    access: "read",
    flags: ["readonly"],
    categories: ["@keyspace", "@read", "@slow", "@dangerous"],
    group: "generic",
    summary: "Find all keys matching the given pattern",
  }),
  command({
    name: "RANDOMKEY",
    opcode: 62,
    arity: 1,
    spread: "all",
    access: "read",
    flags: ["readonly"],
    categories: ["@keyspace", "@read", "@slow"],
    group: "generic",
    summary: "Return a random key from the keyspace",
  }),
  command({
    name: "DBSIZE",
    opcode: 63,
    arity: 1,
    spread: "all-sum",
    access: "read",
    flags: ["readonly", "fast"],
    categories: ["@keyspace", "@read", "@fast"],
    group: "server",
    summary: "Return the number of keys in the selected database",
    run: (view) => view.count(),
  }),
  command({
    name: "FLUSHDB",
    opcode: 64,
    arity: -1,
    spread: "all",
    access: "write",
    eventual: "each key",
    flags: ["write"],
    categories: ["@keyspace", "@write", "@slow", "@dangerous"],
    group: "server",
    summary: "Remove all keys from the current database",
    check: checkFlush,
  }),
];
