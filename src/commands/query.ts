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
import { type Reply, Slice } from "./reply.js";
import { bytesReply, command, keyReply, textArg } from "./spec.js";
import type { Args, CommandSpec, QueryPlan, Resolved } from "./types.js";

/** A path's value: `looked.bytes[start, end)`. */
export interface Answered {
  readonly looked: Resolved;
  readonly start: number;
  readonly end: number;
}

/** Throws `PATH_NOT_FOUND`, which names the part that is missing. */
export function answered(path: Meanings, looked: Resolved | undefined): Answered {
  if (looked === undefined) throw noSuchKey(path.keyAt(path.count - 1));
  const { meaning, found } = looked;
  if (found.kind === "missing") throw noSuchPart(path.keyAt(meaning), path.wayAt(meaning), found);
  return { looked, start: found.start, end: found.end };
}

type Render = (answered: Answered, path: Meanings) => Reply;

class PathPlan implements QueryPlan {
  readonly paths: readonly [Meanings];
  readonly #render: Render;

  constructor(args: Args, render: Render) {
    this.paths = [meaningsOf(textArg(args, 1, "the path"))];
    this.#render = render;
  }

  answer(results: readonly (Resolved | undefined)[]): Reply {
    const [path] = this.paths;
    return this.#render(answered(path, results[0]), path);
  }
}

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
    query: (args) => new PathPlan(args, renderValue),
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
    query: (args) => new PathPlan(args, renderTyped),
  }),
];
