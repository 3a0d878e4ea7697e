import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_STAMP } from "../../../src/core/hybrid-clock.js";
import { type ReplicaId, replicaId } from "../../../src/core/ids.js";
import { DropRound } from "../../../src/eventual/drop-round.js";
import type { Standing } from "../../../src/eventual/sync-message.js";
import { VersionVector } from "../../../src/eventual/version-vector.js";

const [SELF, SECOND, THIRD] = [1, 2, 3].map((number) => replicaId(number));
const MEMBERS = 77;

function vectorOf(...numbers: readonly number[]): VersionVector {
  const vector = new VersionVector();
  for (const [i, number] of numbers.entries()) vector.advance([SELF, SECOND, THIRD][i], number);
  return vector;
}

const standing = (vector: VersionVector, changes: Partial<Standing> = {}): Standing => ({
  vector,
  isComplete: true,
  members: MEMBERS,
  floor: NO_STAMP,
  given: 0,
  ...changes,
});

function begun(vector: VersionVector, others: readonly ReplicaId[] = [SECOND, THIRD]): DropRound {
  const round = new DropRound();
  round.begin(vector, { origin: SELF, number: vector.get(SELF) }, MEMBERS, others);
  return round;
}

test("a round is settled when every replica has what was noted, and this one what each of them told", () => {
  const round = begun(vectorOf(5, 5, 5));
  const own = vectorOf(6, 7, 5);
  round.onStanding(SECOND, standing(vectorOf(5, 7, 5)));
  assert.equal(round.isSettled(own), false);
  round.onStanding(THIRD, standing(vectorOf(5, 5, 5)));
  assert.equal(round.isSettled(own), true);
  assert.equal(round.isSettled(vectorOf(6, 6, 5)), false, "the second had written more");
});

test("who lacks something of what was noted is waited for", () => {
  const round = begun(vectorOf(5, 5, 5), [SECOND]);
  round.onStanding(SECOND, standing(vectorOf(4, 9, 9)));
  assert.equal(round.isSettled(vectorOf(9, 9, 9)), false);
  round.onStanding(SECOND, standing(vectorOf(5, 9, 9)));
  assert.equal(round.isSettled(vectorOf(9, 9, 9)), true);
});

test("the first that counts is kept, so that a round ends while writes go on", () => {
  const round = begun(vectorOf(5, 5), [SECOND]);
  round.onStanding(SECOND, standing(vectorOf(5, 6)));
  round.onStanding(SECOND, standing(vectorOf(5, 1_000)));
  assert.equal(round.isSettled(vectorOf(5, 6)), true);
});

test("what an incomplete replica says does not count, nor what one says that knows other replicas, or a stranger", () => {
  const round = begun(vectorOf(5), [SECOND]);
  const own = vectorOf(5, 5, 5);
  round.onStanding(SECOND, standing(vectorOf(5), { isComplete: false }));
  round.onStanding(SECOND, standing(vectorOf(5), { members: MEMBERS + 1 }));
  round.onStanding(THIRD, standing(vectorOf(5)));
  assert.equal(round.isSettled(own), false);
  round.onStanding(SECOND, standing(vectorOf(5)));
  assert.equal(round.isSettled(own), true);
});

test("what was told in one round does not count in the next", () => {
  const round = begun(vectorOf(5), [SECOND]);
  round.onStanding(SECOND, standing(vectorOf(9)));
  round.begin(vectorOf(6), { origin: SELF, number: 6 }, MEMBERS, [SECOND]);
  assert.equal(round.isSettled(vectorOf(9)), false);
  round.end();
  assert.equal(round.noted, undefined);
  assert.equal(round.isSettled(vectorOf(9)), false);
});

test("a round waits for what had got a number, and was not on the disk, when it was told and when it began", () => {
  const round = new DropRound();
  round.begin(vectorOf(5, 5), { origin: SELF, number: 7 }, MEMBERS, [SECOND]);
  round.onStanding(SECOND, standing(vectorOf(5, 5), { given: 8 }));
  assert.equal(round.isSettled(vectorOf(7, 7)), false, "the second had given 8");
  assert.equal(round.isSettled(vectorOf(6, 8)), false, "this one had given 7");
  assert.equal(round.isSettled(vectorOf(7, 8)), true);
});

test("what a replica had given, and lost with its process, is not waited for", () => {
  const round = begun(vectorOf(5, 5), [SECOND]);
  round.onStanding(SECOND, standing(vectorOf(5, 5), { given: 9 }));
  assert.equal(round.isSettled(vectorOf(5, 6)), false);
  round.onStanding(SECOND, standing(vectorOf(5, 6), { given: 6 }));
  assert.equal(round.isSettled(vectorOf(5, 6)), true);
});
