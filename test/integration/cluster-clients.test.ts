/**
 * Clients that people use, unchanged, on a cluster of real processes: ioredis and node-redis on one node, ioredis
 * and redis-py as clients of a cluster, which send each command to the leader of its key, also when that changes.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { Redis, Cluster as RedisCluster } from "ioredis";
import { createClient } from "redis";
import { type Cluster, withCluster } from "../support/cluster.js";
import { skipWithout } from "../support/requirement.js";
import { waitFor } from "../support/wait.js";

const KEYS = 200;
const keys = Array.from({ length: KEYS }, (_, i) => `key:${i}`);

test("ioredis and node-redis read on each node what they wrote on another", async () => {
  await withCluster({}, async (cluster) => {
    const [first, second, third] = cluster.nodes;
    const writer = new Redis({ port: first.respPort });
    const results = await writer.pipeline(keys.map((key, i) => ["set", key, `${i}`])).exec();
    assert.ok(results?.every(([error, reply]) => error === null && reply === "OK"));
    assert.equal(await writer.mset({ "a{x}": "1", b: "2", c: "3" }), "OK");
    const reader = new Redis({ port: second.respPort });
    assert.deepEqual(
      await reader.mget(...keys),
      keys.map((_, i) => `${i}`),
    );
    const found = new Set<string>();
    for await (const page of reader.scanStream({ match: "key:*", count: 50 })) {
      for (const key of page as string[]) found.add(key);
    }
    assert.equal(found.size, KEYS);

    for (const RESP of [2, 3] as const) {
      const client = createClient({ url: `redis://127.0.0.1:${third.respPort}`, RESP });
      client.on("error", assert.fail);
      await client.connect();
      assert.equal(await client.dbSize(), KEYS + 3);
      assert.equal(await client.incr("b"), 1 + RESP);
      assert.equal(await client.set("brief", "1", { expiration: { type: "PX", value: 50_000 } }), "OK");
      assert.ok((await reader.pttl("brief")) > 0);
      assert.equal(await client.del("brief"), 1);
      await client.close();
    }
    assert.equal(await reader.get("b"), "4");
    await Promise.all([writer.quit(), reader.quit()]);
  });
});

/** Waits until the nodes have told each other where clients find them, as `CLUSTER SLOTS` says. */
async function waitForAddresses(cluster: Cluster): Promise<void> {
  const client = await cluster.resp("n1");
  await waitFor("all nodes lead slots, at addresses that are known", async () => {
    const slots = JSON.stringify(await client.call("CLUSTER", "SLOTS"));
    return cluster.nodes.every((node) => slots.includes(`${node.respPort}`));
  });
  client.close();
}

test("ioredis for clusters sends each key to its leader, and goes on when a node is killed", async () => {
  await withCluster({}, async (cluster) => {
    await waitForAddresses(cluster);
    const client = new RedisCluster([{ host: "127.0.0.1", port: cluster.node("n2").respPort }], {
      clusterRetryStrategy: () => 50,
      retryDelayOnFailover: 50,
      retryDelayOnClusterDown: 50,
      maxRedirections: 100,
    });
    for (const [i, key] of keys.entries()) assert.equal(await client.set(key, `${i}`), "OK");
    const ports = client.nodes("master").map(({ options }) => options.port);
    assert.deepEqual(
      new Set(ports),
      new Set(cluster.nodes.map((node) => node.respPort)),
      "it knows all nodes",
    );

    await cluster.kill("n1");
    for (const [i, key] of keys.entries()) assert.equal(await client.get(key), `${i}`, key);
    for (const key of keys) assert.equal(await client.set(key, "after"), "OK", key);
    await cluster.restart("n1");
    for (const key of keys) assert.equal(await client.get(key), "after", key);
    client.disconnect();
  });
});

/** With ports as arguments: one node, then the cluster. Ends with status 0 when all is as it must be. */
const PYTHON = `
import sys, redis
from redis.cluster import RedisCluster, ClusterNode
ports = [int(word) for word in sys.argv[1:]]
one = redis.Redis(port=ports[0], decode_responses=True)
assert one.set("python", "1", ex=100) is True
assert one.incrby("python", 41) == 42
pipe = one.pipeline(transaction=False)
for i in range(300):
    pipe.set(f"py:{i}", i)
assert all(pipe.execute())
other = redis.Redis(port=ports[1], decode_responses=True)
assert other.get("python") == "42"
assert 0 < other.ttl("python") <= 100
assert len(set(other.scan_iter(match="py:*", count=70))) == 300
assert other.info("server")["redis_version"] == "7.0.15"
try:
    other.execute_command("INCR", "python", "x")
    raise SystemExit("no error")
except redis.ResponseError as error:
    assert "wrong number of arguments" in str(error), error
cluster = RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", port) for port in ports], decode_responses=True)
for i in range(300):
    assert cluster.get(f"py:{i}") == str(i)
    assert cluster.set(f"py:{i}", "new")
asked = {cluster.get_node_from_key(f"py:{i}").port for i in range(300)}
assert asked == set(ports), (asked, ports)
assert cluster.mget_nonatomic(["py:1", "py:2", "none"]) == ["new", "new", None]
print("done")
`;

/** A Python that has redis-py: the one on the path, or the system's. */
function findPython(): string | undefined {
  return ["python3", "/usr/bin/python3"].find(
    (python) => spawnSync(python, ["-c", "import redis.cluster"]).status === 0,
  );
}

const python = findPython();
const noPython = python === undefined ? "redis-py is missing: not tested with it" : undefined;

test("redis-py works, on one node and as the client of a cluster", {
  skip: skipWithout("redis-py", noPython),
}, async () => {
  await withCluster({}, async (cluster) => {
    await waitForAddresses(cluster);
    const ports = cluster.nodes.map((node) => `${node.respPort}`);
    const { status, stdout, stderr } = spawnSync(python ?? "", ["-", ...ports], {
      input: PYTHON,
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.deepEqual([status, stdout], [0, "done\n"], stderr);
  });
});
