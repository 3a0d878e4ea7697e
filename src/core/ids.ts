/**
 * The names of things, as branded types: a `Term` cannot be passed where a `LogIndex` is meant,
 * and neither costs anything at run time.
 */

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** What people call a node: `n1`. Unique in a cluster, kept over restarts and lost disks. */
export type NodeId = Brand<string, "NodeId">;

/**
 * What Raft calls a node: `member number × 65,536 + incarnation`. A node that lost its disk comes back
 * with the next incarnation, so that votes and answers it has forgotten are never counted as its own.
 */
export type ReplicaId = Brand<number, "ReplicaId">;

/** One consensus group on the wire and in the log: `keyspace × 65,536 + partition`, or `META_GROUP`. */
export type GroupId = Brand<number, "GroupId">;

/** A partition of one keyspace, 0 to `partitions - 1`. */
export type PartitionId = Brand<number, "PartitionId">;

/** A keyspace's number, as `SELECT` takes it. `default` is 0. */
export type KeyspaceId = Brand<number, "KeyspaceId">;

/** A Raft term; 0 before the first election. */
export type Term = Brand<number, "Term">;

/** A position in a Raft log; the first entry has index 1. */
export type LogIndex = Brand<number, "LogIndex">;

export const nodeId = (value: string): NodeId => value as NodeId;
export const replicaId = (value: number): ReplicaId => value as ReplicaId;
export const groupId = (value: number): GroupId => value as GroupId;
export const partitionId = (value: number): PartitionId => value as PartitionId;
export const keyspaceId = (value: number): KeyspaceId => value as KeyspaceId;
export const term = (value: number): Term => value as Term;
export const logIndex = (value: number): LogIndex => value as LogIndex;

const INCARNATIONS_PER_MEMBER = 65_536;
const PARTITIONS_PER_KEYSPACE = 65_536;

/** The group that holds the cluster map. Keyspace 65,535 does not exist, so no partition has this number. */
export const META_GROUP: GroupId = groupId(65_535 * PARTITIONS_PER_KEYSPACE);

export function replicaOf(memberNumber: number, incarnation: number): ReplicaId {
  return replicaId(memberNumber * INCARNATIONS_PER_MEMBER + incarnation);
}

export function memberNumberOf(replica: ReplicaId): number {
  return Math.floor(replica / INCARNATIONS_PER_MEMBER);
}

export function incarnationOf(replica: ReplicaId): number {
  return replica % INCARNATIONS_PER_MEMBER;
}

export function groupOf(keyspace: KeyspaceId, partition: PartitionId): GroupId {
  return groupId(keyspace * PARTITIONS_PER_KEYSPACE + partition);
}

export function keyspaceOf(group: GroupId): KeyspaceId {
  return keyspaceId(Math.floor(group / PARTITIONS_PER_KEYSPACE));
}

export function partitionOf(group: GroupId): PartitionId {
  return partitionId(group % PARTITIONS_PER_KEYSPACE);
}
