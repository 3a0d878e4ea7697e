/** What a seed means: the cluster, its storage, the clients, the faults. What is asked for wins over the seed. */
import { REQUEST_TIMEOUT_MS } from "../cluster/cluster.js";
import type { EventualSettings } from "../cluster/eventual-keyspace.js";
import type { StorageKind } from "../cluster/node-storage.js";
import type { Fault } from "../faults/fault.js";
import { ALL_FAULTS, LASTING, type PlannedFault, planFaults, USUAL_PACE } from "../faults/faults.js";
import type { GroupReads } from "../group/simulate-group.js";
import { ALL_WORKLOADS, type WorkloadKind } from "../workloads/all.js";
import { SeededRandom } from "../world/random.js";

/** Through what clients send commands: right to the node's door, or through the library and a RESP server. */
export type ClientKind = "nodes" | "library";

export interface SimulationOptions {
  readonly seed: number;
  /** How long clients work and faults strike. */
  readonly durationMs?: number;
  /** How long each client pauses between its commands, about. */
  readonly pauseMs?: number;
  readonly nodes?: number;
  readonly replicas?: number;
  readonly partitions?: number;
  readonly storage?: StorageKind;
  readonly skewMs?: number;
  readonly reads?: ReadMode;
  /** Hints that a partition of an eventual keyspace keeps at most. */
  readonly hintsMax?: number;
  /** Names; of those that the cluster allows. */
  readonly workloads?: readonly string[];
  readonly clients?: ClientKind;
  readonly faults?: readonly string[];
  /** Nodes are far from each other, faults last, and requests wait for another time. */
  readonly isFar?: boolean;
  /** One group's consensus core alone, and how it confirms reads; nothing else of a cluster is there then. */
  readonly group?: GroupReads;
  /** Of the faults that the seed means only these, by number. */
  readonly only?: readonly number[];
  /** Errors say where they were made: slower, and no other life. */
  readonly hasStacks?: boolean;
  /** Gets the timeline, line by line. */
  readonly trace?: (line: string) => void;
}

/** How nodes confirm linearizable reads: by asking a majority, or by a lease that trusts clocks. */
export type ReadMode = "quorum" | "lease";

export interface Plan {
  readonly durationMs: number;
  readonly pauseMs: number;
  readonly nodes: number;
  readonly replicas: number;
  readonly partitions: number;
  readonly storage: StorageKind;
  readonly skewMs: number;
  readonly reads: ReadMode;
  readonly workloads: readonly WorkloadKind[];
  /** The eventual keyspace, where some workload is of one. */
  readonly eventual: EventualSettings | undefined;
  readonly clients: ClientKind;
  /** How long a node tries to carry out a request. */
  readonly requestTimeoutMs: number;
  /** What each message takes longer between two nodes, at most. */
  readonly distanceMs: number;
  readonly faults: readonly PlannedFault[];
  /** The state machines, by the nodes that they stand on: what a data loss may hit. */
  readonly mayLoseData: boolean;
}

/** Mostly short: more clusters and more mixtures of faults in the same time. */
const DURATIONS_MS = [3_000, 4_000, 5_000, 6_000, 8_000, 16_000];
const PAUSE_MS = 30;
const WORKLOADS_AT_ONCE = 4;
/** Long enough to see what is finished, or given up, while a fault lasts. */
const FAR_DURATIONS_MS = [12_000, 16_000, 20_000];
const DISTANCES_MS = [5, 20, 60];
/** A server's own, an embedded node's, and one that ends before an election does. */
const REQUEST_TIMEOUTS_MS = [600, REQUEST_TIMEOUT_MS, 10_000];

/** Each part has a stream of its own: to fix one changes nothing of the others. */
export function planLife(options: SimulationOptions): Plan {
  const { seed, isFar = false } = options;
  const far = new SeededRandom(seed ^ 0xfa5);
  const shape = new SeededRandom(seed ^ 0x5eed);
  const drawnNodes = shape.pick([1, 2, 3, 3, 3, 3, 3, 5]);
  const drawnReplicas = shape.pick([1, 2, 3, 3, 3, 3, 5]);
  const drawnPartitions = shape.pick([1, 2, 3, 4]);
  const drawnStorage = shape.pick<StorageKind>(["files", "files", "mixed", "mixed", "model"]);
  const drawnSkewMs = shape.pick([100, 100, 1_000, 5_000]);
  const drawnDurationMs = shape.pick(isFar ? FAR_DURATIONS_MS : DURATIONS_MS);
  const drawnReads = shape.pick<ReadMode>(["quorum", "quorum", "quorum", "quorum", "lease"]);
  const nodes = options.nodes ?? drawnNodes;
  const replicas = Math.min(nodes, options.replicas ?? drawnReplicas);
  const storage = options.storage ?? drawnStorage;
  const durationMs = options.durationMs ?? drawnDurationMs;
  // Where a majority survives it.
  const mayLoseData = nodes >= 3 && replicas >= 3;
  const reads = options.reads ?? drawnReads;
  const cluster = { nodes, replicas, storage, mayLoseData, reads };
  const kinds = faultsFor(cluster, options.faults);
  const pace = isFar ? LASTING : USUAL_PACE;
  const workloads = chooseWorkloads(new SeededRandom(seed ^ 0x10ad), cluster, options.workloads);
  const eventual = workloads.some(({ isEventual }) => isEventual === true)
    ? planEventual(new SeededRandom(seed ^ 0xe7e7), replicas, options)
    : undefined;
  const planned = planFaults(new SeededRandom(seed ^ 0xfa17), kinds, durationMs, pace);
  return {
    ...cluster,
    durationMs,
    pauseMs: options.pauseMs ?? PAUSE_MS,
    partitions: options.partitions ?? drawnPartitions,
    skewMs: options.skewMs ?? drawnSkewMs,
    workloads,
    eventual,
    clients: options.clients ?? new SeededRandom(seed ^ 0x11b).pick<ClientKind>(["nodes", "library"]),
    requestTimeoutMs: isFar ? far.pick(REQUEST_TIMEOUTS_MS) : REQUEST_TIMEOUT_MS,
    distanceMs: isFar ? far.pick(DISTANCES_MS) : 0,
    faults: planned.filter(({ number }) => options.only?.includes(number) !== false),
  };
}

function planEventual(
  random: SeededRandom,
  replicas: number,
  { hintsMax }: SimulationOptions,
): EventualSettings {
  const drawnHints = random.pick([undefined, undefined, 5, 30]);
  return {
    storage: random.pick(["disk", "memory"] as const),
    replicas,
    partitions: random.pick([1, 1, 2, 3]),
    hintsMax: hintsMax ?? drawnHints,
  };
}

type ClusterPlan = Pick<Plan, "nodes" | "replicas" | "storage" | "mayLoseData" | "reads">;

function faultsFor({ nodes, storage, mayLoseData, reads }: ClusterPlan, names?: readonly string[]): Fault[] {
  return ALL_FAULTS.filter(
    ({ name, isSpecial, destroys, needsFiles, needsPeers, breaksLease }) =>
      (reads === "quorum" || breaksLease !== true) &&
      (names === undefined ? isSpecial !== true : names.includes(name)) &&
      (mayLoseData || destroys !== true) &&
      (storage !== "model" || needsFiles !== true) &&
      (nodes > 1 || needsPeers !== true),
  );
}

function chooseWorkloads(
  random: SeededRandom,
  cluster: ClusterPlan,
  names: readonly string[] | undefined,
): WorkloadKind[] {
  const all = ALL_WORKLOADS.filter(({ needsModel }) => needsModel !== true || cluster.storage === "model");
  // In the order given: another order is another life.
  if (names !== undefined) return names.flatMap((wanted) => all.filter(({ name }) => name === wanted));
  const drawn = all.filter(({ isSpecial, isEventual }) => isSpecial !== true && isEventual !== true);
  return random.shuffled(drawn).slice(0, WORKLOADS_AT_ONCE);
}

/** The plan in one line. */
export function describePlan(plan: Plan): string {
  const { nodes, replicas, partitions, storage, skewMs, reads, workloads, clients, faults, durationMs } =
    plan;
  const { distanceMs, requestTimeoutMs, eventual } = plan;
  return (
    `${nodes} nodes, ${replicas} replicas, ${partitions} partitions, storage ${storage}, clocks ±${skewMs} ms, ` +
    (reads === "lease" ? "reads by lease, " : "") +
    (distanceMs === 0 ? "" : `up to ${distanceMs} ms apart, requests wait ${requestTimeoutMs} ms, `) +
    (eventual === undefined ? "" : `${describeEventual(eventual)}, `) +
    `${durationMs / 1000} s with ${faults.length} faults, ` +
    `${clients === "library" ? "through the library" : "at the nodes' doors"}: ${workloads.map(({ name }) => name).join(", ")}`
  );
}

function describeEventual({ storage, partitions, hintsMax }: EventualSettings): string {
  const hints = hintsMax === undefined ? "" : ` and ${hintsMax} hints at most`;
  return `an eventual keyspace in ${storage === "disk" ? "files" : "memory"} of ${partitions} partitions${hints}`;
}
