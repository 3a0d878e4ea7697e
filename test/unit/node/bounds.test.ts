/** What a node refuses rather than keep: writes without a majority, answers and values that outgrow their commands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MinikeyError } from "../../../src/core/errors.js";
import { gatherAll, sumOf } from "../../../src/node/coordinator.js";
import { makeArgs } from "../../../src/node/node-commands.js";
import { PartitionWriter, type WriterHost } from "../../../src/node/partition-writer.js";
import { apply, GROUP, newMachine } from "./partition-fixture.js";

const SET_OPCODE = 1;
const TIMEOUT_MS = 1_000;

/** A node that reaches no leader. */
function unreachableHost(clock: { nowMs: number }): WriterHost {
  let sessions = 0;
  return {
    requestTimeoutMs: TIMEOUT_MS,
    monotonicMs: () => clock.nowMs,
    wallMs: () => clock.nowMs,
    newSession: () => (sessions += 1),
    sendBatch: () => "unreachable",
    isLost: () => false,
    wakeWriter: () => undefined,
    wakeWriterAfter: () => undefined,
    sessionOpened: () => undefined,
    sessionClosed: () => undefined,
  };
}

test("writes without a majority are refused in time, however many there are", () => {
  const clock = { nowMs: 0 };
  const writer = new PartitionWriter(GROUP, unreachableHost(clock));
  const answers: unknown[] = [];
  const onReply = (reply: unknown) => answers.push(reply);
  for (let i = 0; i < 200; i += 1) {
    writer.submit(SET_OPCODE, makeArgs(["SET", `k${i}`, "v"]), "majority", { onReply }, undefined);
    writer.flush();
  }
  for (let i = 0; i < 3; i += 1) {
    clock.nowMs += TIMEOUT_MS;
    writer.sweep();
  }
  assert.equal(answers.length, 200);
  for (const answer of answers) assert.ok(answer instanceof MinikeyError && answer.code === "NO_QUORUM");
});

test("writes under way to a partition are bounded in bytes, not only in batches", () => {
  const writer = new PartitionWriter(GROUP, unreachableHost({ nowMs: 0 }));
  const value = "v".repeat(8 * 1024 * 1024);
  const answers: unknown[] = [];
  const onReply = (reply: unknown) => answers.push(reply);
  for (let i = 0; i < 12; i += 1) {
    writer.submit(SET_OPCODE, makeArgs(["SET", `k${i}`, value]), "majority", { onReply }, undefined);
    writer.flush();
  }
  const refused = answers.filter((answer) => answer instanceof MinikeyError && answer.code === "OVERLOADED");
  assert.ok(refused.length >= 3, `${refused.length} of 12 writes of 8 MiB were refused`);
});

test("what the commands of one batch answer is bounded, and the rest says that it was not carried out", async () => {
  const machine = await newMachine();
  const value = "v".repeat(1024 * 1024);
  apply(machine, { session: 1, sequence: 1, commands: [["SET", "big", value]] });
  const commands = [...Array.from({ length: 40 }, () => ["GETEX", "big"]), ["SET", "last", "1"]];
  const { status, replies } = apply(machine, { session: 1, sequence: 2, commands, acked: 1 });
  assert.equal(status, "applied");
  assert.equal(replies.length, 41);
  const refused = replies.filter((reply) => reply instanceof MinikeyError);
  assert.ok(refused.length >= 20 && refused.length < 30, `${refused.length} of 41 were refused`);
  for (const reply of refused) assert.equal(reply.code, "OVERLOADED");
  assert.equal(machine.view.get("last"), undefined);
});

test("what the commands of one batch write is bounded, however short they are", async () => {
  const machine = await newMachine();
  const commands = Array.from({ length: 100 }, (_, i) => ["SETRANGE", `k${i}`, "1048000", "x"]);
  const { replies } = apply(machine, { session: 1, sequence: 1, commands });
  const refused = replies.filter((reply) => reply instanceof MinikeyError);
  assert.ok(refused.length >= 30, `${refused.length} of 100 were refused`);
});

test("a write over partitions is never called not applied when a part of it may be", () => {
  const refused = new MinikeyError("NO_QUORUM", "refused");
  const unknown = new MinikeyError("OUTCOME_UNKNOWN", "unknown");
  const codeOf = (reply: unknown) => (reply instanceof MinikeyError ? reply.code : reply);
  assert.equal(codeOf(sumOf([1, 2], "write")), 3);
  assert.equal(codeOf(sumOf([0, refused], "write")), "NO_QUORUM");
  assert.equal(codeOf(sumOf([refused, unknown], "write")), "OUTCOME_UNKNOWN");
  assert.equal(codeOf(sumOf([1, refused], "write")), "OUTCOME_UNKNOWN");
  assert.equal(codeOf(sumOf([1, refused], "read")), "NO_QUORUM");
});

test("replies are gathered in the order of the parts, whenever they come", () => {
  const gathered: unknown[] = [];
  const finish = gatherAll(2, (replies) => gathered.push(...replies));
  finish(1, "b");
  assert.deepEqual(gathered, []);
  finish(0, "a");
  assert.deepEqual(gathered, ["a", "b"]);
});
