/** Reading and replacing whole values, and parts of them. Source: Redis 7.0, `t_string.c`. */
import { allocOwnBytes, EMPTY_BYTES } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { syntaxError } from "./errors.js";
import { BOTH_FIND_NONE, MAY_BE_GONE, refusedEventually, refusedWith } from "./eventual.js";
import { type ExpiryOption, expiryOption, isSameKind, resolveExpiry } from "./expiry-options.js";
import { OK, type Reply, Slice } from "./reply.js";
import { bytesReply, command, isWord, numberArg, ONE_KEY, stringEntry, valueReply } from "./spec.js";
import type { Args, CommandSpec, Entry, KeyValueView } from "./types.js";

const READ = ["@read", "@string", "@fast"] as const;
const READ_SLOW = ["@read", "@string", "@slow"] as const;
const WRITE = ["@write", "@string", "@fast"] as const;
const WRITE_SLOW = ["@write", "@string", "@slow"] as const;

const oldValue = (entry: Entry | undefined): Reply => (entry === undefined ? null : valueReply(entry));

/** Stores argument i under the key in argument 1; what has expired already is not stored, and nothing is left. */
function store(view: KeyValueView, args: Args, i: number, expiresAtMs: number): void {
  if (expiresAtMs !== 0 && expiresAtMs <= view.nowMs) view.delete(args.key(1));
  else view.set(args.key(1), "string", args.bytes, args.start(i), args.end(i), expiresAtMs);
}

// --- SET ---

interface SetOptions {
  readonly condition: "" | "NX" | "XX";
  readonly get: boolean;
  readonly keepTtl: boolean;
  readonly expiry: ExpiryOption | undefined;
}

const PLAIN_SET: SetOptions = { condition: "", get: false, keepTtl: false, expiry: undefined };

/** `SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]`, in any order. */
function parseSetOptions(args: Args): SetOptions {
  if (args.count === 3) return PLAIN_SET;
  let condition: SetOptions["condition"] = "";
  let get = false;
  let keepTtl = false;
  let expiry: ExpiryOption | undefined;
  for (let i = 3; i < args.count; i += 1) {
    if (isWord(args, i, "NX") && condition !== "XX") condition = "NX";
    else if (isWord(args, i, "XX") && condition !== "NX") condition = "XX";
    else if (isWord(args, i, "GET")) get = true;
    else if (isWord(args, i, "KEEPTTL") && expiry === undefined) keepTtl = true;
    else {
      const option = expiryOption(args, i);
      if (option === undefined || keepTtl) throw syntaxError();
      if (expiry !== undefined && !isSameKind(expiry, option)) throw syntaxError();
      expiry = option;
      i += 1;
    }
  }
  return { condition, get, keepTtl, expiry };
}

function checkSet(args: Args): void {
  const { expiry } = parseSetOptions(args);
  if (expiry !== undefined) resolveExpiry(args, expiry, 0, "set");
}

function runSet(view: KeyValueView, args: Args): Reply {
  if (args.count === 3) {
    store(view, args, 2, 0);
    return OK;
  }
  const { condition, get, keepTtl, expiry } = parseSetOptions(args);
  const expiresAtMs = expiry === undefined ? 0 : resolveExpiry(args, expiry, view.nowMs, "set");
  const entry = view.get(args.key(1));
  const old = get ? oldValue(entry) : OK;
  if ((condition === "NX" && entry !== undefined) || (condition === "XX" && entry === undefined)) {
    return get ? old : null;
  }
  store(view, args, 2, keepTtl && entry !== undefined ? entry.expiresAtMs : expiresAtMs);
  return old;
}

function runSetIfAbsent(view: KeyValueView, args: Args): Reply {
  if (view.has(args.key(1))) return 0;
  store(view, args, 2, 0);
  return 1;
}

/** SETEX and PSETEX: `key time value`. */
function expiringSet(name: string, unitMs: 1 | 1000): Pick<CommandSpec, "check" | "run"> {
  const expiry: ExpiryOption = { valueIndex: 2, unitMs, absolute: false };
  return {
    check: (args) => {
      resolveExpiry(args, expiry, 0, name);
    },
    run: (view, args) => {
      store(view, args, 3, resolveExpiry(args, expiry, view.nowMs, name));
      return OK;
    },
  };
}

// --- Reading, with a side effect or without ---

function runGet(view: KeyValueView, args: Args): Reply {
  const entry = view.get(args.key(1));
  return entry === undefined ? null : valueReply(entry);
}

function runGetSet(view: KeyValueView, args: Args): Reply {
  const old = oldValue(view.get(args.key(1)));
  store(view, args, 2, 0);
  return old;
}

function runGetDelete(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const entry = view.get(key);
  if (entry === undefined) return null;
  view.delete(key);
  return valueReply(entry);
}

/** `GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST]`: the option, `PERSIST`, or nothing. */
function parseGetExOptions(args: Args): ExpiryOption | "PERSIST" | undefined {
  let chosen: ExpiryOption | "PERSIST" | undefined;
  for (let i = 2; i < args.count; i += 1) {
    if (isWord(args, i, "PERSIST")) {
      if (chosen !== undefined && chosen !== "PERSIST") throw syntaxError();
      chosen = "PERSIST";
      continue;
    }
    const option = expiryOption(args, i);
    if (option === undefined || chosen === "PERSIST") throw syntaxError();
    if (chosen !== undefined && !isSameKind(chosen, option)) throw syntaxError();
    chosen = option;
    i += 1;
  }
  return chosen;
}

function runGetEx(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const option = parseGetExOptions(args);
  const entry = view.get(key);
  if (entry === undefined) return null;
  if (option === "PERSIST") {
    if (entry.expiresAtMs !== 0) view.setExpiry(key, 0);
  } else if (option !== undefined) {
    const expiresAtMs = resolveExpiry(args, option, view.nowMs, "getex");
    if (expiresAtMs <= view.nowMs) view.delete(key);
    else view.setExpiry(key, expiresAtMs);
  }
  return valueReply(entry);
}

// --- Parts of values ---

const tooLong = (): MinikeyError =>
  new MinikeyError("VALUE_TOO_LARGE", "string exceeds maximum allowed size (proto-max-bulk-len)");

function runAppend(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const entry = stringEntry(view.get(key));
  if (entry === undefined) {
    store(view, args, 2, 0);
    return args.lengthBytes(2);
  }
  const oldLength = entry.end - entry.start;
  const length = oldLength + args.lengthBytes(2);
  if (length > view.valueBytesMax) throw tooLong();
  const bytes = allocOwnBytes(length);
  entry.bytes.copy(bytes, 0, entry.start, entry.end);
  args.bytes.copy(bytes, oldLength, args.start(2), args.end(2));
  view.set(key, "string", bytes, 0, length, entry.expiresAtMs);
  return length;
}

function runLength(view: KeyValueView, args: Args): Reply {
  const entry = stringEntry(view.get(args.key(1)));
  return entry === undefined ? 0 : entry.end - entry.start;
}

function checkRange(args: Args): void {
  numberArg(args, 2);
  numberArg(args, 3);
}

function runGetRange(view: KeyValueView, args: Args): Reply {
  let first = numberArg(args, 2);
  let last = numberArg(args, 3);
  const entry = stringEntry(view.get(args.key(1)));
  if (entry === undefined || (first < 0 && last < 0 && first > last)) return bytesReply(EMPTY_BYTES);
  const length = entry.end - entry.start;
  if (first < 0) first = Math.max(first + length, 0);
  last = last < 0 ? Math.max(last + length, 0) : Math.min(last, length - 1);
  if (first > last || length === 0) return bytesReply(EMPTY_BYTES);
  return new Slice(entry.bytes, entry.start + first, entry.start + last + 1);
}

function checkOffset(args: Args): void {
  offsetArg(args);
}

function offsetArg(args: Args): number {
  const offset = numberArg(args, 2);
  if (offset < 0) throw new MinikeyError("OUT_OF_RANGE", "offset is out of range");
  return offset;
}

function runSetRange(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const offset = offsetArg(args);
  const entry = stringEntry(view.get(key));
  const oldLength = entry === undefined ? 0 : entry.end - entry.start;
  const partLength = args.lengthBytes(3);
  if (partLength === 0) return oldLength;
  if (offset + partLength > view.valueBytesMax) throw tooLong();
  const length = Math.max(oldLength, offset + partLength);
  const bytes = allocOwnBytes(length);
  entry?.bytes.copy(bytes, 0, entry.start, entry.end);
  if (offset > oldLength) bytes.fill(0, oldLength, offset);
  args.bytes.copy(bytes, offset, args.start(3), args.end(3));
  view.set(key, "string", bytes, 0, length, entry?.expiresAtMs ?? 0);
  return length;
}

export const STRING_COMMANDS: readonly CommandSpec[] = [
  command({
    name: "SET",
    opcode: 1,
    arity: -3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: refusedWith("SET", 3, [
      ["NX", BOTH_FIND_NONE],
      ["XX", MAY_BE_GONE],
    ]),
    flags: ["write", "denyoom"],
    categories: WRITE_SLOW,
    group: "string",
    summary: "Set the string value of a key",
    check: checkSet,
    run: runSet,
  }),
  command({
    name: "PUT",
    opcode: 2,
    arity: 3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "denyoom"],
    categories: WRITE_SLOW,
    group: "minikey",
    summary: "Set the string value of a key",
    run: runSet,
  }),
  command({
    name: "GET",
    opcode: 3,
    arity: 2,
    keys: ONE_KEY,
    spread: "single",
    access: "read",
    flags: ["readonly", "fast"],
    categories: READ,
    group: "string",
    summary: "Get the value of a key",
    run: runGet,
  }),
  command({
    name: "SETNX",
    opcode: 4,
    arity: 3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: refusedEventually("SETNX", BOTH_FIND_NONE),
    flags: ["write", "denyoom", "fast"],
    categories: WRITE,
    group: "string",
    summary: "Set the value of a key, only if the key does not exist",
    run: runSetIfAbsent,
  }),
  command({
    name: "SETEX",
    opcode: 5,
    arity: 4,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "denyoom"],
    categories: WRITE_SLOW,
    group: "string",
    summary: "Set the value and expiration of a key",
    ...expiringSet("SETEX", 1000),
  }),
  command({
    name: "PSETEX",
    opcode: 6,
    arity: 4,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "denyoom"],
    categories: WRITE_SLOW,
    group: "string",
    summary: "Set the value and expiration in milliseconds of a key",
    ...expiringSet("PSETEX", 1),
  }),
  command({
    name: "GETSET",
    opcode: 7,
    arity: 3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "denyoom", "fast"],
    categories: WRITE,
    group: "string",
    summary: "Set the string value of a key and return its old value",
    run: runGetSet,
  }),
  command({
    name: "GETDEL",
    opcode: 8,
    arity: 2,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "fast"],
    categories: WRITE,
    group: "string",
    summary: "Get the value of a key and delete the key",
    run: runGetDelete,
  }),
  command({
    name: "GETEX",
    opcode: 9,
    arity: -2,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "fast"],
    categories: WRITE,
    group: "string",
    summary: "Get the value of a key and optionally set its expiration",
    check: (args) => {
      parseGetExOptions(args);
    },
    run: runGetEx,
  }),
  command({
    name: "APPEND",
    opcode: 10,
    arity: 3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "denyoom", "fast"],
    categories: WRITE,
    group: "string",
    summary: "Append a value to a key",
    run: runAppend,
  }),
  command({
    name: "STRLEN",
    opcode: 11,
    arity: 2,
    keys: ONE_KEY,
    spread: "single",
    access: "read",
    flags: ["readonly", "fast"],
    categories: READ,
    group: "string",
    summary: "Get the length of the value stored in a key",
    run: runLength,
  }),
  command({
    name: "GETRANGE",
    opcode: 12,
    arity: 4,
    keys: ONE_KEY,
    spread: "single",
    access: "read",
    flags: ["readonly"],
    categories: READ_SLOW,
    group: "string",
    summary: "Get a substring of the string stored at a key",
    check: checkRange,
    run: runGetRange,
  }),
  command({
    name: "SETRANGE",
    opcode: 13,
    arity: 4,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "denyoom"],
    categories: WRITE_SLOW,
    group: "string",
    summary: "Overwrite part of a string at key starting at the specified offset",
    check: checkOffset,
    run: runSetRange,
  }),
];
