/**
 * One replica of a consensus group: takes ticks, messages, proposals and confirmations, and says in `Ready`
 * what to make durable, send and apply. It does none of that itself, and given the same inputs it does the same.
 *
 * This file receives and hands out; what happens in between is in the files that `replica.ts` lists.
 *
 * Source: Diego Ongaro, "Consensus: Bridging Theory and Practice" (2014).
 */
import type { Configuration, Entry, Message, SnapshotMeta } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import type { Bytes } from "../core/bytes.js";
import { type LogIndex, logIndex, type ReplicaId, type Term } from "../core/ids.js";
import { NOBODY } from "./configuration.js";
import { campaign, onLeaderUnreachable, onOwnVoteDurable, tickElection } from "./election.js";
import { proposeConfiguration } from "./membership.js";
import { areReadsDue, askRead, startReads, tickReads } from "./reads.js";
import { Replica } from "./replica.js";
import { appendOwn, onOwnEntriesDurable, replicate, tickLeader } from "./replication.js";
import { restartElectionTimer } from "./roles.js";
import { onPieceFailed, onPieceRead, onPieceRejected, onPieceStored } from "./snapshots.js";
import { dispatch, enterTerm, onOldTerm } from "./step.js";
import { transferLeadership } from "./transfer.js";
import type {
  FollowerProgress,
  ProposeResult,
  RaftCore,
  RaftOptions,
  RaftStatus,
  ReadState,
  Ready,
  RestoredState,
  Role,
  SnapshotRead,
  SnapshotWrite,
} from "./types.js";

/** Empty lists of a `Ready` are shared: most turns ask for one or two things. */
const NO_MESSAGES: readonly Message[] = [];
const NO_ENTRIES: readonly Entry[] = [];
const NO_READ_STATES: readonly ReadState[] = [];
const NO_SNAPSHOT_READS: readonly SnapshotRead[] = [];
const NO_SNAPSHOT_WRITES: readonly SnapshotWrite[] = [];

export class Raft implements RaftCore {
  readonly #replica: Replica;
  #reportedRole: Role = "follower";
  #reportedLeader: ReplicaId = NOBODY;
  #reportedTerm: Term;

  /** A replica as it is after a restart, or as it is made: with the group's first configuration as snapshot. */
  constructor(options: RaftOptions, restored: RestoredState) {
    this.#replica = new Replica(options, restored);
    this.#reportedTerm = this.#replica.term;
    restartElectionTimer(this.#replica);
    // Before it restarted, this replica may have promised a leader of its term not to elect another.
    if (options.readMode === "lease" && this.#replica.term > 0) {
      this.#replica.refuseVotesUntilTick = options.electionTicks;
    }
  }

  get role(): Role {
    return this.#replica.role;
  }

  get term(): Term {
    return this.#replica.term;
  }

  get leader(): ReplicaId {
    return this.#replica.leader;
  }

  get commit(): LogIndex {
    return this.#replica.commit;
  }

  get lastIndex(): LogIndex {
    return this.#replica.log.lastIndex;
  }

  get configuration(): Configuration {
    return this.#replica.configuration;
  }

  get canServe(): boolean {
    const { isTermCommitted, members, options, role, ticks } = this.#replica;
    return (
      role === "leader" && isTermCommitted && ticks - members.quorumActiveTick() <= options.electionTicks
    );
  }

  tick(): void {
    const replica = this.#replica;
    replica.ticks += 1;
    if (replica.role === "leader") return tickLeader(replica);
    tickReads(replica);
    tickElection(replica);
  }

  step(message: Message): void {
    const replica = this.#replica;
    // For an earlier incarnation of this node, whose promises this one does not know.
    if (message.to !== replica.id) return;
    if (message.term > replica.term && !enterTerm(replica, message)) return;
    if (message.term < replica.term) return onOldTerm(replica, message);
    dispatch(replica, message);
  }

  propose(data: Bytes): ProposeResult {
    const replica = this.#replica;
    const { role, transferTo, uncommittedBytes, options, term } = replica;
    if (role !== "leader") return { ok: false, reason: "not-leader" };
    if (transferTo !== NOBODY) return { ok: false, reason: "transferring" };
    // One proposal always fits: else one larger than the bound could never be made.
    if (uncommittedBytes > 0 && uncommittedBytes + data.length > options.uncommittedBytesMax) {
      return { ok: false, reason: "overloaded" };
    }
    return { ok: true, index: appendOwn(replica, "command", data), term };
  }

  proposeConfiguration(target: Configuration): ProposeResult {
    return proposeConfiguration(this.#replica, target);
  }

  readIndex(context: number): void {
    askRead(this.#replica, context);
  }

  transferLeadership(to: ReplicaId): void {
    transferLeadership(this.#replica, to);
  }

  campaign(): void {
    campaign(this.#replica);
  }

  reportUnreachable(member: ReplicaId): void {
    const replica = this.#replica;
    if (replica.role === "leader") {
      replica.members.get(member)?.loseContact();
    } else if (member === replica.leader) onLeaderUnreachable(replica);
  }

  hasReady(): boolean {
    const replica = this.#replica;
    return (
      replica.messages.length > 0 ||
      replica.isReplicationDue ||
      replica.persistence.isDue(replica) ||
      committableIndex(replica) > replica.handedToApply ||
      replica.reads.answers.length > 0 ||
      areReadsDue(replica) ||
      replica.snapshotReads.length > 0 ||
      replica.snapshotWrites.length > 0 ||
      this.#isRoleNew()
    );
  }

  ready(): Ready {
    const replica = this.#replica;
    if (replica.isReplicationDue) replicate(replica);
    if (areReadsDue(replica)) startReads(replica);
    return {
      append: replica.persistence.take(replica),
      messages: takeMessages(replica),
      committed: takeCommitted(replica),
      readStates: takeReadStates(replica),
      snapshotReads: takeSnapshotReads(replica),
      snapshotWrites: takeSnapshotWrites(replica),
      roleChange: this.#takeRoleChange(),
    };
  }

  recordCommit(): void {
    this.#replica.persistence.recordCommit();
  }

  appended(number: number): void {
    const replica = this.#replica;
    replica.persistence.confirm(number, replica.messages);
    if (replica.role === "candidate") onOwnVoteDurable(replica);
    else if (replica.role === "leader") onOwnEntriesDurable(replica);
  }

  applied(index: LogIndex): void {
    const replica = this.#replica;
    assert(index <= replica.handedToApply, "% applied, handed out up to %", index, replica.handedToApply);
    if (index > replica.applied) replica.applied = index;
  }

  snapshotPiece(to: ReplicaId, meta: SnapshotMeta, offsetBytes: number, data: Bytes, done: boolean): void {
    onPieceRead(this.#replica, to, meta, offsetBytes, data, done);
  }

  snapshotFailed(to: ReplicaId): void {
    onPieceFailed(this.#replica, to);
  }

  snapshotStored(meta: SnapshotMeta, offsetBytes: number, done: boolean): void {
    onPieceStored(this.#replica, meta, offsetBytes, done);
  }

  snapshotRejected(meta: SnapshotMeta): void {
    onPieceRejected(this.#replica, meta);
  }

  compact(index: LogIndex): void {
    const { applied, history, log } = this.#replica;
    assert(index <= applied, "compaction at %, applied up to %", index, applied);
    if (index <= log.startIndex || history.at(index).voters.length === 0) return;
    log.compact(index);
    history.compact(index);
  }

  indexBefore(bytes: number): LogIndex {
    return this.#replica.log.indexBefore(bytes);
  }

  logBytesAfter(index: LogIndex): number {
    const { log } = this.#replica;
    if (index < log.startIndex) return Number.POSITIVE_INFINITY;
    return log.bytesBetween(logIndex(index + 1), log.lastIndex);
  }

  matchOf(member: ReplicaId): LogIndex {
    const { id, members, persistence } = this.#replica;
    if (member === id) return persistence.durableIndex;
    return members.get(member)?.match ?? logIndex(0);
  }

  metaAt(index: LogIndex): SnapshotMeta {
    const { history, log } = this.#replica;
    const term = log.termAt(index);
    assert(term !== undefined, "entry % is not in the log", index);
    return { index, term, configuration: history.at(index) };
  }

  status(): RaftStatus {
    const { id, role, term, leader, commit, applied, log, configuration } = this.#replica;
    return {
      id,
      role,
      term,
      leader,
      commit,
      applied,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      configuration,
      progress: role === "leader" ? progressOf(this.#replica) : [],
    };
  }

  #isRoleNew(): boolean {
    const { role, leader, term } = this.#replica;
    return role !== this.#reportedRole || leader !== this.#reportedLeader || term !== this.#reportedTerm;
  }

  #takeRoleChange(): Ready["roleChange"] {
    if (!this.#isRoleNew()) return undefined;
    const { role, leader, term } = this.#replica;
    this.#reportedRole = role;
    this.#reportedLeader = leader;
    this.#reportedTerm = term;
    return { role, leader, term };
  }
}

/** Committed, durable here, and not about to be replaced by a snapshot. */
function committableIndex(replica: Replica): LogIndex {
  if (replica.incoming?.isInstalling === true) return replica.handedToApply;
  return logIndex(Math.min(replica.commit, replica.persistence.durableIndex));
}

function takeCommitted(replica: Replica): readonly Entry[] {
  const from = logIndex(replica.handedToApply + 1);
  const to = committableIndex(replica);
  if (to < from) return NO_ENTRIES;
  replica.handedToApply = to;
  return replica.log.slice(from, to);
}

function takeMessages(replica: Replica): readonly Message[] {
  const { messages } = replica;
  if (messages.length === 0) return NO_MESSAGES;
  replica.messages = [];
  return messages;
}

function takeReadStates({ reads }: Replica): readonly ReadState[] {
  const { answers } = reads;
  if (answers.length === 0) return NO_READ_STATES;
  reads.answers = [];
  return answers;
}

function takeSnapshotReads(replica: Replica): readonly SnapshotRead[] {
  const { snapshotReads } = replica;
  if (snapshotReads.length === 0) return NO_SNAPSHOT_READS;
  replica.snapshotReads = [];
  return snapshotReads;
}

function takeSnapshotWrites(replica: Replica): readonly SnapshotWrite[] {
  const { snapshotWrites } = replica;
  if (snapshotWrites.length === 0) return NO_SNAPSHOT_WRITES;
  replica.snapshotWrites = [];
  return snapshotWrites;
}

function progressOf({ members, options, ticks }: Replica): FollowerProgress[] {
  return members.others.map((member) => ({
    id: member.id,
    match: member.match,
    next: member.next,
    state: member.state,
    recentlyActive: member.isRecentlyActive(ticks, options.electionTicks),
  }));
}
