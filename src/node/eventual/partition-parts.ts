/** What the links of a replica need of it, and of its node. */

import type { Bytes, Key } from "../../core/bytes.js";
import type { Stamp } from "../../core/hybrid-clock.js";
import type { GroupId, ReplicaId } from "../../core/ids.js";
import type { Fingerprints } from "../../eventual/fingerprints.js";
import type { SyncMessage } from "../../eventual/sync-message.js";
import type { VersionVector } from "../../eventual/version-vector.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Random } from "../../ports/random.js";
import type { StoredValue } from "../../ports/storage-engine.js";

export interface LinkedHints {
  /** Own writes up to this number are in no hint any more. */
  readonly from: number;
  readonly count: number;
  readonly storedBytes: number;
  /** The oldest hints of writes after `number`. */
  after(number: number, countMax: number): readonly { readonly number: number; readonly key: Key }[];
  forget(number: number): void;
}

export interface LinkedState {
  readonly vector: VersionVector;
  readonly fingerprints: Fingerprints;
  readonly hints: LinkedHints;
  /** The latest stamp of what was dropped, here or elsewhere. */
  readonly floor: Stamp;
  raiseFloor(stamp: Stamp): void;
  /** Records with a deleted or expired base. */
  readonly tombstones: number;
  stored(key: Key): StoredValue | undefined;
  keysOfLeaf(leaf: number, after: Key): Iterable<Key>;
  /** A mark in the list of tombstones: those from before it are of now. */
  markTombstones(): number;
  /**
   * Drops at most so many tombstones from before the mark whose dots are all in `noted`. Returns whether there may
   * be more.
   */
  dropTombstones(mark: number, noted: VersionVector, countMax: number): boolean;
}

export interface LinkedReplica {
  readonly group: GroupId;
  readonly self: ReplicaId;
  readonly isComplete: boolean;
  readonly state: LinkedState;
  /** The number that own writes have come to, those included that are not on the disk yet. */
  readonly given: number;
  /** In the order taken. False: not taken, the disk is too far behind. */
  take(batch: Bytes, onMerged: () => void): boolean;
  becomeComplete(): void;
}

/** What the links of a partition need of the node. */
export interface LinkHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly repairIntervalMs: number;
  /** Returns the bytes sent; 0 when the replica cannot be reached, or too much waits for it. */
  send(group: GroupId, from: ReplicaId, to: ReplicaId, message: SyncMessage): number;
  /** Whether frames may reach it. */
  isUp(replica: ReplicaId): boolean;
  /** Calls `flush` of the partition's links at the end of this turn. */
  wake(group: GroupId): void;
  /** Calls `wake` in about so long; together with others that are waiting. */
  wakeSoon(group: GroupId, delayMs: number): void;
  /** Whether the node may begin, or answer, one more session. */
  mayAsk(): boolean;
  mayAnswer(): boolean;
}
