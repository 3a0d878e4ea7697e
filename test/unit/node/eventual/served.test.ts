/** What another node may ask of a replica for its commands, and what it may not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../../../src/codec/byte-writer.js";
import { decodeReplyFrom } from "../../../../src/commands/reply-encoding.js";
import { type Bytes, latin1ToBytes } from "../../../../src/core/bytes.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { nodeId } from "../../../../src/core/ids.js";
import { BatchWriter } from "../../../../src/eventual/batch.js";
import {
  BUSY,
  DONE,
  encodeFetch,
  encodeRepair,
  encodeRun,
  NOT_HERE,
  numberRun,
  RAN,
  readKind,
  readOutcome,
} from "../../../../src/node/eventual/frames.js";
import { makeArgs } from "../../../../src/node/node-commands.js";
import { GROUP, recordsOf, specOf } from "../eventual-fixture.js";
import { ELSEWHERE, Peers } from "./peers.js";

const N2 = nodeId("n2");

const run = (...words: string[]): Bytes =>
  numberRun(encodeRun("one", specOf(words).opcode, makeArgs(words)), 5, 1_000);

/** Records as `n1` of the trio has them, as a batch. */
function batchOf(peers: Peers, add: (batch: BatchWriter) => void = () => undefined): Bytes {
  const batch = new BatchWriter();
  const stored = peers.nodes[0].lone?.replica.state.stored("k");
  assert(stored !== undefined);
  batch.stored("k", stored);
  add(batch);
  return batch.take();
}

test("only commands that a replica of the partition can be asked for are carried out", async () => {
  const peers = await Peers.start([{}, {}]);
  const [n1] = peers.nodes;
  await n1.ask(["SET", "k", "v"]);
  const before = recordsOf(n1.lone!.store);
  const command = (opcode: number, ...words: string[]) =>
    numberRun(encodeRun("one", opcode, makeArgs(["", ...words])), 5, 1_000);
  const refused: Readonly<Record<string, Bytes>> = {
    "an unknown command": command(9_999, "k"),
    "a condition": run("SET", "k", "w", "NX"),
    "a refused command": run("SETNX", "k", "w"),
    "a command of the whole partition that writes": run("FLUSHPART"),
    "a command that is only the node's": run("PING"),
    "a repeat": run("ONCE", "1_a", "1", "SET", "k", "w"),
    "another partition's key": run("SET", ELSEWHERE, "w"),
    "keys of two partitions": run("DEL", "k", ELSEWHERE),
    "an empty key": run("SET", "", "w"),
    "too few arguments": command(specOf(["SET"]).opcode, "k"),
    "a document that is none": run("JSON.SET", "k", "$", "{"),
    "an unknown level": Object.assign(run("SET", "k", "w"), { 7: 9 }),
    "half a command": run("SET", "k", "w").subarray(0, 14),
    "an unknown kind": latin1ToBytes("\x09nothing"),
    nothing: latin1ToBytes(""),
  };
  for (const [what, body] of Object.entries(refused)) {
    assert.throws(() => n1.commands.onFrame(N2, GROUP, body), MinikeyError, what);
  }
  await peers.pass(100);
  assert.deepEqual(recordsOf(n1.lone!.store), before);
});

test("keys that are none are not looked for, and repairs bring records of the partition alone", async () => {
  const peers = await Peers.start([{}, {}]);
  const [n1, n2] = peers.nodes;
  await n1.ask(["SET", "k", "v"]);
  const stored = n1.lone?.replica.state.stored("k");
  assert(stored !== undefined);
  const cut = { ...stored, end: stored.start + 5 };
  const refused: Readonly<Record<string, Bytes>> = {
    "an empty key": encodeFetch(5, ["k", ""]),
    "a long key": encodeFetch(5, ["k".repeat(2_000)]),
    "an advance": encodeRepair(batchOf(peers, (batch) => batch.advance(n1.lone!.self, 0, 9))),
    "another partition's record": encodeRepair(batchOf(peers, (batch) => batch.stored(ELSEWHERE, stored))),
    "half a record": encodeRepair(batchOf(peers, (batch) => batch.stored("x", cut))),
    "half a batch": encodeRepair(batchOf(peers).subarray(0, 9)),
  };
  for (const [what, body] of Object.entries(refused)) {
    assert.throws(() => n2.commands.onFrame(N2, GROUP, body), MinikeyError, what);
  }
  await peers.pass(100);
  assert.equal(recordsOf(n2.lone!.store).size, 0);
  n2.commands.onFrame(N2, GROUP, encodeRepair(batchOf(peers)));
  await peers.pass(100);
  assert.equal(await n2.ask(["GET", "k"]), "v");
});

test("an answer counts when it is that of the node that was asked, to what it was asked, once", async () => {
  const peers = await Peers.start([{ hasReplica: false }, {}, {}]);
  const [n1, n2, n3] = peers.nodes;
  await n2.ask(["SET", "k", "v"]);
  await n3.ask(["SET", "k", "other"]);
  peers.silent.add("n2>n1");
  const asked = n1.submit(["GET", "k"]);
  await peers.pass(10);
  const [frame] = n2.sent;
  const { reader } = readKind(frame.subarray(5));
  const request = reader.u48();
  const answer = (number: number, value: string, kind = RAN) => {
    const writer = new ByteWriter();
    writer.u8(kind);
    writer.u48(number);
    writer.u8(DONE);
    writer.u8(8);
    writer.blob(latin1ToBytes(value));
    return writer.toBytes();
  };
  n1.commands.onFrame(n3.id, GROUP, answer(request, "of another node"));
  n1.commands.onFrame(n2.id, GROUP, answer(request + 1, "to something else"));
  n1.commands.onFrame(n2.id, GROUP, answer(request, "of another kind", 4));
  assert.deepEqual(asked.answers, []);
  n1.commands.onFrame(n2.id, GROUP, answer(request, "v"));
  n1.commands.onFrame(n2.id, GROUP, answer(request, "again"));
  assert.deepEqual(asked.answers, ["v"]);
});

test("an answer that cannot be read is as good as none: a read goes on, a write is in doubt", async () => {
  const peers = await Peers.start([{ hasReplica: false }, {}, {}]);
  const [n1, n2, n3] = peers.nodes;
  await n3.ask(["SET", "k", "v"]);
  peers.silent.add("n2>n1");
  for (const words of [
    ["GET", "k"],
    ["SET", "k", "w"],
  ]) {
    const { answers } = n1.submit(words);
    await peers.pass(5);
    const { reader } = readKind(n2.sent.at(-1)!.subarray(5));
    const writer = new ByteWriter();
    writer.u8(RAN);
    writer.u48(reader.u48());
    writer.u8(DONE);
    writer.u8(200);
    assert.throws(() => n1.commands.onFrame(n2.id, GROUP, writer.toBytes()), MinikeyError);
    await peers.pass(50);
    const [answer] = answers;
    if (words[0] === "GET") assert.equal(answer, "v");
    else assert(answer instanceof MinikeyError && answer.outcome === "unknown", String(answer));
  }
});

test("a node without a complete replica says so, and one that is overloaded too", async () => {
  const peers = await Peers.start([{}, { isFounder: false }]);
  const [n1, n2] = peers.nodes;
  const outcomeAt = async (target: typeof n1, other: typeof n1, body: Bytes) => {
    const before = other.sent.length;
    target.commands.onFrame(other.id, GROUP, body);
    await peers.pass(100);
    const { kind, reader } = readKind(other.sent[before].subarray(5));
    reader.u48();
    return { kind, outcome: readOutcome(reader), reader };
  };
  for (const body of [run("GET", "k"), run("SET", "k", "v"), encodeFetch(5, ["k"])]) {
    assert.equal((await outcomeAt(n2, n1, body)).outcome, NOT_HERE);
  }
  n1.lone!.lag = "behind";
  assert.equal((await outcomeAt(n1, n2, run("SET", "k", "v"))).outcome, BUSY);
  n1.lone!.lag = "none";
  const done = await outcomeAt(n1, n2, run("INCRBY", "n", "4"));
  assert.deepEqual([done.outcome, decodeReplyFrom(done.reader)], [DONE, 4]);
});
