/** More nodes than replicas: who holds what, and that a node that holds nothing of a key still serves it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { type Cluster, withCluster } from "../support/cluster.js";
import { keysByPartition, type PlacedKey } from "../support/partitions.js";
import { minikeyPath } from "../support/repository.js";
import { waitFor } from "../support/wait.js";

const NODES = 5;
const REPLICAS = 3;
const PARTITIONS = 7;

type Partition = Awaited<ReturnType<Cluster["view"]>>["partitions"][number];

const holdersOf = ({ replicas }: Partition): string[] => replicas.map(({ node }) => node).toSorted();

/** Every slot in exactly one partition, every partition on so many different nodes; all nodes see the same. */
async function checkPlacement(cluster: Cluster): Promise<Map<number, string[]>> {
  const views = await Promise.all(cluster.ids.map((id) => cluster.view(id)));
  const [{ partitions }] = views;
  assert.equal(partitions.length, PARTITIONS);
  const slots = partitions.flatMap(({ slots }) => slots).toSorted(([a], [b]) => a - b);
  assert.deepEqual(
    slots.map(([first]) => first),
    [0, ...slots.slice(0, -1).map(([, last]) => last + 1)],
    "slots follow each other",
  );
  assert.equal(slots.at(-1)?.[1], 16_383);
  for (const partition of partitions) {
    const holders = holdersOf(partition);
    assert.equal(new Set(holders).size, REPLICAS, `partition ${partition.partition} is on ${holders.join()}`);
    assert.ok(holders.every((id) => cluster.ids.includes(id)));
  }
  const placement = (view: (typeof views)[number]): unknown =>
    view.partitions.map((partition) => [partition.partition, holdersOf(partition)]);
  for (const view of views) assert.deepEqual(placement(view), placement(views[0]));
  const held = new Set(partitions.flatMap(holdersOf));
  assert.equal(held.size, NODES, "every node holds something");
  return new Map(partitions.map((partition) => [partition.partition, holdersOf(partition)]));
}

/** Single keys, many keys, and a write of keys in two partitions, through each node in turn. */
async function serveThroughAll(cluster: Cluster, keys: readonly string[]): Promise<void> {
  for (const [round, id] of cluster.ids.entries()) {
    const client = await cluster.resp(id);
    for (const key of keys) {
      assert.equal(await client.call("SET", key, `${round}`), "OK");
      assert.equal(await client.call("GET", key), `${round}`, `${key} through ${id}`);
      assert.equal(await client.call("INCR", key), round + 1);
    }
    assert.deepEqual(
      await client.call("MGET", ...keys),
      keys.map(() => `${round + 1}`),
    );
    const pairs = keys.flatMap((key) => [key, `all ${round}`]);
    assert.equal(await client.call("MSET", ...pairs), "OK");
    // All or none: one of them is there.
    assert.equal(await client.call("MSETNX", `fresh ${round}`, "1", keys[0] ?? "", "1"), 0);
    assert.equal(await client.call("GET", `fresh ${round}`), null);
    assert.equal(await client.call("RENAME", keys[0] ?? "", "elsewhere"), "OK");
    assert.deepEqual(await client.call("MGET", keys[0] ?? "", "elsewhere"), [null, `all ${round}`]);
    assert.equal(await client.call("RENAME", "elsewhere", keys[0] ?? ""), "OK");
    assert.equal(await client.call("DBSIZE"), keys.length);
    client.close();
  }
}

/** Through a node that holds nothing of it, a key is counted up while its leader dies. */
async function countsUpWithoutLeader(
  cluster: Cluster,
  { key, partition, leader }: PlacedKey,
  holders: readonly string[],
): Promise<void> {
  const outsider = cluster.ids.find((id) => !holders.includes(id)) ?? "";
  const client = await cluster.resp(outsider);
  assert.equal(await client.call("SET", key, "0"), "OK");
  await cluster.kill(leader);
  const startMs = performance.now();
  // No refusal and no repeat: the node waits for the next leader, and each is carried out once.
  for (let n = 1; n <= 20; n += 1) assert.equal(await client.call("INCR", key), n);
  assert.ok(performance.now() - startMs < 5_000);
  const view = await cluster.view(outsider);
  const now = view.partitions.find((each) => each.partition === partition)?.leader;
  assert.ok(now !== leader && holders.includes(String(now)), `${String(now)} leads it, of ${holders.join()}`);
  await cluster.restart(leader);
}

async function shell(port: number, command: string): Promise<string> {
  const args = [minikeyPath, "shell", "--connect", `127.0.0.1:${port}`, "-v", "-c", command];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  await new Promise((resolve) => {
    child.once("close", resolve);
  });
  return out;
}

test("five nodes hold each of seven partitions three times, and every one of them serves every key", async () => {
  await withCluster({ nodes: NODES, replicas: REPLICAS, partitions: PARTITIONS }, async (cluster) => {
    const holders = await checkPlacement(cluster);
    const placed = await keysByPartition(cluster, "n1");
    assert.equal(placed.length, PARTITIONS);
    const keys = placed.map(({ key }) => key);
    await serveThroughAll(cluster, keys);

    const probe = placed[PARTITIONS - 2];
    const held = holders.get(probe.partition) ?? [];
    const outsider = cluster.ids.find((id) => !held.includes(id)) ?? "";
    // The shell asks the replicas where they listen: nodes tell each other in their own time.
    await waitFor("the shell shows the holders of a key, and no others", async () => {
      const out = await shell(cluster.node(outsider).respPort, `SET ${probe.key} shown`);
      const lines = out.trimEnd().split("\n").toSorted();
      return String(lines) === String(held.map((id) => `[${id}] OK`));
    });
    const read = await shell(cluster.node(outsider).respPort, `GET ${probe.key}`);
    assert.deepEqual(
      read.trimEnd().split("\n").toSorted(),
      held.map((id) => `[${id}] VALUE shown`),
    );

    await countsUpWithoutLeader(cluster, probe, held);
    await checkPlacement(cluster);
  });
});
