/** `--rebuild` in whole clusters: what is here is thrown away only once the rest can do without it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimCluster, SimNode } from "../../../sim/cluster/cluster.js";
import { type Identity, readIdentity, writeIdentity } from "../../../src/node/identity.js";
import { ask, pass, startedCluster, until } from "./scenario.js";

/** Beyond every time-out that a rebuild knows. */
const LONG_MS = 20_000;

interface Told {
  readonly cluster: SimCluster;
  readonly lines: string[];
}

/** Three nodes; the last two alone have `key` = `value`. */
async function clusterWithNews(seed = 1): Promise<Told> {
  const lines: string[] = [];
  const cluster = await startedCluster({ seed, log: (line) => lines.push(line) });
  const [first, , last] = cluster.nodes;
  cluster.crash(first);
  await until(cluster, "the others write", () => true);
  let answer: unknown;
  for (let i = 0; i < 10 && answer !== "OK"; i += 1)
    answer = await ask(cluster, last, ["SET", "key", "value"]);
  assert.equal(answer, "OK");
  return { cluster, lines };
}

async function incarnationOf(sim: SimNode): Promise<number | undefined> {
  return (await readIdentity(sim.disk))?.incarnation;
}

const hasData = (sim: SimNode) => sim.durable.log.size > 0;

test("a node is rebuilt from the others: as a new incarnation, with all that was answered", async () => {
  const { cluster } = await clusterWithNews();
  const [first, second, last] = cluster.nodes;
  await cluster.start(first);
  await until(cluster, "all are ready", () => cluster.isReady);
  cluster.crash(last);
  cluster.startSoon(last, { rebuild: true });
  await until(cluster, "it is back", () => cluster.isReady);
  assert.equal(await incarnationOf(last), 2);
  // A majority rests on what it fetched.
  cluster.crash(second);
  await until(cluster, "the other two go on", () => last.node?.status().ready === true);
  assert.equal(await ask(cluster, last, ["GET", "key"]), "value");
});

test("nothing is thrown away while no member of the cluster is there", async () => {
  const { cluster, lines } = await clusterWithNews();
  const [, second, last] = cluster.nodes;
  cluster.crash(second);
  cluster.crash(last);
  cluster.startSoon(last, { rebuild: true });
  await pass(cluster, LONG_MS);
  assert(hasData(last));
  assert.match(lines.join("\n"), /waitingFor":"one of n1 \(not reached\), n2 \(not reached\)/);
  // Killed while waiting, it is as it was.
  cluster.crash(last);
  await cluster.start(last);
  await cluster.start(second);
  await until(cluster, "the two go on", () => last.node?.status().ready === true);
  assert.equal(await incarnationOf(last), 1);
  assert.equal(await ask(cluster, last, ["GET", "key"]), "value");
});

test("two of three that are to be rebuilt at once both keep their data, and say why", async () => {
  const { cluster, lines } = await clusterWithNews();
  const [first, second, last] = cluster.nodes;
  cluster.crash(second);
  cluster.crash(last);
  // The only member of the cluster that is up, and it lacks the write.
  await cluster.start(first);
  for (const sim of [second, last]) cluster.startSoon(sim, { rebuild: true });
  await pass(cluster, LONG_MS);
  assert.deepEqual([second, last].map(hasData), [true, true]);
  assert.match(lines.join("\n"), /waitingFor":"n1: the cluster map has no leader without that node/);
  // One is started without: now the other can be rebuilt.
  cluster.crash(second);
  await cluster.start(second);
  await until(cluster, "all are ready", () => cluster.isReady);
  assert.deepEqual(await Promise.all(cluster.nodes.map(incarnationOf)), [1, 1, 2]);
  assert.equal(await ask(cluster, first, ["GET", "key"]), "value");
});

test("three of three that are to be rebuilt at once all keep their data", async () => {
  const { cluster } = await clusterWithNews();
  for (const sim of cluster.nodes) cluster.crash(sim);
  for (const sim of cluster.nodes) cluster.startSoon(sim, { rebuild: true });
  await pass(cluster, LONG_MS);
  assert.deepEqual(cluster.nodes.map(hasData), [true, true, true]);
});

test("a partition's last majority is not thrown away, though the cluster itself can do without the node", async () => {
  const lines: string[] = [];
  const cluster = await startedCluster({ nodes: 5, partitions: 6, log: (line) => lines.push(line) });
  const placement = cluster.nodes[0].node?.status().partitions ?? [];
  const holders = placement[0].replicas.map(({ node }) => cluster.nodeNamed(node));
  assert.equal(holders.length, 3);
  for (const sim of holders.slice(1)) cluster.crash(sim);
  for (const sim of holders.slice(1)) cluster.startSoon(sim, { rebuild: true });
  await pass(cluster, LONG_MS);
  assert.deepEqual(holders.map(hasData), [true, true, true]);
  assert.match(lines.join("\n"), /partition \d of keyspace 'default' has no leader without that node/);
});

test("a directory of another cluster is not thrown away", async () => {
  const { cluster, lines } = await clusterWithNews();
  const [first] = cluster.nodes;
  const identity = await readIdentity(first.disk);
  assert(identity !== undefined);
  await writeIdentity(first.disk, { ...identity, clusterId: "another" } satisfies Identity);
  cluster.startSoon(first, { rebuild: true });
  await pass(cluster, LONG_MS);
  assert(hasData(first));
  assert.match(lines.join("\n"), /n2 \(belongs to cluster [0-9a-f]+, the data here to another\)/);
});

test("a node whose identity is damaged goes back to the cluster that knows it", async () => {
  const { cluster } = await clusterWithNews();
  const [first] = cluster.nodes;
  const file = await first.disk.open("identity.json");
  await file.write([Buffer.from("{")], 0);
  cluster.startSoon(first, { rebuild: true });
  await until(cluster, "it is back", () => cluster.isReady);
  assert.equal(await incarnationOf(first), 2);
  assert.equal(await ask(cluster, first, ["GET", "key"]), "value");
});

test("killed at any moment of a rebuild, the node is back after the next start, and nothing is lost", async () => {
  let emptied = 0;
  for (let seed = 1; seed <= 24; seed += 1) {
    const { cluster } = await clusterWithNews(seed);
    const [first, , last] = cluster.nodes;
    await cluster.start(first);
    await until(cluster, "all are ready", () => cluster.isReady);
    cluster.crash(last);
    cluster.startSoon(last, { rebuild: true });
    // Consent comes after three seconds; the steps after it take a millisecond or two.
    await pass(cluster, 3_000);
    await cluster.world.run(2_000, () => last.durable.log.size === 0);
    const isEarly = seed % 3 === 0;
    if (!isEarly) await pass(cluster, (seed % 8) * 0.5);
    cluster.crash(last);
    if (!hasData(last)) emptied += 1;
    // With the option or without.
    cluster.startSoon(last, { rebuild: seed % 2 === 0 });
    await until(cluster, `it is back (seed ${seed})`, () => cluster.isReady);
    assert.equal(await incarnationOf(last), 2, `seed ${seed}`);
    assert.equal(await ask(cluster, last, ["GET", "key"]), "value");
  }
  assert(emptied > 4, `${emptied} were killed after their data was gone`);
});

test("--rebuild that stays on the command line acts once, until a start without it", async () => {
  const { cluster, lines } = await clusterWithNews();
  const [first] = cluster.nodes;
  cluster.startSoon(first, { rebuild: true });
  await until(cluster, "it is back", () => cluster.isReady);
  for (let round = 0; round < 3; round += 1) {
    for (const sim of cluster.nodes) cluster.crash(sim);
    // All three, as after a power cut: none waits for the others.
    for (const sim of cluster.nodes) cluster.startSoon(sim, { rebuild: sim === first });
    await until(cluster, "all are back", () => cluster.isReady);
    assert.equal(await incarnationOf(first), 2);
  }
  assert.match(lines.join("\n"), /was rebuilt already/);
  cluster.crash(first);
  await cluster.start(first);
  await until(cluster, "all are back", () => cluster.isReady);
  cluster.crash(first);
  cluster.startSoon(first, { rebuild: true });
  await until(cluster, "it is rebuilt again", () => cluster.isReady);
  assert.equal(await incarnationOf(first), 3);
});
