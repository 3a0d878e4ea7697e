/**
 * What the `JSON.*` commands share: their arguments, the documents they work on, and RedisJSON's error texts.
 * Source: RedisJSON's documentation of its commands, and the replies of its tests (`tests/pytest`).
 */
import { canonicalJson } from "../../codec/json-canonical.js";
import { JSON_DEPTH_MAX } from "../../codec/json-text.js";
import { type Bytes, concatBytes, EMPTY_BYTES, type Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { editPlaces, type JsonText, type ValueEdit } from "../../document/json-edit.js";
import { type JsonPath, LEGACY_ROOT, parseJsonPath } from "../../document/json-path.js";
import { valueTooLarge, wrongArity, wrongType } from "../errors.js";
import { command, ONE_KEY, textArg } from "../spec.js";
import { Args, type CommandSpec, type Entry, type KeyValueView } from "../types.js";

// --- Errors ---

const noSuchDocument = (): MinikeyError =>
  new MinikeyError("NOT_FOUND", "could not perform this operation on a key that doesn't exist");

export const noSuchPath = (): MinikeyError => new MinikeyError("NOT_FOUND", "Path does not exist");

/** `what`: `not an array`. */
export const noSuchPathOr = (what: string): MinikeyError =>
  new MinikeyError("NOT_FOUND", `Path does not exist or ${what}`);

/** `expected`: `string`. */
export const wrongPathType = (expected: string): MinikeyError =>
  new MinikeyError("WRONG_TYPE", `wrong type of path value - expected ${expected}`);

export const notAtRoot = (): MinikeyError =>
  new MinikeyError("BAD_REQUEST", "new objects must be created at the root");

// --- Arguments ---

/**
 * Argument i as a path; the whole document, as a legacy path, when there is no such argument. Throws `BAD_REQUEST`
 * for what is no path or not UTF-8.
 */
export function pathArg(args: Args, i: number): JsonPath {
  return i < args.count ? parseJsonPath(textArg(args, i, "the path")) : LEGACY_ROOT;
}

export const isRoot = (path: JsonPath): boolean => path.steps.length === 0;

/** Argument i as JSON; `withCanonicalValues` has seen to it that it is canonical. */
export const valueArg = (args: Args, i: number): JsonText => ({
  bytes: args.bytes,
  start: args.start(i),
  end: args.end(i),
});

export function valueArgs(args: Args, first: number): JsonText[] {
  const values: JsonText[] = [];
  for (let i = first; i < args.count; i += 1) values.push(valueArg(args, i));
  return values;
}

/**
 * The command with canonical values, every `step` arguments from `first` on: the same `args` when they are, else in
 * memory of its own. Throws `BAD_REQUEST` that says where one is not JSON.
 */
export function withCanonicalValues(args: Args, first: number, step = 1): Args {
  const changed = new Map<number, JsonText>();
  for (let i = first; i < args.count; i += step) {
    const text = canonicalArg(args, i);
    const isSame = text.bytes === args.bytes && text.start === args.start(i) && text.end === args.end(i);
    if (!isSame) changed.set(i, text);
  }
  if (changed.size === 0) return args;
  const parts: Bytes[] = [];
  const result = new Args(EMPTY_BYTES);
  let at = 0;
  for (let i = 0; i < args.count; i += 1) {
    const { bytes, start, end } = changed.get(i) ?? valueArg(args, i);
    parts.push(bytes.subarray(start, end));
    result.push(at, at + end - start);
    at += end - start;
  }
  result.bytes = concatBytes(parts);
  return result;
}

/** Argument i in canonical form; throws `BAD_REQUEST` that says where it is no JSON. */
export function canonicalArg(args: Args, i: number): JsonText {
  const start = args.start(i);
  const canonical = canonicalJson(args.bytes, start, args.end(i));
  if (canonical.kind === "canonical") return canonical;
  const column = canonical.at - start + 1;
  if (canonical.isTooDeep) {
    throw new MinikeyError("BAD_REQUEST", `nested more than ${JSON_DEPTH_MAX} deep at column ${column}`);
  }
  throw new MinikeyError("BAD_REQUEST", `not JSON from column ${column} on`);
}

/** A check of paths from argument `first` on, `most` at most. */
export function checkPaths(name: string, first: number, most: number): (args: Args) => void {
  return (args) => {
    if (args.count > first + most) throw wrongArity(name.toLowerCase());
    for (let i = first; i < args.count; i += 1) pathArg(args, i);
  };
}

// --- Documents ---

/** The document at a key; undefined when there is none. Throws `WRONG_TYPE` for bytes. */
export function documentOf(entry: Entry | undefined): (Entry & JsonText) | undefined {
  if (entry !== undefined && entry.type !== "json") throw wrongType();
  return entry;
}

export const documentAt = (view: KeyValueView, key: Key): (Entry & JsonText) | undefined =>
  documentOf(view.get(key));

/** As {@link documentAt}; throws when there is none. */
export function existingDocument(view: KeyValueView, key: Key): Entry & JsonText {
  const document = documentAt(view, key);
  if (document === undefined) throw noSuchDocument();
  return document;
}

/** Stores a document; the time to live of the one before it stays. */
export function storeDocument(view: KeyValueView, key: Key, old: Entry | undefined, text: JsonText): void {
  const { bytes, start, end } = text;
  if (end - start > view.valueBytesMax) throw valueTooLarge(end - start, view.valueBytesMax);
  view.set(key, "json", bytes, start, end, old?.expiresAtMs ?? 0);
}

/** What an edit leaves alone, and answers with nil. */
export const UNTOUCHED = { text: undefined, result: null } as const;

/** Edits what `path` matches in the document at argument 1 and stores it; the results, in the order of the matches. */
export function editDocument<Result>(
  view: KeyValueView,
  args: Args,
  path: JsonPath,
  edit: (value: JsonText, depth: number) => ValueEdit<Result>,
): readonly Result[] {
  const key = args.key(1);
  const old = existingDocument(view, key);
  const { text, results } = editPlaces(old, path, edit);
  if (text !== undefined) storeDocument(view, key, old, text);
  return results;
}

/** A legacy path answers with the last of its results that is one; throws when there is none. */
export function lastResult<Result>(results: readonly (Result | null)[], otherwise: string): Result {
  const last = results.findLast((result) => result !== null);
  if (last === undefined || last === null) throw noSuchPathOr(otherwise);
  return last;
}

// --- Table entries ---

type Fields<Check extends "check" | "prepare"> = Pick<
  CommandSpec,
  "name" | "opcode" | "arity" | "summary" | "run" | Check
> &
  Partial<Pick<CommandSpec, "eventual">>;

/** A command of one key that reads. */
export function reading(fields: Fields<"check">): CommandSpec {
  return command({
    ...fields,
    keys: ONE_KEY,
    spread: "single",
    access: "read",
    flags: ["readonly"],
    categories: ["@json", "@read", "@slow"],
    group: "json",
  });
}

/** A command of one key that writes: in an eventual keyspace as is, unless it says otherwise. */
export function writing(fields: Fields<"check"> | Fields<"prepare">): CommandSpec {
  return command({
    ...fields,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: fields.eventual ?? "as is",
    flags: ["write", "denyoom"],
    categories: ["@json", "@write", "@slow"],
    group: "json",
  });
}
