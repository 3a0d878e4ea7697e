/** Commands of eventual keyspaces, on whole nodes: where they are carried out, at which levels, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClientLevels, newContext } from "../../../sim/cluster/client.js";
import type { SimCluster, SimClusterOptions, SimNode } from "../../../sim/cluster/cluster.js";
import { MinikeyError } from "../../../src/core/errors.js";
import type { KeyspaceId } from "../../../src/core/ids.js";
import { ask, keysApart, pass, startedCluster, until } from "./scenario.js";

interface EventualCluster {
  readonly cluster: SimCluster;
  readonly keyspace: KeyspaceId;
}

async function eventualCluster(
  replicas: number,
  options: Partial<SimClusterOptions> = {},
): Promise<EventualCluster> {
  const cluster = await startedCluster(options);
  let keyspace: KeyspaceId | undefined;
  const made = {
    name: "sessions",
    consistency: "eventual",
    storage: "disk",
    replicas,
    partitions: 3,
  } as const;
  cluster.nodes[0].node?.createKeyspace(made).then(
    ({ id }) => {
      keyspace = id;
    },
    (error: unknown) => cluster.fatal.push(String(error)),
  );
  await until(cluster, "the keyspace is made", () => keyspace !== undefined);
  await until(cluster, "all know it", () =>
    cluster.nodes.every(({ node }) => node?.keyspaceByName("sessions") !== undefined),
  );
  assert(keyspace !== undefined);
  return { cluster, keyspace };
}

/** The error that `words` get. */
async function refusal(
  cluster: SimCluster,
  sim: SimNode,
  words: readonly string[],
  levels: ClientLevels,
): Promise<MinikeyError> {
  const answer = await ask(cluster, sim, words, levels);
  assert(answer instanceof MinikeyError, `${words.join(" ")} got ${String(answer)}`);
  return answer;
}

test("when nobody chose a level, one replica is enough, and its own node can go on alone", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first, second, third] = cluster.nodes;
  await ask(cluster, second, ["SET", "before", "1"], { keyspace });
  cluster.crash(second);
  cluster.crash(third);
  assert.equal(await ask(cluster, first, ["SET", "key", "value"], { keyspace }), "OK");
  assert.equal(await ask(cluster, first, ["GET", "key"], { keyspace }), "value");
  assert.equal(await ask(cluster, first, ["GET", "key"], { keyspace, readLevel: "stale" }), "value");
  assert.equal(await ask(cluster, first, ["INCR", "visits"], { keyspace }), 1);
});

test("a level that too few replicas can be reached for is refused in time, before anything is written", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first, second, third] = cluster.nodes;
  await ask(cluster, first, ["SET", "key", "old"], { keyspace, writeLevel: "all" });
  cluster.crash(second);
  const startMs = cluster.world.nowMs;
  const needsAll = await refusal(cluster, first, ["SET", "key", "new"], { keyspace, writeLevel: "all" });
  assert.equal(needsAll.message, "all needs 3 of 3 replicas, and 2 can be reached");
  assert.equal(await ask(cluster, first, ["SET", "other", "x"], { keyspace, writeLevel: "quorum" }), "OK");
  assert.equal(await ask(cluster, first, ["GET", "key"], { keyspace, readLevel: "quorum" }), "old");
  cluster.crash(third);
  for (const [words, levels] of [
    [["SET", "key", "new"], { writeLevel: "quorum" }],
    [["INCR", "count"], { writeLevel: "quorum" }],
    [["GET", "key"], { readLevel: "quorum" }],
    [["MGET", "key", "other"], { readLevel: "quorum" }],
    [["QUERY", "key"], { readLevel: "quorum" }],
  ] as const) {
    const error = await refusal(cluster, first, words, { keyspace, ...levels });
    assert.equal(error.code, "NO_QUORUM");
    assert.equal(error.outcome, "not-applied");
    assert.equal(error.message, "quorum needs 2 of 3 replicas, and 1 can be reached");
  }
  assert(cluster.world.nowMs - startMs < cluster.requestTimeoutMs, "they are refused in time");
  assert.equal(await ask(cluster, first, ["GET", "key"], { keyspace }), "old");
  assert.equal(await ask(cluster, first, ["EXISTS", "count"], { keyspace }), 0);
});

test("a write that not enough replicas have in time says how many have it, and stays", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first, second, third] = cluster.nodes;
  await ask(cluster, first, ["SET", "warm", "up"], { keyspace, writeLevel: "all" });
  for (const other of [second, third]) other.process?.pause();
  const startMs = cluster.world.nowMs;
  const error = await refusal(cluster, first, ["SET", "key", "new"], { keyspace, writeLevel: "quorum" });
  assert(cluster.world.nowMs - startMs < cluster.requestTimeoutMs, "it is told in time");
  assert.equal(error.outcome, "unknown");
  assert.equal(error.message, "1 of the 2 replicas that quorum needs has the write; the others get it later");
  assert.equal(await ask(cluster, first, ["GET", "key"], { keyspace }), "new");
  for (const other of [second, third]) other.process?.resume();
  const levels = { keyspace, readLevel: "all" } as const;
  await until(cluster, "n1 reaches the others", () => cluster.isReady);
  assert.equal(await ask(cluster, second, ["GET", "key"], levels), "new");
});

test("a read at quorum is of the newest that a majority has, and puts its own replica right", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first, , third] = cluster.nodes;
  const keys = keysApart(3, 3);
  for (const key of keys) await ask(cluster, first, ["SET", key, "old"], { keyspace, writeLevel: "all" });
  cluster.world.network.cut(first.id, third.id);
  for (const key of keys) {
    await ask(cluster, third, ["SET", key, '{"a":1}'], { keyspace, writeLevel: "quorum" });
  }
  const [key, second, last] = keys;
  const quorum = { keyspace, readLevel: "quorum" } as const;
  assert.equal(await ask(cluster, first, ["GET", key], quorum), '{"a":1}');
  assert.deepEqual(await ask(cluster, first, ["MGET", key, second, "none"], quorum), [
    '{"a":1}',
    '{"a":1}',
    null,
  ]);
  assert.equal(await ask(cluster, first, ["QUERY", last], quorum), '{"a":1}');
  assert.equal(await ask(cluster, first, ["STRLEN", key], quorum), 7);
  assert.equal(await ask(cluster, first, ["EXISTS", key, second, "none", key], quorum), 3);
  await pass(cluster, 100);
  for (const each of keys) assert.equal(await ask(cluster, first, ["GET", each], { keyspace }), '{"a":1}');
});

test("every node carries out every command, also where it holds no replica", async () => {
  const { cluster, keyspace } = await eventualCluster(1);
  const [a, b, c] = keysApart(3, 3);
  for (const sim of cluster.nodes) {
    const says = async (...words: string[]) => await ask(cluster, sim, words, { keyspace });
    assert.equal(await says("MSET", a, "1", b, "2"), "OK");
    assert.equal(await says("SET", c, "3", "EX", "100"), "OK");
    assert.deepEqual(await says("MGET", a, b, c, "none"), ["1", "2", "3", null]);
    assert.equal(await says("INCRBY", a, "5"), 6);
    assert.equal(await says("GETSET", b, "two"), "2");
    assert.equal(await says("TTL", c), 100);
    assert.equal(await says("EXISTS", a, b, c, "none"), 3);
    assert.equal(await says("DBSIZE"), 3);
    assert.deepEqual(((await says("KEYS", "*")) as string[]).sort(), [a, b, c].sort());
    assert.equal(await says("JSON.SET", "doc", "$", '{"n":{"x":4}}'), "OK");
    assert.equal(await says("QUERY", "doc.n.x"), "4");
    assert.equal(
      await says("COMPUTE", "2*x+y", "WHERE", "x", "=", "QUERY", "doc.n.x", "AND", "y", "=", "QUERY", a),
      "14",
    );
    assert.equal(await says("DEL", a, b, "none"), 2);
    assert.equal(await says("FLUSHDB"), "OK");
    assert.equal(await says("DBSIZE"), 0);
  }
});

test("what cannot be kept is refused by name, inside ONCE too, and nothing is written", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first] = cluster.nodes;
  const text =
    "cannot be kept in the eventual keyspace 'sessions': two replicas may both find the key absent;";
  for (const words of [
    ["SETNX", "key", "v"],
    ["ONCE", "1_a", "1", "SETNX", "key", "v"],
  ]) {
    const error = await refusal(cluster, first, words, { keyspace });
    assert.equal(error.code, "UNSUPPORTED");
    assert.equal(error.message, `SETNX ${text} use a keyspace of consistency strong`);
  }
  assert.equal(await ask(cluster, first, ["EXISTS", "key"], { keyspace }), 0);
});

test("there are no linearizable reads, and no scans of more than one replica a partition", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first] = cluster.nodes;
  const linearizable = await refusal(cluster, first, ["GET", "k"], { keyspace, readLevel: "linearizable" });
  assert.equal(linearizable.code, "UNSUPPORTED");
  assert.match(
    linearizable.message,
    /^the eventual keyspace 'sessions' has no linearizable reads: read at one/,
  );
  for (const words of [["SCAN", "0"], ["KEYS", "*"], ["DBSIZE"], ["RANDOMKEY"], ["KV.LIST", "", "", "10"]]) {
    const error = await refusal(cluster, first, words, { keyspace, readLevel: "quorum" });
    assert.equal(error.code, "UNSUPPORTED");
    assert.match(error.message, new RegExp(`^${words[0]} looks at one replica of each partition`));
  }
});

test("a repeat under its number is answered by the node that knows it, and counted once", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first] = cluster.nodes;
  const again = ["ONCE", "1_a", "7", "INCR", "count"];
  const answers: unknown[] = [];
  for (let i = 0; i < 3; i += 1) {
    cluster.submissions.submit(first, again, newContext({ keyspace }), (answer) => answers.push(answer));
  }
  await until(cluster, "all are answered", () => answers.length === 3);
  assert.deepEqual(answers, [1, 1, 1]);
  assert.equal(await ask(cluster, first, again, { keyspace }), 1);
  assert.equal(await ask(cluster, first, ["ONCE", "1_a", "8", "INCR", "count"], { keyspace }), 2);
});

test("a forwarded read goes to another replica when one is lost, a write that may be taken says so", async () => {
  const { cluster, keyspace } = await eventualCluster(2);
  const keys = keysApart(3, 3);
  for (const key of keys) {
    await ask(cluster, cluster.nodes[0], ["SET", key, "v"], { keyspace, writeLevel: "all" });
  }
  for (const sim of cluster.nodes) {
    const others = cluster.nodes.filter((other) => other !== sim);
    for (const other of others) {
      other.process?.pause();
      for (const key of keys) assert.equal(await ask(cluster, sim, ["GET", key], { keyspace }), "v");
      other.process?.resume();
      await until(cluster, "all are up", () => cluster.isReady);
    }
  }
});

test("commands of one connection are carried out in order, whatever they have to wait for", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first] = cluster.nodes;
  const context = newContext({ keyspace, writeLevel: "quorum" });
  const answers: unknown[] = [];
  const say = (...words: string[]) =>
    cluster.submissions.submit(first, words, context, (answer) => answers.push(answer));
  for (let i = 0; i < 20; i += 1) {
    say("SET", "key", `${i}`);
    say("GET", "key");
    context.writeLevel = i % 2 === 0 ? "one" : "quorum";
  }
  await until(cluster, "all are answered", () => answers.length === 40);
  assert.deepEqual(
    answers,
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? "OK" : `${(i - 1) / 2}`)),
  );
});

test("a node that stops answers what waits for others", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first, second, third] = cluster.nodes;
  await ask(cluster, first, ["SET", "key", "old"], { keyspace, writeLevel: "all" });
  for (const other of [second, third]) other.process?.pause();
  const answers: unknown[] = [];
  for (const [words, levels] of [
    [["SET", "key", "new"], { writeLevel: "quorum" }],
    [["GET", "key"], { readLevel: "quorum" }],
  ] as const) {
    const context = newContext({ keyspace, ...levels });
    cluster.submissions.submit(first, words, context, (answer) => answers.push(answer));
  }
  let isStopped = false;
  cluster.stop(first, () => {
    isStopped = true;
  });
  await until(cluster, "it has stopped", () => isStopped);
  assert.equal(answers.length, 2);
  for (const answer of answers) assert(answer instanceof MinikeyError, String(answer));
});
