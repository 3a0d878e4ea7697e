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
import { utf8ToBytes } from "../core/bytes.js";
import { decodeString, hasEscape } from "../document/field-name.js";
import { kindAt } from "../document/json-bytes.js";
import { type Candidate, candidatesOf } from "../document/key-path.js";
import { noSuchKey, noSuchPart } from "../document/missing.js";
import { type Reply, Slice } from "./reply.js";
import { bytesReply, command, keyReply, textArg } from "./spec.js";
import type { Args, CommandSpec, Looked, QueryPlan } from "./types.js";

/** What a path was found to mean: `bytes[start, end)` is the value. */
export interface Answered {
  readonly candidate: Candidate;
  readonly looked: Looked;
  readonly start: number;
  readonly end: number;
}

/** `results` are those of the candidates' lookups. Throws `PATH_NOT_FOUND`, which names the part that is missing. */
export function resolvePath(
  options: readonly Candidate[],
  results: readonly (Looked | undefined)[],
): Answered {
  const longest = results.findIndex((looked) => looked !== undefined);
  const looked = results[longest];
  if (looked === undefined) throw noSuchKey(options[options.length - 1].key);
  const candidate = options[longest];
  const { found } = looked;
  if (found.kind === "missing") throw noSuchPart(candidate.key, candidate.path, found);
  return { candidate, looked, start: found.start, end: found.end };
}

function planOf(args: Args, render: (answered: Answered) => Reply): QueryPlan {
  const lookups = candidatesOf(textArg(args, 1, "the path"));
  return { lookups, answer: (results) => render(resolvePath(lookups, results)) };
}

function renderValue({ looked, start, end }: Answered): Reply {
  const { type, bytes } = looked;
  if (type !== "json" || kindAt(bytes, start) !== "text") return new Slice(bytes, start, end);
  if (!hasEscape(bytes, start + 1, end - 1)) return new Slice(bytes, start + 1, end - 1);
  return bytesReply(utf8ToBytes(decodeString(bytes, start, end)));
}

function renderTyped({ candidate, looked, start, end }: Answered): Reply {
  const { type, version, bytes } = looked;
  return [keyReply(candidate.key), version, type, new Slice(bytes, start, end)];
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
    query: (args) => planOf(args, renderValue),
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
    query: (args) => planOf(args, renderTyped),
  }),
];
