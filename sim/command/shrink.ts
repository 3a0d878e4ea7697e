/**
 * Makes a life that breaks a promise smaller, by living it again: shorter, with fewer faults, fewer and slower clients, on
 * a simpler cluster, as long as the same promise is still broken. Bounded in time.
 */
import { planLife, type SimulationOptions } from "../run/plan.js";
import { type SimulationReport, simulate } from "../run/simulation.js";
import { NONE } from "./usage.js";

export interface Shrunk {
  readonly options: SimulationOptions;
  readonly report: SimulationReport;
  /** Lives lived on the way. */
  readonly tries: number;
}

/** Of real time. */
const LIMIT_MS = 60_000;
const SHORTEST_MS = 50;
const SHARES = [0.25, 0.5, 0.75, 0.9];
/** What clients pause at most. */
const SLOWEST_MS = 500;
/** Each for itself. */
const SIMPLER: readonly Partial<SimulationOptions>[] = [
  { nodes: 1 },
  { nodes: 2 },
  { nodes: 3 },
  { partitions: 1 },
  { storage: "model" },
  { skewMs: 100 },
  { reads: "quorum" },
  { clients: "nodes" },
];

export async function shrink(
  options: SimulationOptions,
  report: SimulationReport,
  limitMs = LIMIT_MS,
): Promise<Shrunk> {
  // A life of one group is short, and has no parts to leave out.
  if (options.group !== undefined) return { options, report, tries: 0 };
  const shrinker = new Shrinker(options, report, performance.now() + limitMs);
  await shrinker.run();
  return shrinker.best;
}

class Shrinker {
  best: Shrunk;
  readonly #property: string | undefined;
  readonly #untilMs: number;

  constructor(options: SimulationOptions, report: SimulationReport, untilMs: number) {
    const plan = planLife(options);
    const only = plan.faults.map(({ number }) => number);
    const workloads = plan.workloads.map(({ name }) => name);
    const given = { ...options, durationMs: plan.durationMs, only, workloads, hasStacks: true };
    this.best = { options: given, report, tries: 0 };
    this.#property = report.violation?.property;
    this.#untilMs = untilMs;
  }

  async run(): Promise<void> {
    let before = "";
    while (before !== this.#told && performance.now() < this.#untilMs) {
      before = this.#told;
      await this.#shortenLife();
      await this.#dropWorkloads();
      await this.#dropFaults();
      await this.#simplify();
      await this.#slowDown();
    }
  }

  get #told(): string {
    return replayCommand(this.best.options);
  }

  async #shortenLife(): Promise<void> {
    for (const share of SHARES) {
      const durationMs = Math.ceil((this.best.options.durationMs ?? 0) * share);
      if (durationMs >= SHORTEST_MS && (await this.#try({ durationMs }))) return;
    }
  }

  /** Halves, then quarters, and so on to one at a time. */
  async #dropFaults(): Promise<void> {
    for (let size = this.#faults.length; size >= 1; size = size >> 1) {
      for (let at = 0; at < this.#faults.length; ) {
        const only = [...this.#faults.slice(0, at), ...this.#faults.slice(at + size)];
        if (!(await this.#try({ only }))) at += size;
      }
    }
  }

  get #faults(): readonly number[] {
    return this.best.options.only ?? [];
  }

  async #dropWorkloads(): Promise<void> {
    for (const name of this.best.options.workloads ?? []) {
      const workloads = (this.best.options.workloads ?? []).filter((other) => other !== name);
      await this.#try({ workloads });
    }
  }

  /** A simpler cluster, where the same faults hit other nodes, or hit in another way. */
  async #simplify(): Promise<void> {
    for (const simpler of SIMPLER) {
      const { nodes, replicas, partitions, skewMs, reads, clients, storage } = planLife(this.best.options);
      const now: SimulationOptions = {
        seed: 0,
        nodes,
        replicas,
        partitions,
        skewMs,
        reads,
        clients,
        storage,
      };
      const isSimpler = Object.entries(simpler).some(([name, value]) => {
        const known = now[name as keyof SimulationOptions];
        return typeof value === "number" ? value < Number(known) : value !== known;
      });
      if (isSimpler) await this.#try(simpler);
    }
  }

  /** Clients that do less. */
  async #slowDown(): Promise<void> {
    const { pauseMs } = planLife(this.best.options);
    if (pauseMs < SLOWEST_MS && (await this.#try({ pauseMs: 2 * pauseMs }))) await this.#slowDown();
  }

  /** Whether the same promise is broken in this smaller life, too. */
  async #try(smaller: Partial<SimulationOptions>): Promise<boolean> {
    if (performance.now() > this.#untilMs) return false;
    const options = { ...this.best.options, ...smaller };
    const report = await simulate(options);
    const tries = this.best.tries + 1;
    const isBroken = report.violation?.property === this.#property;
    this.best = isBroken ? { options, report, tries } : { ...this.best, tries };
    return isBroken;
  }
}

const listed = (names: readonly (string | number)[]): string => (names.length === 0 ? NONE : names.join(","));

/** What only a scenario means, and no option. */
function scenarioOf({ group, isFar }: SimulationOptions): string | undefined {
  if (group !== undefined) return group === "lease" ? "group-lease" : "group";
  return isFar === true ? "far" : undefined;
}

/** The command that lives this life. */
export function replayCommand(options: SimulationOptions): string {
  const {
    seed,
    durationMs,
    pauseMs,
    nodes,
    replicas,
    partitions,
    storage,
    skewMs,
    reads,
    workloads,
    clients,
    faults,
    only,
  } = options;
  const flags: [string, string | number | undefined][] = [
    ["scenario", scenarioOf(options)],
    ["seed", seed],
    ["duration", durationMs === undefined ? undefined : durationMs / 1_000],
    ["pause", pauseMs],
    ["nodes", nodes],
    ["replicas", replicas],
    ["partitions", partitions],
    ["storage", storage],
    ["skew", skewMs],
    ["reads", reads],
    ["workloads", workloads === undefined ? undefined : listed(workloads)],
    ["clients", clients],
    ["faults", faults === undefined ? undefined : listed(faults)],
    ["only", only === undefined ? undefined : listed(only)],
  ];
  const words = flags.flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`]));
  return `npm run simulate -- ${words.join(" ")}`;
}
