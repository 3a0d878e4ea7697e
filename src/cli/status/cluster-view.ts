/**
 * What the nodes say of the cluster (`GET /cluster` of each), put together: every node knows best about
 * itself, and a partition's leader about its replicas. In an eventual keyspace each replica knows how far the others
 * have come with its own writes.
 */
import { mergeReplication, type ReplicationStatus, type ReplicationView } from "./replication.js";

/** The part of `GET /cluster` that the command line uses. */
export interface NodeView {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly epoch: number;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly ready: boolean;
  readonly members: readonly {
    readonly id: string;
    readonly state: string;
    readonly peerAddress: string;
    readonly respAddress: string;
    readonly httpAddress: string;
  }[];
  readonly keyspaces: readonly {
    readonly id: number;
    readonly name: string;
    readonly consistency: string;
    readonly storage: string;
    readonly replicas: number;
    readonly partitions: number;
  }[];
  readonly partitions: readonly PartitionView[];
  readonly replication: readonly ReplicationView[];
}

export interface PartitionView {
  readonly keyspace: number;
  readonly partition: number;
  readonly slots: readonly (readonly [number, number])[];
  readonly leader: string | null;
  readonly replicas: readonly { readonly node: string; readonly role: string; readonly lag: number }[];
}

export interface NodeStatus {
  readonly id: string;
  /** `ready`, `starting` (answers, is not ready), or `down` (does not answer). */
  readonly state: "ready" | "starting" | "down";
  readonly respAddress: string;
  readonly httpAddress: string;
  readonly version: string | undefined;
  readonly uptimeSeconds: number | undefined;
  /** Partitions that it leads and that it holds a replica of. */
  readonly leads: number;
  readonly holds: number;
  /**
   * Log entries that its replicas are behind their leaders, and in eventual keyspaces others' writes that they have not
   * confirmed, all together; undefined when nobody knows.
   */
  readonly lag: number | undefined;
}

export interface ClusterView {
  readonly clusterId: string;
  readonly epoch: number;
  readonly nodes: readonly NodeStatus[];
  readonly keyspaces: readonly KeyspaceStatus[];
  readonly partitions: readonly PartitionView[];
}

export type KeyspaceStatus = NodeView["keyspaces"][number] & {
  readonly withoutLeader: number;
  /** Of an eventual keyspace, when a node that answered holds replicas of it. */
  readonly replication: ReplicationStatus | undefined;
};

/** @param views the answers of the nodes that answered, at least one */
export function mergeViews(views: readonly NodeView[]): ClusterView {
  const newest = views.reduce((best, view) => (view.epoch > best.epoch ? view : best));
  const eventual = new Set(
    newest.keyspaces.filter((one) => one.consistency === "eventual").map((one) => one.id),
  );
  const partitions = newest.partitions.map((partition) =>
    eventual.has(partition.keyspace) ? togetherPartition(partition, views) : bestPartition(partition, views),
  );
  const byId = new Map(views.map((view) => [view.nodeId, view]));
  return {
    clusterId: newest.clusterId,
    epoch: newest.epoch,
    nodes: newest.members.map((member) => nodeStatus(member, byId.get(member.id), partitions)),
    keyspaces: newest.keyspaces.map(({ id, name, consistency, storage, replicas, partitions: count }) => {
      // Partitions of eventual keyspaces need none.
      const leaderless = partitions.filter(
        (one) => consistency === "strong" && one.keyspace === id && one.leader === null,
      );
      return {
        id,
        name,
        consistency,
        storage,
        replicas,
        partitions: count,
        withoutLeader: leaderless.length,
        replication: eventual.has(id) ? mergeReplication(id, views) : undefined,
      };
    }),
    partitions,
  };
}

function nodeStatus(
  member: NodeView["members"][number],
  own: NodeView | undefined,
  partitions: readonly PartitionView[],
): NodeStatus {
  const replicas = partitions.flatMap((one) => one.replicas.filter((replica) => replica.node === member.id));
  const lags = replicas.map((replica) => replica.lag);
  return {
    id: member.id,
    state: own === undefined ? "down" : own.ready ? "ready" : "starting",
    respAddress: member.respAddress,
    httpAddress: member.httpAddress,
    version: own?.version,
    uptimeSeconds: own?.uptimeSeconds,
    leads: partitions.filter((one) => one.leader === member.id).length,
    holds: replicas.length,
    lag: lags.some((lag) => lag < 0) ? undefined : lags.reduce((sum, lag) => sum + lag, 0),
  };
}

function sightingsOf(partition: PartitionView, views: readonly NodeView[]) {
  return views.flatMap((view) =>
    view.partitions
      .filter((one) => one.keyspace === partition.keyspace && one.partition === partition.partition)
      .map((one) => ({ view, one })),
  );
}

/** Each replica as its own node sees it, or else another; its lag is what the others that answer know it to miss. */
function togetherPartition(partition: PartitionView, views: readonly NodeView[]): PartitionView {
  const sightings = sightingsOf(partition, views);
  const replicas = partition.replicas.map(({ node, role }) => {
    const seen = sightings.flatMap(({ view, one }) =>
      one.replicas
        .filter((replica) => replica.node === node)
        .map((replica) => ({ by: view.nodeId, role: replica.role, lag: replica.lag })),
    );
    const known = seen.filter((one) => one.lag >= 0);
    const best = seen.find(({ by }) => by === node) ?? seen.find((one) => one.role === "learner");
    const lag = known.length === 0 ? -1 : known.reduce((sum, one) => sum + one.lag, 0);
    return { node, role: best?.role ?? role, lag };
  });
  return { ...partition, replicas };
}

/** The partition as its leader sees it; else as somebody does who knows a leader that answers; else as it is. */
function bestPartition(partition: PartitionView, views: readonly NodeView[]): PartitionView {
  const sightings = sightingsOf(partition, views);
  const leaders = sightings.filter(({ view, one }) => one.leader === view.nodeId);
  if (leaders.length > 0) return leaders[0].one;
  const answering = new Set(views.map((view) => view.nodeId));
  const led = sightings.find(({ one }) => one.leader !== null && answering.has(one.leader));
  // A leader that does not answer may be one that is not known to be gone yet.
  return led?.one ?? partition;
}
