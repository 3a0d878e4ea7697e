/** Whom a node listens to: not to other clusters, nor to a disk that its own cluster has given up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimCluster, SimNode } from "../../../sim/cluster/cluster.js";
import { MapDisk } from "../../../sim/disk/map-disk.js";
import { SeededRandom } from "../../../sim/world/random.js";
import { term } from "../../../src/core/ids.js";
import { newClusterId } from "../../../src/node/forming.js";
import { readIdentity, writeIdentity } from "../../../src/node/identity.js";
import { ask, startedCluster, until } from "./scenario.js";

const FAR_TERM = 1_000_000;

/** The highest term on a node's disk. */
function termOf(sim: SimNode): number {
  return Math.max(...[...sim.durable.log.values()].map(({ hardState }) => hardState.term));
}

async function untilItEnds(cluster: SimCluster, message: RegExp): Promise<void> {
  await cluster.world.run(10_000, () => cluster.fatal.length > 0);
  assert.match(cluster.fatal.join("\n"), message);
  cluster.fatal.length = 0;
}

test("a node of another cluster, with the same name and later terms, is not listened to", async () => {
  const cluster = await startedCluster();
  const [first, , last] = cluster.nodes;
  cluster.crash(last);
  const identity = await readIdentity(last.disk);
  assert(identity !== undefined);
  const clusterId = newClusterId(
    new SeededRandom(99),
    cluster.nodes.map(({ id }) => id),
  );
  await writeIdentity(last.disk, { ...identity, clusterId });
  for (const group of last.durable.log.values()) {
    group.hardState = { ...group.hardState, term: term(FAR_TERM) };
  }
  await cluster.start(last);
  await untilItEnds(cluster, /n1 at n1:1 belongs to cluster|n2 at n2:1 belongs to cluster/);
  cluster.crash(last);
  assert.equal(await ask(cluster, first, ["SET", "key", "value"]), "OK");
  for (const sim of cluster.nodes.slice(0, 2)) assert(termOf(sim) < FAR_TERM, `${sim.id} has a foreign term`);
});

test("a node that is started with a disk that was replaced is told, and ends", async () => {
  const cluster = await startedCluster();
  const [first, , last] = cluster.nodes;
  cluster.crash(last);
  const kept = { disk: new MapDisk(new Map(last.disk.files)), log: new Map(last.durable.log) };
  const stores = { disk: new Map(last.durable.stores.disk), memory: new Map(last.durable.stores.memory) };
  cluster.wipe(last);
  await cluster.start(last);
  await until(cluster, "it is back with another disk", () => cluster.isReady);
  assert.equal((await readIdentity(last.disk))?.incarnation, 2);

  cluster.crash(last);
  last.disk = kept.disk;
  last.durable.wipe();
  for (const [id, group] of kept.log) last.durable.log.set(id, group);
  for (const kind of ["disk", "memory"] as const) {
    for (const [id, group] of stores[kind]) last.durable.stores[kind].set(id, group);
  }
  await cluster.start(last);
  await untilItEnds(cluster, /the cluster has replaced n3: .* incarnation 1, and 2 is current/);
  cluster.crash(last);
  assert.equal(await ask(cluster, first, ["SET", "key", "value"]), "OK");
});
