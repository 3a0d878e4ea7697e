/** Transactions whose coordinator dies, pauses or comes back late: all or nothing, and nothing kept for ever. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lockedKeys, openTransactions } from "../../../sim/checks/replicas.js";
import { newContext } from "../../../sim/cluster/client.js";
import type { SimCluster, SimNode } from "../../../sim/cluster/cluster.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { groupOf, keyspaceId, partitionId } from "../../../src/core/ids.js";
import { machineOn, newStore } from "./partition-fixture.js";
import { ask, keysApart, partitionOfKey, pass, startedCluster, until } from "./scenario.js";

/** A key in a partition that `sim` leads. */
function keyOn(sim: SimNode): string {
  const { partitions } = sim.node?.status() ?? { partitions: [] };
  const led = partitions.filter(({ keyspace, leader }) => keyspace === 0 && leader === sim.id);
  const key = keysApart(3, 3).find((candidate) =>
    led.some(({ partition }) => partition === partitionOfKey(candidate, 3)),
  );
  assert(key !== undefined, `${sim.id} leads no partition`);
  return key;
}

/** One replica a partition, one partition a node, and a key on the second and the third. */
async function startedApart(
  seed: number,
  requestTimeoutMs: number,
): Promise<{ cluster: SimCluster; nodes: SimNode[]; a: string; b: string }> {
  const cluster = await startedCluster({ seed, replicas: 1, partitions: 3, requestTimeoutMs });
  const { nodes } = cluster;
  const a = keyOn(nodes[1]);
  const b = keyOn(nodes[2]);
  assert.equal(await ask(cluster, nodes[1], ["MSET", a, "old", b, "old"]), "OK");
  await until(cluster, "nothing is open", () => openTransactions(cluster).length === 0);
  return { cluster, nodes, a, b };
}

/** Has the stopped `sim`, which holds `a`, remember as many commits with the partition of `b` as there is room for. */
async function fill(sim: SimNode, a: string, b: string): Promise<void> {
  const [groupA, groupB] = [a, b].map((key) => groupOf(keyspaceId(0), partitionId(partitionOfKey(key, 3))));
  const stored = sim.durable.stores.disk.get(groupA);
  assert(stored !== undefined);
  const machine = machineOn(await newStore(stored));
  const { transactions } = machine;
  for (let i = 0; !transactions.isFull; i += 1) {
    const id = `gone.1.${i}`;
    transactions.prepare({ id, participants: [groupA, groupB], locked: [], writes: [] });
    transactions.commit(id);
  }
  sim.durable.stores.disk.set(groupA, { applied: machine.capture(), tables: stored.tables });
}

test("whenever a coordinator dies, its transaction is done everywhere or nowhere, and then forgotten", async () => {
  const seen = new Set<string>();
  for (let step = 0; step < 24; step += 1) {
    const cluster = await startedCluster({ seed: 1 + step });
    const [coordinator, other] = cluster.nodes;
    const keys = keysApart(3, 3);
    const all = (value: string) => keys.flatMap((key) => [key, value]);
    await ask(cluster, other, ["MSET", ...all("old")]);
    await until(cluster, "nothing is open", () => openTransactions(cluster).length === 0);
    cluster.submissions.submit(coordinator, ["MSET", ...all("new")], newContext(), () => undefined);
    await until(cluster, "a part is prepared", () => openTransactions(cluster).length > 0);
    await pass(cluster, 0.25 * step);
    for (const open of openTransactions(cluster)) seen.add(open.replace(/^\S+ (\w+) .*$/, "$1"));
    cluster.crash(coordinator);
    await pass(cluster, 2_000);
    if (step % 2 === 0) cluster.startSoon(coordinator);
    await until(cluster, "nothing is open any more", () => openTransactions(cluster).length === 0);
    const values = await ask(cluster, other, ["MGET", ...keys]);
    assert.equal(new Set(values as string[]).size, 1, `step ${step}: ${String(values)}`);
    if (step % 2 === 1) cluster.startSoon(coordinator);
    await until(cluster, "the coordinator is back", () => cluster.isReady);
    assert.equal(await ask(cluster, coordinator, ["MSET", ...all("later")]), "OK", `step ${step}`);
  }
  assert.deepEqual(seen, new Set(["prepared", "committed"]), "the coordinators died in every step");
});

test("a commit that one partition has not heard of is remembered through crashes until it has", async () => {
  let remembered = 0;
  for (let step = 0; step < 12; step += 1) {
    const { cluster, nodes, a, b } = await startedApart(1 + step, 2_500);
    const [coordinator, second, third] = nodes;
    cluster.submissions.submit(coordinator, ["MSET", a, "new", b, "new"], newContext(), () => undefined);
    await until(cluster, "both are held", () => lockedKeys(cluster).length === 2);
    await pass(cluster, 0.25 * step);
    cluster.crash(third);
    await pass(cluster, 100);
    // The coordinator is gone, too, and the partition that knows is restarted.
    for (const sim of [coordinator, second]) cluster.crash(sim);
    await cluster.start(coordinator);
    await cluster.start(second);
    await until(cluster, "the second is up", () => openTransactions(cluster).length > 0 || step > 0, 10_000);
    await pass(cluster, 8_000);
    const isCommitted = openTransactions(cluster).some((open) => open.includes("committed"));
    if (isCommitted) remembered += 1;
    await cluster.start(third);
    await until(cluster, "the cluster is whole again", () => cluster.isReady);
    await until(cluster, "nothing is open any more", () => openTransactions(cluster).length === 0);
    const values = [await ask(cluster, second, ["GET", a]), await ask(cluster, second, ["GET", b])];
    assert.equal(new Set(values).size, 1, `step ${step}: ${String(values)}`);
    if (isCommitted) assert.equal(values[0], "new", `step ${step}`);
  }
  assert(remembered > 0, "no commit was unconfirmed when it mattered");
});

test("a coordinator that sleeps while its transaction is given up does not do half of it when it wakes", async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const { cluster, nodes, a, b } = await startedApart(seed, 20_000);
    const [coordinator, second, third] = nodes;
    cluster.crash(third);
    let answer: unknown;
    cluster.submissions.submit(coordinator, ["MSET", a, "new", b, "new"], newContext(), (reply) => {
      answer = reply;
    });
    // One part is prepared; the other has nowhere to go yet. The vote is on its way when the coordinator sleeps.
    await until(cluster, "a part is prepared", () => lockedKeys(cluster).length > 0);
    coordinator.process?.pause();
    await cluster.start(third);
    await until(cluster, "the others have given it up", () => lockedKeys(cluster).length === 0);
    coordinator.process?.resume();
    await until(cluster, "it is answered", () => answer !== undefined);
    await until(cluster, "nothing is open any more", () => openTransactions(cluster).length === 0);
    const values = [await ask(cluster, second, ["GET", a]), await ask(cluster, second, ["GET", b])];
    assert.equal(new Set(values).size, 1, `seed ${seed}: ${String(values)} after ${String(answer)}`);
    if (answer === "OK") assert.equal(values[0], "new");
    else assert(answer instanceof MinikeyError);
    assert.equal(await ask(cluster, coordinator, ["MSET", a, "later", b, "later"]), "OK");
  }
});

test("a transaction that one partition does not answer for is answered within 3 s", async () => {
  const { cluster, nodes, a, b } = await startedApart(1, 2_500);
  const [coordinator, second, third] = nodes;
  const { world } = cluster;
  world.network.stall(coordinator.id, third.id);
  const startMs = world.nowMs;
  const answer = await ask(cluster, coordinator, ["MSET", a, "new", b, "new"]);
  assert(answer instanceof MinikeyError && answer.outcome === "unknown", String(answer));
  assert(world.nowMs - startMs <= 3_000, `after ${world.nowMs - startMs} ms`);
  world.network.healAll();
  await until(cluster, "nothing is open any more", () => openTransactions(cluster).length === 0);
  const values = [await ask(cluster, second, ["GET", a]), await ask(cluster, second, ["GET", b])];
  assert.equal(new Set(values).size, 1, String(values));
});

test("a read of one moment over a partition that answers late, and then not, is answered within 3 s", async () => {
  const { cluster, nodes, a, b } = await startedApart(1, 2_500);
  const [reader, , third] = nodes;
  const { world } = cluster;
  world.network.stall(reader.id, third.id);
  const startMs = world.nowMs;
  // What the first of two rounds asks arrives just in time; what the second asks does not.
  world.schedule(2_300, () => {
    world.network.healAll();
    world.schedule(1, () => world.network.stall(reader.id, third.id));
  });
  const answer = await ask(cluster, reader, ["MGET", a, b]);
  assert(answer instanceof MinikeyError && answer.code === "NO_QUORUM", String(answer));
  const tookMs = world.nowMs - startMs;
  assert(tookMs > 2_600 && tookMs <= 3_000, `after ${tookMs} ms`);
});

test("where too many transactions wait to be confirmed, new ones are refused until some are", async () => {
  const { cluster, nodes, a, b } = await startedApart(1, 2_500);
  const [coordinator, second] = nodes;
  let isStopped = false;
  cluster.stop(second, () => {
    isStopped = true;
  });
  await until(cluster, "the second has stopped", () => isStopped);
  await fill(second, a, b);
  await cluster.start(second);
  await until(cluster, "the cluster is whole again", () => cluster.isReady);
  const refused = await ask(cluster, coordinator, ["MSET", a, "new", b, "new"]);
  assert(refused instanceof MinikeyError && refused.code === "OVERLOADED", String(refused));
  assert.deepEqual(await ask(cluster, coordinator, ["MGET", a, b]), ["old", "old"]);
  await pass(cluster, 10_000);
  assert.equal(await ask(cluster, coordinator, ["MSET", a, "new", b, "new"]), "OK");
  assert.deepEqual(lockedKeys(cluster), []);
});
