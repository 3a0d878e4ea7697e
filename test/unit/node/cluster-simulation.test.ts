/**
 * Whole nodes on a simulated network and disk, under crashes, cuts and lost disks. Replay a failure with
 * `MINIKEY_TEST_SEED=<seed> npm test -- cluster-simulation`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MinikeyError } from "../../../src/core/errors.js";
import { SimClient, SimCluster } from "../../support/sim/cluster.js";
import { isLinearizable, type Operation } from "../../support/sim/linearizability.js";

const SEEDS =
  process.env["MINIKEY_TEST_SEED"] === undefined
    ? Array.from({ length: Number(process.env["MINIKEY_TEST_SEEDS"] ?? 12) }, (_, i) => 1 + i)
    : [Number(process.env["MINIKEY_TEST_SEED"])];

const verbose =
  process.env["MINIKEY_TEST_SEED"] !== undefined && process.env["MINIKEY_TEST_LOG"] !== undefined;

interface Recorded {
  readonly registers: Map<string, Operation[]>;
  readonly counters: Map<string, { certain: number; possible: number; replies: number[] }>;
  readonly tornPairs: string[];
  answered: number;
}

function isCertainFailure(reply: unknown): boolean {
  return reply instanceof Error && !(reply instanceof MinikeyError && reply.outcome === "unknown");
}

/** One client: a random operation after the other, until `isOver`. */
function runClient(cluster: SimCluster, number: number, recorded: Recorded, isOver: () => boolean): void {
  const client = new SimClient(cluster);
  const { world } = cluster;
  let written = 0;
  const next = () => world.schedule(5 + world.random.below(60), step);
  const step = () => {
    if (isOver()) return;
    const choice = world.random.unit();
    if (choice < 0.3) register("write");
    else if (choice < 0.6) register("read");
    else if (choice < 0.75) increment();
    else if (choice < 0.88) pair("write");
    else pair("read");
  };
  const register = (kind: "read" | "write") => {
    const key = `r${world.random.below(4)}`;
    written += 1;
    const value = `c${number}-${written}`;
    const invokedMs = world.nowMs;
    client.send(kind === "write" ? ["SET", key, value] : ["GET", key], (reply) => {
      const isKnown = reply !== undefined && !(reply instanceof Error);
      if (isKnown) recorded.answered += 1;
      if (kind === "read" ? isKnown : !isCertainFailure(reply)) {
        recorded.registers.get(key)?.push({
          kind,
          value: kind === "write" ? value : (reply as string | null),
          invokedMs,
          returnedMs: isKnown ? world.nowMs : Number.POSITIVE_INFINITY,
        });
      }
      next();
    });
  };
  const increment = () => {
    const key = `i${world.random.below(2)}`;
    client.send(["INCR", key], (reply) => {
      const counter = recorded.counters.get(key);
      assert(counter !== undefined);
      if (typeof reply === "number") {
        counter.certain += 1;
        counter.replies.push(reply);
      } else if (!isCertainFailure(reply)) counter.possible += 1;
      next();
    });
  };
  // Keys of several partitions that are always written together must always be read alike.
  const pair = (kind: "read" | "write") => {
    written += 1;
    const value = `c${number}-${written}`;
    const words =
      kind === "write" ? ["MSET", "pa", value, "pb", value, "pc", value] : ["MGET", "pa", "pb", "pc"];
    client.send(words, (reply) => {
      if (Array.isArray(reply) && new Set(reply).size > 1) recorded.tornPairs.push(reply.join(" "));
      next();
    });
  };
  next();
}

/** One fault after the other, each healed before the end. */
function runFaults(cluster: SimCluster, isOver: () => boolean): void {
  const { world } = cluster;
  const { random } = world;
  const someNode = () => cluster.nodes[random.below(cluster.nodes.length)];
  const step = () => {
    if (isOver()) return;
    const lengthMs = 200 + random.below(3_000);
    const choice = random.unit();
    const sim = someNode();
    if (choice < 0.4) {
      cluster.crash(sim);
      // A disk is lost only while all others have theirs.
      if (random.unit() < 0.3) cluster.wipe(sim);
      world.schedule(lengthMs, () => {
        cluster.start(sim).catch((error: unknown) => cluster.fatal.push(String(error)));
      });
    } else if (choice < 0.5) {
      for (const each of cluster.nodes) cluster.crash(each);
      world.schedule(lengthMs, () => {
        cluster.startAll().catch((error: unknown) => cluster.fatal.push(String(error)));
      });
    } else if (choice < 0.8) {
      for (const other of cluster.nodes) if (other !== sim) world.network.cut(sim.id, other.id);
      world.schedule(lengthMs, () => world.network.healAll());
    } else {
      const other = someNode();
      if (other !== sim) world.network.cut(sim.id, other.id);
      world.schedule(lengthMs, () => world.network.healAll());
    }
    // The next fault comes when this one is over and the cluster whole again, so that majorities survive.
    const whenWhole = () => {
      if (cluster.isReady) world.schedule(200 + random.below(1_500), step);
      else world.schedule(100, whenWhole);
    };
    world.schedule(lengthMs + 10, whenWhole);
  };
  world.schedule(500, step);
}

async function simulate(seed: number, durationMs: number): Promise<string> {
  const cluster = new SimCluster({
    seed,
    partitions: 3,
    ...(verbose ? { log: (line: string) => process.stderr.write(`${line}\n`) } : {}),
  });
  const { world } = cluster;
  const recorded: Recorded = {
    registers: new Map(["r0", "r1", "r2", "r3"].map((key) => [key, []])),
    counters: new Map(["i0", "i1"].map((key) => [key, { certain: 0, possible: 0, replies: [] }])),
    tornPairs: [],
    answered: 0,
  };
  await cluster.startAll();
  assert(
    await world.run(20_000, () => cluster.isReady || cluster.fatal.length > 0),
    "the cluster never got ready",
  );
  const endMs = world.nowMs + durationMs;
  const isOver = () => world.nowMs > endMs;
  for (let i = 0; i < 5; i += 1) runClient(cluster, i, recorded, isOver);
  runFaults(cluster, isOver);
  await world.run(durationMs + 1_000, () => isOver() || cluster.fatal.length > 0);
  assert.deepEqual(cluster.fatal, []);
  world.network.healAll();
  for (const sim of cluster.nodes) if (sim.node === undefined) await cluster.start(sim);
  assert(
    await world.run(60_000, () => cluster.isReady || cluster.fatal.length > 0),
    "the cluster never healed",
  );
  assert.deepEqual(cluster.fatal, []);
  // Everything under way ends.
  await world.run(7_000, () => false);

  const finals = new Map<string, unknown>();
  for (const key of ["i0", "i1"]) {
    const ask = () => {
      new SimClient(cluster).send(["GET", key], (reply) => {
        if (reply === undefined || reply instanceof Error) ask();
        else finals.set(key, reply);
      });
    };
    ask();
  }
  assert(await world.run(30_000, () => finals.size === 2), "the healed cluster does not answer");
  assert.deepEqual(cluster.fatal, []);
  for (const [key, operations] of recorded.registers) {
    assert(isLinearizable(operations), `${key} is not linearizable: ${JSON.stringify(operations)}`);
  }
  for (const [key, counter] of recorded.counters) {
    const final = Number(finals.get(key) ?? 0);
    const bounds = `${key}: ${final}, certain ${counter.certain}, possible ${counter.possible}`;
    assert(final >= counter.certain && final <= counter.certain + counter.possible, bounds);
    assert.equal(new Set(counter.replies).size, counter.replies.length, `${key} gave a number twice`);
  }
  assert.deepEqual(recorded.tornPairs, [], "keys written together were read apart");
  assert(recorded.answered > 20, `only ${recorded.answered} operations were answered`);
  return `${world.eventsRun} ${world.nowMs} ${recorded.answered}`;
}

for (const seed of SEEDS) {
  test(`a simulated cluster under faults stays linearizable, seed ${seed}`, async () => {
    try {
      await simulate(seed, 20_000);
    } catch (error) {
      console.error(`replay with MINIKEY_TEST_SEED=${seed} npm test -- cluster-simulation`);
      throw error;
    }
  });
}

test("the same seed runs the same way twice", async () => {
  assert.equal(await simulate(7, 3_000), await simulate(7, 3_000));
});
