/** One simulated life of a cluster: clients, faults, healing, and then everything that must hold. */
import assert from "node:assert/strict";
import type { GroupId } from "../../src/core/ids.js";
import { Judge } from "../checks/linearizability.js";
import { checkTables, differences, openTransactions } from "../checks/replicas.js";
import { SimCluster } from "../cluster/cluster.js";
import { ALL_FAULTS, type FaultKind, Faults } from "../faults/faults.js";
import { Counters } from "../workloads/counters.js";
import { Expiring } from "../workloads/expiring.js";
import { Formulas } from "../workloads/formulas.js";
import { Keyspaces } from "../workloads/keyspaces.js";
import { Levels } from "../workloads/levels.js";
import { Pipelines } from "../workloads/pipelines.js";
import { Queries } from "../workloads/queries.js";
import { Registers } from "../workloads/registers.js";
import { Repeats } from "../workloads/repeats.js";
import { Scans } from "../workloads/scans.js";
import { Sums } from "../workloads/sums.js";
import { ManyKeys } from "../workloads/transactions.js";
import type { Load, Workload } from "../workloads/workload.js";
import { SeededRandom } from "../world/random.js";

export interface SimulationOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly nodes?: number;
  readonly replicas?: number;
  readonly partitions?: number;
  readonly workloads?: readonly string[];
  readonly faults?: readonly FaultKind[];
  readonly skewMs?: number;
  readonly storage?: "model" | "files";
  readonly log?: (line: string) => void;
}

export interface SimulationReport {
  /** Equal for two runs of a seed. */
  readonly digest: string;
  readonly description: string;
  readonly faults: number;
  /** Commands that were carried out and answered. */
  readonly reads: number;
  readonly writes: number;
  /** Terms that the groups have come to, in all; 0 where the storage does not show it. */
  readonly terms: number;
  /** Histories found linearizable, and those that it took too long to judge. */
  readonly told: number;
  readonly untold: number;
}

const WORKLOADS_AT_ONCE = 4;

function allWorkloads(replicas: number, canLoseDisks: boolean, storage: "model" | "files"): Workload[] {
  // These look at what lies on the simulated disks.
  const looking = storage === "model" ? [new Levels(replicas)] : [];
  return [
    ...looking,
    new Registers(),
    new Counters(),
    new Expiring(),
    new Formulas(),
    new ManyKeys(),
    new Pipelines(),
    new Queries(),
    new Repeats(),
    new Sums(),
    new Scans(),
    new Keyspaces(canLoseDisks ? 3 : 1),
  ];
}

/** How each node sees the cluster, for the message of a failure. */
function describe(cluster: SimCluster): string {
  const lines = cluster.nodes.map(({ id, node, process }) => {
    if (node === undefined) return `${id}: not running`;
    const { ready, epoch, partitions } = node.status();
    const seen = partitions.map(({ keyspace, partition, leader, replicas }) => {
      const held = replicas.map(({ node, role, lag }) => `${node} ${role} ${lag}`).join(", ");
      return `  ${keyspace}/${partition}: leader ${leader ?? "unknown"} of ${held}`;
    });
    const state = process?.isPaused === true ? "paused" : ready ? "ready" : "not ready";
    return [`${id}: ${state}, epoch ${epoch}`, ...seen].join("\n");
  });
  return lines.join("\n");
}

function termsOf({ nodes }: SimCluster): number {
  const terms = new Map<GroupId, number>();
  for (const { durable } of nodes) {
    for (const [group, { hardState }] of durable.log) {
      terms.set(group, Math.max(hardState.term, terms.get(group) ?? 0));
    }
  }
  return [...terms.values()].reduce((sum, term) => sum + term, 0);
}

/** Everything that is not given comes from the seed. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const random = new SeededRandom(options.seed ^ 0x5eed);
  const nodes = options.nodes ?? random.pick([1, 2, 3, 3, 3, 3, 5]);
  const replicas = Math.min(nodes, options.replicas ?? random.pick([1, 2, 3, 3, 3, 3]));
  const skewMs = options.skewMs ?? random.pick([100, 100, 1_000, 5_000]);
  // Where a majority survives it.
  const canLoseDisks = nodes >= 3 && replicas >= 3;
  const kinds = (options.faults ?? ALL_FAULTS).filter(
    (kind) => canLoseDisks || kind !== "crash and lose the disk",
  );
  const partitions = options.partitions ?? random.pick([1, 2, 3, 4]);
  const storage = options.storage ?? random.pick(["model", "model", "files"] as const);
  const all = allWorkloads(replicas, canLoseDisks, storage);
  const workloads = chooseWorkloads(random, all, options.workloads);
  const cluster = new SimCluster({
    seed: options.seed,
    nodes,
    replicas,
    partitions,
    skewMs,
    storage,
    ...(options.log === undefined ? {} : { log: options.log }),
  });
  const description =
    `${nodes} nodes, ${replicas} replicas, ${partitions} partitions, ${storage}, clocks ±${skewMs} ms: ` +
    workloads.map(({ name }) => name).join(", ");
  options.log?.(description);
  return { description, ...(await live(cluster, workloads, kinds, skewMs, options.durationMs)) };
}

function chooseWorkloads(
  random: SeededRandom,
  all: readonly Workload[],
  names: readonly string[] | undefined,
): Workload[] {
  if (names !== undefined) return all.filter(({ name }) => names.includes(name));
  const left = [...all];
  const chosen: Workload[] = [];
  while (chosen.length < WORKLOADS_AT_ONCE) chosen.push(...left.splice(random.below(left.length), 1));
  return chosen;
}

async function live(
  cluster: SimCluster,
  workloads: readonly Workload[],
  kinds: readonly FaultKind[],
  skewMs: number,
  durationMs: number,
): Promise<Omit<SimulationReport, "description">> {
  const { world, fatal, submissions } = cluster;
  const { violations } = submissions;
  const isBroken = () => fatal.length > 0 || violations.length > 0;
  const expectWhole = () => {
    assert.deepEqual(fatal, [], "a node ended");
    assert.deepEqual(violations, [], "what must not be");
  };
  const run = async (limitMs: number, isDone: () => boolean, problem: string) => {
    const isDoneInTime = await world.run(limitMs, () => isDone() || isBroken());
    expectWhole();
    assert(isDoneInTime, `${problem}\n${describe(cluster)}`);
  };

  await cluster.startAll();
  await run(20_000, () => cluster.isReady, "the cluster never got ready");
  const endMs = world.nowMs + durationMs;
  const isOver = () => world.nowMs > endMs || isBroken();
  const load: Load = {
    cluster,
    isOver,
    judge: new Judge(),
    pauseMs: 30,
    expect: (isTrue, message) => {
      if (!isTrue) violations.push(message);
    },
  };
  for (const workload of workloads) workload.start(load);
  const faults = new Faults(cluster, { kinds, skewMs, isOver });
  faults.start();
  await run(durationMs + 1_000, isOver, "time stood still");

  await faults.heal();
  await run(60_000, () => cluster.isReady, "the cluster never healed");
  // Everything under way ends, and what nobody finished is finished.
  const isQuiet = () => submissions.unanswered().length === 0;
  await world.run(30_000, () => isBroken() || isQuiet());
  expectWhole();
  assert.deepEqual(submissions.unanswered(), [], "never answered");
  await run(
    30_000,
    () => openTransactions(cluster).length === 0,
    `transactions were left: ${openTransactions(cluster).join("; ")}`,
  );
  for (const workload of workloads) {
    await workload.check(load);
    expectWhole();
  }
  const isEqual = await world.run(10_000, () => isBroken() || differences(cluster).length === 0);
  expectWhole();
  assert(isEqual, `replicas differ: ${differences(cluster).join("; ")}`);
  checkTables(cluster);
  const { told, untold } = load.judge;
  return {
    digest: `${world.eventsRun} ${world.nowMs}`,
    faults: faults.count,
    reads: submissions.reads,
    writes: submissions.writes,
    terms: termsOf(cluster),
    told,
    untold,
  };
}
