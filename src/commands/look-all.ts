/**
 * Many lookups of one command, carried out with a bound on the time that they hold the node: those in one document
 * share one walk over it, and all walks together go over so much text and no more.
 */
import { MinikeyError } from "../core/errors.js";
import type { Found } from "../document/found.js";
import { lookUpAll } from "../document/lookup-all.js";
import { findIn } from "./look.js";
import type { Entry } from "./types.js";

/** Fewer are carried out one by one: three walks over 8 MiB, the largest documents as a rule, take some 40 ms. */
export const SHARED_LOOKUPS_MIN = 4;
/** Some 50 ms on one of today's processors, 100 ms with one document more. */
const WALKED_BYTES_MAX = 32 * 1024 * 1024;

export interface EntryLookup {
  /** The same object when it is the same key's. */
  readonly entry: Entry;
  readonly path: readonly string[];
}

/** What the lookups come upon, in order. Throws `BAD_REQUEST` when they lead through too much. */
export function findAll(lookups: readonly EntryLookup[]): Found[] {
  const found: Found[] = Array.from({ length: lookups.length });
  const positions = new Map<Entry, number[]>();
  for (const [i, { entry }] of lookups.entries()) {
    const known = positions.get(entry);
    if (known === undefined) positions.set(entry, [i]);
    else known.push(i);
  }
  let walkedBytes = 0;
  for (const [entry, own] of positions) {
    if (walkedBytes > WALKED_BYTES_MAX) throw tooFar();
    const paths = own.map((i) => lookups[i].path);
    const some = entry.type === "json" && own.length > 1 ? together(entry, paths) : apart(entry, paths);
    for (const [i, position] of own.entries()) found[position] = some[i];
    walkedBytes += walkedIn(entry, paths, some);
  }
  return found;
}

const together = ({ bytes, start, end }: Entry, paths: readonly (readonly string[])[]): Found[] =>
  lookUpAll(bytes, start, end, paths);

const apart = (entry: Entry, paths: readonly (readonly string[])[]): Found[] =>
  paths.map((path) => findIn(entry, path));

/** Bytes of the document that were looked at. */
function walkedIn(
  { type, start, end }: Entry,
  paths: readonly (readonly string[])[],
  found: readonly Found[],
): number {
  if (type !== "json" || paths.every((path) => path.length === 0)) return 0;
  const [first] = found;
  return found.length === 1 && first.kind === "value" ? first.end - start : end - start;
}

function tooFar(): MinikeyError {
  const most = `${WALKED_BYTES_MAX / 1024 / 1024} MiB`;
  return new MinikeyError(
    "BAD_REQUEST",
    `the paths lead through more than ${most} of documents: ask for fewer at a time`,
  );
}
