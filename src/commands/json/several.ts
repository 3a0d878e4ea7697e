/** `JSON.MGET` and `JSON.MSET`: several documents at one moment. */
import type { Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { JsonText } from "../../document/json-edit.js";
import type { JsonPath } from "../../document/json-path.js";
import { REPLY_BYTES_MAX, replyTooLarge } from "../../document/json-print.js";
import { DocumentWork } from "../../document/json-work.js";
import { oneMeaning } from "../../document/meanings.js";
import type { PathList } from "../../document/path-list.js";
import type { Limits } from "../check.js";
import { valueTooLarge, wrongArity } from "../errors.js";
import { refused, runPlan } from "../multi-key.js";
import { OK, type Reply, Slice } from "../reply.js";
import { command } from "../spec.js";
import type {
  Args,
  CommandSpec,
  Decision,
  Entry,
  Looked,
  Mutation,
  QueryPlan,
  TransactionPlan,
} from "../types.js";
import { documentOf, pathArg, valueArg, withCanonicalValues } from "./documents.js";
import { textReply, valueAt } from "./values.js";
import { withValue } from "./whole.js";

// --- JSON.MGET ---

/**
 * The path as names of fields, when it is nothing else: then only that field has to be fetched. A name of digits
 * alone would be a position to a lookup, too.
 */
function fieldNames(path: JsonPath): readonly string[] | undefined {
  const names: string[] = [];
  for (const { selector, isRecursive } of path.steps) {
    if (isRecursive || selector.kind !== "names" || selector.names.length !== 1) return undefined;
    const name = selector.names[0].text;
    if (/^\d+$/.test(name)) return undefined;
    names.push(name);
  }
  return names;
}

function planGet(args: Args, paths: PathList): QueryPlan {
  const path = pathArg(args, args.count - 1);
  const names = fieldNames(path);
  const keys = Array.from({ length: args.count - 2 }, (_, i) => args.key(i + 1));
  for (const key of keys) paths.add(oneMeaning(key, names ?? []));
  return {
    answer(results) {
      const work = new DocumentWork(sizeOfDifferent(keys, results));
      let sizeBytes = 0;
      return results.map((looked) => {
        if (looked?.type !== "json") return null;
        const { found } = looked;
        // Before it is read as text: a key may be named many times.
        if (names !== undefined && found.kind !== "missing") sizeBytes += found.end - found.start;
        if (sizeBytes > REPLY_BYTES_MAX) throw replyTooLarge();
        if (names !== undefined) return foundReply(looked, path);
        const value = valueOrNull(looked, path, work);
        if (value !== null) sizeBytes += value.end - value.start;
        if (sizeBytes > REPLY_BYTES_MAX) throw replyTooLarge();
        return value;
      });
    },
  };
}

/** Bytes of what was found, each key once: naming a key again gives no right to more work. */
function sizeOfDifferent(keys: readonly Key[], results: readonly (Looked | undefined)[]): number {
  const sizes = new Map<Key, number>();
  for (const [i, looked] of results.entries()) {
    if (looked !== undefined && looked.found.kind !== "missing") {
      sizes.set(keys[i], looked.found.end - looked.found.start);
    }
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

function foundReply({ bytes, found }: Looked, path: JsonPath): Reply {
  if (path.isLegacy) return found.kind === "missing" ? null : new Slice(bytes, found.start, found.end);
  return found.kind === "missing" ? "[]" : `[${bytes.utf8Slice(found.start, found.end)}]`;
}

function valueOrNull({ bytes, found }: Looked, path: JsonPath, work: DocumentWork): Slice | null {
  if (found.kind === "missing") return null;
  try {
    return textReply(valueAt({ bytes, start: found.start, end: found.end }, path, work));
  } catch (error) {
    if (error instanceof MinikeyError && error.code === "NOT_FOUND") return null;
    throw error;
  }
}

// --- JSON.MSET ---

interface Triplet {
  readonly key: Key;
  readonly path: JsonPath;
  readonly value: JsonText;
}

/** `JSON.MSET key path value [key path value …]` */
function tripletsOf(args: Args): Triplet[] {
  if (args.count % 3 !== 1) throw wrongArity("json.mset");
  const triplets: Triplet[] = [];
  for (let i = 1; i < args.count; i += 3) {
    triplets.push({ key: args.key(i), path: pathArg(args, i + 1), value: valueArg(args, i + 2) });
  }
  return triplets;
}

function planSet(args: Args, limits: Limits): TransactionPlan {
  const triplets = tripletsOf(args);
  return {
    keys: [...new Set(triplets.map(({ key }) => key))],
    decide(read) {
      try {
        return decideSet(triplets, read, limits.valueBytesMax);
      } catch (error) {
        if (error instanceof MinikeyError) return refused(error);
        throw error;
      }
    },
  };
}

/** One triplet after the other; all of them or, when one cannot be, none. Nil when its path leads nowhere. */
function decideSet(
  triplets: readonly Triplet[],
  read: (key: Key) => Entry | undefined,
  valueBytesMax: number,
): Decision {
  const writes = new Map<Key, Mutation & { kind: "put" }>();
  const work = new DocumentWork(valueBytesMax);
  for (const { key, path, value } of triplets) {
    const old = documentOf(read(key));
    const text = withValue(writes.get(key) ?? old, path, value, "any", work);
    if (text === undefined) return { writes: [], reply: null };
    const { bytes, start, end } = text;
    if (end - start > valueBytesMax) throw valueTooLarge(end - start, valueBytesMax);
    writes.set(key, {
      kind: "put",
      key,
      type: "json",
      bytes,
      start,
      end,
      expiresAtMs: old?.expiresAtMs ?? 0,
    });
  }
  return { writes: [...writes.values()], reply: OK };
}

export const JSON_SEVERAL_COMMANDS: readonly CommandSpec[] = [
  command({
    name: "JSON.MGET",
    opcode: 140,
    arity: -3,
    keys: { first: 1, last: -2, step: 1 },
    spread: "query",
    access: "read",
    flags: ["readonly"],
    categories: ["@json", "@read", "@slow"],
    group: "json",
    summary: "Return the values at path from multiple key arguments",
    check: (args) => {
      pathArg(args, args.count - 1);
    },
    query: planGet,
  }),
  command({
    name: "JSON.MSET",
    opcode: 141,
    arity: -4,
    keys: { first: 1, last: -1, step: 3 },
    spread: "transaction",
    access: "write",
    eventual: "each key",
    flags: ["write", "denyoom"],
    categories: ["@json", "@write", "@slow"],
    group: "json",
    summary: "Set or update one or more JSON values according to the specified key-path-value triplets",
    prepare: (args) => {
      tripletsOf(args);
      return withCanonicalValues(args, 3, 3);
    },
    run: runPlan(planSet),
    plan: planSet,
  }),
];
