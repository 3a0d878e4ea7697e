/**
 * Comparing what two replicas have, by Merkle trees, and making it equal: a session (docs/adr/0014, "Merkle trees").
 *
 * ```
 *   asking                                              answering
 *     ├─ begin   standing, 32 nodes ─────────────────────────▶│
 *     │◀──────── standing, leaves of the nodes that differ  ready
 *     ├─ page    keys and fingerprints of leaves that differ ─▶│   two under way
 *     │◀──────── records to take, keys of records wanted  answer
 *     ├─ give    records ─────────────────────────────────────▶│   two under way
 *     │◀──────────────────────────────────────────────── took (durable)
 *     ├─ finish  when all of it is done ──────────────────────▶│
 *    adopts the other's vector                            adopts, too ─ end ─▶
 * ```
 *
 * - Whoever asks drives. Each page has one answer, which covers as much of it as fits into `ANSWER_BYTES`, and at least
 *   one key: the rest is asked for again. So the queue to a peer and the turns of the event loop are bounded, whatever
 *   is stored: 1,024 keys read, and 64 KiB written, at most (or one record).
 * - Nothing is sent twice: what was lost ends the session, by silence, and the next one finds what is left to do. A
 *   partition has one session at a time, on each replica.
 * - Cost: 1 KiB and the vectors when nothing differs; else the keys (with 8 bytes each) of the leaves that differ, a
 *   1,024th of the partition each, one way, and the records that differ.
 *
 * Why the vectors may be adopted. Each side tells, in `begin` or `ready`, the vector that it has at that moment. Let B's
 * be V. Everything that A compares its own content with is B's content of that moment or later: a node or leaf that is
 * equal, so A has what B has there; a key that is equal; or a record of B, which A takes. When all of that is merged and
 * durable, A has everything that V says, or something later, or it was deleted everywhere; so V is true of A. The same
 * the other way round: what B lacks or has otherwise is given as it is then. Tombstones are not dropped while a session
 * is open (drop-round.ts), so nothing disappears from one side between being compared and being given.
 *
 * What is older than a deletion whose tombstone has gone does not come back: it is covered by the vector of whoever has
 * dropped it, and a record with nothing new to the vector is not merged (merge.ts). What only one side has still,
 * because the other has dropped it already, are tombstones: small, and they go there, too, soon.
 */
import type { Bytes, Key } from "../core/bytes.js";
import type { ReplicaId } from "../core/ids.js";
import type { Standing, SyncMessage } from "./sync-message.js";
import type { VersionVector } from "./version-vector.js";

/** Pages without an answer, or whose records are not merged yet. */
export const PAGES_MAX = 2;
export const GIVES_MAX = 2;
/** Of a page. */
export const PAGE_KEYS_MAX = 512;
export const PAGE_SEGMENTS_MAX = 32;
/** Of an answer: keys gone through here, and bytes of records. */
export const ANSWER_KEYS_MAX = 1024;
export const ANSWER_BYTES = 64 * 1024;
/**
 * A session in which nothing has happened for so long is over: something was lost. Meanwhile neither replica compares
 * with anybody else.
 */
export const SILENCE_MS = 3_000;

/** What a session needs of its replica. */
export interface TreeHost {
  /** As of now; the vector is a copy, of what is merged and durable. */
  standing(): Standing;
  /** Names a session of this replica; never the same twice in practice. */
  nextSession(): number;
  /** The fingerprints of all nodes, 8 bytes each. */
  nodes(): Bytes;
  /** The fingerprints of a node's leaves, 8 bytes each. */
  leaves(node: number): Bytes;
  /** In order, all after `after`. Nothing is written between two steps. */
  keysOfLeaf(leaf: number, after: Key): Iterable<Key>;
  /** 8 bytes, of a key that a leaf names. */
  writeFingerprint(key: Key, target: Bytes, at: number): void;
  newBatch(): RecordCollector;
  /** Merges the batch; calls back once that is durable. Returns how many records it has. */
  take(batch: Bytes, onMerged: () => void): number;
  /** Takes over what another replica's vector says; calls back once that is durable. */
  adopt(vector: VersionVector, onMerged: () => void): void;
  /** Returns the bytes sent. */
  send(to: ReplicaId, message: SyncMessage): number;
}

/** Records of this replica, gathered into one batch. */
export interface RecordCollector {
  readonly sizeBytes: number;
  readonly count: number;
  /** The key's record as it is now; nothing when there is none. */
  add(key: Key): void;
  /** Empty when no record was added. */
  toBytes(): Bytes;
}

/** What a session has moved, for people. */
export interface SessionCounts {
  /** Both ways, everything. */
  bytes: number;
  leavesCompared: number;
  recordsTaken: number;
  recordsGiven: number;
}

export const newCounts = (): SessionCounts => ({
  bytes: 0,
  leavesCompared: 0,
  recordsTaken: 0,
  recordsGiven: 0,
});

/** `done`: compared, merged and adopted here. `busy`: the other had no time. `failed`: something was lost. */
export type SessionOutcome = "done" | "busy" | "failed";
