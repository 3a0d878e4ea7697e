/**
 * The node as its servers see it: one door for RESP, HTTP and embedded clients.
 */

import type { Reply } from "../commands/reply.js";
import type { Args } from "../commands/types.js";
import type { KeyspaceId, NodeId } from "../core/ids.js";
import type { ContextOrder } from "./context-order.js";

export const READ_LEVELS = ["linearizable", "stale", "one", "quorum", "all"] as const;
export const WRITE_LEVELS = ["one", "quorum", "all"] as const;
export type ReadLevel = (typeof READ_LEVELS)[number];
export type WriteLevel = (typeof WRITE_LEVELS)[number];

/** What holds in a keyspace when nobody has chosen. */
export const DEFAULT_LEVELS: Readonly<
  Record<KeyspaceInfo["consistency"], { readonly read: ReadLevel; readonly write: WriteLevel }>
> = {
  strong: { read: "linearizable", write: "quorum" },
  eventual: { read: "one", write: "one" },
};

/**
 * What a connection (or an HTTP request) carries from command to command. Commands of one context are applied
 * in the order submitted: a read sees the context's earlier writes.
 */
export interface RequestContext {
  keyspace: KeyspaceId;
  /** `default`: none was chosen, and the keyspace's own holds (`DEFAULT_LEVELS`). */
  readLevel: ReadLevel | "default";
  writeLevel: WriteLevel | "default";
  /** The node's own: what of this context is under way. Left out by whoever makes the context. */
  order?: ContextOrder;
}

/** Gets exactly one reply; errors are replies too (`MinikeyError`). `Slice`s in it are valid during the call only. */
export interface ReplySink {
  onReply(reply: Reply): void;
}

export interface KeyspaceInfo {
  readonly id: KeyspaceId;
  readonly name: string;
  readonly consistency: "strong" | "eventual";
  readonly storage: "disk" | "memory";
  readonly replicas: number;
  readonly partitions: number;
}

export interface MemberInfo {
  readonly id: NodeId;
  readonly incarnation: number;
  readonly state: "active" | "suspect" | "inactive";
  /** `host:port` of each door; empty when it is not known yet. */
  readonly peerAddress: string;
  readonly respAddress: string;
  readonly httpAddress: string;
  readonly self: boolean;
}

export interface PartitionInfo {
  readonly keyspace: KeyspaceId;
  readonly partition: number;
  /** Inclusive ranges of the 16,384 slots. */
  readonly slots: readonly (readonly [first: number, last: number])[];
  /** Undefined when none is known, and in eventual keyspaces, which have none. */
  readonly leader: NodeId | undefined;
  readonly replicas: readonly {
    readonly node: NodeId;
    /** `replica`: of an eventual keyspace. */
    readonly role: "leader" | "follower" | "learner" | "replica";
    /**
     * As far as this node knows; −1 for unknown. Entries behind the leader; in an eventual keyspace, writes of this
     * node's replica that the other has not confirmed.
     */
    readonly lag: number;
  }[];
}

/** What this node's replicas of an eventual keyspace say of themselves, all of its partitions together. */
export interface ReplicationInfo {
  readonly keyspace: KeyspaceId;
  /** Own writes that some other replica has not confirmed. */
  readonly lag: number;
  /** Of the partition that has most of them. */
  readonly lagMax: number;
  /** Those of them that this node remembers, to send them on. */
  readonly hints: number;
  /** Deletions and expired keys that are kept until every replica has them. */
  readonly tombstones: number;
  /** Records that reads through this node have put right since it was started. */
  readonly readRepairs: number;
  /** Comparisons with other replicas since the node was started. */
  readonly comparisons: number;
  /** Records that those brought to this node's replicas. */
  readonly repaired: number;
  /** The last of them that moved anything. */
  readonly lastRepair: RepairInfo | undefined;
}

export interface RepairInfo {
  readonly partition: number;
  readonly with: NodeId | undefined;
  /** Milliseconds since 1970, by this node's clock. */
  readonly finishedMs: number;
  readonly durationMs: number;
  readonly recordsTaken: number;
  readonly recordsGiven: number;
  /** Both ways, with what it took to compare. */
  readonly bytes: number;
}

export interface ClusterStatus {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly epoch: number;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Every partition with a replica here has a leader, and this node has caught up with it. */
  readonly ready: boolean;
  readonly members: readonly MemberInfo[];
  readonly keyspaces: readonly KeyspaceInfo[];
  readonly partitions: readonly PartitionInfo[];
  /** Of the eventual keyspaces that this node holds replicas of. */
  readonly replication: readonly ReplicationInfo[];
}

export interface Database {
  /**
   * Carries one command out. `args` may be reused as soon as this returns; the reply may come during the call
   * or later. Commands of `spread` `local` are not taken here: the servers answer them.
   */
  submit(args: Args, context: RequestContext, sink: ReplySink): void;
  /** Requests taken and not answered: servers stop reading from clients beyond a bound. */
  readonly pendingRequests: number;
  status(): ClusterStatus;
  keyspaceByName(name: string): KeyspaceInfo | undefined;
  keyspaceById(id: number): KeyspaceInfo | undefined;
  /** Rejects with `MinikeyError` `KEYSPACE_EXISTS`, `UNSUPPORTED`, `NO_QUORUM` … */
  createKeyspace(options: {
    name: string;
    consistency: "strong" | "eventual";
    storage: "disk" | "memory";
    replicas?: number;
    partitions?: number;
  }): Promise<KeyspaceInfo>;
  dropKeyspace(name: string): Promise<void>;
}
