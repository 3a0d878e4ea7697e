/**
 * What a replica restarts from: the log's recovery and the state machine's, brought together.
 *
 * The state machine is never behind the log's start, because a log is compacted only after a checkpoint. It may
 * be past what the log knows: a snapshot from the leader is installed first and recorded in the log after. A
 * crash between the two leaves a log that ends before the snapshot or disagrees with it; such a log is
 * superseded as a whole, since the snapshot was asked for because the two did not agree at its index.
 */
import type { Entry, HardState, SnapshotMeta } from "../codec/raft-types.js";
import { MinikeyError } from "../core/errors.js";
import { logIndex } from "../core/ids.js";
import { NOBODY } from "./configuration.js";
import type { RestoredState } from "./types.js";

/** What the write-ahead log recovered for one group. */
export interface RecoveredLog {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  readonly entries: readonly Entry[];
}

/**
 * `applied` is as of when the state machine was durable last, its configuration included.
 * Throws `MinikeyError` `DATA_CORRUPT` when entries between the two are missing.
 */
export function restoreState(recovered: RecoveredLog, applied: SnapshotMeta): RestoredState {
  const { hardState, snapshot, entries } = recovered;
  if (applied.index < snapshot.index) {
    throw new MinikeyError(
      "DATA_CORRUPT",
      `the log starts after entry ${snapshot.index}, but the state machine ends at ${applied.index}`,
    );
  }
  const known = applied.index === snapshot.index ? snapshot : entries.at(applied.index - snapshot.index - 1);
  if (known?.term === applied.term) {
    return { hardState, snapshot, entries, appliedIndex: applied.index, isLogSuperseded: false };
  }
  const isTermNews = applied.term > hardState.term;
  return {
    hardState: {
      term: isTermNews ? applied.term : hardState.term,
      vote: isTermNews ? NOBODY : hardState.vote,
      commit: logIndex(Math.max(hardState.commit, applied.index)),
    },
    snapshot: applied,
    entries: [],
    appliedIndex: applied.index,
    isLogSuperseded: true,
  };
}
