/** All faults, and in which order a seed lets them strike. */
import { SeededRandom } from "../../sim/world/random.js";
import type { RealCluster } from "../cluster/cluster.js";
import type { Network } from "../machine/network.js";
import type { Fault } from "./fault.js";
import { NETWORK_FAULTS } from "./network-faults.js";
import { PROCESS_FAULTS } from "./process-faults.js";

export const ALL_FAULTS: readonly Fault[] = [...PROCESS_FAULTS, ...NETWORK_FAULTS];

/** Everything about a strike that the seed says. */
export interface PlannedFault {
  readonly atMs: number;
  readonly fault: Fault;
  readonly lengthMs: number;
  readonly node: number;
  readonly seed: number;
}

const GAPS_MS = [800, 1_500, 3_000, 5_000];
const LENGTHS_MS = [500, 2_000, 4_000, 8_000];
/** Lives in which a fault strikes when the one before has ended, and all is well again. */
const ONE_BY_ONE_SHARE = 0.4;
const REST_MS = 2_000;
/** Before the first, so that clients have something to lose. */
const FIRST_AT_MS = 1_000;

export function planFaults(
  random: SeededRandom,
  faults: readonly Fault[],
  nodes: number,
  durationMs: number,
): readonly PlannedFault[] {
  const plan: PlannedFault[] = [];
  if (faults.length === 0) return plan;
  const gapMs = random.pick(GAPS_MS);
  const isOneByOne = random.chance(ONE_BY_ONE_SHARE);
  for (let atMs = FIRST_AT_MS; atMs < durationMs; ) {
    const lengthMs = 100 + random.below(random.pick(LENGTHS_MS));
    plan.push({
      atMs,
      fault: random.pick(faults),
      lengthMs,
      node: random.below(nodes),
      seed: random.below(2 ** 32),
    });
    atMs += isOneByOne ? lengthMs + REST_MS : 100 + random.below(2 * gapMs);
  }
  return plan;
}

/** Of those asked for, or of all, what the network and the number of nodes allow. */
export function possibleFaults(names: readonly string[] | undefined, network: Network): readonly Fault[] {
  const nodes = network.addresses.length;
  return askedFor(names).filter((fault) => isPossible(fault, network) && nodes >= (fault.nodesMin ?? 1));
}

/** What the machine cannot do; empty when it can do all that was asked for. */
export function impossibleFaults(names: readonly string[] | undefined, network: Network): readonly string[] {
  return askedFor(names)
    .filter((fault) => !isPossible(fault, network))
    .map(({ name }) => name);
}

function askedFor(names: readonly string[] | undefined): readonly Fault[] {
  return ALL_FAULTS.filter(({ name }) => names?.includes(name) ?? true);
}

function isPossible({ needs }: Fault, { canSplit, canSlow }: Network): boolean {
  return needs === undefined || (needs === "splits" ? canSplit : canSlow);
}

export interface Storm {
  /** Resolves when all that was planned has struck and ended, or `calm` was called and has been heeded. */
  readonly over: Promise<void>;
  /** Ends what goes on, and lets nothing more happen. */
  readonly calm: () => void;
}

/** @param onStrike what strikes, when it does, and whether nothing else goes on */
export function strikeAsPlanned(
  plan: readonly PlannedFault[],
  cluster: RealCluster,
  onStrike: (name: string, text: string, isAlone: boolean) => void,
): Storm {
  const startMs = performance.now();
  let isOver = false;
  let underWay = 0;
  const sleeping = new Set<() => void>();
  const pass = (timeMs: number): Promise<void> => {
    if (isOver || timeMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        sleeping.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeMs);
      sleeping.add(wake);
    });
  };
  const strike = async ({ atMs, fault, lengthMs, node, seed }: PlannedFault): Promise<void> => {
    await pass(startMs + atMs - performance.now());
    if (isOver) return;
    const random = new SeededRandom(seed);
    underWay += 1;
    await fault.strike({
      cluster,
      node: cluster.nodes[node],
      others: random.shuffled(cluster.nodes.filter((_, i) => i !== node)),
      random,
      lengthMs,
      tell: (text) => onStrike(fault.name, text, underWay === 1),
      pass,
      get isOver() {
        return isOver;
      },
    });
    underWay -= 1;
  };
  const over = Promise.all(plan.map(strike)).then(() => undefined);
  // Whoever waits for it is told; until then it must not count as unhandled.
  over.catch(() => undefined);
  return {
    over,
    calm: () => {
      isOver = true;
      for (const wake of sleeping) wake();
    },
  };
}
