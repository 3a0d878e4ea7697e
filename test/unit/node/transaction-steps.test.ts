/** One partition's share of a transaction: what it votes, holds and remembers, in whatever order it is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OK } from "../../../src/commands/reply.js";
import { type Bytes, latin1ToBytes } from "../../../src/core/bytes.js";
import { groupId } from "../../../src/core/ids.js";
import { encodePreparePart } from "../../../src/node/node-commands.js";
import type { PartitionMachine } from "../../../src/node/partition-machine.js";
import type { StagedWrite } from "../../../src/node/transactions.js";
import { recordsOf, type TestRecord } from "../../support/records.js";
import { plain } from "../../support/sim/client.js";
import { apply, newMachine, readOf, type Words } from "./partition-fixture.js";

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
  partition.do("TXN.ABORT", "u");
  assert.equal(partition.prepare("u", part), "ABORTED", "asked too late: it must hold nothing");
  assert(partition.machine.transactions.isIdle);
});

test("who is asked for a vote that it never gave votes no, for good", async () => {
  const partition = await Partition.with();
  assert.equal(partition.do("TXN.VOTE", "t"), "ABORTED");
  assert.equal(partition.prepare("t", { checks: { a: -1 } }), "ABORTED");
  partition.prepare("u", { checks: { a: -1 } });
  assert.equal(partition.do("TXN.VOTE", "u"), "PREPARED");
  partition.do("TXN.COMMIT", "u");
  assert.equal(partition.do("TXN.VOTE", "u"), "COMMITTED");
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
  partition.prepare("t", { checks: { a: -1 } });
  partition.do("TXN.ABORT", "t");
  partition.do("TXN.FORGET", "t");
  assert.equal(partition.machine.transactions.decision("t"), undefined);
  assert(partition.machine.capture().state.length < before + 30, "but the replies of a few batches");
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
