/** What can happen to a simulated cluster, one thing after the other, each healed before the next. */
import type { SimCluster, SimNode } from "../cluster/cluster.js";
import type { SeededRandom } from "../world/random.js";

export type FaultKind =
  | "crash"
  | "crash and lose the disk"
  | "crash all"
  | "stop"
  | "pause"
  | "cut off"
  | "cut a pair"
  | "one way"
  | "reset"
  | "slow disk"
  | "clock jump";

export const ALL_FAULTS: readonly FaultKind[] = [
  "crash",
  "crash",
  "crash and lose the disk",
  "crash all",
  "stop",
  "pause",
  "cut off",
  "cut a pair",
  "one way",
  "reset",
  "slow disk",
  "clock jump",
];

export interface FaultOptions {
  readonly kinds: readonly FaultKind[];
  readonly skewMs: number;
  isOver(): boolean;
}

export class Faults {
  readonly #cluster: SimCluster;
  readonly #options: FaultOptions;
  readonly #random: SeededRandom;
  #count = 0;

  constructor(cluster: SimCluster, options: FaultOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = cluster.world.random;
  }

  /** Faults so far. */
  get count(): number {
    return this.#count;
  }

  start(): void {
    this.#cluster.world.schedule(this.#random.below(1_000), () => this.#next());
  }

  /** Puts everything right. */
  async heal(): Promise<void> {
    const { world, nodes } = this.#cluster;
    world.network.healAll();
    for (const sim of nodes) {
      sim.process?.resume();
      sim.durable.slowUntilMs = 0;
    }
    // Those that are being stopped start again when they have stopped.
    await world.run(10_000, () =>
      nodes.every((sim) => sim.node?.status().ready !== false || sim.node === undefined),
    );
    await this.#cluster.startAll();
  }

  #next(): void {
    if (this.#options.isOver()) return;
    this.#count += 1;
    const lengthMs = 200 + this.#random.below(3_000);
    const endMs = this.#do(this.#random.pick(this.#options.kinds), lengthMs);
    // The next comes when this one is over and the cluster whole again, so that majorities survive.
    const whenWhole = () => {
      if (this.#cluster.isReady)
        this.#cluster.world.schedule(50 + this.#random.below(1_500), () => this.#next());
      else if (!this.#options.isOver()) this.#cluster.world.schedule(100, whenWhole);
    };
    this.#cluster.world.schedule(endMs + 10, whenWhole);
  }

  /** Returns after how long it is healed. */
  #do(kind: FaultKind, lengthMs: number): number {
    const { world, nodes } = this.#cluster;
    const sim = this.#random.pick(nodes);
    const others = nodes.filter((other) => other !== sim);
    switch (kind) {
      case "crash":
        this.#crash(sim, lengthMs);
        return lengthMs;
      case "crash and lose the disk":
        return this.#loseDisk(sim, lengthMs);
      case "crash all":
        for (const each of nodes) this.#crash(each, lengthMs + this.#random.below(500));
        return lengthMs + 500;
      case "stop":
        this.#cluster.stop(sim, () => world.schedule(lengthMs, () => this.#cluster.startSoon(sim)));
        return lengthMs + 5_000;
      case "pause": {
        const pauseMs = this.#random.chance(0.5) ? lengthMs : 10_000;
        const { process } = sim;
        process?.pause();
        if (this.#random.chance(0.3)) for (const other of others) world.network.reset(sim.id, other.id);
        world.schedule(pauseMs, () => process?.resume());
        return pauseMs;
      }
      case "cut off":
        for (const other of others) world.network.cut(sim.id, other.id);
        break;
      case "cut a pair":
        if (others.length > 0) world.network.cut(sim.id, this.#random.pick(others).id);
        break;
      case "one way":
        return this.#stall(sim, others, lengthMs);
      case "reset":
        for (const other of others) if (this.#random.chance(0.5)) world.network.reset(sim.id, other.id);
        return 0;
      case "slow disk":
        sim.durable.slowUntilMs = world.nowMs + lengthMs;
        sim.durable.slowMs = 20 + this.#random.below(300);
        return lengthMs;
      case "clock jump": {
        const { process } = sim;
        const { skewMs } = this.#options;
        if (process !== undefined) process.skewMs = this.#random.below(2 * skewMs + 1) - skewMs;
        return 0;
      }
    }
    world.schedule(lengthMs, () => world.network.healAll());
    return lengthMs;
  }

  #crash(sim: SimNode, lengthMs: number): void {
    this.#cluster.crash(sim);
    this.#cluster.world.schedule(lengthMs, () => this.#cluster.startSoon(sim));
  }

  /** Perhaps again and again, also while the node is still catching up. */
  #loseDisk(sim: SimNode, lengthMs: number): number {
    this.#cluster.crash(sim);
    this.#cluster.wipe(sim);
    this.#cluster.world.schedule(lengthMs, () => this.#cluster.startSoon(sim));
    if (!this.#random.chance(0.4)) return lengthMs;
    const againMs = lengthMs + this.#random.below(this.#random.chance(0.5) ? 300 : 3_000);
    const laterMs = againMs + 1 + this.#random.below(1_000);
    this.#cluster.world.schedule(againMs, () => {
      this.#cluster.crash(sim);
      if (this.#random.chance(0.8)) this.#cluster.wipe(sim);
    });
    this.#cluster.world.schedule(laterMs, () => this.#cluster.startSoon(sim));
    return laterMs;
  }

  #stall(sim: SimNode, others: readonly SimNode[], lengthMs: number): number {
    const { network } = this.#cluster.world;
    const isOutgoing = this.#random.chance(0.5);
    const hit = this.#random.chance(0.5) ? others : others.slice(0, 1);
    for (const other of hit) {
      if (isOutgoing) network.stall(sim.id, other.id);
      else network.stall(other.id, sim.id);
    }
    this.#cluster.world.schedule(lengthMs, () => {
      if (this.#random.chance(0.5)) for (const other of hit) network.reset(sim.id, other.id);
      network.healAll();
    });
    return lengthMs;
  }
}
