/** What the observers of eventual keyspaces read of the product's bytes. */
import { ByteReader } from "../../src/codec/byte-reader.js";
import { type Bytes, copyBytes } from "../../src/core/bytes.js";
import type { ReplicaId } from "../../src/core/ids.js";
import { BatchReader } from "../../src/eventual/batch.js";
import { Fingerprints } from "../../src/eventual/fingerprints.js";
import { readEventual, type StoredRecord } from "../../src/eventual/record.js";
import { decodeSync } from "../../src/eventual/sync-message.js";
import type { EventualRecord, KeyedRecord } from "../../src/eventual/types.js";
import { VersionVector } from "../../src/eventual/version-vector.js";

/** By origin, in order. */
export type VectorEntries = readonly (readonly [origin: ReplicaId, upTo: number])[];

/** What a replica says that it holds. */
export interface EventualMessage {
  readonly records: readonly KeyedRecord[];
  readonly vectors: readonly VectorEntries[];
}

/** A replica's state beside its records. */
export interface EventualStanding {
  readonly isComplete: boolean;
  readonly live: number;
  readonly tombstones: number;
  readonly vector: VectorEntries;
  readonly fingerprints: Fingerprints;
}

/** The record, with memory of its own: what is stored may be laid out anew. */
export function readStored({ bytes, start, end }: StoredRecord): EventualRecord {
  const copy = copyBytes(bytes, start, end);
  return readEventual({ bytes: copy, start: 0, end: copy.length });
}

/** The records of a log's entry, or of a message. */
export function readBatch(data: Bytes): KeyedRecord[] {
  const records: KeyedRecord[] = [];
  const reader = new BatchReader(data);
  while (reader.next()) records.push({ key: reader.key, record: readStored(reader) });
  return records;
}

export function entriesOf(vector: VersionVector): VectorEntries {
  return vector.origins.map((origin) => [origin, vector.get(origin)] as const);
}

/** What a replica says to another (eventual/sync-message.ts). */
export function readMessage(body: Bytes): EventualMessage {
  const { message } = decodeSync(new ByteReader(body, "message between replicas"));
  const records = "batch" in message && message.batch.length > 0 ? readBatch(message.batch) : [];
  const vectors = "standing" in message ? [entriesOf(message.standing.vector)] : [];
  return { records, vectors };
}

/** What a checkpoint would keep (node/eventual/state.ts). */
export function readStanding(state: Bytes): EventualStanding {
  const reader = new ByteReader(state, "state of an eventual partition");
  reader.u8();
  const isComplete = reader.u8() === 1;
  const live = reader.u48();
  const tombstones = reader.u48();
  reader.u48();
  reader.f64();
  reader.f64();
  const vector = entriesOf(VersionVector.decode(reader));
  return { isComplete, live, tombstones, vector, fingerprints: Fingerprints.decode(reader) };
}
