/**
 * The consensus core's contract: how a replica is restored, and what one step of it asks its host to do.
 *
 * Source: Diego Ongaro, "Consensus: Bridging Theory and Practice" (2014), figure 3.1 and chapters 3, 4, 6, 10.
 */
import type { Configuration, Entry, HardState, Message, SnapshotMeta } from "../codec/raft-types.js";
import type { Bytes } from "../core/bytes.js";
import type { LogIndex, ReplicaId, Term } from "../core/ids.js";

/** Where a replica is as a group's host restarts it; `restoreState` makes one from what log and state machine hold. */
export interface RestoredState {
  readonly hardState: HardState;
  /** What the log starts after: `entries[0].index === snapshot.index + 1`. Index 0 and term 0 for a whole log. */
  readonly snapshot: SnapshotMeta;
  readonly entries: readonly Entry[];
  /** What the state machine holds already; `snapshot.index <= appliedIndex`, and the log holds it. */
  readonly appliedIndex: LogIndex;
  /** The log on disk is not this one: the first `Append` replaces it by `snapshot`. */
  readonly isLogSuperseded?: boolean;
}

export interface RaftOptions {
  readonly id: ReplicaId;
  /** Uniform in [0, 1): for randomised election time-outs. */
  readonly random: () => number;
  /** Ticks without a leader before an election starts; each election adds a random 0 to as many again. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Append messages under way to one follower at most, and entry bytes in one of them. */
  readonly inflightMessagesMax: number;
  readonly appendBytesMax: number;
  /** Entry bytes proposed and not committed at most; beyond, `propose` answers `overloaded`. */
  readonly uncommittedBytesMax: number;
  /** `quorum`: each batch of reads is confirmed by a majority (§6.4). `lease`: trusts clocks (§6.4.1). */
  readonly readMode: "quorum" | "lease";
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
}

export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** What must be durable, in this order, before `afterAppend` may be sent and `appended(number)` be called. */
export interface Append {
  /** Counts up by one an append; the host confirms them in order. */
  readonly number: number;
  readonly hardState: HardState | undefined;
  /** Replaces everything in the log from `entries[0].index` on. */
  readonly entries: readonly Entry[];
  /** Set when a snapshot has replaced the log: it now starts after `snapshot.index`. */
  readonly snapshot: SnapshotMeta | undefined;
  /** To be sent once durable: votes, acknowledgements. */
  readonly messages: readonly Message[];
}

/** A piece that a follower needs; the host answers with `snapshotPiece` or `snapshotFailed`. */
export interface SnapshotRead {
  readonly to: ReplicaId;
  /** 0 starts a new snapshot of the state machine as of now. */
  readonly offsetBytes: number;
}

/** A received piece; the host answers with `snapshotStored`, with `done` only when the state is installed. */
export interface SnapshotWrite {
  readonly from: ReplicaId;
  readonly meta: SnapshotMeta;
  readonly offsetBytes: number;
  readonly data: Bytes;
  readonly done: boolean;
}

/** A read asked for by `readIndex(context)` may be answered once the state machine has applied `index`. */
export interface ReadState {
  readonly context: number;
  /** 0 when it could not be confirmed (leadership lost, no leader): ask again. */
  readonly index: LogIndex;
}

/** What one turn asks of the host. Everything may be started at once, except as `Append` says. */
export interface Ready {
  readonly append: Append | undefined;
  /** To be sent at once, in order: a leader's appends leave while its own disk writes (§10.2.1). */
  readonly messages: readonly Message[];
  /** Committed, durable here, in order, each exactly once: apply, then call `applied`. */
  readonly committed: readonly Entry[];
  readonly readStates: readonly ReadState[];
  readonly snapshotReads: readonly SnapshotRead[];
  readonly snapshotWrites: readonly SnapshotWrite[];
  /** Set when leader, role or term changed since the last Ready. */
  readonly roleChange: { readonly role: Role; readonly leader: ReplicaId; readonly term: Term } | undefined;
}

export type ProposeResult =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | {
      readonly ok: false;
      readonly reason: "not-leader" | "overloaded" | "transferring" | "config-in-progress";
    };

export interface FollowerProgress {
  readonly id: ReplicaId;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly state: "probe" | "replicate" | "snapshot";
  readonly recentlyActive: boolean;
}

export interface RaftStatus {
  readonly id: ReplicaId;
  readonly role: Role;
  readonly term: Term;
  /** 0 when unknown. */
  readonly leader: ReplicaId;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly configuration: Configuration;
  /** On a leader: every other member. */
  readonly progress: readonly FollowerProgress[];
}

/** One consensus group's replica: no clock, no disk, no network, no randomness of its own. */
export interface RaftCore {
  readonly role: Role;
  readonly term: Term;
  /** 0 when unknown. */
  readonly leader: ReplicaId;
  readonly commit: LogIndex;
  readonly lastIndex: LogIndex;
  readonly configuration: Configuration;
  /** True on a leader that has committed an entry of its own term and hears from a majority. */
  readonly canServe: boolean;
  tick(): void;
  step(message: Message): void;
  /** Keeps `data`. */
  propose(data: Bytes): ProposeResult;
  /**
   * Proposes a change to `target` (its `votersOutgoing` empty). Through a joint configuration when more than
   * one voter differs; the second step is proposed by the leader itself once the joint one is committed.
   */
  proposeConfiguration(target: Configuration): ProposeResult;
  /**
   * Asks at which index a linearizable read may be served; answered in `Ready.readStates`, also when this
   * replica is a follower or learner (the leader is asked). At most one confirmation round is under way: reads
   * that arrive meanwhile share the next. `context` must be unique among the unanswered reads of this replica.
   */
  readIndex(context: number): void;
  /** Hands leadership over (§3.10), when `to` is a voter. Gives up after an election time-out. */
  transferLeadership(to: ReplicaId): void;
  /** Starts an election now, as if the time-out had passed. */
  campaign(): void;
  /** The connection to a member broke: a lost leader is missed at once, a follower is probed again. */
  reportUnreachable(member: ReplicaId): void;
  hasReady(): boolean;
  ready(): Ready;
  /** The next `Append` is to say what is committed, so that a restart knows; there will be one. */
  recordCommit(): void;
  /** The `Append` with this number is durable. */
  appended(number: number): void;
  /** The state machine has applied everything up to `index`. */
  applied(index: LogIndex): void;
  snapshotPiece(to: ReplicaId, meta: SnapshotMeta, offsetBytes: number, data: Bytes, done: boolean): void;
  snapshotFailed(to: ReplicaId): void;
  snapshotStored(meta: SnapshotMeta, offsetBytes: number, done: boolean): void;
  snapshotRejected(meta: SnapshotMeta): void;
  /**
   * Drops entries up to `index`, which must have been applied, from memory. Not those of a replica that joined later
   * and has not applied a change of members: it does not know who they were, and so could give nobody a snapshot.
   */
  compact(index: LogIndex): void;
  /** The last index after which at least `bytes` of data are held; the log's start when there is none. */
  indexBefore(bytes: number): LogIndex;
  /** Bytes of the data of the entries held in memory after `index`; infinite when some of them are not held. */
  logBytesAfter(index: LogIndex): number;
  /** Match index of every voter and learner, on a leader. */
  matchOf(member: ReplicaId): LogIndex;
  /** Describes a snapshot of the state machine at `index`, which the log must hold or start after. */
  metaAt(index: LogIndex): SnapshotMeta;
  status(): RaftStatus;
}
