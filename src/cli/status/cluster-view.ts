/**
 * What the nodes say of the cluster (`GET /cluster` of each), put together: every node knows best about
 * itself, and a partition's leader about its replicas.
 */

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
  /** Log entries that its replicas are behind their leaders, all together; undefined when nobody knows. */
  readonly lag: number | undefined;
}

export interface ClusterView {
  readonly clusterId: string;
  readonly epoch: number;
  readonly nodes: readonly NodeStatus[];
  readonly keyspaces: readonly (NodeView["keyspaces"][number] & { readonly withoutLeader: number })[];
  readonly partitions: readonly PartitionView[];
}

/** @param views the answers of the nodes that answered, at least one */
export function mergeViews(views: readonly NodeView[]): ClusterView {
  const newest = views.reduce((best, view) => (view.epoch > best.epoch ? view : best));
  const partitions = newest.partitions.map((partition) => bestPartition(partition, views));
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

/** The partition as its leader sees it; else as somebody does who knows a leader that answers; else as it is. */
function bestPartition(partition: PartitionView, views: readonly NodeView[]): PartitionView {
  const sightings = views.flatMap((view) =>
    view.partitions
      .filter((one) => one.keyspace === partition.keyspace && one.partition === partition.partition)
      .map((one) => ({ view, one })),
  );
  const leaders = sightings.filter(({ view, one }) => one.leader === view.nodeId);
  if (leaders.length > 0) return leaders[0].one;
  const answering = new Set(views.map((view) => view.nodeId));
  const led = sightings.find(({ one }) => one.leader !== null && answering.has(one.leader));
  // A leader that does not answer may be one that is not known to be gone yet.
  return led?.one ?? partition;
}
