import assert from "node:assert/strict";
import { test } from "node:test";
import { replicaId } from "../../../src/core/ids.js";
import { Comparisons, membersMark } from "../../../src/eventual/comparisons.js";

const others = [1, 2, 3, 4].map((number) => replicaId(number));

test("of five replicas, three complete others are enough, and so are all four of any kind", () => {
  const complete = new Comparisons();
  complete.begin(others);
  complete.onCompared(others[0], true);
  complete.onCompared(others[1], true);
  assert.equal(complete.isEnough, false);
  complete.onCompared(others[2], true);
  assert.equal(complete.isEnough, true);
  assert.equal(complete.isExhaustive, false);

  const mixed = new Comparisons();
  mixed.begin(others);
  for (const other of others.slice(0, 3)) mixed.onCompared(other, other === others[0]);
  assert.equal(mixed.isEnough, false);
  mixed.onCompared(others[3], false);
  assert.equal(mixed.isEnough, true);
  assert.equal(mixed.isExhaustive, true);
});

test("what was compared counts no more when the replicas are others", () => {
  const comparisons = new Comparisons();
  comparisons.begin(others.slice(0, 2));
  comparisons.onCompared(others[0], true);
  comparisons.onCompared(others[1], true);
  assert.equal(comparisons.isExhaustive, true);
  comparisons.begin([others[0], others[2]]);
  assert.equal(comparisons.isExhaustive, false);
  comparisons.onCompared(others[1], true);
  assert.equal(comparisons.has(others[1]), false);
});

test("a replica that is alone has nothing to wait for", () => {
  const comparisons = new Comparisons();
  comparisons.begin([]);
  assert.equal(comparisons.isEnough, true);
});

test("the mark of the replicas depends on who they are, not on their order", () => {
  assert.equal(membersMark(others), membersMark(others.toReversed()));
  assert.notEqual(membersMark(others), membersMark(others.slice(1)));
});
