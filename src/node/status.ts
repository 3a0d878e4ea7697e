/** The cluster as one node sees it, for `status`, `CLUSTER` and `/cluster`. */
import { type GroupId, groupOf, logIndex, META_GROUP, type NodeId, partitionId } from "../core/ids.js";
import { slotRangeOf } from "../sharding/partitions.js";
import { type ClusterMap, type Keyspace, type Member, memberReplica } from "./cluster-map.js";
import type { ClusterView } from "./cluster-view.js";
import type { KeyspaceInfo, MemberInfo, PartitionInfo } from "./database.js";
import type { EventualReplicas } from "./eventual/replicas.js";
import type { Groups } from "./groups.js";

export interface StatusSource {
  readonly self: NodeId;
  readonly map: ClusterMap;
  readonly view: ClusterView;
  readonly groups: Pick<Groups, "get">;
  readonly eventual: Pick<EventualReplicas, "get">;
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
      if (keyspace.consistency === "eventual") return eventualInfo(source, group, node);
      const member = source.map.members.find((candidate) => candidate.id === node);
      return { node, role: roleOf(source, group, member, leader), lag: lagOf(source, group, member, leader) };
    }),
  };
}

/** A replica that cannot answer yet is a learner. */
function eventualInfo(source: StatusSource, group: GroupId, node: NodeId): PartitionInfo["replicas"][number] {
  const isOwn = node === source.self;
  const isComplete = !isOwn || source.eventual.get(group)?.isComplete === true;
  return { node, role: isComplete ? "replica" : "learner", lag: isOwn ? 0 : -1 };
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
  if (!wanted("eventual").every((id) => source.eventual.get(id)?.isComplete === true)) return false;
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
