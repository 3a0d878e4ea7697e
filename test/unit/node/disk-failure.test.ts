/**
 * A whole node whose disk refuses one operation: it must give up with a message that names the failure, answer no
 * write from then on, and have, when it starts again, all that it answered. The log and the engines are the real
 * ones, on a simulated disk.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "../../../sim/cluster/client.js";
import { SimCluster, type SimNode } from "../../../sim/cluster/cluster.js";
import { ask, startedCluster, until } from "./scenario.js";

/** Of a life: between operations of the disk a write or two is answered. */
const WRITES_AT_ONCE = 4;
const LIFE_MS = 1_500;
const AFTERMATH_MS = 300;
/** What a key gets is large enough for checkpoints to come, and for the log to begin segments. */
const FILLING = "x".repeat(2_000);

interface Life {
  /** The last number that each key was answered to hold. */
  readonly answered: Map<string, number>;
  answeredAfterFailure: number;
  /** The failed operation's name; undefined when there was none with that number. */
  readonly refused: string | undefined;
}

/** Writers that go on until `isOver`, each on a key of its own, and note what was answered. */
function write(cluster: SimCluster, via: readonly SimNode[], isOver: () => boolean): Life {
  const life: Life = { answered: new Map(), answeredAfterFailure: 0, refused: undefined };
  const next = (sim: SimNode, key: string, n: number): void => {
    if (isOver() || sim.node === undefined) return;
    cluster.submissions.submit(sim, ["SET", key, `${n} ${FILLING}`], newContext(), (answer) => {
      if (answer === "OK") {
        life.answered.set(key, n);
        if (cluster.fatal.length > 0) life.answeredAfterFailure += 1;
      }
      cluster.world.schedule(1, () => next(sim, key, n + 1));
    });
  };
  for (let i = 0; i < WRITES_AT_ONCE; i += 1) next(via[i % via.length], `key${i}`, 1);
  return life;
}

/** A life with the `n`-th operation of `sim`'s disk refused, from when the cluster is ready. */
async function liveWithFailure(cluster: SimCluster, sim: SimNode, n: number): Promise<Life> {
  const { files } = sim;
  const operation = files.operations + n;
  files.failAt = { operation, code: "EIO" };
  let isOver = false;
  const via = cluster.nodes.length === 1 ? [sim] : cluster.nodes.filter((each) => each !== sim);
  const life = write(cluster, via, () => isOver);
  const hasFailed = await cluster.world.run(LIFE_MS, () => cluster.fatal.length > 0);
  if (hasFailed) await cluster.world.run(AFTERMATH_MS, () => false);
  isOver = true;
  return { ...life, refused: files.history[operation - 1] };
}

/** The node told of it once, in words that name the failure and the file. */
function assertFatal(cluster: SimCluster, sim: SimNode, refused: string): void {
  const [file] = /(?:wal|disk|memory)\/[\w.-]+/.exec(refused) ?? [""];
  assert(cluster.fatal.length >= 1, `${refused}: the node went on`);
  const [message] = cluster.fatal;
  assert.match(message, new RegExp(`^${sim.id}: MinikeyError: .*EIO`), refused);
  assert(message.includes(file), `${message} does not name ${file}, of ${refused}`);
}

async function assertAnswered(cluster: SimCluster, via: SimNode, { answered }: Life): Promise<void> {
  for (const [key, n] of answered) {
    const value = await ask(cluster, via, ["GET", key]);
    assert(Number.parseInt(String(value)) >= n, `${key} holds ${String(value).slice(0, 9)}, not ${n}`);
  }
}

/** Every one of the first, then some: a life has thousands. */
const FIRST = 16;
const STEP = 13;
const LAST = 500;

test("a node gives up at any refused operation of its disk, answers no write afterwards, and has all that it answered", async (t) => {
  const seen = { log: 0, checkpoint: 0 };
  for (let n = 1; n <= LAST; n += n < FIRST ? 1 : STEP) {
    const cluster = await startedCluster({ seed: n, nodes: 1, replicas: 1, partitions: 2, storage: "files" });
    const [sim] = cluster.nodes;
    const life = await liveWithFailure(cluster, sim, n);
    const { refused } = life;
    assert(refused !== undefined, `no operation ${n}`);
    assertFatal(cluster, sim, refused);
    if (refused.includes("wal/")) {
      seen.log += 1;
      assert.equal(life.answeredAfterFailure, 0, `seed ${n}, ${refused}`);
    } else seen.checkpoint += 1;
    cluster.fatal.length = 0;
    cluster.crash(sim);
    cluster.startSoon(sim);
    await until(cluster, "the node is ready again", () => cluster.isReady);
    await assertAnswered(cluster, sim, life);
  }
  t.diagnostic(`refused: ${seen.log} operations of the log, ${seen.checkpoint} of checkpoints`);
  assert(seen.log > 20 && seen.checkpoint > 5, JSON.stringify(seen));
});

test("the others of three go on when the disk of one refuses, and it has all that was answered when it is back", async () => {
  for (let n = 1; n <= 160; n += 23) {
    const cluster = await startedCluster({ seed: n, partitions: 2, storage: "files" });
    const [sim, other] = cluster.nodes;
    const life = await liveWithFailure(cluster, sim, n);
    assert(life.refused !== undefined, `no operation ${n}`);
    assertFatal(cluster, sim, life.refused);
    cluster.fatal.length = 0;
    cluster.crash(sim);
    assert.equal(await ask(cluster, other, ["SET", "after", "1"]), "OK");
    cluster.startSoon(sim);
    await until(cluster, "the cluster is whole again", () => cluster.isReady);
    await assertAnswered(cluster, sim, life);
    assert.equal(await ask(cluster, sim, ["GET", "after"]), "1");
  }
});
