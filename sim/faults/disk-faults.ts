/** Disks that are slow, full, failing, damaged or gone. */
import { BLOCK_BYTES, UNIT_MAGIC } from "../../src/storage/log/format.js";
import type { SimDisk } from "../disk/sim-disk.js";
import type { SeededRandom } from "../world/random.js";
import type { Fault, Strike } from "./fault.js";
import { crashFor } from "./process-faults.js";

const SLOW: Fault = {
  name: "slow-disk",
  about: "every operation of a disk takes long",
  strike({ cluster, sim, random, lengthMs, heal }) {
    const { durable } = sim;
    durable.slowMs = 5 + 300 * random.unit() ** 2;
    durable.slowUntilMs = cluster.world.nowMs + lengthMs;
    heal(() => {
      durable.slowUntilMs = 0;
    });
    return `the disk of ${sim.id} takes up to ${durable.slowMs.toFixed(0)} ms`;
  },
};

const FULL: Fault = {
  name: "full-disk",
  about: "a disk has no room left; the node ends when it must, and starts again",
  needsFiles: true,
  strike({ sim, heal }) {
    sim.files.isFull = true;
    // By then it may be the disk of another process.
    heal(() => {
      sim.files.isFull = false;
    });
    return `the disk of ${sim.id} is full`;
  },
};

/** The next operation whose name matches is refused. */
function failNext({ sim, heal }: Strike, operation: RegExp): void {
  const { files } = sim;
  files.refuse = (name) => {
    if (!operation.test(name)) return undefined;
    files.refuse = undefined;
    return "EIO";
  };
  heal(() => {
    files.refuse = undefined;
  });
}

const FAILING_WRITE: Fault = {
  name: "failing-write",
  about: "a write fails, and what it wrote is undefined: the node must end, never write there again",
  needsFiles: true,
  strike(strike) {
    failNext(strike, strike.random.chance(0.7) ? /^write wal/ : /^write/);
    return `the disk of ${strike.sim.id} refuses a write`;
  },
};

const FAILING_SYNC: Fault = {
  name: "failing-sync",
  about: "an fsync fails, and the kernel forgets what it should have written",
  needsFiles: true,
  strike(strike) {
    failNext(strike, /^sync/);
    return `the disk of ${strike.sim.id} refuses a sync`;
  },
};

const FLIP_BITS: Fault = {
  name: "flip-bits",
  about:
    "bits of a node's files are flipped while it is down: it refuses to start, and is rebuilt, or goes on rightly",
  needsFiles: true,
  destroys: true,
  strike(strike) {
    const { sim, random } = strike;
    crashFor(strike, sim);
    sim.isDamaged = true;
    const flipped = flipBits(sim.files, random, 1 + random.below(4));
    return `${sim.id} dies, and bits are flipped: ${flipped.join(", ")}`;
  },
};

const LOSE_DISK: Fault = {
  name: "lose-disk",
  about: "a node's data directory is lost, perhaps again while the node is coming back",
  destroys: true,
  strike(strike) {
    const { cluster, sim, random, lengthMs, later } = strike;
    crashFor(strike, sim);
    cluster.wipe(sim);
    if (random.chance(0.4)) {
      later(lengthMs * random.unit(), () => cluster.startSoon(sim));
      later(lengthMs * (0.5 + random.unit() / 2), () => {
        cluster.crash(sim);
        cluster.wipe(sim);
      });
    }
    return `${sim.id} dies, and its disk is lost`;
  },
};

export const DISK_FAULTS: readonly Fault[] = [SLOW, FULL, FAILING_WRITE, FAILING_SYNC, FLIP_BITS, LOSE_DISK];

/**
 * Flips bits anywhere but in the log's last unit: no log can tell a torn write from damage there, until something
 * follows it (storage/log/log-end.ts says when, and what remains).
 */
function flipBits(files: SimDisk, random: SeededRandom, count: number): string[] {
  const last = lastUnit(files);
  const paths = files.paths().filter((path) => files.contents(path).length > 0);
  const flipped: string[] = [];
  for (let tries = 0; flipped.length < count && tries < 100 && paths.length > 0; tries += 1) {
    const path = random.pick(paths);
    const isLast = path === last?.path;
    const position = random.below(isLast ? last.offsetBytes : files.contents(path).length);
    files.flipBit(path, position, random.below(8));
    flipped.push(`${path} at ${position}`);
  }
  return flipped;
}

const SEQUENCE_AT = 14;

/** Where the unit with the highest number begins. */
function lastUnit(files: SimDisk): { readonly path: string; readonly offsetBytes: number } | undefined {
  let last: { path: string; offsetBytes: number } | undefined;
  let highest = -1;
  for (const path of files.paths()) {
    if (!path.startsWith("wal/")) continue;
    const content = files.contents(path);
    for (let at = BLOCK_BYTES; at + BLOCK_BYTES <= content.length; at += BLOCK_BYTES) {
      if (content.readUInt32LE(at) !== UNIT_MAGIC) continue;
      const sequence = content.readUIntLE(at + SEQUENCE_AT, 6);
      if (sequence <= highest) continue;
      highest = sequence;
      last = { path, offsetBytes: at };
    }
  }
  return last;
}
