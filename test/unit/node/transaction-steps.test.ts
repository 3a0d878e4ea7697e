/** One partition's share of a transaction: what it votes, holds and remembers, in whatever order it is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plain } from "../../../sim/cluster/client.js";
import { OK } from "../../../src/commands/reply.js";
import { type Bytes, latin1ToBytes } from "../../../src/core/bytes.js";
import { groupId } from "../../../src/core/ids.js";
import { encodePreparePart } from "../../../src/node/node-commands.js";
import type { PartitionMachine } from "../../../src/node/partition-machine.js";
import type { StagedWrite } from "../../../src/node/transactions.js";
import { recordsOf, type TestRecord } from "../../support/records.js";
import { apply, machineOn, newMachine, newStore, readOf, type Words } from "./partition-fixture.js";

const PARTICIPANTS = [groupId(7), groupId(8)];

interface PartSpec {
  readonly checks: Readonly<Record<string, number>>;
  readonly writes?: readonly StagedWrite[];
  readonly wantsValues?: boolean;
}

function partOf({ checks, writes = [], wantsValues = false }: PartSpec): Bytes {
  return encodePreparePart({
    participants: PARTICIPANTS,
    checks: Object.entries(checks).map(([key, version]) => ({ key, version })),
    writes,
    wantsValues,
  });
}

const put = (key: string, value: string): StagedWrite => ({
  action: "put",
  key,
  type: "string",
  expiresAtMs: 0,
  value: latin1ToBytes(value),
});

class Partition {
  readonly machine: PartitionMachine;
  #sequence = 0;

  private constructor(machine: PartitionMachine) {
    this.machine = machine;
  }

  static async with(...commands: readonly Words[]): Promise<Partition> {
    const partition = new Partition(await newMachine());
    for (const words of commands) partition.do(...words);
    return partition;
  }

  do(...words: Words): unknown {
    this.#sequence += 1;
    const batch = { session: 1, sequence: this.#sequence, commands: [words], timeMs: 1_000 };
    const { status, replies } = apply(this.machine, batch);
    assert.equal(status, "applied");
    return plain(replies[0]);
  }

  prepare(id: string, part: PartSpec): unknown {
    return this.do("TXN.PREPARE", id, partOf(part));
  }

  get(key: string): unknown {
    const { spec, args } = readOf("GET", key);
    return plain(this.machine.read(spec, args, 1_000));
  }

  isBlocked(...words: readonly string[]): boolean {
    const { spec, args } = readOf(...words);
    return this.machine.transactions.blocks(spec, args);
  }
}

test("a part is carried out when it is committed, and not before", async () => {
  const partition = await Partition.with(["SET", "a", "old"], ["SET", "b", "old"]);
  const writes: StagedWrite[] = [put("a", "new"), { action: "delete", key: "b" }];
  assert.equal(partition.prepare("t", { checks: { a: -1, b: -1 }, writes }), "PREPARED");
  assert.deepEqual([partition.get("a"), partition.get("b")], ["old", "old"]);
  assert.equal(partition.do("TXN.COMMIT", "t"), OK.text);
  assert.deepEqual([partition.get("a"), partition.get("b")], ["new", null]);
  partition.do("SET", "a", "newer");
  assert.equal(partition.do("TXN.COMMIT", "t"), OK.text);
  assert.equal(partition.get("a"), "newer", "what is told twice is done once");
});

test("what a transaction holds blocks others, their reads too, until it ends", async () => {
  for (const end of ["TXN.COMMIT", "TXN.ABORT"]) {
    const partition = await Partition.with();
    partition.prepare("t", { checks: { held: -1 } });
    assert(partition.isBlocked("GET", "held"));
    assert(partition.isBlocked("MGET", "free", "held"));
    assert(partition.isBlocked("DBSIZE"));
    assert(!partition.isBlocked("GET", "free"));
    assert.equal(partition.prepare("other", { checks: { held: -1, free: -1 } }), "LOCKED");
    assert(!partition.isBlocked("GET", "free"), "a vote of no holds nothing");
    partition.do(end, "t");
    assert(!partition.isBlocked("GET", "held"));
    assert(partition.machine.transactions.isIdle);
  }
});

test("a batch of records waits for a transaction that holds any of its keys, repeat-proof or not", async () => {
  for (const prefix of [[], ["ONCE", "client", "1"]]) {
    const machine = await newMachine();
    const prepare = ["TXN.PREPARE", "t", partOf({ checks: { held: -1 } })];
    apply(machine, { session: 1, sequence: 1, commands: [prepare] });
    const load = (...keys: string[]): Words => {
      const records = recordsOf(...keys.map((key): TestRecord => [key, "1"]));
      return [...prefix, "KV.LOAD", "free", records];
    };
    const blocked = apply(machine, { session: 2, sequence: 1, commands: [load("free", "held", "other")] });
    assert.deepEqual([blocked.status, blocked.replies.length], ["blocked", 0]);
    const free = apply(machine, { session: 3, sequence: 1, commands: [load("free", "other")] });
    assert.deepEqual([free.status, free.replies], ["applied", [2]]);
  }
});

test("a version that has changed is a conflict, and so is a key that came or went", async () => {
  const partition = await Partition.with(["SET", "a", "1"], ["SET", "a", "2"]);
  assert.equal(partition.prepare("t1", { checks: { a: 1 } }), "CONFLICT");
  assert.equal(partition.prepare("t2", { checks: { a: 0 } }), "CONFLICT");
  assert.equal(partition.prepare("t3", { checks: { missing: 1 } }), "CONFLICT");
  assert.equal(partition.prepare("t4", { checks: { missing: 0 } }), "PREPARED");
  assert.equal(partition.prepare("t5", { checks: { a: 2 } }), "PREPARED");
});

test("the same question gets the same vote, also after the decision", async () => {
  const partition = await Partition.with();
  const part = { checks: { a: -1 }, writes: [put("a", "1")] };
  assert.equal(partition.prepare("t", part), "PREPARED");
  assert.equal(partition.prepare("t", part), "PREPARED");
  partition.do("TXN.COMMIT", "t");
  assert.equal(partition.prepare("t", part), "COMMITTED");
  assert(partition.machine.transactions.isIdle);
});

test("who is asked for a vote that it never gave votes no, for good", async () => {
  const partition = await Partition.with();
  const part = { checks: { a: -1 } };
  assert.equal(partition.do("TXN.VOTE", "n1.5.t"), "ABORTED");
  assert.deepEqual(partition.prepare("n1.5.t", part), ["FENCED", 5]);
  assert(partition.machine.transactions.isIdle);
  assert.equal(
    partition.do("TXN.VOTE", "n1.5.t"),
    "FORGOTTEN",
    "it cannot tell any more why it holds nothing",
  );
  partition.prepare("n2.5.u", part);
  assert.equal(partition.do("TXN.VOTE", "n2.5.u"), "PREPARED");
  partition.do("TXN.COMMIT", "n2.5.u");
  assert.equal(partition.do("TXN.VOTE", "n2.5.u"), "COMMITTED");
});

test("a fence keeps out one node's transactions up to a generation, and what is held already is held on", async () => {
  const partition = await Partition.with();
  const part = (key: string) => ({ checks: { [key]: -1 } });
  assert.equal(partition.prepare("n1.5.held", part("a")), "PREPARED");
  partition.do("TXN.VOTE", "n1.6.lost");
  partition.do("TXN.VOTE", "n1.4.older");
  assert.deepEqual(partition.prepare("n1.6.late", part("b")), ["FENCED", 6]);
  assert.deepEqual(partition.prepare("n1.4.late", part("b")), ["FENCED", 6]);
  assert.equal(partition.prepare("n1.5.held", part("a")), "PREPARED");
  assert.equal(partition.prepare("n1.7.next", part("b")), "PREPARED");
  assert.equal(partition.prepare("n2.1.other", part("c")), "PREPARED");
  assert.equal(partition.do("TXN.COMMIT", "n1.5.held"), OK.text);
  assert.equal(partition.do("TXN.VOTE", "n1.5.held"), "COMMITTED");
});

test("what was forgotten by another than its coordinator is not called aborted", async () => {
  const partition = await Partition.with();
  partition.prepare("n1.5.t", { checks: { a: -1 }, writes: [put("a", "1")] });
  partition.do("TXN.COMMIT", "n1.5.t");
  partition.do("TXN.FORGET", "n1.5.t", "FENCE");
  assert.equal(partition.do("TXN.VOTE", "n1.5.t"), "FORGOTTEN");
  assert.equal(partition.do("TXN.COMMIT", "n1.5.t"), OK.text, "who commits late does no harm");
  assert.deepEqual(partition.prepare("n1.5.t", { checks: { a: -1 } }), ["FENCED", 5]);
  assert.equal(partition.get("a"), "1");
});

test("what is not confirmed is never forgotten: past a bound, new transactions are refused", async () => {
  const partition = await Partition.with();
  const { machine } = partition;
  const commands = (i: number): Words[] => [
    ["TXN.PREPARE", `n1.1.${i}`, partOf({ checks: { [`k${i}`]: -1 } })],
    ["TXN.COMMIT", `n1.1.${i}`],
  ];
  const all = Array.from({ length: 16_384 }, (_, i) => commands(i)).flat();
  const { replies } = apply(machine, { session: 9, sequence: 1, commands: all });
  assert(replies.every((reply) => reply === "PREPARED" || reply === OK));
  assert.equal(partition.prepare("n1.1.more", { checks: { more: -1 } }), "FULL");
  assert.equal(partition.do("TXN.VOTE", "n1.1.0"), "COMMITTED", "the oldest is known as well");
  const restored = machineOn(await newStore());
  restored.restore(machine.capture());
  assert(restored.transactions.isFull && restored.transactions.isCommitted("n1.1.0"));
  partition.do("TXN.FORGET", "n1.1.7");
  assert.equal(partition.prepare("n1.1.more", { checks: { more: -1 } }), "PREPARED");
});

test("an abort does not undo what is committed", async () => {
  const partition = await Partition.with();
  partition.prepare("t", { checks: { a: -1 }, writes: [put("a", "1")] });
  partition.do("TXN.COMMIT", "t");
  partition.do("TXN.ABORT", "t");
  assert.equal(partition.do("TXN.VOTE", "t"), "COMMITTED");
  assert.equal(partition.get("a"), "1");
});

test("a forgotten decision leaves nothing behind", async () => {
  const partition = await Partition.with();
  const before = partition.machine.capture().state.length;
  for (const end of ["TXN.COMMIT", "TXN.ABORT"]) {
    partition.prepare("t", { checks: { a: -1 } });
    partition.do(end, "t");
    if (end === "TXN.COMMIT") partition.do("TXN.FORGET", "t");
    assert.equal([...partition.machine.transactions.allCommitted()].length, 0);
  }
  assert(partition.machine.capture().state.length < before + 60, "but the replies of a few batches");
});

test("a vote comes with the values of its moment, when they are asked for", async () => {
  const partition = await Partition.with(["SET", "a", "1"], ["SET", "gone", "x", "PX", "1"]);
  const vote = partition.prepare("t", { checks: { a: -1, missing: -1 }, wantsValues: true });
  assert.deepEqual(vote, ["PREPARED", ["string", 1, 0, "1"], null]);
});

test("a key whose time has come is absent for a transaction, and stays while it is held", async () => {
  const partition = await Partition.with(["SET", "a", "1", "PX", "10"]);
  const later = (sequence: number, ...words: Words) =>
    plain(apply(partition.machine, { session: 2, sequence, commands: [words], timeMs: 2_000 }).replies[0]);
  assert.equal(
    later(1, "TXN.PREPARE", "t", partOf({ checks: { a: 0 }, writes: [put("a", "2")] })),
    "PREPARED",
  );
  assert.equal(later(2, "PURGE", "a"), 0);
  later(3, "TXN.COMMIT", "t");
  assert.equal(partition.get("a"), "2");
  assert.equal(later(4, "PURGE", "a"), 0, "what was written has no end");
});
