/** Reads of what several replicas have: whose records count, and who is sent what. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MinikeyError } from "../../../../src/core/errors.js";
import { keyspaceId } from "../../../../src/core/ids.js";
import { Peers, REQUEST_TIMEOUT_MS } from "./peers.js";

const three = async () => await Peers.start([{}, {}, {}]);
const KEYSPACE = keyspaceId(0);
const QUORUM = { readLevel: "quorum" } as const;
const ALL = { readLevel: "all" } as const;

function assertRefused(answer: unknown, message: string): void {
  assert(answer instanceof MinikeyError, String(answer));
  assert.equal(answer.code, "NO_QUORUM");
  assert.equal(answer.message, message);
}

test("the newest of all that are asked is answered, and all that had less get it", async () => {
  const peers = await three();
  const [n1, n2, n3] = peers.nodes;
  await n1.ask(["SET", "k", "first"]);
  await n2.ask(["SET", "k", "second"]);
  await n3.ask(["SET", "k", "third"]);
  await n3.ask(["SET", "own", "x"]);
  assert.deepEqual(await n1.ask(["MGET", "k", "own", "none"], ALL), ["third", "x", null]);
  assert.equal(n1.commands.repairs.of(KEYSPACE), 4);
  await peers.pass(50);
  for (const peer of [n1, n2]) {
    assert.equal(await peer.ask(["GET", "k"]), "third");
    assert.equal(await peer.ask(["GET", "own"]), "x");
  }
  assert.equal(await n1.ask(["GET", "k"], ALL), "third");
  assert.equal(n1.commands.repairs.of(KEYSPACE), 4, "nobody had less the second time");
});

test("a deletion that others have is newer than a value here", async () => {
  const peers = await three();
  const [n1, n2] = peers.nodes;
  await n1.ask(["SET", "k", "v"]);
  assert.equal(await n2.ask(["GET", "k"], ALL), "v");
  await peers.pass(50);
  await n2.ask(["DEL", "k"]);
  assert.equal(await n1.ask(["GET", "k"]), "v");
  assert.equal(await n1.ask(["EXISTS", "k"], ALL), 0);
  await peers.pass(50);
  assert.equal(await n1.ask(["GET", "k"]), null);
});

test("what several replicas have added to a counter is added up", async () => {
  const peers = await three();
  for (const [i, peer] of peers.nodes.entries()) await peer.ask(["INCRBY", "n", `${i + 1}`]);
  assert.equal(await peers.nodes[0].ask(["GET", "n"], ALL), "6");
  assert.equal(await peers.nodes[1].ask(["COMPUTE", "x", "WHERE", "x", "=", "QUERY", "n"], ALL), "6");
});

test("a majority is enough, and no fewer than that are waited for in vain", async () => {
  const peers = await three();
  const [n1, n2, n3] = peers.nodes;
  await n2.ask(["SET", "k", "v"]);
  peers.silent.add("n3>n1");
  assert.equal(await n1.ask(["GET", "k"], QUORUM), "v");
  const startMs = peers.world.nowMs;
  assertRefused(await n1.ask(["GET", "k"], ALL), "all needs 3 of 3 replicas, and 2 answered in time");
  assert(peers.world.nowMs - startMs < REQUEST_TIMEOUT_MS);
  const underWay = n1.submit(["GET", "k"], ALL);
  await peers.pass(100);
  assert.deepEqual(underWay.answers, []);
  n3.goDown();
  assertRefused(underWay.answers[0], "all needs 3 of 3 replicas, and 2 answered in time");
  assert.equal(await n1.ask(["GET", "k"], QUORUM), "v");
  n2.goDown();
  assertRefused(await n1.ask(["GET", "k"], QUORUM), "quorum needs 2 of 3 replicas, and 1 can be reached");
});

test("a replica that is not complete counts for nothing, wherever it is", async () => {
  const peers = await Peers.start([{}, { isFounder: false }, { isFounder: false }]);
  const [n1, n2] = peers.nodes;
  await n1.ask(["SET", "k", "v"]);
  assertRefused(await n1.ask(["GET", "k"], QUORUM), "quorum needs 2 of 3 replicas, and 1 answered in time");
  assertRefused(await n2.ask(["GET", "k"], QUORUM), "quorum needs 2 of 3 replicas, and 1 answered in time");
  assert.equal(await n2.ask(["GET", "k"]), "v", "one goes where there is a complete one");
  assert.equal(await n2.ask(["SET", "k", "w"]), "OK");
  assert.equal(await n1.ask(["GET", "k"]), "w");
});

test("a node without a replica asks others at every level", async () => {
  const peers = await Peers.start([{ hasReplica: false }, {}, {}, {}]);
  const [n1, n2, , n4] = peers.nodes;
  await n4.ask(["SET", "doc", "v"]);
  assert.equal(await n1.ask(["GET", "doc"], ALL), "v");
  assert.equal(n1.commands.repairs.of(KEYSPACE), 2);
  await peers.pass(50);
  assert.equal(await n2.ask(["GET", "doc"]), "v");
  assert.equal(await n1.ask(["GET", "doc"]), "v");
  assert.equal(await n1.ask(["QUERY", "doc"]), "v");
  assert.equal(await n1.ask(["SET", "doc", "w"]), "OK");
  assert.equal(await n1.ask(["STRLEN", "doc"]), 1);
});

test("a forwarded read that is not answered goes to the next replica, a write is told to be in doubt", async () => {
  const peers = await Peers.start([{ hasReplica: false }, {}, {}]);
  const [n1, n2, n3] = peers.nodes;
  await n3.ask(["SET", "k", "v"]);
  peers.silent.add("n2>n1");
  assert.equal(await n1.ask(["GET", "k"]), "v");
  const doubtful = await n1.ask(["INCR", "n"]);
  assert(doubtful instanceof MinikeyError && doubtful.outcome === "unknown", String(doubtful));
  assert.equal(await n2.ask(["GET", "n"]), "1");
  assert.equal(await n3.ask(["GET", "n"]), null, "it was asked of one alone");
  const underWay = n1.submit(["INCR", "n"]);
  n2.goDown();
  const [lost] = underWay.answers;
  assert(lost instanceof MinikeyError && lost.outcome === "unknown", String(lost));
  assert.equal(await n1.ask(["INCR", "n"]), 1, "the next goes to the other");
  n3.goDown();
  assertRefused(await n1.ask(["INCR", "n"]), "one needs 1 of 2 replicas, and 0 can be reached");
});

test("what waits is answered when the node stops, and what comes later is refused", async () => {
  const peers = await three();
  const [n1, n2, n3] = peers.nodes;
  for (const other of [n2, n3]) peers.silent.add(`${other.id}>n1`);
  const waiting = [n1.submit(["GET", "k"], QUORUM), n1.submit(["QUERY", "k"], ALL)];
  await peers.pass(10);
  n1.commands.close();
  for (const { answers } of waiting) {
    assert.equal(answers.length, 1);
    assert(answers[0] instanceof MinikeyError && answers[0].code === "STOPPING", String(answers[0]));
  }
  assert.equal(n1.commands.pending, 0);
  const late = await n1.ask(["GET", "k"], QUORUM);
  assert(late instanceof MinikeyError, String(late));
});
