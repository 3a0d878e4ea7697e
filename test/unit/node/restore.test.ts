/** Where a replica goes on after a restart, from what its store and the log hold. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration, Entry, SnapshotMeta } from "../../../src/codec/raft-types.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { logIndex, replicaId, term } from "../../../src/core/ids.js";
import { restore } from "../../../src/node/keeper.js";
import type { AppliedState } from "../../../src/ports/storage-engine.js";
import type { RecoveredGroup } from "../../../src/storage/log/types.js";
import { CONFIGURATION, SELF, writeEntry } from "./lone-replica.js";
import { machineOn, newStore } from "./partition-fixture.js";

const FOUNDING: Configuration = { voters: [SELF, replicaId(9)], votersOutgoing: [], learners: [] };

/** What a store holds after entries 1 to `index`. */
async function storedAt(index: number): Promise<{ restored: AppliedState }> {
  const machine = machineOn(await newStore(), CONFIGURATION);
  for (let i = 1; i <= index; i += 1) machine.apply(writeEntry(i));
  return { restored: machine.capture() };
}

function metaAt(index: number, metaTerm = 1): SnapshotMeta {
  const configuration = index === 0 ? { voters: [], votersOutgoing: [], learners: [] } : CONFIGURATION;
  return { index: logIndex(index), term: term(metaTerm), configuration };
}

function logged(from: number, to: number, more: Partial<RecoveredGroup> = {}): RecoveredGroup {
  const entries: Entry[] = [];
  for (let i = from + 1; i <= to; i += 1) entries.push(writeEntry(i));
  const hardState = { term: term(1), vote: replicaId(2), commit: logIndex(to) };
  return { hardState, snapshot: metaAt(from, from === 0 ? 0 : 1), entries, ...more };
}

const NOTHING = { restored: undefined };

test("a new replica starts with its founders", () => {
  const state = restore(NOTHING, undefined, FOUNDING);
  assert.deepEqual(state.snapshot.configuration, FOUNDING);
  assert.deepEqual([state.appliedIndex, state.entries.length, state.hardState.term], [0, 0, 0]);
});

test("a log that was never shortened starts with the founders, too", () => {
  const state = restore(NOTHING, logged(0, 5), FOUNDING);
  assert.deepEqual(state.snapshot.configuration, FOUNDING);
  assert.deepEqual([state.appliedIndex, state.entries.length, state.hardState.commit], [0, 5, 5]);
});

test("the log goes on behind what the store holds", async () => {
  const state = restore(await storedAt(3), logged(2, 6), FOUNDING);
  assert.deepEqual([state.snapshot.index, state.appliedIndex, state.entries.length], [2, 3, 4]);
  assert.deepEqual(state.snapshot.configuration, CONFIGURATION);
  assert.notEqual(state.isLogSuperseded, true);
});

test("a gap between the store and the log is damage", async () => {
  for (const store of [NOTHING, await storedAt(3)]) {
    assert.throws(
      () => restore(store, logged(4, 6), FOUNDING),
      (error) => error instanceof MinikeyError && error.code === "DATA_CORRUPT",
    );
  }
});

test("a store ahead of the log, after an installation that the log does not know of, replaces the log", async () => {
  for (const log of [undefined, logged(0, 0), logged(0, 5)]) {
    const state = restore(await storedAt(9), log, FOUNDING);
    assert.deepEqual([state.snapshot.index, state.appliedIndex, state.entries.length], [9, 9, 0]);
    assert.deepEqual(state.snapshot.configuration, CONFIGURATION);
    assert.equal(state.isLogSuperseded, true, "else the next entry would leave a gap");
    assert(state.hardState.commit >= 9);
  }
});

test("a log of another history than the store's is replaced, and its vote with it when the term is older", async () => {
  const other = logged(0, 12);
  const entries = other.entries.map((entry) => ({ ...entry, term: term(0) }));
  const hardState = { term: term(0), vote: replicaId(2), commit: logIndex(4) };
  const state = restore(await storedAt(9), { ...other, entries, hardState }, FOUNDING);
  assert.deepEqual([state.snapshot.index, state.entries.length, state.isLogSuperseded], [9, 0, true]);
  assert.deepEqual([state.hardState.term, state.hardState.vote], [1, 0]);
});
