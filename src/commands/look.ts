/** What lookups come upon in entries that are at hand. */
import type { Found } from "../document/found.js";
import { lookUp } from "../document/lookup.js";
import type { Entry, Looked, Lookup } from "./types.js";

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
