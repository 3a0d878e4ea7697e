/** The cluster as one node sees it, for `status`, `CLUSTER` and `/cluster`. */
import {
  type GroupId,
  groupOf,
  logIndex,
  META_GROUP,
  memberNumberOf,
  type NodeId,
  partitionId,
  type ReplicaId,
} from "../core/ids.js";
import { slotRangeOf } from "../sharding/partitions.js";
import { type ClusterMap, type Keyspace, type Member, memberReplica } from "./cluster-map.js";
import type { ClusterView } from "./cluster-view.js";
import type { ClusterStatus, KeyspaceInfo, MemberInfo, PartitionInfo, ReplicationInfo } from "./database.js";
import { type EventualSource, eventualReplicaInfo, replicationInfo } from "./eventual/status.js";
import type { Groups } from "./groups.js";

export interface StatusSource {
  readonly self: NodeId;
  readonly map: ClusterMap;
  readonly view: ClusterView;
  readonly groups: Pick<Groups, "get">;
  readonly eventual: EventualSource;
  leaderOf(group: GroupId): NodeId | undefined;
}

export function keyspaceInfo(keyspace: Keyspace): KeyspaceInfo {
  const { id, name, consistency, storage, replicas, partitions } = keyspace;
  return { id, name, consistency, storage, replicas, partitions };
}

export function memberInfos(source: StatusSource): MemberInfo[] {
  return source.map.members.map((member) => ({
    id: member.id,
    incarnation: member.incarnation,
    state: member.id === source.self ? "active" : source.view.stateOf(member.id),
    peerAddress: member.peerAddress,
    respAddress: member.respAddress,
    httpAddress: member.httpAddress,
    self: member.id === source.self,
  }));
}

export function partitionInfos(source: StatusSource): PartitionInfo[] {
  return source.map.keyspaces.flatMap((keyspace) =>
    keyspace.placement.map((nodes, i) => partitionInfo(source, keyspace, nodes, i)),
  );
}

/** Of the eventual keyspaces that this node holds replicas of. */
export function replicationInfos({ map, eventual }: StatusSource): ReplicationInfo[] {
  const nodeOf = (replica: ReplicaId) =>
    map.members.find(({ number }) => number === memberNumberOf(replica))?.id;
  return map.keyspaces.flatMap((keyspace) => {
    if (keyspace.consistency !== "eventual") return [];
    const { id, partitions } = keyspace;
    return replicationInfo(eventual, { id, partitions }, nodeOf) ?? [];
  });
}

/** All that hangs on the cluster map. */
export function mapInfos(
  source: StatusSource,
): Pick<ClusterStatus, "members" | "keyspaces" | "partitions" | "replication"> {
  return {
    members: memberInfos(source),
    keyspaces: source.map.keyspaces.map(keyspaceInfo),
    partitions: partitionInfos(source),
    replication: replicationInfos(source),
  };
}

function partitionInfo(
  source: StatusSource,
  keyspace: Keyspace,
  nodes: readonly NodeId[],
  i: number,
): PartitionInfo {
  const group = groupOf(keyspace.id, partitionId(i));
  const leader = source.leaderOf(group);
  return {
    keyspace: keyspace.id,
    partition: i,
    slots: [slotRangeOf(partitionId(i), keyspace.partitions)],
    leader,
    replicas: nodes.map((node) => {
      const member = source.map.members.find((candidate) => candidate.id === node);
      if (keyspace.consistency === "eventual") {
        const replica = member && memberReplica(member);
        return eventualReplicaInfo(source.eventual, source.self, group, node, replica);
      }
      return { node, role: roleOf(source, group, member, leader), lag: lagOf(source, group, member, leader) };
    }),
  };
}

function roleOf(
  source: StatusSource,
  group: GroupId,
  member: Member | undefined,
  leader: NodeId | undefined,
): "leader" | "follower" | "learner" {
  if (member === undefined) return "learner";
  if (member.id === leader) return "leader";
  const configuration = source.groups.get(group)?.core.configuration;
  if (configuration === undefined) return "follower";
  return configuration.voters.includes(memberReplica(member)) ? "follower" : "learner";
}

function lagOf(
  source: StatusSource,
  group: GroupId,
  member: Member | undefined,
  leader: NodeId | undefined,
): number {
  if (member === undefined || leader === undefined) return -1;
  if (member.id === leader) return 0;
  const core = source.groups.get(group)?.core;
  const replica = memberReplica(member);
  if (core?.role === "leader") return Math.max(0, core.commit - core.matchOf(replica));
  const led = source.view.led(group);
  const match = led?.matches.get(replica);
  return led === undefined || match === undefined ? -1 : Math.max(0, led.commit - match);
}

/** Entries behind the leader at which a replica still counts as caught up. */
const READY_LAG_MAX = 10_000;

/**
 * True when every group of this node has a leader, votes, and is close to its leader; and every replica of an eventual
 * partition may answer.
 */
export function isReady(source: StatusSource): boolean {
  const self = source.map.members.find((member) => member.id === source.self);
  if (self === undefined) return false;
  const replica = memberReplica(self);
  const isHere = (keyspace: Keyspace, i: number) => keyspace.placement[i].includes(source.self);
  const wanted = (consistency: Keyspace["consistency"]) =>
    source.map.keyspaces
      .filter((keyspace) => keyspace.consistency === consistency)
      .flatMap((keyspace) =>
        keyspace.placement.flatMap((_, i) =>
          isHere(keyspace, i) ? [groupOf(keyspace.id, partitionId(i))] : [],
        ),
      );
  if (!wanted("eventual").every((id) => source.eventual.replicas.get(id)?.isComplete === true)) return false;
  return [META_GROUP, ...wanted("strong")].every((id) => {
    const group = source.groups.get(id);
    if (group === undefined || source.leaderOf(id) === undefined || group.isInstalling) return false;
    if (!group.core.configuration.voters.includes(replica)) return false;
    const led = source.view.led(id);
    // After a restart this replica does not know what it missed until a leader has said how far it is.
    if (led === undefined && !group.isLeader) return false;
    const commit = Math.max(group.core.commit, led?.commit ?? 0);
    return logIndex(commit) - group.machine.appliedIndex < READY_LAG_MAX;
  });
}
