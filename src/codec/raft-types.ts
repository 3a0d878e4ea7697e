/**
 * The words of consensus that cross a wire or a disk: log entries, state that must be durable, messages.
 *
 * Source: Diego Ongaro, "Consensus: Bridging Theory and Practice" (2014), figure 3.1 and chapters 3, 4, 6, 10.
 */
import type { Bytes } from "../core/bytes.js";
import type { LogIndex, ReplicaId, Term } from "../core/ids.js";

/** `command`: for the state machine. `config`: a `Configuration`. `noop`: a new leader's first entry. */
export type EntryKind = "command" | "config" | "noop";

export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  readonly data: Bytes;
}

/** Must be durable before any message that depends on it leaves (figure 3.1, persistent state). */
export interface HardState {
  readonly term: Term;
  /** Whom this replica voted for in `term`; 0 for nobody. */
  readonly vote: ReplicaId;
  /** Need not be durable to be safe; kept so that a restart can apply without waiting for a leader. */
  readonly commit: LogIndex;
}

/**
 * Who takes part (§4.3). Outside a joint change `votersOutgoing` is empty; inside, every decision needs a
 * majority of `voters` and one of `votersOutgoing`.
 */
export interface Configuration {
  readonly voters: readonly ReplicaId[];
  readonly votersOutgoing: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
}

export interface SnapshotMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
}

interface MessageBase {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly term: Term;
}

export type Message =
  | (MessageBase & {
      readonly type: "append";
      readonly prevIndex: LogIndex;
      readonly prevTerm: Term;
      readonly entries: readonly Entry[];
      readonly commit: LogIndex;
    })
  | (MessageBase & {
      readonly type: "append-response";
      /** On success the last index known to match; on reject the `prevIndex` refused. */
      readonly index: LogIndex;
      readonly reject: boolean;
      /** On reject: the largest index, and its term, at which the logs may agree (fast back-tracking). */
      readonly hintIndex: LogIndex;
      readonly hintTerm: Term;
    })
  | (MessageBase & {
      readonly type: "heartbeat";
      readonly commit: LogIndex;
      /** The number of the read round that the answer confirms; 0 for none. */
      readonly readRound: number;
    })
  | (MessageBase & { readonly type: "heartbeat-response"; readonly readRound: number })
  | (MessageBase & {
      readonly type: "vote";
      readonly pre: boolean;
      readonly lastIndex: LogIndex;
      readonly lastTerm: Term;
      /** The leader asked for this election (§3.10): voters need not wait for a time-out. */
      readonly transfer: boolean;
    })
  | (MessageBase & { readonly type: "vote-response"; readonly pre: boolean; readonly reject: boolean })
  | (MessageBase & {
      readonly type: "snapshot";
      readonly meta: SnapshotMeta;
      readonly offsetBytes: number;
      readonly data: Bytes;
      readonly done: boolean;
    })
  | (MessageBase & {
      readonly type: "snapshot-response";
      readonly index: LogIndex;
      /** Bytes of this snapshot stored so far: the next piece starts here. */
      readonly offsetBytes: number;
      readonly reject: boolean;
    })
  | (MessageBase & { readonly type: "read-index"; readonly context: number })
  | (MessageBase & {
      readonly type: "read-index-response";
      readonly context: number;
      /** 0 when the leader could not confirm: ask again. */
      readonly index: LogIndex;
    })
  | (MessageBase & { readonly type: "timeout-now" });
