/** Single keys, whatever their values: existence, type, time to live. Source: Redis 7.0, `db.c`, `expire.c`. */
import { MinikeyError } from "../core/errors.js";
import { refusedWith } from "./eventual.js";
import { type ExpiryOption, resolveAnyExpiry } from "./expiry-options.js";
import { type Reply, Status } from "./reply.js";
import { ALL_KEYS, command, isWord, ONE_KEY } from "./spec.js";
import type { Args, CommandSpec, Entry, KeyValueView } from "./types.js";

const READ = ["@keyspace", "@read", "@fast"] as const;
const WRITE = ["@keyspace", "@write", "@fast"] as const;
const WRITE_SLOW = ["@keyspace", "@write", "@slow"] as const;

const TYPE_STATUS = {
  string: new Status("string"),
  json: new Status("json"),
  none: new Status("none"),
} as const;

function runDelete(view: KeyValueView, args: Args): Reply {
  let deleted = 0;
  for (let i = 1; i < args.count; i += 1) {
    if (view.delete(args.key(i))) deleted += 1;
  }
  return deleted;
}

/** Counts a key as often as it is named. */
function runExists(view: KeyValueView, args: Args): Reply {
  let found = 0;
  for (let i = 1; i < args.count; i += 1) {
    if (view.has(args.key(i))) found += 1;
  }
  return found;
}

function runType(view: KeyValueView, args: Args): Reply {
  return TYPE_STATUS[view.get(args.key(1))?.type ?? "none"];
}

// --- Expiry ---

/** The conditions after `EXPIRE key time`, as bits. */
const NX = 1;
const XX = 2;
const GT = 4;
const LT = 8;

function parseConditions(args: Args): number {
  let conditions = 0;
  for (let i = 3; i < args.count; i += 1) {
    if (isWord(args, i, "NX")) conditions |= NX;
    else if (isWord(args, i, "XX")) conditions |= XX;
    else if (isWord(args, i, "GT")) conditions |= GT;
    else if (isWord(args, i, "LT")) conditions |= LT;
    else throw new MinikeyError("SYNTAX", `Unsupported option ${args.text(i)}`);
  }
  if ((conditions & NX) !== 0 && conditions !== NX) {
    throw new MinikeyError("SYNTAX", "NX and XX, GT or LT options at the same time are not compatible");
  }
  if ((conditions & GT) !== 0 && (conditions & LT) !== 0) {
    throw new MinikeyError("SYNTAX", "GT and LT options at the same time are not compatible");
  }
  return conditions;
}

/** No expiry counts as infinitely far away. */
function meetsConditions(conditions: number, entry: Entry, expiresAtMs: number): boolean {
  const current = entry.expiresAtMs;
  if ((conditions & NX) !== 0 && current !== 0) return false;
  if ((conditions & XX) !== 0 && current === 0) return false;
  if ((conditions & GT) !== 0 && (current === 0 || expiresAtMs <= current)) return false;
  return (conditions & LT) === 0 || current === 0 || expiresAtMs < current;
}

/** EXPIRE and its kin: `key time [NX|XX|GT|LT]`. A time in the past deletes the key. */
function expire(name: string, unitMs: 1 | 1000, absolute: boolean): Pick<CommandSpec, "check" | "run"> {
  const option: ExpiryOption = { valueIndex: 2, unitMs, absolute };
  return {
    check: (args) => {
      parseConditions(args);
      resolveAnyExpiry(args, option, 0, name);
    },
    run: (view, args) => {
      const key = args.key(1);
      const expiresAtMs = resolveAnyExpiry(args, option, view.nowMs, name);
      const entry = view.get(key);
      if (entry === undefined || !meetsConditions(parseConditions(args), entry, expiresAtMs)) return 0;
      if (expiresAtMs <= view.nowMs) view.delete(key);
      else view.setExpiry(key, expiresAtMs);
      return 1;
    },
  };
}

/** TTL and its kin: −2 for no key, −1 for no expiry, else rounded to the unit. */
function timeToLive(unitMs: 1 | 1000, absolute: boolean): CommandSpec["run"] {
  return (view, args) => {
    const entry = view.get(args.key(1));
    if (entry === undefined) return -2;
    if (entry.expiresAtMs === 0) return -1;
    const timeMs = Math.max(absolute ? entry.expiresAtMs : entry.expiresAtMs - view.nowMs, 0);
    return unitMs === 1 ? timeMs : Math.floor((timeMs + 500) / 1000);
  };
}

function runPersist(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const entry = view.get(key);
  if (entry === undefined || entry.expiresAtMs === 0) return 0;
  view.setExpiry(key, 0);
  return 1;
}

// --- Table ---

const MAY_DIFFER = "replicas may have different expiries for it to be compared with";

function deletion(name: string, opcode: number, arity: number, flags: readonly string[]): CommandSpec {
  return command({
    name,
    opcode,
    arity,
    keys: ALL_KEYS,
    spread: "sum",
    access: "write",
    eventual: "each key",
    flags,
    categories: name === "UNLINK" ? WRITE : WRITE_SLOW,
    group: name === "DELETE" ? "minikey" : "generic",
    summary: "Delete a key",
    run: runDelete,
  });
}

function existence(name: string, opcode: number, summary: string): CommandSpec {
  return command({
    name,
    opcode,
    arity: -2,
    keys: ALL_KEYS,
    spread: "sum",
    access: "read",
    flags: ["readonly", "fast"],
    categories: READ,
    group: "generic",
    summary,
    run: runExists,
  });
}

function expiryWrite(
  name: string,
  opcode: number,
  summary: string,
  unitMs: 1 | 1000,
  absolute: boolean,
): CommandSpec {
  return command({
    name,
    opcode,
    arity: -3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: refusedWith(
      name,
      3,
      ["NX", "XX", "GT", "LT"].map((word) => [word, MAY_DIFFER]),
    ),
    flags: ["write", "fast"],
    categories: WRITE,
    group: "generic",
    summary,
    ...expire(name, unitMs, absolute),
  });
}

function read(name: string, opcode: number, summary: string, run: CommandSpec["run"]): CommandSpec {
  return command({
    name,
    opcode,
    arity: 2,
    keys: ONE_KEY,
    spread: "single",
    access: "read",
    flags: ["readonly", "fast"],
    categories: READ,
    group: "generic",
    summary,
    run,
  });
}

export const KEY_COMMANDS: readonly CommandSpec[] = [
  deletion("DEL", 30, -2, ["write"]),
  deletion("UNLINK", 31, -2, ["write", "fast"]),
  deletion("DELETE", 32, -2, ["write"]),
  existence("EXISTS", 33, "Determine if a key exists"),
  existence("TOUCH", 34, "Count the keys that exist"),
  read("TYPE", 35, "Determine the type stored at key", runType),
  expiryWrite("EXPIRE", 36, "Set a key's time to live in seconds", 1000, false),
  expiryWrite("PEXPIRE", 37, "Set a key's time to live in milliseconds", 1, false),
  expiryWrite("EXPIREAT", 38, "Set the expiration for a key as a UNIX timestamp", 1000, true),
  expiryWrite(
    "PEXPIREAT",
    39,
    "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
    1,
    true,
  ),
  read("TTL", 40, "Get the time to live for a key in seconds", timeToLive(1000, false)),
  read("PTTL", 41, "Get the time to live for a key in milliseconds", timeToLive(1, false)),
  read("EXPIRETIME", 42, "Get the expiration Unix timestamp for a key", timeToLive(1000, true)),
  read("PEXPIRETIME", 43, "Get the expiration Unix timestamp for a key in milliseconds", timeToLive(1, true)),
  command({
    name: "PERSIST",
    opcode: 44,
    arity: 2,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "fast"],
    categories: WRITE,
    group: "generic",
    summary: "Remove the expiration from a key",
    run: runPersist,
  }),
];
