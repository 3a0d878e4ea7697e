/** Commands of eventual keyspaces, on whole nodes: where they are carried out, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "../../../sim/cluster/client.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { eventualCluster, refusal } from "./eventual-cluster.js";
import { ask, keysApart, until } from "./scenario.js";

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
