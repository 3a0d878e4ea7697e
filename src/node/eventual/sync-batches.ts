/** The batches (eventual/batch.ts) that replicas send one another: what each kind may say, and how it is made. */

import type { Bytes, Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { ReplicaId } from "../../core/ids.js";
import { BatchReader, BatchWriter, checkBatch } from "../../eventual/batch.js";
import { LAST_NUMBER } from "../../eventual/version-vector.js";
import type { LinkedState } from "./partition-parts.js";

/** Which writes of its sender a batch holds. Throws `MinikeyError` `PROTOCOL` unless it is a batch of just these. */
export function rangeOf(batch: Bytes, sender: ReplicaId): { readonly after: number; readonly upTo: number } {
  checkBatch(batch);
  const reader = new BatchReader(batch);
  if (reader.advances !== 1 || reader.origin(0) !== sender || reader.upTo(0) >= LAST_NUMBER) {
    throw new MinikeyError("PROTOCOL", "malformed batch of records: not a range of the sender's writes");
  }
  return { after: reader.after(0), upTo: reader.upTo(0) };
}

/** How many records there are. Throws `MinikeyError` `PROTOCOL` unless it is a batch that says nothing of vectors. */
export function checkRecords(batch: Bytes): number {
  checkBatch(batch);
  const reader = new BatchReader(batch);
  if (reader.advances !== 0) {
    throw new MinikeyError("PROTOCOL", "malformed batch of records: it speaks for others");
  }
  let count = 0;
  while (reader.next()) count += 1;
  return count;
}

/** Says that everything is here up to these numbers. */
export function adoptionBatch(parts: readonly (readonly [ReplicaId, number])[]): Bytes {
  const writer = new BatchWriter();
  for (const [origin, upTo] of parts) writer.advance(origin, 0, upTo);
  return writer.take();
}

/**
 * The writes of this replica after `after` that the hints name, up to `upTo`, as their keys are now: each key once, and
 * not many more bytes than `bytesMax`.
 */
export function ownRange(
  state: LinkedState,
  self: ReplicaId,
  after: number,
  hints: readonly { readonly number: number; readonly key: Key }[],
  bytesMax: number,
): { readonly batch: Bytes; readonly upTo: number } {
  const writer = new BatchWriter();
  const keys = new Set<Key>();
  let upTo = after;
  for (const { number, key } of hints) {
    if (writer.sizeBytes >= bytesMax) break;
    upTo = number;
    if (keys.has(key)) continue;
    keys.add(key);
    // A key that has gone was deleted everywhere.
    const stored = state.stored(key);
    if (stored !== undefined) writer.stored(key, stored);
  }
  writer.advance(self, after, upTo);
  return { batch: writer.take(), upTo };
}
