/** A replica between its log, its store and its leader: what it does when they are not of one mind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LoneReplica, type SnapshotPieces, snapshotAt, writeEntry } from "./lone-replica.js";
import { GROUP } from "./partition-fixture.js";

const START = { index: 0, term: 0 };

const entries = (from: number, to: number, entryTerm = 1) =>
  Array.from({ length: to - from + 1 }, (_, i) => writeEntry(from + i, entryTerm));

/** Sends all pieces, each when the one before is stored. */
async function install(replica: LoneReplica, { meta, first, rest }: SnapshotPieces): Promise<void> {
  let offset = 0;
  for (const piece of [first, ...rest]) {
    replica.snapshotPiece(1, meta, offset, piece, false);
    offset += piece.length;
    await replica.pass(5);
  }
  replica.snapshotPiece(1, meta, offset, first.subarray(0, 0), true);
}

test("a snapshot is installed, and the log goes on behind it", async () => {
  const replica = await new LoneReplica().start();
  await install(replica, await snapshotAt(5));
  await replica.pass();
  assert.equal(replica.group.machine.appliedIndex, 5);
  assert.equal(replica.group.isInstalling, false);
  replica.append(1, { index: 5, term: 1 }, entries(6, 7), 7);
  await replica.pass();
  assert.equal(replica.group.machine.appliedIndex, 7);
  assert.deepEqual([...replica.group.machine.view.keys({})].length, 7);
});

test("a snapshot that the log has overtaken is given up", async () => {
  const replica = await new LoneReplica().start();
  const { meta, first } = await snapshotAt(5);
  replica.snapshotPiece(1, meta, 0, first, false);
  await replica.pass();
  assert.equal(replica.group.isInstalling, true);
  // Another leader still has these entries.
  replica.append(2, START, entries(1, 6), 6);
  await replica.pass();
  assert.equal(replica.group.machine.appliedIndex, 6);
  assert.equal(replica.group.isInstalling, false, "else nobody would read here again");
});

test("a checkpoint right behind an installation stores the state that belongs to it", async () => {
  const replica = await new LoneReplica().start();
  replica.append(1, START, entries(1, 2), 2);
  await replica.pass();
  await install(replica, await snapshotAt(9));
  // The installation takes some milliseconds.
  await replica.pass(1);
  assert.equal(replica.group.isInstalling, true);
  const checkpoint = replica.engine.checkpoint();
  await replica.pass();
  await checkpoint;
  const stored = replica.durable.stores.disk.get(GROUP);
  assert.equal(stored?.applied.index, 9);
  assert.equal(stored.tables.data.size, 9);
  replica.crash();
  await replica.start();
  assert.equal(replica.group.machine.appliedIndex, 9);
});

test("a crash between the installation and its record in the log leaves a replica that goes on", async () => {
  const replica = await new LoneReplica().start();
  replica.append(1, START, entries(1, 3), 3);
  await replica.pass();
  await install(replica, await snapshotAt(9));
  const isInstalled = () => replica.durable.stores.disk.get(GROUP)?.applied.index === 9;
  assert(await replica.world.run(50, isInstalled));
  assert.equal(replica.durable.log.get(GROUP)?.snapshot.index, 0, "the log does not know of it yet");
  for (const last of [10, 12]) {
    replica.crash();
    await replica.start();
    assert.equal(replica.group.machine.appliedIndex, last === 10 ? 9 : 10);
    const from = last === 10 ? 10 : 11;
    replica.append(1, { index: from - 1, term: 1 }, entries(from, last), last);
    await replica.pass();
    assert.equal(replica.group.machine.appliedIndex, last);
  }
});
