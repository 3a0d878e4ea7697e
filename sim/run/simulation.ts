/** One simulated life of a cluster: clients, faults, healing, and then everything that must hold. */
import { AssertionFailure, assert } from "../../src/core/assert.js";
import type { GroupId } from "../../src/core/ids.js";
import { awaitConvergence, checkLastWrites } from "../checks/eventual-convergence.js";
import { Judge } from "../checks/linearizability.js";
import { awaitAnswers } from "../checks/liveness.js";
import { checkTables, differences, findOpenTransaction, openTransactions } from "../checks/replicas.js";
import { asViolation, Violation } from "../checks/violation.js";
import { SimClient } from "../cluster/client.js";
import { SimCluster } from "../cluster/cluster.js";
import type { EventualKeyspace } from "../cluster/eventual-keyspace.js";
import { Faults } from "../faults/faults.js";
import { simulateGroup } from "../group/simulate-group.js";
import { Library } from "../library/library.js";
import type { SimLoad, SimWorkload } from "../workloads/workload.js";
import { describePlan, type Plan, planLife, type SimulationOptions } from "./plan.js";

export interface SimulationReport {
  /** Equal for two runs of a seed: of every event. */
  readonly digest: string;
  readonly events: number;
  readonly description: string;
  /** Faults that struck, by name. */
  readonly faults: ReadonlyMap<string, number>;
  /** Commands that were carried out and answered. */
  readonly reads: number;
  readonly writes: number;
  /** Terms that the groups have come to, in all. */
  readonly terms: number;
  /** Histories found linearizable, and those that it took too long to judge. */
  readonly told: number;
  readonly untold: number;
  readonly simulatedMs: number;
  /** What was broken first; undefined for a life in which all promises were kept. */
  readonly violation: Violation | undefined;
}

const READY_LIMIT_MS = 20_000;
const HEAL_LIMIT_MS = 60_000;
const QUIET_LIMIT_MS = 30_000;
const EQUAL_LIMIT_MS = 10_000;

/** Everything that is not given comes from the seed. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, group, trace } = options;
  if (group !== undefined)
    return simulateGroup(trace === undefined ? { seed, group } : { seed, group, trace });
  const plan = planLife(options);
  const life = new Life(options, plan);
  // Lives are full of refusals, and where each was made costs more than all the rest of it.
  const { stackTraceLimit } = Error;
  if (options.hasStacks !== true) Error.stackTraceLimit = 0;
  try {
    const violation = await life.run();
    return life.report(describePlan(plan), violation);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

class Life {
  readonly #plan: Plan;
  readonly #cluster: SimCluster;
  readonly #faults: Faults;
  readonly #workloads: readonly SimWorkload[];
  readonly #judge = new Judge();
  /** What workloads have found. */
  readonly #found: Violation[] = [];
  #openedLibrary: Library | undefined;
  #endMs = Number.POSITIVE_INFINITY;

  constructor(options: SimulationOptions, plan: Plan) {
    const { nodes, replicas, partitions, skewMs, storage, reads, requestTimeoutMs, distanceMs } = plan;
    this.#plan = plan;
    this.#cluster = new SimCluster({
      seed: options.seed,
      nodes,
      replicas,
      partitions,
      skewMs,
      storage,
      readMode: reads,
      requestTimeoutMs,
      distanceMs,
      eventual: plan.eventual,
      isSupervised: true,
      ...(options.trace === undefined ? {} : { trace: options.trace }),
    });
    this.#faults = new Faults(this.#cluster, skewMs);
    this.#workloads = plan.workloads.map((kind) => kind.make(plan));
  }

  /** Returns the first promise that was broken. */
  async run(): Promise<Violation | undefined> {
    try {
      await this.#live();
      await this.#heal();
      await this.#check();
      return undefined;
    } catch (error) {
      // What is thrown in a node's turn ends its process.
      const isNodesEnd = error instanceof AssertionFailure;
      return asViolation(error, isNodesEnd ? "no node ends by itself" : "the simulation itself");
    }
  }

  report(description: string, violation: Violation | undefined): SimulationReport {
    const { world, submissions, safety } = this.#cluster;
    const { told, untold } = this.#judge;
    const { reads, writes } = submissions;
    return {
      digest: world.trace.digest,
      events: world.trace.events,
      description,
      faults: this.#faults.struck,
      reads,
      writes,
      terms: safety.terms,
      told,
      untold,
      simulatedMs: world.nowMs,
      violation,
    };
  }

  async #live(): Promise<void> {
    const { world } = this.#cluster;
    await this.#cluster.startAll();
    await this.#until(READY_LIMIT_MS, () => this.#cluster.isReady, "the cluster never got ready");
    if (this.#cluster.eventual !== undefined) await this.#makeEventual(this.#cluster.eventual);
    this.#endMs = world.nowMs + this.#plan.durationMs;
    for (const workload of this.#workloads) workload.start(this.#loadOf(workload));
    this.#faults.start(this.#plan.faults);
    await this.#until(this.#plan.durationMs + 1_000, () => world.nowMs > this.#endMs, "time stood still");
  }

  async #makeEventual({ name, id, settings }: EventualKeyspace): Promise<void> {
    const { nodes } = this.#cluster;
    const { storage, replicas, partitions } = settings;
    let made: number | string | undefined;
    const [{ node }] = nodes;
    node?.createKeyspace({ name, consistency: "eventual", storage, replicas, partitions }).then(
      (keyspace) => {
        made = keyspace.id;
      },
      (error: unknown) => {
        made = String(error);
      },
    );
    const isEverywhere = () => nodes.every((sim) => sim.node?.keyspaceByName(name) !== undefined);
    const problem = () => `the eventual keyspace never got ready: ${made}`;
    await this.#until(READY_LIMIT_MS, () => made === id && isEverywhere() && this.#cluster.isReady, problem);
  }

  async #heal(): Promise<void> {
    const { submissions } = this.#cluster;
    this.#faults.heal();
    this.#openedLibrary?.heal();
    await this.#until(HEAL_LIMIT_MS, () => this.#cluster.isReady, "the cluster never healed");
    await this.#until(
      QUIET_LIMIT_MS,
      () => submissions.isQuiet,
      () => `never answered: ${submissions.unanswered().join("; ")}`,
    );
    if (this.#cluster.eventual !== undefined) await awaitConvergence(this.#cluster);
    this.#expectWhole();
    let open: GroupId | undefined;
    await this.#until(
      QUIET_LIMIT_MS,
      () => {
        open = findOpenTransaction(this.#cluster, open);
        return open === undefined;
      },
      () => `transactions were left: ${openTransactions(this.#cluster).join("; ")}`,
    );
    await awaitAnswers(this.#cluster);
    this.#expectWhole();
  }

  async #check(): Promise<void> {
    for (const workload of this.#workloads) {
      try {
        await workload.check(this.#loadOf(workload));
      } catch (error) {
        throw asViolation(error, workload.property);
      }
      this.#expectWhole();
    }
    await checkLastWrites(this.#cluster);
    this.#expectWhole();
    const different = () => differences(this.#cluster);
    const isEqual = await this.#cluster.world.run(EQUAL_LIMIT_MS, () => different().length === 0);
    this.#expectWhole();
    if (!isEqual) throw new Violation("replicas are equal", different().join("; "));
    try {
      checkTables(this.#cluster);
    } catch (error) {
      throw asViolation(error, "versions and expiry tables");
    }
  }

  #loadOf(workload: SimWorkload): SimLoad {
    const cluster = this.#cluster;
    return {
      cluster,
      get eventual() {
        assert(cluster.eventual !== undefined, "a workload needs an eventual keyspace, and says so");
        return cluster.eventual;
      },
      world: cluster.world,
      newClient: (levels, wanderlust) =>
        this.#plan.clients === "library"
          ? this.#library.newClient(levels, wanderlust)
          : new SimClient(cluster, levels, wanderlust),
      programs: () => this.#library.programs,
      isOver: () => cluster.world.nowMs > this.#endMs || this.#isBroken,
      judge: this.#judge,
      pauseMs: this.#plan.pauseMs,
      expect: (isTrue, message) => {
        if (!isTrue) this.#found.push(new Violation(workload.property, `${workload.name}: ${message}`));
      },
      onRefused: (key, value) => cluster.refusedWrites.onRefused(key, value),
    };
  }

  /** Made for the first that needs it. */
  get #library(): Library {
    this.#openedLibrary ??= new Library(this.#cluster, (message) => {
      this.#found.push(new Violation("the library answers each call in time", message));
    });
    return this.#openedLibrary;
  }

  get #isBroken(): boolean {
    const { fatal, violations, submissions } = this.#cluster;
    return fatal.length + violations.length + submissions.violations.length + this.#found.length > 0;
  }

  #expectWhole(): void {
    const { fatal, violations, submissions } = this.#cluster;
    if (violations.length > 0) throw violations[0];
    if (this.#found.length > 0) throw this.#found[0];
    if (submissions.violations.length > 0) {
      throw new Violation("each command is answered once", submissions.violations[0]);
    }
    if (fatal.length > 0) throw new Violation("no node ends by itself", fatal[0]);
  }

  async #until(limitMs: number, isDone: () => boolean, problem: string | (() => string)): Promise<void> {
    const isDoneInTime = await this.#cluster.world.run(limitMs, () => isDone() || this.#isBroken);
    this.#expectWhole();
    if (isDoneInTime) return;
    const text = typeof problem === "string" ? problem : problem();
    throw new Violation("liveness", `${text}, in ${limitMs} ms\n${describeCluster(this.#cluster)}`);
  }
}

/** How each node sees the cluster, for the message of a failure. */
function describeCluster(cluster: SimCluster): string {
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
