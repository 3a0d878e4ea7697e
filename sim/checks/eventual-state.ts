/**
 * A replica of an eventual keyspace against itself: its records are the truth, and everything that is kept beside them
 * (fingerprints, counts, the tables that lead to records) must be what they make it.
 */

import { Fingerprint, Fingerprints, LEAVES } from "../../src/eventual/fingerprints.js";
import { checkRecord, expiresAtOf, isTombstone } from "../../src/eventual/record.js";
import { type EventualState, isThere } from "../../src/node/eventual/state.js";
import { expiryKey } from "../../src/node/record.js";
import type { GroupStore, TableName } from "../../src/ports/storage-engine.js";

/** What does not agree, in words; nothing when all does. */
export function eventualStateProblems(state: EventualState, store: GroupStore): string[] {
  const expiry = new Set<string>();
  const leaves = new Set<string>();
  const tombstones = new Set<string>();
  const fingerprints = new Fingerprints();
  const fingerprint = new Fingerprint();
  let live = 0;
  for (const [key, stored] of store.range("data")) {
    checkRecord(stored);
    fingerprint.ofStored(key, stored);
    fingerprints.toggleFingerprint(fingerprint);
    leaves.add(`m${String.fromCharCode(fingerprint.leaf >> 8, fingerprint.leaf & 0xff)}${key}`);
    if (isThere(stored)) {
      live += 1;
      if (expiresAtOf(stored) !== 0) expiry.add(expiryKey(expiresAtOf(stored), key));
    }
    if (isTombstone(stored)) tombstones.add(`t${key}`);
  }
  const problems = [
    ...differences("the expiry table", keysOf(store, "expiry", ""), expiry),
    ...differences("the list of leaves", keysOf(store, "meta", "m"), leaves),
    ...differences("the list of tombstones", keysOf(store, "meta", "t"), tombstones),
    ...hintProblems(state, store),
  ];
  if (live !== state.live) problems.push(`${state.live} keys counted, ${live} there`);
  if (tombstones.size !== state.tombstones) {
    problems.push(`${state.tombstones} tombstones counted, ${tombstones.size} there`);
  }
  if (!fingerprints.sameRoot(state.fingerprints)) problems.push("the fingerprints are not the records'");
  for (let leaf = 0; leaf < LEAVES; leaf += 1) {
    const keys = [...state.keysOfLeaf(leaf, "")];
    if (keys.some((key, i) => i > 0 && keys[i - 1] >= key)) problems.push(`leaf ${leaf} is out of order`);
  }
  return problems;
}

function keysOf(store: GroupStore, table: TableName, prefix: string): Set<string> {
  return new Set([...store.range(table, { prefix })].map(([key]) => key));
}

function differences(what: string, found: ReadonlySet<string>, wanted: ReadonlySet<string>): string[] {
  const lacks = [...wanted].filter((each) => !found.has(each));
  const surplus = [...found].filter((each) => !wanted.has(each));
  return [
    ...lacks.map((each) => `${what} lacks ${JSON.stringify(each)}`),
    ...surplus.map((each) => `${what} has ${JSON.stringify(each)} too many`),
  ];
}

function hintProblems({ hints, vector, self }: EventualState, store: GroupStore): string[] {
  const written = vector.get(self);
  const kept = hints.after(0, Number.POSITIVE_INFINITY);
  const problems: string[] = [];
  if (kept.some(({ number }, i) => number !== hints.from + 1 + i)) problems.push("hints have a gap");
  if (hints.from + kept.length !== written) {
    problems.push(`hints after ${hints.from} are ${kept.length}, and ${written} is the last write`);
  }
  if (hints.count !== kept.length) problems.push(`${hints.count} hints counted, ${kept.length} there`);
  const stored = keysOf(store, "meta", "h");
  if (stored.size > kept.length) problems.push(`${stored.size - kept.length} hints of no write`);
  const storedBytes = [...store.range("meta", { prefix: "h" })].reduce(
    (sum, [, { start, end }]) => sum + end - start,
    0,
  );
  if (storedBytes !== hints.storedBytes)
    problems.push(`${hints.storedBytes} bytes of hints, not ${storedBytes}`);
  return problems;
}
