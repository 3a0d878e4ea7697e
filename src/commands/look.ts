/** What lookups come upon in entries that are at hand. */
import type { Found } from "../document/found.js";
import { lookUpWay } from "../document/lookup.js";
import type { Meanings } from "../document/meanings.js";
import { SegmentsWay, type Way } from "../document/way.js";
import type { Entry, Looked, Lookup, Resolved } from "./types.js";

/** Where in the entry's bytes the path leads. */
export const findIn = (entry: Entry, path: readonly string[]): Found =>
  findAlong(entry, new SegmentsWay(path));

/** Bytes that are no document count as a text: no way leads into them. */
function findAlong({ type, bytes, start, end }: Entry, way: Way): Found {
  if (type === "json") return lookUpWay(bytes, start, end, way);
  return way.next() ? { kind: "missing", depth: 0, at: "text", elements: 0 } : { kind: "value", start, end };
}

/** The lookup carried out on its key's entry. */
export function lookIn(entry: Entry | undefined, lookup: Lookup): Looked | undefined {
  if (entry === undefined) return undefined;
  const { type, version, expiresAtMs, bytes } = entry;
  return { type, version, expiresAtMs, found: findIn(entry, lookup.path), bytes };
}

/** The entry of the path's first key that exists, and where the way leads in it. */
export function resolveIn(entry: Entry, way: Way, meaning: number): Resolved {
  const { type, version, expiresAtMs, bytes } = entry;
  return { meaning, type, version, expiresAtMs, found: findAlong(entry, way), bytes };
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
