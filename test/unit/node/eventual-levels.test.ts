/** The levels of eventual keyspaces, on whole nodes: what is answered when, and what is refused. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "../../../sim/cluster/client.js";
import type { SimNode } from "../../../sim/cluster/cluster.js";
import { eventualCluster, refusal } from "./eventual-cluster.js";
import { ask, keysApart, pass, until } from "./scenario.js";

test("a level that too few replicas can be reached for is refused in time, before anything is written", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first, second, third] = cluster.nodes;
  await ask(cluster, first, ["SET", "key", "old"], { keyspace, writeLevel: "all" });
  cluster.crash(second);
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
  assert.equal(await ask(cluster, first, ["GET", "key"], { keyspace }), "old");
  assert.equal(await ask(cluster, first, ["EXISTS", "count"], { keyspace }), 0);
});

test("a write that not enough replicas have in time says how many have it, and stays", async () => {
  const { cluster, keyspace } = await eventualCluster(3);
  const [first, second, third] = cluster.nodes;
  await ask(cluster, first, ["SET", "warm", "up"], { keyspace, writeLevel: "all" });
  for (const other of [second, third]) other.process?.pause();
  const error = await refusal(cluster, first, ["SET", "key", "new"], { keyspace, writeLevel: "quorum" });
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
  const repairs = (node: SimNode) => node.node?.status().replication[0].readRepairs ?? 0;
  assert.ok(repairs(first) >= keys.length, `${repairs(first)} records were put right`);
  assert.equal(repairs(third), 0);
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
