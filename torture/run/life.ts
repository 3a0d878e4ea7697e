/** One life of a cluster of real processes: clients, faults, healing, and then everything that must hold. */
import { Judge } from "../../sim/checks/linearizability.js";
import { asViolation, Violation } from "../../sim/checks/violation.js";
import { isKnown } from "../../sim/cluster/client.js";
import type { WorkloadOn } from "../../sim/workloads/workload.js";
import { SeededRandom } from "../../sim/world/random.js";
import { awaitAnswers, awaitQuiet, awaitReady } from "../checks/liveness.js";
import { checkReplicas } from "../checks/replicas.js";
import { RealCluster, type Shape } from "../cluster/cluster.js";
import { planFaults, possibleFaults, strikeAsPlanned } from "../faults/faults.js";
import { makeWorkloads } from "../load/all.js";
import { Clients, type Tally } from "../load/clients.js";
import { Probes } from "../load/probes.js";
import { RealWorld } from "../load/real-world.js";
import type { TortureLoad } from "../load/torture-load.js";
import type { Network } from "../machine/network.js";
import type { Workplace } from "../machine/workplace.js";

export interface LifeOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Drawn when absent. */
  readonly nodes?: number;
  /** Names; all when absent. */
  readonly faults?: readonly string[];
}

/** What a seed means. */
export interface LifePlan extends LifeOptions {
  readonly shape: Shape;
}

export interface LifeReport {
  readonly tally: Tally;
  /** Strikes, by the fault's name. */
  readonly faults: ReadonlyMap<string, number>;
  /** By the fault's name: how long until every partition took writes again. */
  readonly recoveriesMs: ReadonlyMap<string, readonly number[]>;
  /** Histories found linearizable, and those that it took too long to judge. */
  readonly told: number;
  readonly untold: number;
  /** What was broken first; undefined when all promises were kept. */
  readonly violation: Violation | undefined;
}

const PAUSE_MS = 15;
const END_LIMIT_MS = 20_000;
const READ_LIMIT_MS = 15_000;
const WATCH_EVERY_MS = 50;

export function planLife(options: LifeOptions): LifePlan {
  const random = new SeededRandom(options.seed ^ 0x5eed);
  const drawn = random.pick([3, 3, 5]);
  const nodes = options.nodes ?? drawn;
  const replicas = Math.min(nodes, random.pick([3, 3, nodes]));
  return { ...options, shape: { nodes, replicas, partitions: random.pick([1, 3, 4, 6]) } };
}

export class Life {
  readonly #plan: LifePlan;
  readonly #cluster: RealCluster;
  readonly #world: RealWorld;
  readonly #clients: Clients;
  readonly #probes: Probes;
  readonly #workloads = makeWorkloads();
  readonly #judge = new Judge();
  readonly #struck = new Map<string, number>();
  readonly #found: Violation[] = [];
  readonly #say: (text: string) => void;
  #isOver = false;

  /** @param directory for data and logs */
  constructor(
    plan: LifePlan,
    network: Network,
    workplace: Workplace,
    directory: string,
    say: (text: string) => void,
  ) {
    this.#plan = plan;
    this.#say = say;
    this.#cluster = new RealCluster(plan.shape, network, workplace, directory);
    this.#world = new RealWorld(new SeededRandom(plan.seed ^ 0x10ad), (error) => {
      this.#found.push(asViolation(error, "the clients themselves"));
    });
    this.#clients = new Clients(this.#world, network.addresses, (message) => {
      this.#found.push(new Violation("no node breaks inside", message));
    });
    this.#probes = new Probes(this.#world, plan.shape.partitions);
  }

  async run(): Promise<LifeReport> {
    let violation: Violation | undefined;
    try {
      await this.#live();
      await this.#check();
      await this.#end();
    } catch (error) {
      violation = asViolation(error, "the run itself");
    } finally {
      await this.#cluster.killAll();
      this.#world.end();
      await this.#clients.close();
    }
    const { told, untold } = this.#judge;
    const { tally } = this.#clients;
    return { tally, faults: this.#struck, recoveriesMs: this.#probes.recoveriesMs, told, untold, violation };
  }

  async #live(): Promise<void> {
    const { durationMs, seed, faults, shape } = this.#plan;
    for (const node of this.#cluster.nodes) this.#cluster.start(node);
    await awaitReady(this.#world, this.#cluster);
    this.#expectWhole();
    for (const workload of this.#workloads) workload.start(this.#loadOf(workload));
    this.#probes.start(this.#clients, shape.nodes, () => this.#isOver);
    const possible = possibleFaults(faults, this.#cluster.network);
    const plan = planFaults(new SeededRandom(seed ^ 0xfa17), possible, shape.nodes, durationMs);
    const startMs = this.#world.nowMs;
    const storm = strikeAsPlanned(plan, this.#cluster, (name, text, isAlone) => {
      this.#struck.set(name, (this.#struck.get(name) ?? 0) + 1);
      this.#probes.onStrike(name, isAlone);
      this.#say(`${time(this.#world.nowMs - startMs)}  ${name.padEnd(13)}${text}`);
    });
    const isBroken = await this.#world.run(durationMs, () => this.#isBroken);
    storm.calm();
    await storm.over;
    if (isBroken) this.#expectWhole();
    const healedMs = this.#world.nowMs;
    await awaitReady(this.#world, this.#cluster);
    const readyMs = this.#world.nowMs - healedMs;
    // Some writes on the whole cluster, for the histories to end with.
    await this.#world.run(WATCH_EVERY_MS * 10, () => this.#isBroken);
    this.#isOver = true;
    this.#say(`${time(healedMs - startMs)}  the faults are over; ready ${readyMs.toFixed(0)} ms later`);
    this.#expectWhole();
  }

  async #check(): Promise<void> {
    await awaitQuiet(this.#world, this.#clients);
    await awaitAnswers(this.#world, this.#cluster, this.#clients);
    for (const workload of this.#workloads) {
      try {
        await workload.check(this.#loadOf(workload));
      } catch (error) {
        throw asViolation(error, workload.property);
      }
      this.#expectWhole();
    }
    await awaitQuiet(this.#world, this.#clients);
    await checkReplicas(this.#world, this.#clients, this.#plan.shape.nodes);
    this.#expectWhole();
  }

  /** All together, as on a machine that shuts down. */
  async #end(): Promise<void> {
    const stops = this.#cluster.nodes.map(async (node) => await this.#cluster.stop(node));
    const limit = new Promise((resolve) => setTimeout(resolve, END_LIMIT_MS).unref());
    await Promise.race([Promise.all(stops), limit]);
    this.#expectWhole();
  }

  #loadOf({ property, name }: WorkloadOn<TortureLoad>): TortureLoad {
    const clients = this.#clients;
    return {
      nodes: this.#plan.shape.nodes,
      partitions: this.#plan.shape.partitions,
      world: this.#world,
      judge: this.#judge,
      pauseMs: PAUSE_MS,
      isOver: () => this.#isOver || this.#isBroken,
      expect: (isTrue, message) => {
        if (!isTrue) this.#found.push(new Violation(property, `${name}: ${message}`));
      },
      newClient: (levels, wanderlust) => clients.newClient(levels, wanderlust),
      newLibrary: () => clients.newLibrary(),
      request: (client, words, done) => clients.request(client, words, {}, done),
      pipeline: (node, words, done) => clients.pipeline(node, words, done),
      read: async (key) => (await this.#readAll([key]))[0],
      readAll: async (keys) => await this.#readAll(keys),
    };
  }

  async #readAll(keys: readonly string[]): Promise<readonly (string | null)[]> {
    let values: readonly (string | null)[] | undefined;
    const ask = () => {
      this.#clients.sendTo(this.#clients.pickNode(), {}, ["MGET", ...keys], (answer) => {
        if (isKnown(answer)) values = answer as (string | null)[];
        else this.#world.schedule(WATCH_EVERY_MS, ask);
      });
    };
    ask();
    await this.#world.run(READ_LIMIT_MS, () => values !== undefined);
    if (values === undefined) throw new Violation("liveness", `no read within ${READ_LIMIT_MS} ms`);
    return values;
  }

  get #isBroken(): boolean {
    const { ownEnds, slowStops } = this.#cluster;
    return this.#found.length + ownEnds.length + slowStops.length > 0;
  }

  #expectWhole(): void {
    const { ownEnds, slowStops } = this.#cluster;
    if (this.#found.length > 0) throw this.#found[0];
    if (ownEnds.length > 0) throw new Violation("no node ends by itself", ownEnds[0]);
    if (slowStops.length > 0) throw new Violation("a stop ends", slowStops[0]);
  }
}

function time(timeMs: number): string {
  return `${(timeMs / 1_000).toFixed(3).padStart(9)} s`;
}
