/**
 * What the log knows of each group, without the entries themselves: hard state, where its log starts and
 * ends, and in which segments its entries lie. The writer keeps it as it appends, recovery rebuilds it from
 * the records, and both take the same steps, so a segment that the writer removed is never missed.
 *
 * A run is a piece of a group's log with one term, in one segment. Runs of a group are consecutive, from
 * `snapshot.index + 1` to `lastIndex`. A segment with no run left holds nothing that a restart needs.
 */
import type { Entry, HardState, SnapshotMeta } from "../../codec/raft-types.js";
import { assert } from "../../core/assert.js";
import { type GroupId, logIndex, replicaId, term } from "../../core/ids.js";

export interface Run {
  readonly segment: number;
  first: number;
  last: number;
  readonly term: number;
}

export interface GroupRecord {
  hardState: HardState;
  snapshot: SnapshotMeta;
  lastIndex: number;
  readonly runs: Run[];
}

/** Entries in a segment that the ledger has not been shown: removed, or lost. Older than every real one. */
export const UNSEEN_SEGMENT = 0;

const UNKNOWN_TERM = -1;

const NEW_HARD_STATE: HardState = { term: term(0), vote: replicaId(0), commit: logIndex(0) };
const NEW_SNAPSHOT: SnapshotMeta = {
  index: logIndex(0),
  term: term(0),
  configuration: { voters: [], votersOutgoing: [], learners: [] },
};

export class Ledger {
  readonly #groups = new Map<GroupId, GroupRecord>();
  /** Runs a segment; no entry stands for none. */
  readonly #runsIn = new Map<number, number>();

  get groups(): ReadonlyMap<GroupId, GroupRecord> {
    return this.#groups;
  }

  setHardState(group: GroupId, hardState: HardState): void {
    this.#group(group).hardState = hardState;
  }

  /** Entries written to `segment`; they replace what the group has from the first one's index on. */
  append(group: GroupId, entries: readonly Entry[], segment: number): void {
    const record = this.#group(group);
    for (let i = 0; i < entries.length; i += 1) {
      const { index, term } = entries[i];
      assert(index === entries[0].index + i, "entry % is number % after entry %", index, i, entries[0].index);
      this.#append(record, index, term, segment);
    }
  }

  /** One entry; the others of the same append follow. */
  appendOne(group: GroupId, index: number, entryTerm: number, segment: number): void {
    this.#append(this.#group(group), index, entryTerm, segment);
  }

  /** Entries up to `snapshot.index` no longer count. False, and nothing done, when none did. */
  compact(group: GroupId, snapshot: SnapshotMeta): boolean {
    if (snapshot.index <= (this.#groups.get(group)?.snapshot.index ?? 0)) return false;
    this.#startAfter(this.#group(group), snapshot);
    return true;
  }

  /**
   * The group's log starts after `snapshot.index`. Entries beyond it stay when the log held the snapshot's
   * last entry; else none does, for then they belong to another history (Ongaro, figure 5.3, steps 6 and 7).
   * Returns whether they stay.
   */
  install(group: GroupId, snapshot: SnapshotMeta): boolean {
    const record = this.#group(group);
    const { index } = snapshot;
    assert(index >= record.snapshot.index, "snapshot % is older than %", index, record.snapshot.index);
    const stay = termAt(record, index) === snapshot.term;
    if (stay) this.#startAfter(record, snapshot);
    else this.replace(group, snapshot);
    return stay;
  }

  /** No earlier entry counts. */
  replace(group: GroupId, snapshot: SnapshotMeta): void {
    const record = this.#group(group);
    this.#truncate(record, 0);
    record.snapshot = snapshot;
    record.lastIndex = snapshot.index;
  }

  /** What a `compacted` record says: as `compact`, and for equal indexes too. */
  startAfter(group: GroupId, snapshot: SnapshotMeta): void {
    this.#startAfter(this.#group(group), snapshot);
  }

  drop(group: GroupId): void {
    const record = this.#groups.get(group);
    if (record === undefined) return;
    this.#truncate(record, 0);
    this.#groups.delete(group);
  }

  /** A group as a segment's opening unit tells it, when the segments before are not there. */
  restate(group: GroupId, hardState: HardState, lastIndex: number, snapshot: SnapshotMeta): void {
    const record = this.#group(group);
    record.hardState = hardState;
    record.snapshot = snapshot;
    record.lastIndex = lastIndex;
    if (lastIndex === snapshot.index) return;
    record.runs.push({
      segment: UNSEEN_SEGMENT,
      first: snapshot.index + 1,
      last: lastIndex,
      term: UNKNOWN_TERM,
    });
    this.#count(UNSEEN_SEGMENT, 1);
  }

  hasRuns(segment: number): boolean {
    return this.#runsIn.has(segment);
  }

  #group(group: GroupId): GroupRecord {
    const known = this.#groups.get(group);
    if (known !== undefined) return known;
    const created: GroupRecord = {
      hardState: NEW_HARD_STATE,
      snapshot: NEW_SNAPSHOT,
      lastIndex: 0,
      runs: [],
    };
    this.#groups.set(group, created);
    return created;
  }

  #append(record: GroupRecord, index: number, entryTerm: number, segment: number): void {
    if (index !== record.lastIndex + 1) {
      assert(index > record.snapshot.index, "entry % is covered by the snapshot", index);
      assert(index <= record.lastIndex, "entry % does not follow entry %", index, record.lastIndex);
      this.#truncate(record, index);
    }
    const { runs } = record;
    const last = runs.length === 0 ? undefined : runs[runs.length - 1];
    if (last !== undefined && last.segment === segment && last.term === entryTerm) {
      last.last = index;
    } else {
      runs.push({ segment, first: index, last: index, term: entryTerm });
      this.#count(segment, 1);
    }
    record.lastIndex = index;
  }

  /** Drops entries from `first` on. */
  #truncate(record: GroupRecord, first: number): void {
    const { runs } = record;
    while (runs.length > 0 && runs[runs.length - 1].first >= first) this.#count(runs.pop()!.segment, -1);
    if (runs.length > 0) runs[runs.length - 1].last = Math.min(runs[runs.length - 1].last, first - 1);
    record.lastIndex = Math.min(record.lastIndex, first - 1);
  }

  /** Drops entries up to `snapshot.index`, which may lie beyond the last. */
  #startAfter(record: GroupRecord, snapshot: SnapshotMeta): void {
    const { runs } = record;
    let gone = 0;
    while (gone < runs.length && runs[gone].last <= snapshot.index) this.#count(runs[gone++].segment, -1);
    if (gone > 0) runs.splice(0, gone);
    if (runs.length > 0) runs[0].first = Math.max(runs[0].first, snapshot.index + 1);
    record.snapshot = snapshot;
    record.lastIndex = Math.max(record.lastIndex, snapshot.index);
  }

  #count(segment: number, change: 1 | -1): void {
    const count = (this.#runsIn.get(segment) ?? 0) + change;
    if (count === 0) this.#runsIn.delete(segment);
    else this.#runsIn.set(segment, count);
  }
}

function termAt(record: GroupRecord, index: number): number | undefined {
  if (index === record.snapshot.index) return record.snapshot.term;
  return record.runs.find((run) => run.first <= index && index <= run.last)?.term;
}
