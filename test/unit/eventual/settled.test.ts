/** What must not be dropped though a round is over: what came beside the vector that was noted for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelReplica } from "./model-replica.js";

const NOW = Date.UTC(2031, 0, 1);

test("a deletion that came beside the vector stays until all have it", () => {
  const [a, b, c] = [new ModelReplica(1), new ModelReplica(2), new ModelReplica(3)];
  a.set(NOW, 5n);
  b.take(a.copy());
  c.take(a.copy());
  a.delete(NOW + 1);
  b.takeRecord(a.copy());
  b.beginRound();
  b.take(a.copy());
  b.take(c.copy());
  b.finishRound(2);
  // Now the deletion's origin is gone for good.
  c.take(b.copy());
  assert.equal(c.value(NOW + 2), undefined);
});

test("a deletion stays while what it saw may still come from somewhere as news", () => {
  const [a, b, c] = [new ModelReplica(1), new ModelReplica(2), new ModelReplica(3)];
  a.add(NOW, 5n);
  const late = a.copy();
  b.takeRecord(late);
  // Now the addition's origin is gone for good.
  b.delete(NOW + 1);
  b.beginRound();
  c.take(b.copy());
  b.take(c.copy());
  b.finishRound(1);
  b.takeRecord(late);
  assert.equal(b.value(NOW + 2), undefined);
});
