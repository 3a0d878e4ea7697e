/**
 * The state machine is a function of its log: two replicas that apply the same entries are the same, byte by
 * byte, also when one of them was captured and restored on the way.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { plain } from "../../../sim/cluster/client.js";
import type { SimStore, StoredGroup } from "../../../sim/disk/durable.js";
import type { Entry } from "../../../src/codec/raft-types.js";
import { type Key, latin1ToBytes } from "../../../src/core/bytes.js";
import { groupId, logIndex, replicaId, term } from "../../../src/core/ids.js";
import { encodePreparePart } from "../../../src/node/node-commands.js";
import type { PartitionMachine } from "../../../src/node/partition-machine.js";
import { expiryKey, readRecord } from "../../../src/node/record.js";
import { batchOf, commandEntry, machineOn, newStore, type Words } from "./partition-fixture.js";

const key = fc.constantFrom("a", "b", "c", "d");
const value = fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 6 });
const small = fc.integer({ min: 1, max: 60 }).map(String);
const transaction = fc.constantFrom("t1", "t2", "t3");

const prepare = fc
  .record({
    id: transaction,
    keys: fc.subarray(["a", "b", "c", "d"], { minLength: 1 }),
    version: fc.constantFrom(-1, -1, 0, 3),
    value,
    deletes: fc.boolean(),
    wantsValues: fc.boolean(),
  })
  .map(({ id, keys, version, value, deletes, wantsValues }): Words => {
    const part = encodePreparePart({
      participants: [groupId(7), groupId(8)],
      checks: keys.map((each) => ({ key: each, version })),
      writes: keys.map((each) =>
        deletes
          ? { action: "delete", key: each }
          : { action: "put", key: each, type: "string", expiresAtMs: 0, value: latin1ToBytes(value) },
      ),
      wantsValues,
    });
    return ["TXN.PREPARE", id, part];
  });

const command: fc.Arbitrary<Words> = fc.oneof(
  fc.tuple(fc.constant("SET"), key, value),
  fc.tuple(fc.constant("SET"), key, value, fc.constant("PX"), small),
  fc.tuple(fc.constant("SET"), key, value, fc.constant("NX"), fc.constant("GET")),
  fc.tuple(fc.constant("GETDEL"), key),
  fc.tuple(fc.constant("APPEND"), key, value),
  fc.tuple(fc.constant("INCR"), key),
  fc.tuple(fc.constant("DEL"), key, key),
  fc.tuple(fc.constant("PEXPIRE"), key, small),
  fc.tuple(fc.constant("PERSIST"), key),
  fc.tuple(fc.constant("RENAME"), key, key),
  fc.tuple(fc.constant("MSET"), key, value, key, value),
  fc.tuple(fc.constant("FLUSHPART")),
  fc.tuple(fc.constant("PURGE"), key),
  fc.tuple(
    fc.constant("ONCE"),
    fc.constantFrom("x", "y"),
    fc.constantFrom("1", "2", "3"),
    fc.constant("INCR"),
    key,
  ),
  prepare,
  prepare,
  fc.tuple(fc.constantFrom("TXN.COMMIT", "TXN.ABORT", "TXN.VOTE", "TXN.FORGET"), transaction),
);

interface Step {
  readonly session: number;
  /** 0: the next in order. Else another number: a repeat, or one that leaves a gap. */
  readonly off: number;
  readonly acks: boolean;
  readonly passedMs: number;
  readonly commands: readonly Words[];
}

const step: fc.Arbitrary<Step> = fc.record({
  session: fc.integer({ min: 1, max: 3 }),
  off: fc.constantFrom(0, 0, 0, 0, 0, -1, 1),
  acks: fc.boolean(),
  passedMs: fc.integer({ min: -20, max: 40 }),
  commands: fc.array(command, { maxLength: 4 }),
});

/** The log that origins with these steps lead to. A session that was closed is followed by another. */
function logOf(steps: readonly Step[]): Entry[] {
  const next = new Map<number, number>();
  let timeMs = 1_000;
  return steps.map(({ session, off, acks, passedMs, commands }, i) => {
    timeMs += passedMs;
    if (i % 17 === 5) {
      return { index: logIndex(i + 1), term: term(1), kind: "noop", data: latin1ToBytes("") };
    }
    const id = session + 10 * Math.floor(i / 12);
    const sequence = Math.max(1, (next.get(id) ?? 1) + off);
    if (off === 0) next.set(id, sequence + 1);
    const acked = acks ? Math.max(0, sequence - 2) : 0;
    return commandEntry(i + 1, batchOf({ session: id, sequence, acked, timeMs, commands }));
  });
}

const MEMBERS = { voters: [replicaId(1), replicaId(2)], votersOutgoing: [], learners: [replicaId(3)] };

function applyTo(machine: PartitionMachine, entry: Entry): unknown {
  if (entry.kind !== "command") {
    machine.skip(entry, entry.index % 2 === 0 ? MEMBERS : undefined);
    return undefined;
  }
  const { status, replies } = machine.apply(entry);
  return [status, replies.map(plain)];
}

async function newReplica(content?: StoredGroup): Promise<{ machine: PartitionMachine; store: SimStore }> {
  const store = await newStore(content);
  const machine = machineOn(store);
  store.onCheckpoint(() => machine.capture());
  return { machine, store };
}

function contentOf(store: SimStore): StoredGroup {
  const content = store.capture();
  assert(content !== undefined);
  return content;
}

/** Versions are given once, and the expiry table lists exactly the keys that expire. */
function checkTables({ tables }: StoredGroup, revision: number): void {
  const versions = new Set<number>();
  const expiring = new Set<Key>();
  for (const [name, bytes] of tables.data) {
    const { version, expiresAtMs } = readRecord({ bytes, start: 0, end: bytes.length });
    assert(version <= revision && !versions.has(version), `${name} has version ${version} of ${revision}`);
    versions.add(version);
    if (expiresAtMs !== 0) expiring.add(expiryKey(expiresAtMs, name));
  }
  assert.deepEqual(new Set(tables.expiry.keys()), expiring);
}

test("replicas that apply the same log are the same, though one was restored on the way", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 60, size: "max" }),
      fc.nat(),
      async (steps, choice) => {
        const log = logOf(steps);
        const straight = await newReplica();
        let travelled = await newReplica();
        const restoreAt = choice % log.length;
        for (const [i, entry] of log.entries()) {
          if (i === restoreAt) {
            const content = contentOf(travelled.store);
            travelled = await newReplica(i === 0 ? undefined : content);
          }
          assert.deepEqual(applyTo(travelled.machine, entry), applyTo(straight.machine, entry));
        }
        const [a, b] = [contentOf(straight.store), contentOf(travelled.store)];
        assert.deepEqual(b, a);
        checkTables(a, straight.machine.view.revision);
      },
    ),
    { numRuns: 150 },
  );
});

test("time never goes back, whatever a leader's clock says", async () => {
  const { machine } = await newReplica();
  const set = (timeMs: number, sequence: number, ...commands: Words[]) =>
    machine
      .apply(commandEntry(sequence, batchOf({ session: 1, sequence, timeMs, commands })))
      .replies.map(plain);
  set(5_000, 1, ["SET", "key", "value", "PX", "100"]);
  assert.equal(machine.timeMs, 5_000);
  assert.deepEqual(set(1_000, 2, ["PTTL", "key"], ["SET", "late", "value", "PX", "100"]), [100, "OK"]);
  assert.equal(machine.timeMs, 5_000);
  assert.deepEqual(set(5_101, 3, ["SET", "key", "new", "NX"]), ["OK"], "its time has come");
});
