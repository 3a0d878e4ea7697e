/**
 * MinikeyDB's own commands: what goes beyond Redis's (versions, conditions, pages, repeats that are harmless),
 * and the pieces of the commands that concern every partition (`fan-out.ts`). The `KV.` commands and `ONCE` are
 * for clients too; the others are not listed and not accepted from them.
 *
 * | command | argument | reply |
 * | --- | --- | --- |
 * | `KV.GET` | key | null or [type, version, expiresAtMs, value] |
 * | `KV.PUT` | key type `any`/`nx`/`match` version expiresAtMs value | [1 created / 0 updated, version], `KEY_EXISTS` (nx), `VERSION_MISMATCH` (match) |
 * | `KV.DELETE` | key version-or-0 | the version deleted, 0 when there is no key, `VERSION_MISMATCH` |
 * | `KV.LIST` | prefix after-or-empty limit | [[key …], 1 when there are more] |
 * | `SCANPART` | after-or-empty count pattern type-or-empty | [[key …], last key looked at or null at the end, keys looked at] |
 * | `SCANFIND` | hash after-or-empty count | [key with that hash or null, last key looked at or null at the end] |
 * | `RANDOMPART` | seed | a key or null |
 * | `FLUSHPART` | | OK |
 * | `COUNT` | | the number of keys |
 * | `PURGE` | key | 1 when the key had expired and is now gone, else 0 |
 *
 * Expiry times and versions are decimal; 0 stands for none.
 */
import type { Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { syntaxError } from "./errors.js";
import { Glob } from "./glob.js";
import { randomKey } from "./random-key.js";
import { OK, type Reply } from "./reply.js";
import { scanHash } from "./scan-cursor.js";
import { command, isWord, keyReply, NO_KEYS, numberArg, ONE_KEY, valueReply } from "./spec.js";
import type { Args, CommandSpec, KeyValueView, ValueType } from "./types.js";

// --- KV.*: one key with its version ---

function runKvGet(view: KeyValueView, args: Args): Reply {
  const entry = view.get(args.key(1));
  if (entry === undefined) return null;
  return [entry.type, entry.version, entry.expiresAtMs, valueReply(entry)];
}

const VALUE_ARG = 6;

function typeArg(args: Args): ValueType {
  if (isWord(args, 2, "STRING")) return "string";
  if (isWord(args, 2, "JSON")) return "json";
  throw syntaxError();
}

function checkKvPut(args: Args): void {
  typeArg(args);
  if (!isWord(args, 3, "ANY") && !isWord(args, 3, "NX") && !isWord(args, 3, "MATCH")) throw syntaxError();
  numberArg(args, 4);
  numberArg(args, 5);
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
  if (entry === undefined) return 0;
  if (wanted !== 0 && entry.version !== wanted) throw versionMismatch(wanted, entry.version);
  view.delete(key);
  return entry.version;
}

// --- Ranges of keys ---

/** An empty argument stands for "from the start"; no key is empty. */
function afterArg(args: Args, i: number): Key | undefined {
  return args.lengthBytes(i) === 0 ? undefined : args.key(i);
}

function runKvList(view: KeyValueView, args: Args): Reply {
  const limit = numberArg(args, 3);
  const keys: Reply[] = [];
  for (const key of view.keys({ prefix: args.key(1), after: afterArg(args, 2) })) {
    if (keys.length === limit) return [keys, 1];
    keys.push(keyReply(key));
  }
  return [keys, 0];
}

function runScanPart(view: KeyValueView, args: Args): Reply {
  const count = numberArg(args, 2);
  const glob = new Glob(args.key(3));
  const type = args.lengthBytes(4) === 0 ? undefined : args.text(4).toLowerCase();
  const keys: Reply[] = [];
  let examined = 0;
  for (const key of view.keys({ prefix: glob.prefix, after: afterArg(args, 1) })) {
    examined += 1;
    if (glob.matches(key) && (type === undefined || view.get(key)?.type === type)) keys.push(keyReply(key));
    if (examined >= count) return [keys, keyReply(key), examined];
  }
  return [keys, null, examined];
}

function runScanFind(view: KeyValueView, args: Args): Reply {
  const hash = numberArg(args, 1);
  const count = numberArg(args, 3);
  let examined = 0;
  for (const key of view.keys({ after: afterArg(args, 2) })) {
    if (scanHash(key) === hash) return [keyReply(key), null];
    examined += 1;
    if (examined >= count) return [null, keyReply(key)];
  }
  return [null, null];
}

function runRandomPart(view: KeyValueView, args: Args): Reply {
  const key = randomKey(view, numberArg(args, 1));
  return key === undefined ? null : keyReply(key);
}

function runPurge(view: KeyValueView, args: Args): Reply {
  return view.purge(args.key(1)) ? 1 : 0;
}

// --- Table ---

interface InternalFields {
  readonly name: string;
  readonly opcode: number;
  readonly arity: number;
  readonly keyed: boolean;
  readonly access: "read" | "write";
  /** Clients may give it too. */
  readonly isPublic?: boolean;
  readonly summary: string;
  readonly check?: (args: Args) => void;
  readonly run: (view: KeyValueView, args: Args) => Reply;
}

function internal(fields: InternalFields): CommandSpec {
  return command({
    name: fields.name,
    opcode: fields.opcode,
    arity: fields.arity,
    keys: fields.keyed ? ONE_KEY : NO_KEYS,
    // A piece of a fan-out goes to the partition that the node asks, not to that of a key.
    spread: fields.keyed ? "single" : "all",
    access: fields.access,
    group: "minikey",
    summary: fields.summary,
    internal: fields.isPublic !== true,
    check: fields.check,
    run: fields.run,
  });
}

export const INTERNAL_COMMANDS: readonly CommandSpec[] = [
  internal({
    name: "KV.GET",
    opcode: 100,
    arity: 2,
    keyed: true,
    access: "read",
    isPublic: true,
    summary: "Get a value with its type, version and expiry",
    run: runKvGet,
  }),
  internal({
    name: "KV.PUT",
    opcode: 101,
    arity: 7,
    keyed: true,
    access: "write",
    isPublic: true,
    summary: "Set a value, under a condition, and get its version",
    check: checkKvPut,
    run: runKvPut,
  }),
  internal({
    name: "KV.DELETE",
    opcode: 102,
    arity: 3,
    keyed: true,
    access: "write",
    isPublic: true,
    summary: "Delete a key, under a condition",
    check: (args) => {
      numberArg(args, 2);
    },
    run: runKvDelete,
  }),
  internal({
    name: "KV.LIST",
    opcode: 103,
    arity: 4,
    keyed: false,
    access: "read",
    isPublic: true,
    summary: "List keys in order",
    run: runKvList,
  }),
  command({
    name: "ONCE",
    opcode: 201,
    arity: -5,
    keys: { first: 4, last: 4, step: 1 },
    spread: "single",
    access: "write",
    group: "minikey",
    summary: "Carry a write out once, however often it is sent: ONCE session number command key …",
    // Carried out by the node, which remembers sessions.
  }),
  internal({
    name: "SCANPART",
    opcode: 104,
    arity: 5,
    keyed: false,
    access: "read",
    summary: "Look at the next keys of a partition",
    run: runScanPart,
  }),
  internal({
    name: "SCANFIND",
    opcode: 105,
    arity: 4,
    keyed: false,
    access: "read",
    summary: "Find the key that a cursor stands for",
    run: runScanFind,
  }),
  internal({
    name: "RANDOMPART",
    opcode: 106,
    arity: 2,
    keyed: false,
    access: "read",
    summary: "Choose a key of a partition",
    run: runRandomPart,
  }),
  internal({
    name: "FLUSHPART",
    opcode: 107,
    arity: 1,
    keyed: false,
    access: "write",
    summary: "Remove all keys of a partition",
    run: (view) => {
      view.clear();
      return OK;
    },
  }),
  internal({
    name: "COUNT",
    opcode: 108,
    arity: 1,
    keyed: false,
    access: "read",
    summary: "Count the keys of a partition",
    run: (view) => view.count(),
  }),
  internal({
    name: "PURGE",
    opcode: 109,
    arity: 2,
    keyed: true,
    access: "write",
    summary: "Remove a key that has expired",
    run: runPurge,
  }),
];
