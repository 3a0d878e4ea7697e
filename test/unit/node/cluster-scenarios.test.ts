/** Stories of simulated clusters that once went wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lockedKeys } from "../../../sim/checks/replicas.js";
import { newContext } from "../../../sim/cluster/client.js";
import { SimCluster } from "../../../sim/cluster/cluster.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { keyspaceOf, META_GROUP } from "../../../src/core/ids.js";
import type { KeyspaceInfo } from "../../../src/node/database.js";
import { ask, keysApart, partitionOfKey, pass, startedCluster, until } from "./scenario.js";

async function createKeyspace(cluster: SimCluster, name: string): Promise<KeyspaceInfo> {
  let keyspace: KeyspaceInfo | undefined;
  const options = { name, consistency: "strong", storage: "disk", partitions: 2 } as const;
  cluster.nodes[0].node?.createKeyspace(options).then(
    (made) => {
      keyspace = made;
    },
    (error: unknown) => cluster.fatal.push(String(error)),
  );
  await until(cluster, "the keyspace is made", () => keyspace !== undefined);
  assert(keyspace !== undefined);
  return keyspace;
}

test("a keyspace made since the last checkpoint survives a crash of all nodes", async () => {
  const cluster = await startedCluster();
  const keyspace = (await createKeyspace(cluster, "young")).id;
  await until(cluster, "its groups are ready", () => cluster.isReady);
  assert.equal(await ask(cluster, cluster.nodes[0], ["SET", "key", "value"], { keyspace }), "OK");
  for (const sim of cluster.nodes) cluster.crash(sim);
  await cluster.startAll();
  await until(cluster, "the cluster is ready again", () => cluster.isReady);
  assert.equal(await ask(cluster, cluster.nodes[1], ["GET", "key"], { keyspace }), "value");
});

test("a dropped keyspace leaves nothing in the log", async () => {
  const cluster = await startedCluster();
  const keyspace = await createKeyspace(cluster, "brief");
  await until(cluster, "its groups are ready", () => cluster.isReady);
  await ask(cluster, cluster.nodes[0], ["SET", "key", "value"], { keyspace: keyspace.id });
  cluster.nodes[2].node?.dropKeyspace("brief").catch((error: unknown) => cluster.fatal.push(String(error)));
  const left = () =>
    cluster.nodes.flatMap(({ durable }) =>
      [...durable.log.keys()].filter((id) => id !== META_GROUP && keyspaceOf(id) === keyspace.id),
    );
  await until(cluster, "the log holds nothing of it", () => left().length === 0);
  await pass(cluster, 1_000);
  assert.deepEqual(left(), []);
});

test("a write that waits for a transaction does not keep the transaction from ending", async () => {
  const cluster = await startedCluster({ nodes: 1, partitions: 2 });
  const [sim] = cluster.nodes;
  const [a, b] = keysApart(2, 2);
  const startMs = cluster.world.nowMs;
  const answers: unknown[] = [];
  for (let round = 0; round < 20; round += 1) {
    for (const words of [
      ["MSET", a, `${round}`, b, `${round}`],
      ["SET", a, "alone"],
    ]) {
      cluster.submissions.submit(sim, words, newContext(), (answer) => answers.push(answer));
      // So that some of the writes come while the transaction holds the keys.
      await pass(cluster, 0.7);
    }
  }
  await until(cluster, "all are answered", () => answers.length === 40);
  assert.deepEqual(new Set(answers), new Set(["OK"]));
  assert(cluster.world.nowMs - startMs < 1_000, `it took ${cluster.world.nowMs - startMs} ms`);
});

test("a write at level all is not answered as done while a replica lacks it", async () => {
  const cluster = await startedCluster();
  const [first, , last] = cluster.nodes;
  const [a, b] = keysApart(3, 2);
  const expectUnknown = async (words: readonly string[]) => {
    const answer = await ask(cluster, first, words, { writeLevel: "all" });
    assert(answer instanceof MinikeyError, `${words.join(" ")} got ${String(answer)}`);
    assert.equal(answer.outcome, "unknown");
  };
  assert.equal(await ask(cluster, first, ["MSET", a, "1", b, "1"], { writeLevel: "all" }), "OK");
  cluster.crash(last);
  await expectUnknown(["SET", a, "2"]);
  await expectUnknown(["MSET", a, "3", b, "3"]);
  // With another disk it is a learner at first, which no majority needs. But it is a replica.
  cluster.wipe(last);
  cluster.startSoon(last);
  const isLearner = () =>
    first.node
      ?.status()
      .partitions.every(({ leader, replicas }) =>
        replicas.some(({ node, role }) => leader !== undefined && node === last.id && role === "learner"),
      ) === true;
  await until(cluster, "the replica is a learner", isLearner);
  cluster.crash(last);
  await expectUnknown(["SET", a, "4"]);
  cluster.startSoon(last);
  await until(cluster, "the cluster is whole again", () => cluster.isReady);
  assert.equal(await ask(cluster, first, ["MSET", a, "5", b, "5"], { writeLevel: "all" }), "OK");
});

test("everything asked of a node that stops is answered, also what waits for what came before", async () => {
  const cluster = await startedCluster();
  const [sim, ...others] = cluster.nodes;
  const [a, b] = keysApart(3, 2);
  // Without a majority nothing ends by itself.
  for (const other of others) cluster.crash(other);
  const context = newContext();
  const answers: unknown[] = [];
  const lines = ["SET a 1", "GET a", `MSET ${a} 1 ${b} 1`, "GET a", "SCAN 0", `RENAME ${a} ${b}`, "DBSIZE"];
  for (const line of lines) {
    cluster.submissions.submit(sim, line.split(" "), context, (answer) => answers.push(answer));
  }
  await pass(cluster, 100);
  let isStopped = false;
  cluster.stop(sim, () => {
    isStopped = true;
  });
  await until(cluster, "the node has stopped", () => isStopped);
  assert.equal(answers.length, lines.length);
  assert(answers.every((answer) => answer instanceof MinikeyError));
});

test("a node counts the bytes that it keeps for commands that wait for earlier ones of their context", async () => {
  const cluster = await startedCluster();
  const [sim, ...others] = cluster.nodes;
  const [a, b] = keysApart(3, 2);
  for (const other of others) cluster.crash(other);
  const context = newContext();
  const value = "v".repeat(100_000);
  let answers = 0;
  // The read waits for a majority; the writes, also those over partitions, wait for the read.
  for (const words of [
    ["GET", a],
    ["SET", a, value],
    ["MSET", a, value, b, value],
    ["MSET", a, "1", b, "1"],
  ]) {
    cluster.submissions.submit(sim, words, context, () => {
      answers += 1;
    });
  }
  await pass(cluster, 10);
  const kept = () => context.order?.keptBytes ?? 0;
  assert(kept() >= 300_000 && kept() < 301_000, `${kept()} bytes`);
  await until(cluster, "the MSET has started", () => answers === 2);
  assert(kept() >= 200_000 && kept() < 201_000, `${kept()} bytes`);
  for (const other of others) cluster.startSoon(other);
  await until(cluster, "all are answered", () => answers === 4);
  assert.equal(kept(), 0);
});

test("a node can be stopped at any moment of its start", async () => {
  for (const nodes of [1, 3]) {
    for (let afterMs = 0; afterMs < 10; afterMs += 1) {
      const cluster = new SimCluster({ seed: 1 + afterMs, nodes });
      await cluster.startAll();
      await pass(cluster, 0.3 * afterMs * (nodes === 1 ? 1 : 40));
      let stopped = 0;
      for (const sim of cluster.nodes) {
        cluster.stop(sim, () => {
          stopped += 1;
        });
      }
      await until(cluster, "the nodes have stopped", () => stopped === nodes);
      await pass(cluster, 3_000);
      await cluster.startAll();
      await until(cluster, "the cluster is ready", () => cluster.isReady);
    }
  }
});

test("when the leader stops, the others write on within 200 ms", async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const cluster = await startedCluster({ seed, partitions: 6 });
    const { world } = cluster;
    const [stopping, ...others] = cluster.nodes;
    const keys = keysApart(6, 6);
    // So that leaders are spread.
    await pass(cluster, 5_000);
    let isStopped = false;
    let longestMs = 0;
    let open = 0;
    const write = () => {
      for (const sim of others) {
        for (const key of keys) {
          const startMs = world.nowMs;
          open += 1;
          cluster.submissions.submit(sim, ["SET", key, "v"], newContext(), (answer) => {
            open -= 1;
            if (answer !== "OK") cluster.submissions.violations.push(`SET ${key} got ${String(answer)}`);
            longestMs = Math.max(longestMs, world.nowMs - startMs);
          });
        }
      }
      if (!isStopped) world.schedule(20, write);
    };
    write();
    await pass(cluster, 200);
    cluster.stop(stopping, () => {
      isStopped = true;
    });
    await until(cluster, "the node has stopped and all is answered", () => isStopped && open === 0);
    assert(longestMs <= 200, `seed ${seed}: a write took ${longestMs} ms`);
  }
});

test("a node whose clock is fast still shows what has not expired by the leader's clock", async () => {
  const cluster = await startedCluster({ skewMs: 0 });
  for (const fast of cluster.nodes) {
    for (const { process } of cluster.nodes) if (process !== undefined) process.skewMs = 0;
    if (fast.process !== undefined) fast.process.skewMs = 5_000;
    const key = `key-of-${fast.id}`;
    const slow = cluster.nodes.filter((sim) => sim !== fast);
    await ask(cluster, slow[0], ["SET", key, "value", "PX", "3000"]);
    const startMs = cluster.world.nowMs;
    const atFast = await ask(cluster, fast, ["GET", key]);
    assert(cluster.world.nowMs - startMs < 200, `a read took ${cluster.world.nowMs - startMs} ms`);
    const atSlow = await ask(cluster, slow[0], ["GET", key]);
    // Where the fast one leads, the key is gone by its clock, and then for all.
    if (atFast === null) assert.equal(atSlow, null);
    else assert.equal(atFast, "value");
    // A partition's time is that of the fastest clock that it has seen.
    await pass(cluster, 8_000);
    assert.equal(await ask(cluster, fast, ["GET", key]), null);
    assert.equal(await ask(cluster, slow[1], ["GET", key]), null);
  }
});

test("nodes without a replica go on soon after the leader that they talk to has died", async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const cluster = await startedCluster({ seed, nodes: 5, partitions: 4 });
    const { world } = cluster;
    await pass(cluster, 4_000);
    const [partition] = cluster.nodes[0].node?.status().partitions ?? [];
    const holders = new Set(partition.replicas.map(({ node }) => node));
    const outsider = cluster.nodes.find(({ id }) => !holders.has(id));
    const { leader } = partition;
    assert(outsider !== undefined && leader !== undefined);
    const key = keysApart(4, 4).find((candidate) => partitionOfKey(candidate, 4) === partition.partition);
    assert(key !== undefined);
    let longestMs = 0;
    let open = 0;
    let isOver = false;
    const send = (words: readonly string[]) => {
      const startMs = world.nowMs;
      open += 1;
      cluster.submissions.submit(outsider, words, newContext(), (answer) => {
        open -= 1;
        longestMs = Math.max(longestMs, world.nowMs - startMs);
        if (answer instanceof Error)
          cluster.submissions.violations.push(`${words.join(" ")}: ${answer.message}`);
      });
    };
    const step = () => {
      send(["SET", key, "v"]);
      send(["GET", key]);
      if (!isOver) world.schedule(20, step);
    };
    step();
    await pass(cluster, 300);
    cluster.crash(cluster.nodeNamed(leader));
    await pass(cluster, 2_000);
    isOver = true;
    await until(cluster, "all is answered", () => open === 0);
    assert(longestMs < 1_000, `seed ${seed}: a command took ${longestMs} ms`);
  }
});

test("a transaction whose coordinator dies is done everywhere or nowhere, and holds nothing for long", async () => {
  let afterVotes = 0;
  for (let seed = 1; seed <= 8; seed += 1) {
    const cluster = await startedCluster({ seed });
    const [coordinator, other] = cluster.nodes;
    const [a, b] = keysApart(3, 2);
    await ask(cluster, other, ["MSET", a, "old", b, "old"]);
    cluster.submissions.submit(coordinator, ["MSET", a, "new", b, "new"], newContext(), () => undefined);
    // Every time a little later: one partition has voted, both have, one is told …
    await until(cluster, "a key is held", () => lockedKeys(cluster).length > 0);
    await pass(cluster, 0.4 * seed);
    if (lockedKeys(cluster).length > 0) afterVotes += 1;
    cluster.crash(coordinator);
    await pass(cluster, 10_000);
    assert.deepEqual(lockedKeys(cluster), [], `seed ${seed}`);
    const values = await ask(cluster, other, ["MGET", a, b]);
    assert.equal(new Set(values as string[]).size, 1, `seed ${seed}: ${String(values)}`);
    assert.equal(await ask(cluster, other, ["MSET", a, "later", b, "later"]), "OK");
  }
  assert(afterVotes > 0, "no coordinator died while it mattered");
});

test("a node that lost its disk is in no majority before it has caught up", async () => {
  const cluster = await startedCluster();
  const [first, second, third] = cluster.nodes;
  assert.equal(await ask(cluster, first, ["SET", "key", "1"]), "OK");
  for (const sim of [second, third]) cluster.crash(sim);
  cluster.wipe(third);
  cluster.startSoon(third);
  // Two of three run, but one of them has forgotten all.
  let answered = 0;
  const startMs = cluster.world.nowMs;
  while (cluster.world.nowMs - startMs < 15_000) {
    for (const words of [
      ["SET", "key", "2"],
      ["GET", "key"],
    ]) {
      const answer = await ask(cluster, first, words);
      assert(answer instanceof MinikeyError, `${words.join(" ")} got ${String(answer)}`);
      answered += 1;
    }
    assert.notEqual(third.node?.status().ready, true);
  }
  assert(answered > 4);
  cluster.startSoon(second);
  await until(cluster, "the cluster is whole again", () => cluster.isReady);
  assert.equal(await ask(cluster, third, ["SET", "key", "3"]), "OK");
  assert.equal(await ask(cluster, first, ["GET", "key"]), "3");
});
