/**
 * The write-ahead log's contract: one log a node, for all consensus groups and for the metadata group.
 */

import type { Entry, HardState, SnapshotMeta } from "../../codec/raft-types.js";
import type { MinikeyError } from "../../core/errors.js";
import type { GroupId } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";
import type { Random } from "../../ports/random.js";

/** What one group adds to the log, all of it or nothing. */
export interface LogAppend {
  readonly group: GroupId;
  readonly hardState: HardState | undefined;
  /** Replaces the group's entries from `entries[0].index` on. */
  readonly entries: readonly Entry[];
  /** Set: the group's log now starts after `snapshot.index`, and earlier entries no longer count. */
  readonly snapshot: SnapshotMeta | undefined;
}

/** What the log knows of a group after a restart. */
export interface RecoveredGroup {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  readonly entries: readonly Entry[];
}

export interface RecoveryReport {
  readonly groups: ReadonlyMap<GroupId, RecoveredGroup>;
  /** Where a torn tail was cut off, for the log of the node; undefined when there was none. */
  readonly tornTail:
    | { readonly file: string; readonly offsetBytes: number; readonly lostBytes: number }
    | undefined;
  readonly segments: number;
  readonly records: number;
}

export interface LogOptions {
  /** Names the log and salts its checksums. */
  readonly random: Random;
  /**
   * Called exactly once, when a write or a sync has failed (`MinikeyError` `DISK_FAILED`, with the file and the
   * cause): nothing more is written or acknowledged, and the process must stop. Never retried.
   */
  readonly onFailure: (error: MinikeyError) => void;
  /**
   * The disk has no room for the next segment, made ahead of need: the log goes on while the current one has. Called
   * each time that it is tried.
   */
  readonly onFull?: (path: string) => void;
  /** With a clock, a log that has been idle for a second proves its last unit durable by a seal. */
  readonly clock?: Clock;
  /** A segment's size at most; a log begins with smaller ones. Default 64 MiB. */
  readonly segmentBytes?: number;
}

export interface WriteAheadLog {
  /**
   * Queues an append; `onDurable` runs, in the order of the appends, once it is on disk. All that is queued
   * while a write is under way shares the next one: one write, durable when it returns. The append is encoded
   * before this returns: nothing of it is kept. After a failure nothing is queued, and `onDurable` never runs.
   */
  append(append: LogAppend, onDurable: () => void): void;
  /** Starts writing what is queued, if nothing is under way. Called by the host at the end of a turn. */
  flush(): void;
  /**
   * The group's state machine is durable up to `snapshot.index`: its entries up to there are no longer needed.
   * Recorded in the log with the next write; segments that no group needs are removed. Nothing happens when
   * the log starts there already.
   */
  compact(group: GroupId, snapshot: SnapshotMeta): void;
  /**
   * Forgets a group (its keyspace was dropped). `onDurable` as with `append`: only then may its state be removed,
   * for a log that starts after a state that is gone cannot be gone on with.
   */
  dropGroup(group: GroupId, onDurable: () => void): void;
  /** Bytes a restart would have to read. */
  sizeBytes(): number;
  /** Writes what is queued and a seal, then closes. After a failure it closes only. */
  close(): Promise<void>;
}
