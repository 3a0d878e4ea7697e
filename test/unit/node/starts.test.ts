/** How soon simulated nodes are ready after a start, all at once or one of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimCluster } from "../../../sim/cluster/cluster.js";
import { pass, startedCluster, until } from "./scenario.js";

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
