/** Clients that people use, unchanged: ioredis (alone and for clusters), node-redis, redis-cli, redis-benchmark. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { Cluster, Redis } from "ioredis";
import { createClient } from "redis";
import { DEFAULT_VALUE_BYTES_MAX } from "../../src/commands/check.js";
import { systemClock } from "../../src/platform/clock.js";
import { type RespServer, startRespServer } from "../../src/server/resp/server.js";
import { LogRecorder } from "../support/log-recorder.js";
import { MemoryDatabase } from "../support/memory-database.js";
import { skipWithout } from "../support/requirement.js";

const run = promisify(execFile);

/** For `it`: runs, or says why not. */
function unlessMissing(program: "redis-cli" | "redis-benchmark"): { skip: string | false } {
  const { error } = spawnSync(program, ["--version"]);
  const missing = error === undefined ? undefined : `${program} is missing: not tested with it`;
  return { skip: skipWithout("redis", missing) };
}

describe("clients", () => {
  /** Two doors to the same data, shown as two nodes. */
  const servers: RespServer[] = [];
  let server: RespServer;

  before(async () => {
    const clock = systemClock();
    const database = new MemoryDatabase({ clock, partitions: 5 });
    const options = {
      host: "127.0.0.1",
      port: 0,
      database,
      logger: new LogRecorder(),
      clock,
      limits: { valueBytesMax: DEFAULT_VALUE_BYTES_MAX },
    };
    servers.push(await startRespServer(options), await startRespServer(options));
    database.respAddresses = servers.map(({ port }) => `127.0.0.1:${port}`);
    [server] = servers;
  });

  after(async () => {
    for (const each of servers) await each.stop();
  });

  it("ioredis works, with pipelines, buffers, scans and another database", async () => {
    const redis = new Redis({ port: server.port, db: 1, connectionName: "tester" });
    assert.equal(await redis.set("a", "1", "EX", 100, "NX"), "OK");
    assert.equal(await redis.incrby("a", 41), 42);
    assert.deepEqual(await redis.mget("a", "none"), ["42", null]);
    const bytes = Buffer.from([0, 255, 13, 10]);
    await redis.set(bytes, bytes);
    assert.deepEqual(await redis.getBuffer(bytes), bytes);
    const pipeline = redis.pipeline();
    for (let i = 0; i < 1_000; i += 1) pipeline.set(`k${i}`, i);
    const results = await pipeline.exec();
    assert.ok(results?.every(([error, value]) => error === null && value === "OK"));
    const found = new Set<string>();
    for await (const keys of redis.scanStream({ match: "k*", count: 100 })) {
      for (const key of keys as string[]) found.add(key);
    }
    assert.equal(found.size, 1_000);
    await assert.rejects(redis.incr("k1", "x" as never), /wrong number of arguments/);
    assert.equal(await redis.client("GETNAME"), "tester");
    assert.equal(await redis.dbsize(), 1_002);
    assert.equal(await redis.flushdb(), "OK");
    await redis.quit();
  });

  it("ioredis for clusters learns the slots and sends every key to where it belongs", async () => {
    const cluster = new Cluster([{ host: "127.0.0.1", port: server.port }]);
    for (let i = 0; i < 100; i += 1) await cluster.set(`c${i}`, `${i}`);
    for (let i = 0; i < 100; i += 1) assert.equal(await cluster.get(`c${i}`), `${i}`);
    assert.equal(await cluster.del("{c1}", "c1"), 1);
    await cluster.quit();
  });

  it("node-redis works in RESP2 and RESP3", async () => {
    for (const RESP of [2, 3] as const) {
      const client = createClient({ url: `redis://127.0.0.1:${server.port}/2`, RESP });
      client.on("error", assert.fail);
      await client.connect();
      assert.equal(await client.set("a", "1", { expiration: { type: "PX", value: 5_000 } }), "OK");
      assert.equal(await client.incrByFloat("a", 0.5), "1.5");
      assert.ok((await client.pTTL("a")) > 0);
      await client.mSet({ x: "1", y: "2" });
      assert.deepEqual(await client.mGet(["x", "none", "y"]), ["1", null, "2"]);
      const found: string[] = [];
      for await (const keys of client.scanIterator({ MATCH: "?", COUNT: 2 })) found.push(...keys);
      assert.deepEqual(found.sort(), ["a", "x", "y"]);
      assert.equal((await client.configGet("maxmemory"))["maxmemory"], "0");
      await assert.rejects(client.sendCommand(["NOSUCH"]), /unknown command/);
      await client.flushDb();
      await client.close();
    }
  });

  it("node-redis edits documents with its JSON commands, in RESP2 and RESP3", async () => {
    for (const RESP of [2, 3] as const) {
      const client = createClient({ url: `redis://127.0.0.1:${server.port}/2`, RESP });
      client.on("error", assert.fail);
      await client.connect();
      const { json } = client;
      const document = { a: 1, tags: ["x", "y"], nested: { a: 2.5, on: true, name: "Ann" } };
      assert.equal(await json.set("d", "$", document), "OK");
      assert.equal(await json.set("d", "$.a", 5, { condition: "NX" }), null);
      assert.deepEqual(await json.get("d"), document);
      assert.deepEqual(await json.get("d", { path: "$..a" }), [1, 2.5]);
      assert.deepEqual(await json.get("d", { path: ["$.a", "$.tags"] }), {
        "$.a": [1],
        "$.tags": [["x", "y"]],
      });
      assert.equal(await json.get("none"), null);
      assert.deepEqual(await json.type("d", { path: "$..a" }), ["integer", "number"]);
      assert.equal(await json.type("d"), "object");
      assert.deepEqual(await json.numIncrBy("d", "$..a", 1), [2, 3.5]);
      assert.deepEqual(await json.numMultBy("d", "$..a", 2), [4, 7]);
      assert.deepEqual(await json.numIncrBy("d", "$.tags", 1), [null]);
      assert.deepEqual(await json.strAppend("d", "!", { path: "$.nested.name" }), [4]);
      assert.deepEqual(await json.strLen("d", { path: "$.nested.name" }), [4]);
      assert.deepEqual(await json.toggle("d", "$.nested.on"), [0]);
      assert.deepEqual(await json.arrAppend("d", "$.tags", "z", { x: [1] }), [4]);
      assert.deepEqual(await json.arrIndex("d", "$.tags", "z"), [2]);
      assert.deepEqual(await json.arrInsert("d", "$.tags", 0, "w"), [5]);
      assert.deepEqual(await json.arrPop("d", { path: "$.tags" }), [{ x: [1] }]);
      assert.deepEqual(await json.arrTrim("d", "$.tags", 1, 2), [2]);
      assert.deepEqual(await json.arrLen("d", { path: "$.tags" }), [2]);
      assert.deepEqual(await json.objKeys("d", { path: "$.nested" }), [["a", "on", "name"]]);
      assert.deepEqual(await json.objLen("d", { path: "$.nested" }), [3]);
      assert.equal(await json.merge("d", "$", { nested: { on: null }, more: {} }), "OK");
      assert.equal(await json.mSet([{ key: "e", path: "$", value: { a: "é" } }]), "OK");
      assert.deepEqual(await json.mGet(["d", "none", "e"], "$.a"), [[4], null, ["é"]]);
      assert.equal(await json.clear("d", { path: "$.tags" }), 1);
      assert.deepEqual(await json.get("d"), { a: 4, tags: [], nested: { a: 7, name: "Ann!" }, more: {} });
      assert.equal(await json.del("d", { path: "$.nested" }), 1);
      assert.equal(await json.forget("d"), 1);
      await assert.rejects(
        json.arrAppend("d", "$", 1),
        /could not perform this operation on a key that doesn't exist/,
      );
      await client.set("s", "text");
      await assert.rejects(json.get("s"), /^SimpleError: WRONGTYPE|WRONGTYPE/);
      await client.flushDb();
      await client.close();
    }
  });

  it(
    "redis-cli works: commands, pipes, values from stdin, --scan, --bigkeys",
    unlessMissing("redis-cli"),
    async () => {
      const cli = async (...args: string[]): Promise<string> =>
        (await run("redis-cli", ["-p", `${server.port}`, "-n", "3", ...args])).stdout.trim();
      assert.equal(await cli("SET", "hello", "world"), "OK");
      assert.equal(await cli("GET", "hello"), "world");
      assert.equal(await cli("-3", "--json", "MGET", "hello", "none"), '["world",null]');
      for (let i = 0; i < 30; i += 1) await cli("SET", `key:${i}`, "x".repeat(i));
      assert.equal((await cli("--scan", "--pattern", "key:*")).split("\n").length, 30);
      assert.match(await cli("--bigkeys"), /Biggest string found '"key:29"' has 29 bytes/);
      const pipe = run("redis-cli", ["-p", `${server.port}`, "--pipe"]);
      pipe.child.stdin?.end("*3\r\n$3\r\nSET\r\n$1\r\np\r\n$1\r\n1\r\n".repeat(5_000));
      assert.match((await pipe).stdout, /errors: 0, replies: 5000/);
      assert.match(await cli("INFO", "keyspace"), /db3:keys=31\b/);
      assert.match(await cli("CLUSTER", "INFO"), /cluster_state:ok/);
    },
  );

  it("redis-benchmark works, also for clusters", unlessMissing("redis-benchmark"), async () => {
    const common = ["-p", `${server.port}`, "-t", "set,get,incr,mset,ping", "-n", "2000", "-c", "10", "-q"];
    const single = await run("redis-benchmark", common);
    assert.match(single.stdout, /MSET \(10 keys\): [\d.]+ requests per second/);
    const clustered = await run("redis-benchmark", [...common, "--cluster"]);
    assert.match(clustered.stdout, /Cluster has 2 master nodes/);
    assert.match(clustered.stdout, /MSET \(10 keys\): [\d.]+ requests per second/);
    assert.doesNotMatch(clustered.stdout + clustered.stderr, /error|WARNING/i);
  });
});
