/** What watches state machines finds what must not be, in what is made for it, and nothing in what is right. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RefusedWrites } from "../../../sim/checks/refused-writes.js";
import { TransactionSafety } from "../../../sim/checks/transaction-safety.js";
import { utf8ToBytes } from "../../../src/core/bytes.js";
import { groupId, nodeId } from "../../../src/core/ids.js";
import type { ReplicaGroup } from "../../../src/node/replica-group.js";
import { type StagedWrite, Transactions } from "../../../src/node/transactions.js";

const NODE = nodeId("n1");
const [A, B] = [1, 2].map(groupId);
const WRITE: StagedWrite = {
  action: "put",
  key: "k",
  type: "string",
  expiresAtMs: 0,
  value: utf8ToBytes("v"),
};

/** Two partitions, one replica each, watched. */
function scene() {
  const found: string[] = [];
  const safety = new TransactionSafety((property) => found.push(property));
  const open = (id: typeof A): Transactions => {
    const transactions = new Transactions();
    safety.observe(NODE, { id, machine: { transactions } } as Pick<ReplicaGroup, "id" | "machine">);
    return transactions;
  };
  return { found, a: open(A), b: open(B) };
}

function prepare(transactions: readonly Transactions[], id: string, writes: readonly StagedWrite[]): void {
  for (const each of transactions) each.prepare({ id, participants: [A, B], locked: ["k"], writes });
}

test("a transaction that all carry out and then forget, or all undo, is as it should be", () => {
  const { found, a, b } = scene();
  prepare([a, b], "n1.1.a", [WRITE]);
  for (const each of [a, b]) each.commit("n1.1.a");
  for (const each of [a, b]) each.forget("n1.1.a");
  prepare([a, b], "n1.1.b", [WRITE]);
  for (const each of [a, b]) each.abort("n1.1.b");
  // What comes again changes nothing.
  b.commit("n1.1.b");
  a.abort("n1.1.a");
  assert.deepEqual(found, []);
});

test("a transaction that is carried out here and undone there is found, whichever comes first", () => {
  const { found, a, b } = scene();
  prepare([a, b], "n1.1.a", [WRITE]);
  a.commit("n1.1.a");
  b.abort("n1.1.a");
  prepare([a, b], "n1.1.b", [WRITE]);
  a.abort("n1.1.b");
  b.commit("n1.1.b");
  assert.deepEqual(found, ["transactions are all or nothing", "transactions are all or nothing"]);
});

test("what only reads may end in any way", () => {
  const { found, a, b } = scene();
  prepare([a, b], "n1.1.a", []);
  a.commit("n1.1.a");
  a.forget("n1.1.a");
  b.abort("n1.1.a");
  assert.deepEqual(found, []);
});

test("a commit that is forgotten before all have carried it out is found", () => {
  const { found, a, b } = scene();
  prepare([a, b], "n1.1.a", [WRITE]);
  a.commit("n1.1.a");
  a.forget("n1.1.a");
  assert.deepEqual(found, ["a commit is remembered until all have it"]);
  b.commit("n1.1.a");
  b.forget("n1.1.a");
  assert.equal(found.length, 1);
});

test("a write that is told as refused and applied is found, whichever comes first", () => {
  const found: string[] = [];
  const writes = new RefusedWrites((_, message) => found.push(message));
  const write = (key: string, value: string) => {
    const bytes = utf8ToBytes(value);
    writes.onWritten(NODE, key, {
      type: "string",
      bytes,
      start: 0,
      end: bytes.length,
      expiresAtMs: 0,
      version: 1,
    });
  };
  write("a", "v1");
  writes.onRefused("a", "v2");
  writes.onRefused("b", "v1");
  assert.deepEqual(found, []);
  write("a", "v2");
  write("b", "v3");
  writes.onRefused("b", "v3");
  assert.deepEqual(found, [
    "n1 applies a = v2, which was told as refused",
    "b = v3 is told as refused, and is applied",
  ]);
});
