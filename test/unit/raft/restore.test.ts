import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry, SnapshotMeta } from "../../../src/codec/raft-types.js";
import { EMPTY_BYTES } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { logIndex, replicaId, term } from "../../../src/core/ids.js";
import { Raft } from "../../../src/raft/raft.js";
import { restoreState } from "../../../src/raft/restore.js";
import { OPTIONS } from "./first-of-three.js";

const configuration = { voters: [1, 2, 3].map(replicaId), votersOutgoing: [], learners: [] };
const at = (index: number, value: number): SnapshotMeta => ({
  index: logIndex(index),
  term: term(value),
  configuration,
});
const entry = (index: number, value: number): Entry => ({
  index: logIndex(index),
  term: term(value),
  kind: "command",
  data: EMPTY_BYTES,
});

/** A log that starts after 3 and ends at 6, in term 2. */
const recovered = {
  hardState: { term: term(2), vote: replicaId(2), commit: logIndex(4) },
  snapshot: at(3, 1),
  entries: [entry(4, 1), entry(5, 2), entry(6, 2)],
};

test("a state machine at the log's start or within it goes on with the log as it is", () => {
  for (const applied of [at(3, 1), at(5, 2), at(6, 2)]) {
    const restored = restoreState(recovered, applied);
    assert.deepEqual(restored, { ...recovered, appliedIndex: applied.index, isLogSuperseded: false });
  }
});

test("a snapshot that the log does not reach supersedes the log", () => {
  const restored = restoreState(recovered, at(9, 2));
  assert.deepEqual(restored, {
    hardState: { term: term(2), vote: replicaId(2), commit: logIndex(9) },
    snapshot: at(9, 2),
    entries: [],
    appliedIndex: logIndex(9),
    isLogSuperseded: true,
  });
});

test("a snapshot that disagrees with the log supersedes it, and a later term has no vote in it", () => {
  const restored = restoreState(recovered, at(5, 4));
  assert.deepEqual(restored.entries, []);
  assert.equal(restored.isLogSuperseded, true);
  assert.deepEqual(restored.hardState, { term: term(4), vote: replicaId(0), commit: logIndex(5) });
});

test("what supersedes a log goes to disk with its term, so that a second restart finds both", () => {
  const applied = at(9, 4);
  const raft = new Raft(OPTIONS, restoreState(recovered, applied));
  const { append } = raft.ready();
  assert.deepEqual(append?.snapshot, applied);
  assert.deepEqual(append?.hardState, { term: term(4), vote: replicaId(0), commit: logIndex(9) });
  const again = restoreState(
    { hardState: append.hardState, snapshot: append.snapshot, entries: [] },
    applied,
  );
  assert.equal(new Raft(OPTIONS, again).role, "follower");
});

test("a state machine that ends before the log's start is corrupt data", () => {
  assert.throws(
    () => restoreState(recovered, at(2, 1)),
    (error) => error instanceof MinikeyError && error.code === "DATA_CORRUPT",
  );
});
