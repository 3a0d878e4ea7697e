/**
 * Faults composed at random: how often, how long and how many at a time is drawn from the seed, and so is each
 * strike. The plan is made before the life begins, and every fault has a stream of chance of its own: a life with
 * some of its faults left out (`--only`) is otherwise as near to the whole one as can be.
 */
import type { SimCluster } from "../cluster/cluster.js";
import { SeededRandom } from "../world/random.js";
import { DISK_FAULTS } from "./disk-faults.js";
import { EVENTUAL_FAULTS } from "./eventual-faults.js";
import type { Fault, Strike } from "./fault.js";
import { NETWORK_FAULTS } from "./network-faults.js";
import { CLOCK_FAULTS, PROCESS_FAULTS, SPECIAL_FAULTS } from "./process-faults.js";

export const ALL_FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...EVENTUAL_FAULTS,
  ...SPECIAL_FAULTS,
];

export interface PlannedFault {
  /** From 1, in order of time; for `--only`. */
  readonly number: number;
  readonly fault: Fault;
  /** From the moment when the cluster is ready. */
  readonly atMs: number;
  readonly lengthMs: number;
  readonly seed: number;
}

/** How often faults come, and how long they last: a seed takes one of each. */
export interface Pace {
  /** Mean time from one fault to the next: from a storm to a breeze. */
  readonly gapsMs: readonly number[];
  readonly lengthsMs: readonly number[];
}

export const USUAL_PACE: Pace = { gapsMs: [250, 600, 1_200, 2_500, 5_000], lengthsMs: [300, 1_000, 3_000] };
/** Few at a time, and long enough that what they interrupt is given up, or finished by others, meanwhile. */
export const LASTING: Pace = { gapsMs: [1_000, 2_000, 4_000], lengthsMs: [2_000, 5_000, 8_000] };
/** A seed has this many kinds at most, so that some seeds are hit by one kind again and again. */
const KINDS_MAX = 8;

export function planFaults(
  random: SeededRandom,
  kinds: readonly Fault[],
  durationMs: number,
  pace = USUAL_PACE,
): PlannedFault[] {
  const gapMs = random.pick(pace.gapsMs);
  const lengthMs = random.pick(pace.lengthsMs);
  const chosen = random.shuffled(kinds).slice(0, 1 + random.below(KINDS_MAX));
  const planned: PlannedFault[] = [];
  if (chosen.length === 0) return planned;
  for (let atMs = 0; ; ) {
    atMs += gapMs * 2 * random.unit();
    const fault = random.pick(chosen);
    const ownLengthMs = 20 + lengthMs * 2 * random.unit() ** 1.5;
    const seed = random.below(2 ** 31);
    if (atMs >= durationMs) return planned;
    planned.push({ number: planned.length + 1, fault, atMs, lengthMs: ownLengthMs, seed });
  }
}

/** How long after the last loss of data the next may come: long enough for what is ready to be whole. */
const BETWEEN_LOSSES_MS = 1_000;

export class Faults {
  readonly #cluster: SimCluster;
  readonly #skewMs: number;
  readonly #undos = new Set<() => void>();
  #isOver = false;
  #lastLossMs = Number.NEGATIVE_INFINITY;
  /** By name: strikes so far. */
  readonly struck = new Map<string, number>();

  constructor(cluster: SimCluster, skewMs: number) {
    this.#cluster = cluster;
    this.#skewMs = skewMs;
  }

  start(planned: readonly PlannedFault[]): void {
    for (const each of planned) this.#cluster.world.schedule(each.atMs, () => this.#strike(each));
  }

  /** Puts everything right; whoever is down starts. */
  heal(): void {
    this.#isOver = true;
    for (const undo of this.#undos) undo();
    this.#undos.clear();
    const { world, nodes } = this.#cluster;
    world.network.healAll();
    for (const sim of nodes) {
      sim.process?.resume();
      this.#cluster.startSoon(sim);
    }
    world.trace.tell("faults", "all faults are over");
  }

  #strike({ number, fault, lengthMs, seed }: PlannedFault): void {
    if (this.#isOver || (fault.destroys === true && !this.#mayDestroy())) return;
    const random = new SeededRandom(seed);
    const [sim, ...others] = random.shuffled(this.#cluster.nodes);
    const heal = (undo: () => void) => {
      this.#undos.add(undo);
      this.#later(lengthMs, () => {
        if (this.#undos.delete(undo)) undo();
      });
    };
    const later = (delayMs: number, run: () => void) => this.#later(delayMs, run);
    const strike: Strike = {
      cluster: this.#cluster,
      random,
      lengthMs,
      sim,
      others,
      skewMs: this.#skewMs,
      heal,
      later,
    };
    const text = fault.strike(strike);
    if (fault.destroys === true) this.#lastLossMs = this.#cluster.world.nowMs + lengthMs;
    this.struck.set(fault.name, (this.struck.get(fault.name) ?? 0) + 1);
    this.#cluster.world.trace.tell("faults", `${number} ${fault.name}, ${lengthMs.toFixed(0)} ms: ${text}`);
  }

  /** All data are on all their replicas, and none of them is damaged. */
  #mayDestroy(): boolean {
    const { nodes, world, isReady } = this.#cluster;
    return (
      isReady && nodes.every((sim) => !sim.isDamaged) && world.nowMs > this.#lastLossMs + BETWEEN_LOSSES_MS
    );
  }

  #later(delayMs: number, run: () => void): void {
    this.#cluster.world.schedule(delayMs, () => {
      if (!this.#isOver) run();
    });
  }
}
