/** Faults of whole processes: SIGKILL, SIGSTOP, SIGTERM, and a data directory that is gone. */
import type { RealNode } from "../cluster/node.js";
import { type Fault, leaderOf, type Strike, seconds } from "./fault.js";

async function killFor(strike: Strike, node: RealNode): Promise<void> {
  const { cluster, lengthMs, tell, pass } = strike;
  if (!node.isWanted) return;
  tell(`${node.id} dies, and comes back ${seconds(lengthMs)} later`);
  await node.kill();
  await pass(lengthMs);
  cluster.start(node);
}

const KILL: Fault = {
  name: "kill",
  about: "a process dies (SIGKILL), and is started again",
  async strike(strike) {
    await killFor(strike, strike.node);
  },
};

const KILL_LEADER: Fault = {
  name: "kill-leader",
  about: "the process that leads the most partitions dies",
  async strike(strike) {
    await killFor(strike, await leaderOf(strike));
  },
};

const KILL_ALL: Fault = {
  name: "kill-all",
  about: "all processes die at the same moment, and come back one by one",
  async strike({ cluster, random, lengthMs, tell, pass }) {
    tell("all nodes die");
    await cluster.killAll();
    for (const node of random.shuffled(cluster.nodes)) {
      cluster.start(node);
      await pass(random.below(lengthMs / 2));
    }
  },
};

const KILL_AGAIN: Fault = {
  name: "kill-again",
  about: "a process dies again and again, also while it starts",
  async strike({ cluster, node, random, tell, pass }) {
    if (!node.isWanted) return;
    const times = 2 + random.below(4);
    tell(`${node.id} dies ${times} times`);
    for (let left = times; left > 0; left -= 1) {
      await node.kill();
      await pass(random.below(100));
      cluster.start(node);
      await pass(random.below(1_000));
    }
  },
};

const STOP: Fault = {
  name: "stop",
  about: "a process is asked to end (SIGTERM), and started again",
  async strike({ cluster, node, random, tell, pass }) {
    if (!node.isWanted || node.isPaused) return;
    tell(`${node.id} is stopped`);
    await cluster.stop(node);
    await pass(random.below(1_000));
    cluster.start(node);
  },
};

async function pauseFor({ lengthMs, random, tell, pass }: Strike, node: RealNode): Promise<void> {
  if (!node.isWanted || node.isPaused) return;
  // Shorter than an election takes, or longer.
  const pauseMs = random.chance(0.3) ? random.below(500) : lengthMs;
  tell(`${node.id} stands still for ${seconds(pauseMs)}`);
  node.pause();
  await pass(pauseMs);
  node.resume();
}

const PAUSE: Fault = {
  name: "pause",
  about: "a process stands still (SIGSTOP), and goes on as if nothing was",
  async strike(strike) {
    await pauseFor(strike, strike.node);
  },
};

const PAUSE_LEADER: Fault = {
  name: "pause-leader",
  about: "the process that leads the most partitions stands still",
  async strike(strike) {
    await pauseFor(strike, await leaderOf(strike));
  },
};

const READY_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 100;

/** One at a time, and only when all others have everything: more than that no majority survives. */
const LOSE_DISK: Fault = {
  name: "lose-disk",
  about: "a process dies, and its data directory is gone when it comes back",
  nodesMin: 3,
  async strike({ cluster, node, tell, pass, isOver }) {
    if (isOver || cluster.isDiskLost || !node.isWanted) return;
    cluster.isDiskLost = true;
    try {
      if (!(await cluster.isReady())) return;
      tell(`${node.id} loses its disk`);
      // Another fault may have waited for its end as well, to start it.
      do await node.kill();
      while (node.isRunning);
      node.wipe();
      cluster.start(node);
      const untilMs = performance.now() + READY_LIMIT_MS;
      while (!(await cluster.isReady()) && performance.now() < untilMs) await pass(LOOK_EVERY_MS);
    } finally {
      cluster.isDiskLost = false;
    }
  },
};

export const PROCESS_FAULTS: readonly Fault[] = [
  KILL,
  KILL_LEADER,
  KILL_ALL,
  KILL_AGAIN,
  STOP,
  PAUSE,
  PAUSE_LEADER,
  LOSE_DISK,
];
