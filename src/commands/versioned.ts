/**
 * Beyond Redis's commands: values with their versions and conditions, pages of keys in order, and writes that may
 * be sent again. HTTP, the library and the shell use them; RESP clients may too.
 *
 * | command | arguments | reply |
 * | --- | --- | --- |
 * | `KV.GET` | key | null or [type, version, expiresAtMs, value] |
 * | `KV.PUT` | key type `any`/`nx`/`xx`/`match` version expiresAtMs value | [1 created / 0 updated, version], `KEY_EXISTS` (nx), `VERSION_MISMATCH` (xx, match) |
 * | `KV.DELETE` | key version-or-0 | the version deleted, 0 when there is no key, `VERSION_MISMATCH` |
 * | `KV.LIST` | prefix after-or-empty limit | [[key …], 1 when there are more] |
 * | `ONCE` | session number command key … | what the command replied the first time |
 *
 * Types are `string` and `json`; a document is compact JSON text in which each object has a name once. Expiry
 * times and versions are decimal; 0 stands for none.
 */
import { JsonTextScanner } from "../codec/json-text.js";
import { MinikeyError } from "../core/errors.js";
import { checkCanonical } from "./canonical.js";
import { notAnInteger, syntaxError } from "./errors.js";
import type { Reply } from "./reply.js";
import { command, isWord, keyReply, numberArg, ONE_KEY, optionalKeyArg, valueReply } from "./spec.js";
import type { Args, CommandSpec, EventualRule, KeyValueView, ValueType } from "./types.js";

function runKvGet(view: KeyValueView, args: Args): Reply {
  const entry = view.get(args.key(1));
  if (entry === undefined) return null;
  return [entry.type, entry.version, entry.expiresAtMs, valueReply(entry)];
}

const VALUE_ARG = 6;
const CONDITIONS = ["ANY", "NX", "XX", "MATCH"] as const;

function typeArg(args: Args): ValueType {
  if (isWord(args, 2, "STRING")) return "string";
  if (isWord(args, 2, "JSON")) return "json";
  throw syntaxError();
}

function checkKvPut(args: Args): void {
  if (typeArg(args) === "json") {
    checkCanonical(new JsonTextScanner(), args.bytes, args.start(VALUE_ARG), args.end(VALUE_ARG));
  }
  if (!CONDITIONS.some((condition) => isWord(args, 3, condition))) throw syntaxError();
  if (numberArg(args, 4) < 0 || numberArg(args, 5) < 0) throw notAnInteger();
}

const versionMismatch = (wanted: number, found: number | undefined): MinikeyError =>
  new MinikeyError(
    "VERSION_MISMATCH",
    found === undefined
      ? `version is not ${wanted}: the key does not exist`
      : `version is ${found}, not ${wanted}`,
  );

function runKvPut(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const type = typeArg(args);
  const old = view.get(key);
  if (isWord(args, 3, "NX") && old !== undefined) {
    throw new MinikeyError("KEY_EXISTS", "Key already exists");
  }
  if (isWord(args, 3, "XX") && old === undefined) {
    throw new MinikeyError("VERSION_MISMATCH", "the key does not exist");
  }
  if (isWord(args, 3, "MATCH")) {
    const wanted = numberArg(args, 4);
    if (old?.version !== wanted) throw versionMismatch(wanted, old?.version);
  }
  const created = old === undefined ? 1 : 0;
  const expiresAtMs = numberArg(args, 5);
  const version = view.set(key, type, args.bytes, args.start(VALUE_ARG), args.end(VALUE_ARG), expiresAtMs);
  return [created, version];
}

function runKvDelete(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const wanted = numberArg(args, 2);
  const entry = view.get(key);
  if (entry === undefined) {
    // What is not here may be elsewhere, in an eventual keyspace.
    if (wanted === 0) view.delete(key);
    return 0;
  }
  if (wanted !== 0 && entry.version !== wanted) throw versionMismatch(wanted, entry.version);
  view.delete(key);
  return entry.version;
}

// --- Pages ---

function runKvList(view: KeyValueView, args: Args): Reply {
  const limit = numberArg(args, 3);
  const keys: Reply[] = [];
  for (const key of view.keys({ prefix: args.key(1), after: optionalKeyArg(args, 2) })) {
    if (keys.length === limit) return [keys, 1];
    keys.push(keyReply(key));
  }
  return [keys, 0];
}

/** A page that is larger is asked for in parts: it would hold up the partition. */
const PAGE_KEYS_MAX = 10_000;

function checkKvList(args: Args): void {
  const limit = numberArg(args, 3);
  if (limit < 1 || limit > PAGE_KEYS_MAX) {
    throw new MinikeyError("OUT_OF_RANGE", `limit must be from 1 to ${PAGE_KEYS_MAX}`);
  }
}

// --- In eventual keyspaces ---

const MAY_ALL_MEET = "two replicas may both find that it holds";

const putConditions: EventualRule = (args) =>
  isWord(args, 3, "ANY") ? undefined : { what: "a write under a condition", why: MAY_ALL_MEET };

const deleteConditions: EventualRule = (args) =>
  numberArg(args, 2) === 0 ? undefined : { what: "a delete under a condition", why: MAY_ALL_MEET };

const READ = ["@keyspace", "@read", "@fast"] as const;
const WRITE = ["@keyspace", "@write", "@fast"] as const;

export const VERSIONED_COMMANDS: readonly CommandSpec[] = [
  command({
    name: "KV.GET",
    opcode: 100,
    arity: 2,
    keys: ONE_KEY,
    spread: "single",
    access: "read",
    flags: ["readonly", "fast"],
    categories: READ,
    group: "minikey",
    summary: "Get a value with its type, version and expiry",
    run: runKvGet,
  }),
  command({
    name: "KV.PUT",
    opcode: 101,
    arity: 7,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: putConditions,
    flags: ["write", "denyoom", "fast"],
    categories: WRITE,
    group: "minikey",
    summary: "Set a value, under a condition, and get its version",
    check: checkKvPut,
    run: runKvPut,
  }),
  command({
    name: "KV.DELETE",
    opcode: 102,
    arity: 3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: deleteConditions,
    flags: ["write", "fast"],
    categories: WRITE,
    group: "minikey",
    summary: "Delete a key, under a condition",
    check: (args) => {
      numberArg(args, 2);
    },
    run: runKvDelete,
  }),
  command({
    name: "KV.LIST",
    opcode: 103,
    arity: 4,
    spread: "all",
    access: "read",
    flags: ["readonly"],
    categories: ["@keyspace", "@read", "@slow"],
    group: "minikey",
    summary: "List keys in order",
    check: checkKvList,
    run: runKvList,
  }),
  command({
    name: "ONCE",
    opcode: 201,
    arity: -5,
    keys: { first: 4, last: 4, step: 1 },
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: ["write", "denyoom"],
    categories: ["@keyspace", "@write", "@slow"],
    group: "minikey",
    summary: "Carry a write out once, however often it is sent",
    // Carried out by the node, which remembers sessions.
  }),
];
