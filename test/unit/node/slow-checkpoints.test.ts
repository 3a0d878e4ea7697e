/** A node whose disk saves more slowly than writes come: what it holds in memory stays bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "../../../sim/cluster/client.js";
import type { SimCluster, SimNode } from "../../../sim/cluster/cluster.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { Groups } from "../../../src/node/groups.js";
import { Requests } from "../../../src/node/requests.js";
import { ask, keysApart, partitionOfKey, pass, startedCluster, until } from "./scenario.js";

/** The model of the disk engine counts so much a write. */
const WRITE_BYTES = 100_000;
const WRITES_MAX = 200;

/** Each node leads a partition. */
async function slowCluster(log?: (line: string) => void): Promise<SimCluster> {
  const cluster = await startedCluster({
    unsavedBytesMax: WRITES_MAX * WRITE_BYTES,
    partitions: 3,
    ...(log && { log }),
  });
  const leaders = () =>
    new Set(cluster.nodes[0].node?.status().partitions.flatMap(({ leader }) => leader ?? []));
  await until(cluster, "leaders are spread", () => leaders().size === 3);
  return cluster;
}

/** From now on no checkpoint of the node's disk engine begins before the function returned is called. */
function stallCheckpoints({ diskEngine }: SimNode): () => void {
  assert(diskEngine !== undefined);
  const checkpoint = diskEngine.checkpoint.bind(diskEngine);
  let goOn: () => void = () => undefined;
  const stalled = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  diskEngine.checkpoint = async () => {
    await stalled;
    await checkpoint();
  };
  return goOn;
}

const unsavedWrites = ({ diskEngine }: SimNode): number => (diskEngine?.unsavedBytes() ?? 0) / WRITE_BYTES;

/** A key of a partition that `sim` leads, or that another node does. */
function keyLed(sim: SimNode, bySelf: boolean): string {
  const partitions = sim.node?.status().partitions ?? [];
  const key = keysApart(partitions.length, partitions.length).find((each) => {
    const { leader } = partitions[partitionOfKey(each, partitions.length)];
    return (leader === sim.id) === bySelf;
  });
  assert(key !== undefined, "leaders are spread");
  return key;
}

const isOverloaded = (answer: unknown): boolean =>
  answer instanceof MinikeyError && answer.code === "OVERLOADED" && answer.outcome === "not-applied";

/** Writes until a write is refused; returns how many were taken. */
async function writeUntilRefused(cluster: SimCluster, sim: SimNode, key: string): Promise<number> {
  for (let i = 0; i < 10 * WRITES_MAX; i += 1) {
    const answer = await ask(cluster, sim, ["SET", key, "value"]);
    if (isOverloaded(answer)) return i;
    assert.equal(answer, "OK");
  }
  throw new Error("no write is refused");
}

test("writes wait while the disk has too much to save, are refused in time, and go on when it has caught up", async () => {
  const lines: string[] = [];
  const cluster = await slowCluster((line) => lines.push(line));
  const [first] = cluster.nodes;
  const releases = cluster.nodes.map(stallCheckpoints);
  const key = keyLed(first, true);
  const taken = await writeUntilRefused(cluster, first, key);
  assert(taken <= 2 * WRITES_MAX, `${taken} writes were taken`);
  for (const sim of cluster.nodes) assert(unsavedWrites(sim) <= 3 * WRITES_MAX, `${unsavedWrites(sim)}`);
  assert.equal(await ask(cluster, first, ["GET", key]), "value", "reads go on");
  assert.match(lines.join("\n"), /writes outrun the disk/);

  let answer: unknown;
  cluster.submissions.submit(first, ["SET", key, "held"], newContext(), (reply) => {
    answer = reply;
  });
  await pass(cluster, 500);
  assert.equal(answer, undefined, "it waits");
  for (const release of releases) release();
  await until(cluster, "what waited is carried out", () => answer !== undefined, 1_000);
  assert.equal(answer, "OK");
  assert.match(lines.join("\n"), /the disk has caught up/);
});

test("a replica whose disk is too slow is left behind within a bound, and brought up to date later", async () => {
  const cluster = await slowCluster();
  const [first, second] = cluster.nodes;
  const release = stallCheckpoints(first);
  const key = keyLed(first, false);
  for (let i = 0; i <= 5 * WRITES_MAX; i += 1) {
    assert.equal(await ask(cluster, second, ["SET", key, `value${i}`]), "OK", "the others go on");
  }
  assert(unsavedWrites(first) <= 3 * WRITES_MAX, `it holds ${unsavedWrites(first)} writes`);
  const stale = { readLevel: "stale" } as const;
  const last = `value${5 * WRITES_MAX}`;
  assert.notEqual(await ask(cluster, first, ["GET", key], stale), last);
  release();
  let seen: unknown;
  for (let i = 0; i < 100 && seen !== last; i += 1) {
    await pass(cluster, 100);
    seen = await ask(cluster, first, ["GET", key], stale);
  }
  assert.equal(seen, last);
});

test("a transaction ends while writes wait, and leaves no key locked", async () => {
  const cluster = await slowCluster();
  const [first] = cluster.nodes;
  const releases = cluster.nodes.map(stallCheckpoints);
  await writeUntilRefused(cluster, first, keyLed(first, true));
  const keys = keysApart(3, 2, "both");
  assert.equal(await ask(cluster, first, ["MSET", keys[0], "1", keys[1], "2"]), "OK");
  for (const release of releases) release();
  for (const key of keys) assert.equal(await ask(cluster, first, ["SET", key, "3"]), "OK");
});

test("writes that wait for a disk on another node are not sent there again and again", async (context) => {
  const cluster = await slowCluster();
  const [first, second] = cluster.nodes;
  const goOn = stallCheckpoints(first);
  const key = keyLed(first, true);
  await writeUntilRefused(cluster, first, key);
  const answers: unknown[] = [];
  const large = "x".repeat(500_000);
  for (let i = 0; i < 40; i += 1) {
    cluster.submissions.submit(second, ["SET", key, large], newContext(), (answer) => answers.push(answer));
  }
  await pass(cluster, 300);
  const { mock } = context.mock.method(Requests.prototype, "sendBatch");
  await pass(cluster, 1_000);
  const sentBytes = mock.calls.reduce((sum, call) => sum + call.arguments[1].length, 0);
  context.diagnostic(`${mock.callCount()} batches, ${sentBytes} bytes`);
  assert(sentBytes > 0, "whether there is room again is tried");
  assert(sentBytes < 40 * large.length * 2, `${sentBytes} bytes were sent in a second`);
  goOn();
  await until(cluster, "all are answered", () => answers.length === 40, 1_000);
  assert.deepEqual(new Set(answers), new Set(["OK"]));
});

test("a replica that takes no more is not sent all that it lacks again and again", async (context) => {
  const cluster = await slowCluster();
  const [first, second] = cluster.nodes;
  const goOn = stallCheckpoints(second);
  const key = keyLed(first, true);
  const value = "x".repeat(5_000);
  for (let i = 0; i < 3 * WRITES_MAX; i += 1) await ask(cluster, first, ["SET", key, value]);
  const { mock } = context.mock.method(Groups.prototype, "sendMessage");
  for (let i = 0; i < 100; i += 1) {
    assert.equal(await ask(cluster, first, ["SET", key, value]), "OK");
    await pass(cluster, 10);
  }
  const entries = mock.calls.reduce((sum, { arguments: [, message] }) => {
    return sum + (message.type === "append" ? message.entries.length : 0);
  }, 0);
  assert(entries <= 4 * 100, `for 100 writes ${entries} entries were sent`);
  goOn();
  await until(cluster, "it is brought up to date", () => unsavedWrites(second) === 0);
  assert.equal(await ask(cluster, second, ["GET", key]), value);
});
