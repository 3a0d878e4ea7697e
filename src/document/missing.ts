/** What was not found, in words: which part of a path is missing, and what was there instead. */
import type { Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { JsonKind, MissingPart } from "./found.js";
import { formatKeyPath } from "./key-path.js";

const SCALARS: Readonly<Record<Exclude<JsonKind, "object" | "array">, string>> = {
  text: "text",
  number: "a number",
  boolean: "a boolean",
  null: "null",
};

/** `no such key: person9`. Of the keys that a path may mean, the shortest is named. */
export function noSuchKey(key: Key): MinikeyError {
  return new MinikeyError("PATH_NOT_FOUND", `no such key: ${formatKeyPath(key, [])}`);
}

/**
 * The document at `key` lacks a part of `path`: `person2.address has no field "nr"`, `person1.age is a number and has
 * no field "x"`, `tags has 3 elements: no position 7`. Bytes count as text: `hello is text and has no field "x"`.
 */
export function noSuchPart(key: Key, path: readonly string[], missing: MissingPart): MinikeyError {
  const where = formatKeyPath(key, path.slice(0, missing.depth));
  const segment = path[missing.depth];
  return new MinikeyError("PATH_NOT_FOUND", `${where} ${lack(missing, segment)}`);
}

function lack(missing: MissingPart, segment: string): string {
  const { at, elements } = missing;
  if (at === "object") return `has no field ${JSON.stringify(segment)}`;
  if (at !== "array") return `is ${SCALARS[at]} and has no field ${JSON.stringify(segment)}`;
  if (!/^\d+$/.test(segment)) return `is a list and has no field ${JSON.stringify(segment)}`;
  return `has ${elements} element${elements === 1 ? "" : "s"}: no position ${segment}`;
}
