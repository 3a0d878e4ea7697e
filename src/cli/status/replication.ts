/** What the nodes say of their replicas of eventual keyspaces, put together: each knows of its own writes only. */

/** A node's own view of one keyspace. */
export interface ReplicationView {
  readonly keyspace: number;
  readonly lag: number;
  readonly lagMax: number;
  readonly hints: number;
  readonly tombstones: number;
  readonly readRepairs: number;
  readonly comparisons: number;
  readonly repaired: number;
  readonly lastRepair: RepairView | null;
}

interface RepairView {
  readonly partition: number;
  readonly with: string | null;
  readonly finishedMs: number;
  readonly durationMs: number;
  readonly recordsTaken: number;
  readonly recordsGiven: number;
  readonly bytes: number;
}

/** All nodes that answered, together. Each comparison is counted by both sides. */
export interface ReplicationStatus extends Omit<ReplicationView, "lastRepair"> {
  /** The latest that any node tells of. */
  readonly lastRepair: (RepairView & { readonly node: string }) | null;
}

interface View {
  readonly nodeId: string;
  readonly replication: readonly ReplicationView[];
}

/** Undefined when no node that answered holds a replica of the keyspace. */
export function mergeReplication(keyspace: number, views: readonly View[]): ReplicationStatus | undefined {
  const own = views.flatMap(({ replication }) => replication.filter((one) => one.keyspace === keyspace));
  if (own.length === 0) return undefined;
  const sum = (count: (one: ReplicationView) => number) => own.reduce((total, one) => total + count(one), 0);
  let lastRepair: ReplicationStatus["lastRepair"] = null;
  for (const { nodeId, replication } of views) {
    const repair = replication.find((one) => one.keyspace === keyspace)?.lastRepair ?? null;
    if (repair !== null && repair.finishedMs > (lastRepair?.finishedMs ?? 0)) {
      lastRepair = { ...repair, node: nodeId };
    }
  }
  return {
    keyspace,
    lag: sum((one) => one.lag),
    lagMax: Math.max(...own.map((one) => one.lagMax)),
    hints: sum((one) => one.hints),
    tombstones: sum((one) => one.tombstones),
    readRepairs: sum((one) => one.readRepairs),
    comparisons: sum((one) => one.comparisons),
    repaired: sum((one) => one.repaired),
    lastRepair,
  };
}

/** `0`, or `120 (60 in one partition)`. */
export function describeLag({ lag, lagMax }: ReplicationStatus): string {
  return lag === lagMax ? String(lag) : `${lag} (${lagMax} in one partition)`;
}

/** `20s ago, n1 and n2: 10 records, 14.2 kB`. */
export function describeRepair(
  repair: ReplicationStatus["lastRepair"],
  nowMs: number,
  describeSeconds: (seconds: number) => string,
): string {
  if (repair === null) return "none";
  const records = repair.recordsTaken + repair.recordsGiven;
  const ago = describeSeconds(Math.max(0, nowMs - repair.finishedMs) / 1000);
  const nodes = [repair.node, ...(repair.with === null ? [] : [repair.with])].join(" and ");
  return `${ago} ago, ${nodes}: ${records} record${records === 1 ? "" : "s"}, ${describeBytes(repair.bytes)}`;
}

function describeBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
