/**
 * The state that the parts of a replica share. Each file of this folder that exports functions over a
 * `Replica` owns one concern:
 *
 *   roles.ts         follower, pre-candidate, candidate, leader: the transitions
 *   election.ts      time-outs, votes, pre-votes
 *   replication.ts   a leader's side of the log: proposals, appends, commitment
 *   follower.ts      a follower's side of the log
 *   reads.ts         linearizable reads
 *   membership.ts    configuration changes
 *   transfer.ts      leadership transfer
 *   snapshots.ts     snapshots, out and in
 *
 * Nothing here reads a clock: time is `ticks`.
 */

import { decodeConfiguration } from "../codec/raft-entry.js";
import type { Configuration, Entry, Message, SnapshotMeta } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import { type LogIndex, logIndex, type ReplicaId, type Term } from "../core/ids.js";
import { ConfigurationHistory, NOBODY } from "./configuration.js";
import { RaftLog } from "./log.js";
import { Members } from "./members.js";
import { Persistence } from "./persistence.js";
import { Reads } from "./reads.js";
import type { RaftOptions, RestoredState, Role, SnapshotRead, SnapshotWrite } from "./types.js";

/** A snapshot on its way in. */
export interface IncomingSnapshot {
  readonly meta: SnapshotMeta;
  readonly from: ReplicaId;
  /** Bytes stored so far. */
  offsetBytes: number;
  /** The host is storing a piece; no other is taken until it has answered. */
  isWriting: boolean;
  /** The last piece is being stored: the state machine is about to be replaced. */
  isInstalling: boolean;
  /** The term it was sent in is over: nothing more is taken, what the host is doing is waited for. */
  isAbandoned: boolean;
}

export class Replica {
  readonly id: ReplicaId;
  readonly options: RaftOptions;
  readonly log: RaftLog;
  readonly history: ConfigurationHistory;
  readonly members: Members;
  readonly persistence: Persistence;
  readonly reads: Reads;

  role: Role = "follower";
  term: Term;
  vote: ReplicaId;
  leader: ReplicaId = NOBODY;
  commit: LogIndex;
  /** What the host has been told to apply, and what it has applied. */
  handedToApply: LogIndex;
  applied: LogIndex;

  /** Ticks since the start; ticks since the leader was heard of or an election began; when to begin one. */
  ticks = 0;
  electionElapsed = 0;
  electionTimeout = 0;
  /** The connection to the leader broke and none has been heard of since: elections follow quickly. */
  isOrphaned = false;
  /** No vote is given before this tick: a lease may rest on what this replica promised before it restarted. */
  refuseVotesUntilTick = 0;

  heartbeatElapsed = 0;
  /** On a leader: an entry of its own term is committed, so that `commit` is the cluster's (§6.4 step 1). */
  isTermCommitted = false;
  /** On a leader: bytes of entries not committed. */
  uncommittedBytes = 0;
  /** On a leader: followers may have to be sent something. */
  isReplicationDue = false;
  /** On a leader: whom leadership is being handed to, and since when. */
  transferTo: ReplicaId = NOBODY;
  transferTick = 0;
  incoming: IncomingSnapshot | undefined;

  /** What the next `Ready` will carry. */
  messages: Message[] = [];
  snapshotReads: SnapshotRead[] = [];
  snapshotWrites: SnapshotWrite[] = [];

  constructor(options: RaftOptions, restored: RestoredState) {
    const { hardState, snapshot, entries } = restored;
    checkOptions(options);
    this.id = options.id;
    this.options = options;
    this.log = new RaftLog(snapshot, entries);
    this.term = hardState.term;
    this.vote = hardState.vote;
    this.commit = restoredCommit(restored, this.log);
    this.applied = restored.appliedIndex;
    this.handedToApply = restored.appliedIndex;
    this.history = new ConfigurationHistory(snapshot.index, snapshot.configuration);
    for (const entry of entries) this.#record(entry.index, configurationIn(entry));
    this.members = new Members(options.id, options.inflightMessagesMax);
    this.members.apply(this.history.current, this.log.lastIndex, 0);
    this.persistence = new Persistence(this.log, restored);
    this.reads = new Reads(options.random);
    assert(this.log.lastTerm <= this.term, "the log ends in term %, past %", this.log.lastTerm, this.term);
  }

  get configuration(): Configuration {
    return this.history.current;
  }

  /** Sends at once. */
  send(message: Message): void {
    this.messages.push(message);
  }

  /** Sends once all that this replica knows now is durable. */
  sendDurably(message: Message): void {
    this.persistence.promise(message, this, this.messages);
  }

  /** Adds an entry to the log. A configuration takes effect at once (§4.1). */
  append(entry: Entry): void {
    const configuration = configurationIn(entry);
    this.log.append(entry);
    if (this.#record(entry.index, configuration)) this.#applyConfiguration();
  }

  /** Removes entries that another leader's will replace. A configuration among them ends. */
  truncateFrom(index: LogIndex): void {
    assert(index > this.commit, "truncation at %, committed up to %", index, this.commit);
    this.persistence.onTruncate(index);
    this.log.truncateFrom(index);
    if (this.history.truncateFrom(index)) this.#applyConfiguration();
  }

  /** Replaces log and configuration by a snapshot that the state machine has installed. */
  restore(meta: SnapshotMeta): void {
    assert(meta.index > this.commit, "snapshot at %, committed up to %", meta.index, this.commit);
    this.log.restore(meta);
    this.persistence.onRestore(meta);
    this.history.restore(meta.index, meta.configuration);
    this.#applyConfiguration();
    this.commit = meta.index;
    this.handedToApply = meta.index;
    this.applied = meta.index;
  }

  #record(index: LogIndex, configuration: Configuration | undefined): boolean {
    if (configuration === undefined) return false;
    this.history.push(index, configuration);
    return true;
  }

  #applyConfiguration(): void {
    this.members.apply(this.history.current, this.log.lastIndex, this.ticks);
  }
}

function checkOptions({ id, electionTicks, heartbeatTicks, inflightMessagesMax }: RaftOptions): void {
  assert(id > 0, "a replica's id is above 0, which means nobody");
  assert(
    heartbeatTicks >= 1 && electionTicks > heartbeatTicks,
    "heartbeats are to be more frequent than elections",
  );
  assert(inflightMessagesMax >= 1, "a follower must be sent something");
}

function configurationIn(entry: Entry): Configuration | undefined {
  return entry.kind === "config" ? decodeConfiguration(entry.data) : undefined;
}

/** What is applied was committed, whether or not the hard state has recorded it. */
function restoredCommit(restored: RestoredState, log: RaftLog): LogIndex {
  const { appliedIndex, hardState, snapshot } = restored;
  assert(
    appliedIndex >= snapshot.index,
    "applied up to %, the log starts after %",
    appliedIndex,
    snapshot.index,
  );
  const commit = logIndex(Math.max(hardState.commit, appliedIndex));
  assert(commit <= log.lastIndex, "committed up to %, the log ends at %", commit, log.lastIndex);
  return commit;
}
