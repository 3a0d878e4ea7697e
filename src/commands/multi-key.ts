/**
 * Commands that read or change several keys at one moment. Those that write are plans (`TransactionPlan`):
 * carried out at once where all keys share a partition, and as one transaction where they do not.
 * Source: Redis 7.0, `t_string.c` (`mgetCommand`, `msetGenericCommand`) and `db.c` (`renameGenericCommand`,
 * `copyCommand`).
 */
import type { Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { Limits } from "./check.js";
import { noSuchKey, syntaxError, wrongArity } from "./errors.js";
import { BOTH_FIND_NONE, NOT_BOTH_KEYS, refusedEventually } from "./eventual.js";
import { OK, type Reply } from "./reply.js";
import { ALL_KEYS, command, integerArg, isWord, KEY_VALUE_PAIRS, TWO_KEYS, valueReply } from "./spec.js";
import type { Args, CommandSpec, Decision, Entry, KeyValueView, Mutation, TransactionPlan } from "./types.js";

function runGetAll(view: KeyValueView, args: Args): Reply {
  const replies: Reply[] = [];
  for (let i = 1; i < args.count; i += 1) {
    const entry = view.get(args.key(i));
    replies.push(entry === undefined ? null : valueReply(entry));
  }
  return replies;
}

/** Carries a plan out on one partition. */
export function runPlan(plan: (args: Args, limits: Limits) => TransactionPlan): CommandSpec["run"] {
  return (view, args) => {
    const { writes, reply } = plan(args, view).decide((key) => view.get(key));
    for (const write of writes) {
      if (write.kind === "delete") view.delete(write.key);
      else view.set(write.key, write.type, write.bytes, write.start, write.end, write.expiresAtMs);
    }
    return reply;
  };
}

export const refused = (reply: Reply): Decision => ({ writes: [], reply });

const deleteKey = (key: Key): Mutation => ({ kind: "delete", key });

function putEntry(key: Key, entry: Entry): Mutation {
  const { type, bytes, start, end, expiresAtMs } = entry;
  return { kind: "put", key, type, bytes, start, end, expiresAtMs };
}

// --- MSET, MSETNX ---

function checkPairs(name: string): (args: Args) => void {
  return (args) => {
    if (args.count % 2 === 0) throw wrongArity(name.toLowerCase());
  };
}

/** The pairs as writes; of a key that is named twice the last value counts. */
function pairsOf(args: Args): Map<Key, Mutation> {
  const writes = new Map<Key, Mutation>();
  for (let i = 1; i + 1 < args.count; i += 2) {
    const key = args.key(i);
    writes.set(key, {
      kind: "put",
      key,
      type: "string",
      bytes: args.bytes,
      start: args.start(i + 1),
      end: args.end(i + 1),
      expiresAtMs: 0,
    });
  }
  return writes;
}

function planSetAll(args: Args): TransactionPlan {
  const pairs = pairsOf(args);
  return {
    keys: [...pairs.keys()],
    decide: () => ({ writes: [...pairs.values()], reply: OK }),
  };
}

function planSetAllIfAbsent(args: Args): TransactionPlan {
  const pairs = pairsOf(args);
  const keys = [...pairs.keys()];
  return {
    keys,
    decide(read) {
      if (keys.some((key) => read(key) !== undefined)) return refused(0);
      return { writes: [...pairs.values()], reply: 1 };
    },
  };
}

/** As the plan does, without its objects. */
function runSetAll(view: KeyValueView, args: Args): Reply {
  for (let i = 1; i + 1 < args.count; i += 2) {
    view.set(args.key(i), "string", args.bytes, args.start(i + 1), args.end(i + 1), 0);
  }
  return OK;
}

// --- RENAME, RENAMENX, COPY ---

const uniqueKeys = (from: Key, to: Key): Key[] => (from === to ? [from] : [from, to]);

function planRename(args: Args): TransactionPlan {
  const from = args.key(1);
  const to = args.key(2);
  return {
    keys: uniqueKeys(from, to),
    decide(read) {
      const entry = read(from);
      if (entry === undefined) return refused(noSuchKey());
      if (from === to) return refused(OK);
      return { writes: [deleteKey(from), putEntry(to, entry)], reply: OK };
    },
  };
}

function planRenameIfAbsent(args: Args): TransactionPlan {
  const from = args.key(1);
  const to = args.key(2);
  return {
    keys: uniqueKeys(from, to),
    decide(read) {
      const entry = read(from);
      if (entry === undefined) return refused(noSuchKey());
      if (read(to) !== undefined) return refused(0);
      return { writes: [deleteKey(from), putEntry(to, entry)], reply: 1 };
    },
  };
}

/** `COPY source destination [DB n] [REPLACE]`: true with `REPLACE`. Keyspaces cannot be copied between. */
function parseCopyReplaces(args: Args): boolean {
  let replace = false;
  for (let i = 3; i < args.count; i += 1) {
    if (isWord(args, i, "REPLACE")) replace = true;
    else if (isWord(args, i, "DB") && i + 1 < args.count) {
      integerArg(args, i + 1);
      throw new MinikeyError("UNSUPPORTED", "COPY to another keyspace (the option DB) is not supported");
    } else throw syntaxError();
  }
  return replace;
}

function checkCopy(args: Args): void {
  parseCopyReplaces(args);
  if (args.key(1) === args.key(2)) {
    throw new MinikeyError("BAD_REQUEST", "source and destination objects are the same");
  }
}

function planCopy(args: Args): TransactionPlan {
  const from = args.key(1);
  const to = args.key(2);
  const replace = parseCopyReplaces(args);
  return {
    keys: uniqueKeys(from, to),
    decide(read) {
      const entry = read(from);
      if (entry === undefined || (!replace && read(to) !== undefined)) return refused(0);
      return { writes: [putEntry(to, entry)], reply: 1 };
    },
  };
}

// --- Table ---

export const MULTI_KEY_COMMANDS: readonly CommandSpec[] = [
  command({
    name: "MGET",
    opcode: 50,
    arity: -2,
    keys: ALL_KEYS,
    spread: "gather",
    access: "read",
    flags: ["readonly", "fast"],
    categories: ["@read", "@string", "@fast"],
    group: "string",
    summary: "Get the values of all the given keys",
    run: runGetAll,
  }),
  command({
    name: "MSET",
    opcode: 51,
    arity: -3,
    keys: KEY_VALUE_PAIRS,
    spread: "transaction",
    access: "write",
    eventual: "each key",
    flags: ["write", "denyoom"],
    categories: ["@write", "@string", "@slow"],
    group: "string",
    summary: "Set multiple keys to multiple values",
    check: checkPairs("MSET"),
    run: runSetAll,
    plan: planSetAll,
  }),
  command({
    name: "MSETNX",
    opcode: 52,
    arity: -3,
    keys: KEY_VALUE_PAIRS,
    spread: "transaction",
    access: "write",
    eventual: refusedEventually("MSETNX", BOTH_FIND_NONE),
    flags: ["write", "denyoom"],
    categories: ["@write", "@string", "@slow"],
    group: "string",
    summary: "Set multiple keys to multiple values, only if none of the keys exist",
    check: checkPairs("MSETNX"),
    run: runPlan(planSetAllIfAbsent),
    plan: planSetAllIfAbsent,
  }),
  command({
    name: "RENAME",
    opcode: 53,
    arity: 3,
    keys: TWO_KEYS,
    spread: "transaction",
    access: "write",
    eventual: refusedEventually("RENAME", NOT_BOTH_KEYS),
    flags: ["write"],
    categories: ["@keyspace", "@write", "@slow"],
    group: "generic",
    summary: "Rename a key",
    run: runPlan(planRename),
    plan: planRename,
  }),
  command({
    name: "RENAMENX",
    opcode: 54,
    arity: 3,
    keys: TWO_KEYS,
    spread: "transaction",
    access: "write",
    eventual: refusedEventually("RENAMENX", NOT_BOTH_KEYS),
    flags: ["write", "fast"],
    categories: ["@keyspace", "@write", "@fast"],
    group: "generic",
    summary: "Rename a key, only if the new key does not exist",
    run: runPlan(planRenameIfAbsent),
    plan: planRenameIfAbsent,
  }),
  command({
    name: "COPY",
    opcode: 55,
    arity: -3,
    keys: TWO_KEYS,
    spread: "transaction",
    access: "write",
    eventual: refusedEventually("COPY", NOT_BOTH_KEYS),
    flags: ["write", "denyoom"],
    categories: ["@keyspace", "@write", "@slow"],
    group: "generic",
    summary: "Copy a key",
    check: checkCopy,
    run: runPlan(planCopy),
    plan: planCopy,
  }),
];
