/** Processes that die, stop and stand still, and clocks that are wrong. */
import type { SimNode } from "../cluster/cluster.js";
import type { Fault, Strike } from "./fault.js";

const LONG_PAUSE_MS = 10_000;
/** Two clocks that are so far off in opposite directions are within what a lease leaves to them, a quarter. */
const TEMPO_OFF_MAX = 0.1;

/** Dies now and starts again later, at the latest when all faults end. */
export function crashFor({ cluster, heal }: Pick<Strike, "cluster" | "heal">, sim: SimNode): void {
  cluster.crash(sim);
  heal(() => cluster.startSoon(sim));
}

const CRASH: Fault = {
  name: "crash",
  about: "a process dies, by a kill or by a power loss, which drops and tears what was not synced",
  strike(strike) {
    crashFor(strike, strike.sim);
    return `${strike.sim.id} dies`;
  },
};

const CRASH_LOOP: Fault = {
  name: "crash-loop",
  about: "a process dies again and again, also while it starts",
  strike(strike) {
    const { cluster, sim, random, lengthMs, later } = strike;
    crashFor(strike, sim);
    const times = 2 + random.below(6);
    for (let i = 0; i < times; i += 1) {
      later((lengthMs * random.unit()) / 2, () => cluster.startSoon(sim));
      later(lengthMs * random.unit(), () => cluster.crash(sim));
    }
    return `${sim.id} dies up to ${times} times`;
  },
};

const CRASH_ALL: Fault = {
  name: "crash-all",
  about: "all processes die at once, as when a rack loses power",
  strike(strike) {
    const { cluster, random, lengthMs, later } = strike;
    for (const sim of cluster.nodes) {
      crashFor(strike, sim);
      later(lengthMs * random.unit(), () => cluster.startSoon(sim));
    }
    return "all die";
  },
};

/** For the rest of most lives. */
const BAD_LINES_MS = 14_000;
/** Too short for a question and its answer. */
const BURST_MS = 5;
const BLACKOUT_MS_MAX = 3_000;

/** What `from` sends to `to` arrives every `everyMs` only, as where nearly every packet is lost and sent again. */
function sendInBursts(
  { cluster, later }: Pick<Strike, "cluster" | "later">,
  from: SimNode,
  to: SimNode,
  everyMs: number,
): void {
  for (let atMs = 0; atMs < BAD_LINES_MS; atMs += everyMs) {
    later(atMs, () => later(everyMs - BURST_MS, cluster.world.network.stall(from.id, to.id)));
  }
}

const BLACKOUT: Fault = {
  name: "blackout",
  about: "all die at once and come back one by one, on lines where much arrives later than requests wait",
  needsPeers: true,
  isSpecial: true,
  strike(strike) {
    const { cluster, sim, others, random, later } = strike;
    const all = [sim, ...others];
    const bad: string[] = [];
    for (const from of all) {
      crashFor(strike, from);
      later(BLACKOUT_MS_MAX * random.unit(), () => cluster.startSoon(from));
      for (const to of all) {
        if (from === to || random.chance(0.6)) continue;
        sendInBursts(strike, from, to, cluster.requestTimeoutMs * (1 + 0.5 * random.unit()));
        bad.push(`${from.id}→${to.id}`);
      }
    }
    return `all die, and then in bursts: ${bad.join(" ")}`;
  },
};

const STOP: Fault = {
  name: "stop",
  about: "a process ends as it should, and starts again",
  strike({ cluster, sim, random, heal }) {
    const pauseMs = random.below(1_000);
    cluster.stop(sim, () => cluster.world.schedule(pauseMs, () => cluster.startSoon(sim)));
    heal(() => undefined);
    return `${sim.id} is stopped`;
  },
};

const PAUSE: Fault = {
  name: "pause",
  about: "a process stands still, for longer than elections take or shorter, and goes on as if nothing was",
  breaksLease: true,
  strike({ cluster, sim, others, random, heal, later }) {
    const { process } = sim;
    process?.pause();
    if (random.chance(0.3)) for (const other of others) cluster.world.network.reset(sim.id, other.id);
    if (random.chance(0.2)) later(LONG_PAUSE_MS, () => process?.resume());
    else heal(() => process?.resume());
    return `${sim.id} stands still`;
  },
};

const CLOCK_JUMP: Fault = {
  name: "clock-jump",
  about: "a wall clock is set to another time",
  strike({ sim, random, skewMs }) {
    const offMs = random.below(2 * skewMs + 1) - skewMs;
    if (sim.process !== undefined) sim.process.skewMs = offMs;
    return `the clock of ${sim.id} is off by ${offMs} ms now`;
  },
};

const CLOCK_DRIFT: Fault = {
  name: "clock-drift",
  about: "a node's clocks and timers run too fast or too slow",
  strike({ sim, random, heal }) {
    const { process } = sim;
    const tempo = 1 + TEMPO_OFF_MAX * (2 * random.unit() - 1);
    process?.setTempo(tempo);
    heal(() => process?.setTempo(1));
    return `the clocks of ${sim.id} run at ${tempo.toFixed(3)}`;
  },
};

export const PROCESS_FAULTS: readonly Fault[] = [CRASH, CRASH_LOOP, CRASH_ALL, STOP, PAUSE];
export const CLOCK_FAULTS: readonly Fault[] = [CLOCK_JUMP, CLOCK_DRIFT];
/** Each for a scenario of its own. */
export const SPECIAL_FAULTS: readonly Fault[] = [BLACKOUT];
