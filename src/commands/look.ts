/** What lookups come upon in entries that are at hand. */
import type { Found } from "../document/found.js";
import { lookUp } from "../document/lookup.js";
import type { Meanings } from "../document/meanings.js";
import type { Entry, Looked, Lookup, Resolved } from "./types.js";

/** Where in the entry's bytes the path leads. Bytes that are no document count as a text. */
export function findIn(entry: Entry, path: readonly string[]): Found {
  const { type, bytes, start, end } = entry;
  if (path.length === 0) return { kind: "value", start, end };
  if (type === "json") return lookUp(bytes, start, end, path);
  return { kind: "missing", depth: 0, at: "text", elements: 0 };
}

/** The lookup carried out on its key's entry. */
export function lookIn(entry: Entry | undefined, lookup: Lookup): Looked | undefined {
  if (entry === undefined) return undefined;
  const { type, version, expiresAtMs, bytes } = entry;
  return { type, version, expiresAtMs, found: findIn(entry, lookup.path), bytes };
}

/** The entry of the path's first key that exists, and where the way leads in it. */
export function resolveIn(entry: Entry, path: Meanings, meaning: number): Resolved {
  const { type, version, expiresAtMs, bytes } = entry;
  return { meaning, type, version, expiresAtMs, found: findIn(entry, path.wayAt(meaning)), bytes };
}

/** One lookup for every key that the paths may mean. */
export function lookupsOf(paths: readonly Meanings[]): Lookup[] {
  const lookups: Lookup[] = [];
  for (const path of paths) {
    for (let i = 0; i < path.count; i += 1) lookups.push({ key: path.keyAt(i), path: path.wayAt(i) });
  }
  return lookups;
}

/** What the paths mean, by what came of all their lookups (`lookupsOf`). */
export function resolveAll(
  paths: readonly Meanings[],
  looked: readonly (Looked | undefined)[],
): (Resolved | undefined)[] {
  let from = 0;
  return paths.map(({ count }) => {
    const own = looked.slice(from, from + count);
    from += count;
    const meaning = own.findIndex((one) => one !== undefined);
    const first = own[meaning];
    return first && { meaning, ...first };
  });
}
