/** How soon simulated nodes are ready after a start, all at once or one of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimCluster, type SimNode } from "../../../sim/cluster/cluster.js";
import { SimEngine } from "../../../sim/disk/durable.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { type KeyspaceId, keyspaceOf } from "../../../src/core/ids.js";
import { decodeFrame } from "../../../src/node/peer-frames.js";
import { ask, keysApart, pass, startedCluster, until } from "./scenario.js";

/** Who leads, of every group as every node sees it. */
function leaders(cluster: SimCluster): string[] {
  return cluster.nodes
    .flatMap(({ node }) => node?.status().partitions ?? [])
    .map(({ leader }) => `${leader}`);
}

test("nodes that start together have leaders, and are ready, before an election time-out has passed", async () => {
  const leading: string[] = [];
  for (let seed = 1; seed <= 8; seed += 1) {
    const cluster = await startedCluster({ seed, partitions: 12 });
    const [first, second] = cluster.nodes;
    for (const sim of cluster.nodes) cluster.crash(sim);
    const startMs = cluster.world.nowMs;
    await cluster.startAll();
    await until(cluster, "all are ready", () => cluster.isReady);
    const tookMs = cluster.world.nowMs - startMs;
    assert(tookMs < 500, `seed ${seed}: it took ${tookMs} ms`);
    leading.push(...leaders(cluster));
    // Two are a majority, and do not wait for the third either.
    for (const sim of cluster.nodes) cluster.crash(sim);
    const againMs = cluster.world.nowMs;
    for (const sim of [first, second]) cluster.startSoon(sim);
    const areReady = () => [first, second].every(({ node }) => node?.status().ready === true);
    await until(cluster, "two are ready", areReady);
    assert(cluster.world.nowMs - againMs < 800, `seed ${seed}: it took ${cluster.world.nowMs - againMs} ms`);
  }
  for (const id of ["n1", "n2", "n3"]) {
    const share = leading.filter((leader) => leader === id).length / leading.length;
    assert(share > 0.15, `${id} starts with ${share} of the groups`);
  }
});

test("nodes that are far from each other have leaders soon after a start, and again after another", async () => {
  for (const replicas of [2, 3]) {
    for (let seed = 1; seed <= 8; seed += 1) {
      const cluster = await startedCluster({ seed, partitions: 4, replicas, distanceMs: 100 });
      for (const sim of cluster.nodes) cluster.crash(sim);
      const startMs = cluster.world.nowMs;
      await cluster.startAll();
      await until(cluster, "all are ready again", () => cluster.isReady);
      const tookMs = cluster.world.nowMs - startMs;
      assert(tookMs < 3_000, `seed ${seed}: it took ${tookMs} ms`);
    }
  }
});

test("a node that waits for the others of a new cluster refuses to make a keyspace, at once", async () => {
  const cluster = new SimCluster({ seed: 1 });
  const [first] = cluster.nodes;
  cluster.startSoon(first);
  await pass(cluster, 5_000);
  const options = { name: "early", consistency: "eventual", storage: "disk" } as const;
  let refusal: unknown;
  first.node?.createKeyspace(options).catch((error: unknown) => {
    refusal = error;
  });
  await pass(cluster, 1);
  assert(refusal instanceof MinikeyError && refusal.code === "NOT_READY", String(refusal));
});

test("a node that comes back is ready at once, and moves no leader", async () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const cluster = await startedCluster({ seed, partitions: 12 });
    await pass(cluster, 5_000);
    const [returning, ...others] = cluster.nodes;
    cluster.crash(returning);
    await pass(cluster, 3_000);
    const before = leaders(cluster);
    assert(others.every(({ id }) => before.includes(id)));
    const startMs = cluster.world.nowMs;
    cluster.startSoon(returning);
    await until(cluster, "it is ready", () => returning.node?.status().ready === true);
    const tookMs = cluster.world.nowMs - startMs;
    assert(tookMs < 350, `seed ${seed}: it took ${tookMs} ms`);
    assert.deepEqual(leaders(cluster).slice(0, before.length / 2), before.slice(0, before.length / 2));
  }
});

test("a keyspace whose data are gone does not come back with a restart, not for a moment", async (context) => {
  for (let seed = 1; seed <= 4; seed += 1) {
    const cluster = await startedCluster({ seed, partitions: 1 });
    const [first] = cluster.nodes;
    assert(first.node !== undefined);
    const created = await within(
      cluster,
      first.node.createKeyspace({
        name: "short-lived",
        consistency: "strong",
        storage: "disk",
        replicas: 3,
        partitions: 2,
      }),
    );
    assert.equal(await ask(cluster, first, ["SET", "key", "value"], { keyspace: created.id }), "OK");
    if (seed % 2 === 0) await stopAndStart(cluster);
    await within(cluster, first.node.dropKeyspace("short-lived"));
    const isGone = () =>
      cluster.nodes.every(({ durable }) =>
        [...durable.log.keys(), ...durable.stores.disk.keys()].every((id) => keyspaceOf(id) !== created.id),
      );
    await until(cluster, "nothing is left of it", isGone);
    for (const sim of cluster.nodes) cluster.crash(sim);
    const { mock } = context.mock.method(SimEngine.prototype, "openGroup");
    // Alone, it hears of nobody what is committed.
    cluster.startSoon(first);
    const open = () => first.node?.status().partitions ?? [];
    await until(cluster, "it has opened its groups", () => open().length > 0);
    await pass(cluster, 100);
    const opened = mock.calls.map((call) => keyspaceOf(call.arguments[0]));
    assert(opened.length > 1);
    assert(!opened.includes(created.id), `seed ${seed}: it has opened groups of ${opened.join(" ")}`);
  }
});

test("a node that comes back and reaches nobody knows its eventual keyspaces, and takes writes there", async () => {
  for (let seed = 1; seed <= 4; seed += 1) {
    const cluster = await startedCluster({ seed, partitions: 1 });
    const [first, , last] = cluster.nodes;
    assert(first.node !== undefined);
    const { id: keyspace } = await within(
      cluster,
      first.node.createKeyspace({
        name: "s",
        consistency: "eventual",
        storage: "disk",
        replicas: 3,
        partitions: 2,
      }),
    );
    assert.equal(await askOnceKnown(cluster, last, ["SET", "key", "value"], keyspace), "OK");
    for (const sim of cluster.nodes) cluster.crash(sim);
    cluster.startSoon(last);
    assert.equal(await askOnceKnown(cluster, last, ["GET", "key"], keyspace), "value");
    assert.equal(await ask(cluster, last, ["SET", "key", "new"], { keyspace }), "OK");
  }
});

/** What `sim` answers once it knows the keyspace; a command that comes before its replicas are open waits for them. */
async function askOnceKnown(
  cluster: SimCluster,
  sim: SimNode,
  words: readonly string[],
  keyspace: KeyspaceId,
): Promise<unknown> {
  await until(cluster, "it has the keyspace", () => sim.node?.keyspaceById(keyspace) !== undefined, 3_000);
  return await ask(cluster, sim, words, { keyspace });
}

test("a node that stops while it removes a dropped keyspace finishes that first", async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const cluster = await startedCluster({ seed, partitions: 1, storage: "files" });
    const [first, second] = cluster.nodes;
    assert(first.node !== undefined);
    await within(
      cluster,
      first.node.createKeyspace({
        name: "short-lived",
        consistency: "strong",
        storage: "memory",
        replicas: 3,
        partitions: 3,
      }),
    );
    const dropped = within(cluster, first.node.dropKeyspace("short-lived"));
    await pass(cluster, seed / 5);
    let isStopped = false;
    cluster.stop(second, () => {
      isStopped = true;
    });
    await dropped;
    await until(cluster, "the node has stopped", () => isStopped);
    cluster.startSoon(second);
    await until(cluster, "it is back", () => cluster.isReady);
  }
});

test("a keyspace that is dropped while a checkpoint stores it for the first time leaves nothing behind", async () => {
  const cluster = await startedCluster({ partitions: 1 });
  const [first] = cluster.nodes;
  const { node, diskEngine } = first;
  assert(node !== undefined && diskEngine instanceof SimEngine);
  const created = await within(
    cluster,
    node.createKeyspace({
      name: "short-lived",
      consistency: "strong",
      storage: "disk",
      replicas: 3,
      partitions: 1,
    }),
  );
  assert.equal(await ask(cluster, first, ["SET", "key", "value"], { keyspace: created.id }), "OK");
  diskEngine.pause = async () => {
    await new Promise<void>((resolve) => {
      cluster.world.schedule(1_000, resolve);
    });
  };
  const checkpoint = diskEngine.checkpoint();
  await within(cluster, node.dropKeyspace("short-lived"));
  await within(cluster, checkpoint);
  const { stored } = diskEngine;
  await until(cluster, "it is removed", () =>
    [...stored.keys()].every((id) => keyspaceOf(id) !== created.id),
  );
});

test("a restarted node numbers what it asks others anew, so that no late answer is taken for another's", async () => {
  const cluster = await startedCluster({ partitions: 3, replicas: 1 });
  const [first] = cluster.nodes;
  const numbers: number[] = [];
  const { network } = cluster.world;
  const { onSent } = network;
  network.onSent = (from, bytes) => {
    onSent?.(from, bytes);
    const frame = decodeFrame(bytes);
    if (from === first.id && frame.type === "read") numbers.push(frame.request);
  };
  const readAll = async () => {
    for (const key of keysApart(3, 3)) assert.equal(await ask(cluster, first, ["GET", key]), null);
    return numbers.splice(0);
  };
  const before = await readAll();
  assert(before.length > 0, "some partition is elsewhere");
  cluster.crash(first);
  cluster.startSoon(first);
  await until(cluster, "it is back", () => cluster.isReady);
  for (const number of await readAll()) assert(!before.includes(number), `${number} is used again`);
});

/** So that checkpoints hold what there is now. */
async function stopAndStart(cluster: SimCluster): Promise<void> {
  let stopped = 0;
  for (const sim of cluster.nodes) {
    cluster.stop(sim, () => {
      stopped += 1;
    });
  }
  await until(cluster, "all have stopped", () => stopped === cluster.nodes.length);
  await cluster.startAll();
  await until(cluster, "all are ready again", () => cluster.isReady);
}

/** What `promise` gives, in simulated time. */
async function within<T>(cluster: SimCluster, promise: Promise<T>): Promise<T> {
  let isDone = false;
  const ended = promise.finally(() => {
    isDone = true;
  });
  await until(cluster, "it is done", () => isDone);
  return await ended;
}
