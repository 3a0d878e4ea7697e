/**
 * `QUERY path` and `KV.QUERY path`: one place in one key's document (`document/key-path.ts` says what paths mean).
 *
 * | command | reply |
 * | --- | --- |
 * | `QUERY` | a text as it is, anything else as compact JSON; `PATH_NOT_FOUND`, which names the part that is missing |
 * | `KV.QUERY` | [key, version, type, value]: what is `json` is JSON, texts too; what is `string` are the key's bytes |
 *
 * A path may mean several keys, the longest one that exists: all of them are looked at, at one moment.
 */
import { hasEscape } from "../codec/json-name.js";
import { utf8ToBytes } from "../core/bytes.js";
import { decodeString } from "../document/field-name.js";
import { kindAt } from "../document/json-bytes.js";
import { type Meanings, meaningsOf } from "../document/meanings.js";
import { noSuchKey, noSuchPart } from "../document/missing.js";
import type { PathList } from "../document/path-list.js";
import { type Reply, Slice } from "./reply.js";
import { bytesReply, command, keyReply, textArg } from "./spec.js";
import type { Args, AskedPaths, CommandSpec, QueryPlan, Resolved } from "./types.js";

/** A path's value: `looked.bytes[start, end)`. */
export interface Answered {
  readonly looked: Resolved;
  readonly start: number;
  readonly end: number;
}

/** What path i leads to. Throws `PATH_NOT_FOUND`, which names the part that is missing. */
export function answered(results: readonly (Resolved | undefined)[], paths: AskedPaths, i: number): Answered {
  const looked = results[i];
  if (looked?.found.kind === "value") return { looked, start: looked.found.start, end: looked.found.end };
  const path = paths.meaningsAt(i);
  if (looked?.found.kind !== "missing") throw noSuchKey(path.keyAt(path.count - 1));
  throw noSuchPart(path.keyAt(looked.meaning), path.wayAt(looked.meaning), looked.found);
}

/** Adds the path that argument i is; throws `BAD_REQUEST`, which says what is wrong with it. */
export function addPathArg(paths: PathList, args: Args, i: number, what: string): void {
  if (!paths.addPlain(args.bytes, args.start(i), args.end(i))) paths.add(meaningsOf(textArg(args, i, what)));
}

const looksAtPath =
  (plan: QueryPlan) =>
  (args: Args, paths: PathList): QueryPlan => {
    addPathArg(paths, args, 1, "the path");
    return plan;
  };

const ANSWER_VALUE: QueryPlan = {
  answer: (results, paths) => renderValue(answered(results, paths, 0)),
};

const ANSWER_TYPED: QueryPlan = {
  answer: (results, paths) => renderTyped(answered(results, paths, 0), paths.meaningsAt(0)),
};

function renderValue({ looked, start, end }: Answered): Reply {
  const { type, bytes } = looked;
  if (type !== "json" || kindAt(bytes, start) !== "text") return new Slice(bytes, start, end);
  if (!hasEscape(bytes, start + 1, end - 1)) return new Slice(bytes, start + 1, end - 1);
  return bytesReply(utf8ToBytes(decodeString(bytes, start, end)));
}

function renderTyped({ looked, start, end }: Answered, path: Meanings): Reply {
  const { meaning, type, version, bytes } = looked;
  return [keyReply(path.keyAt(meaning)), version, type, new Slice(bytes, start, end)];
}

export const QUERY_COMMANDS: readonly CommandSpec[] = [
  command({
    name: "QUERY",
    opcode: 160,
    arity: 2,
    spread: "query",
    access: "read",
    flags: ["readonly"],
    categories: ["@keyspace", "@read", "@slow"],
    group: "minikey",
    summary: "Get the value at a path of keys and fields",
    query: looksAtPath(ANSWER_VALUE),
  }),
  command({
    name: "KV.QUERY",
    opcode: 161,
    arity: 2,
    spread: "query",
    access: "read",
    flags: ["readonly"],
    categories: ["@keyspace", "@read", "@slow"],
    group: "minikey",
    summary: "Get the value at a path with its key, version and type",
    query: looksAtPath(ANSWER_TYPED),
  }),
];
