/**
 * What a node's replicas of eventual partitions tell of themselves and of the others, as far as this node knows: how far
 * its own writes have come, what is kept for replicas that are away, and what was put right.
 */
import {
  type GroupId,
  groupOf,
  type KeyspaceId,
  type NodeId,
  partitionId,
  type ReplicaId,
} from "../../core/ids.js";
import type { PartitionInfo, RepairInfo, ReplicationInfo } from "../database.js";
import type { PeerLag } from "./partition-links.js";
import type { Repair } from "./partition-trees.js";

/** A node's part in eventual keyspaces, as status reads it. */
export interface EventualSource {
  readonly replicas: { get(group: GroupId): { readonly isComplete: boolean } | undefined };
  readonly links: { known(group: GroupId): LinksSource | undefined };
  readonly commands: { readonly repairs: { of(keyspace: KeyspaceId): number } };
}

/** A replica and its links to the others. */
export interface LinksSource {
  readonly replica: {
    readonly state: { readonly hints: { readonly count: number }; readonly tombstones: number };
  };
  readonly lags: readonly PeerLag[];
  readonly trees: {
    readonly compared: number;
    readonly recordsTaken: number;
    readonly lastRepair: Repair | undefined;
  };
}

type ReplicaInfo = PartitionInfo["replicas"][number];

/** A replica that cannot answer yet is a learner. `replica`: of the member, as it is in the map. */
export function eventualReplicaInfo(
  source: EventualSource,
  self: NodeId,
  group: GroupId,
  node: NodeId,
  replica: ReplicaId | undefined,
): ReplicaInfo {
  if (node === self) {
    const isComplete = source.replicas.get(group)?.isComplete === true;
    return { node, role: isComplete ? "replica" : "learner", lag: 0 };
  }
  const seen = source.links.known(group)?.lags.find((lag) => lag.replica === replica);
  return { node, role: seen?.isComplete === false ? "learner" : "replica", lag: seen?.lag ?? -1 };
}

/** Undefined when this node holds no replica of the keyspace. */
export function replicationInfo(
  source: EventualSource,
  keyspace: { readonly id: KeyspaceId; readonly partitions: number },
  nodeOf: (replica: ReplicaId) => NodeId | undefined,
): ReplicationInfo | undefined {
  const sum = { lag: 0, lagMax: 0, hints: 0, tombstones: 0, comparisons: 0, repaired: 0 };
  let lastRepair: RepairInfo | undefined;
  let isHere = false;
  for (let partition = 0; partition < keyspace.partitions; partition += 1) {
    const links = source.links.known(groupOf(keyspace.id, partitionId(partition)));
    if (links === undefined) continue;
    isHere = true;
    const { replica, trees } = links;
    const lag = lagOf(links);
    sum.lag += lag;
    sum.lagMax = Math.max(sum.lagMax, lag);
    sum.hints += Math.min(lag, replica.state.hints.count);
    sum.tombstones += replica.state.tombstones;
    sum.comparisons += trees.compared;
    sum.repaired += trees.recordsTaken;
    const repair = trees.lastRepair;
    if (repair === undefined || repair.finishedWallMs < (lastRepair?.finishedMs ?? 0)) continue;
    lastRepair = repairInfo(partition, repair, nodeOf(repair.with));
  }
  if (!isHere) return undefined;
  return { keyspace: keyspace.id, ...sum, readRepairs: source.commands.repairs.of(keyspace.id), lastRepair };
}

/** Own writes that the replica which has least of them lacks; of one not heard yet that may be all that is remembered. */
function lagOf({ lags, replica }: LinksSource): number {
  return lags.reduce((most, { lag }) => Math.max(most, lag ?? replica.state.hints.count), 0);
}

function repairInfo(partition: number, repair: Repair, partner: NodeId | undefined): RepairInfo {
  const { finishedWallMs, durationMs, recordsTaken, recordsGiven, bytes } = repair;
  return {
    partition,
    with: partner,
    finishedMs: Math.round(finishedWallMs),
    durationMs: Math.round(durationMs),
    recordsTaken,
    recordsGiven,
    bytes,
  };
}
