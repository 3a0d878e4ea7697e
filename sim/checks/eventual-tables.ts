/**
 * Whether what a replica of an eventual keyspace keeps beside its records agrees with them, worked out again from
 * these: fingerprints and counts, and the tables that lead from a leaf, a time or a list of deletions to keys.
 */
import { ByteWriter } from "../../src/codec/byte-writer.js";
import type { Bytes, Key } from "../../src/core/bytes.js";
import { exists } from "../../src/eventual/counter.js";
import { Fingerprint, Fingerprints } from "../../src/eventual/fingerprints.js";
import { expiresAtOf, isTombstone, isValue, readEventual } from "../../src/eventual/record.js";
import { expiryKey } from "../../src/node/record.js";
import type { Tables } from "../disk/durable.js";
import type { EventualStanding } from "./eventual-codec.js";

/** In words; undefined when all agrees. */
export function tableProblem({ data, expiry, meta }: Tables, standing: EventualStanding): string | undefined {
  const fingerprints = new Fingerprints();
  const fingerprint = new Fingerprint();
  const inLeaves = new Set<Key>();
  const deleted = new Set<Key>();
  const expiring = new Set<Key>();
  let live = 0;
  for (const [key, bytes] of data) {
    const stored = { bytes, start: 0, end: bytes.length };
    fingerprint.ofStored(key, stored);
    fingerprints.toggleFingerprint(fingerprint);
    inLeaves.add(`m${String.fromCharCode(fingerprint.leaf >> 8, fingerprint.leaf & 0xff)}${key}`);
    if (isTombstone(stored)) deleted.add(`t${key}`);
    if (exists(readEventual(stored), 0)) live += 1;
    const expiresAtMs = isValue(stored) ? expiresAtOf(stored) : 0;
    if (expiresAtMs !== 0) expiring.add(expiryKey(expiresAtMs, key));
  }
  if (!bytesOf(fingerprints).equals(bytesOf(standing.fingerprints))) return "the fingerprints";
  const listed = (prefix: string) => [...meta.keys()].filter((key) => key.startsWith(prefix));
  return (
    difference("the index of leaves", inLeaves, listed("m")) ??
    difference("the list of deletions", deleted, listed("t")) ??
    difference("the table of what expires", expiring, [...expiry.keys()]) ??
    (standing.live === live ? undefined : `${standing.live} keys counted, and ${live} there`) ??
    (standing.tombstones === deleted.size
      ? undefined
      : `${standing.tombstones} deletions counted, and ${deleted.size} there`)
  );
}

function bytesOf(fingerprints: Fingerprints): Bytes {
  const writer = new ByteWriter();
  fingerprints.encode(writer);
  return writer.toBytes();
}

function difference(what: string, wanted: ReadonlySet<Key>, is: readonly Key[]): string | undefined {
  const missing = [...wanted].filter((key) => !is.includes(key));
  const invented = is.filter((key) => !wanted.has(key));
  if (missing.length + invented.length === 0) return undefined;
  return `${what} lacks ${JSON.stringify(missing)} and has ${JSON.stringify(invented)} beside`;
}
