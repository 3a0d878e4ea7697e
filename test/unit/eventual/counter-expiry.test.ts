/** What becomes of counters that expire, while some replicas have dropped them and others have not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DROPPED_AFTER_MS } from "../../../src/eventual/counter.js";
import { ModelReplica } from "./model-replica.js";

const NOW = Date.UTC(2031, 0, 1);
const EXPIRY_MS = 300;
/** All clocks are past it, and values are dropped. */
const LATER = NOW + EXPIRY_MS + DROPPED_AFTER_MS + 10;
const HOUR_MS = 3_600_000;

const trio = (): [ModelReplica, ModelReplica, ModelReplica] => [
  new ModelReplica(1),
  new ModelReplica(2),
  new ModelReplica(3),
];

function meet(replicas: readonly ModelReplica[]): void {
  for (let round = 0; round < 2; round += 1) {
    for (const to of replicas) {
      for (const from of replicas) if (to !== from) to.take(from.copy());
    }
  }
}

function sweep(replicas: readonly ModelReplica[], nowMs: number): void {
  for (const replica of replicas) replica.sweep(nowMs);
}

/** A whole round of one replica; the others drop nothing. */
function dropAlone(replica: ModelReplica, all: readonly ModelReplica[]): void {
  replica.beginRound();
  meet(all);
  replica.finishRound(all.length - 1);
}

function assertValue(replicas: readonly ModelReplica[], nowMs: number, value: string | undefined): void {
  assert.deepEqual(
    replicas.map((replica) => replica.value(nowMs)),
    replicas.map(() => value),
  );
}

test("what is added where an expired value was dropped counts also where it was not", () => {
  const all = trio();
  const [a, b, c] = all;
  a.set(NOW, 5n, NOW + EXPIRY_MS);
  meet(all);
  sweep(all, LATER);
  dropAlone(a, all);
  assert.equal(a.record, undefined);
  a.add(LATER, 3n);
  meet(all);
  assertValue(all, LATER, "3");
  // And where it was not, adding goes on from there.
  b.add(LATER, 4n);
  c.add(LATER, 10n);
  meet(all);
  assertValue(all, LATER, "17");
  for (const each of [b, c, a]) dropAlone(each, all);
  assertValue(all, LATER, "17");
});

test("what was added to a value goes with it", () => {
  const all = trio();
  const [a, b] = all;
  a.set(NOW, 5n, NOW + EXPIRY_MS);
  meet(all);
  b.add(NOW + 1, 3n);
  meet(all);
  assertValue(all, NOW + 2, "8");
  assertValue(all, NOW + EXPIRY_MS, undefined);
  b.add(LATER, 1n);
  meet(all);
  assertValue(all, LATER, "1");
});

test("what is added as soon as a value has expired counts from 0", () => {
  const all = trio();
  const [a, b, c] = all;
  a.set(NOW, 5n, NOW + EXPIRY_MS);
  meet(all);
  b.add(NOW + EXPIRY_MS, 3n);
  assert.equal(b.value(NOW + EXPIRY_MS), "3");
  c.add(NOW + EXPIRY_MS + 1, 4n);
  meet(all);
  assertValue(all, LATER, "7");
});

test("what was added to a value goes with it also when another is set where both were dropped", () => {
  const all = trio();
  const [a, b] = all;
  a.set(NOW, 5n, NOW + EXPIRY_MS);
  meet(all);
  b.add(NOW + 1, 3n);
  meet(all);
  sweep(all, LATER);
  dropAlone(a, all);
  assert.equal(a.record, undefined);
  a.set(LATER, 100n);
  meet(all);
  assertValue(all, LATER, "100");
  // The own slot that has ended is begun anew.
  b.add(LATER, 1n);
  meet(all);
  assertValue(all, LATER, "101");
});

test("a replica that added without knowing of the expiry writes its end before all is dropped", () => {
  const all = trio();
  const [a, b] = all;
  a.set(NOW + 1, 5n, NOW + EXPIRY_MS);
  b.add(NOW, 3n);
  meet(all);
  assertValue(all, NOW + 2, "8");
  a.sweep(LATER);
  dropAlone(a, all);
  assert.equal(a.record?.type, "expired");
  sweep(all, LATER);
  sweep(all, LATER);
  meet(all);
  dropAlone(a, all);
  assert.equal(a.record, undefined);
  a.set(LATER, 100n);
  meet(all);
  assertValue(all, LATER, "100");
});

test("so does one that knew of a later expiry only", () => {
  const all = trio();
  const [a, b] = all;
  a.set(NOW, 5n, NOW + HOUR_MS);
  meet(all);
  a.expire(NOW + 1, NOW + EXPIRY_MS);
  b.add(NOW + 2, 3n);
  meet(all);
  a.sweep(LATER);
  dropAlone(a, all);
  assert.equal(a.record?.type, "expired");
  sweep(all, LATER);
  sweep(all, LATER);
  meet(all);
  dropAlone(a, all);
  a.set(LATER, 100n);
  meet(all);
  assertValue(all, LATER, "100");
});

test("what is added to a value from a clock far ahead counts, though the value's stamp is behind its expiry", () => {
  const all = trio();
  const [a, b] = all;
  a.set(NOW + HOUR_MS, 5n);
  meet(all);
  b.expire(NOW, NOW + EXPIRY_MS);
  b.add(NOW + 1, 3n);
  meet(all);
  assertValue(all, NOW + 2, "8");
});

test("to add to what has expired deletes it, and nothing that was added since by others", () => {
  const all = trio();
  const [a, b, c] = all;
  a.set(NOW, 5n, NOW + EXPIRY_MS);
  meet(all);
  c.add(NOW + 1, 3n);
  meet(all);
  a.add(LATER, 1n);
  b.add(LATER, 1n);
  meet(all);
  assertValue(all, LATER, "2");
  c.add(LATER, 1n);
  a.add(LATER, 1n);
  meet(all);
  assertValue(all, LATER, "4");
  sweep(all, LATER);
  for (const each of all) dropAlone(each, all);
  assertValue(all, LATER, "4");
});

test("a value that was kept alive in time comes back where it had expired, with all that was added to it", () => {
  const all = trio();
  const [a, b, c] = all;
  a.set(NOW, 5n, NOW + EXPIRY_MS);
  meet(all);
  b.add(NOW + 1, 3n);
  meet(all);
  b.expire(NOW + EXPIRY_MS - 1, NOW + HOUR_MS);
  b.add(NOW + EXPIRY_MS, 1n);
  sweep([a, c], LATER);
  assertValue([a, c], LATER, undefined);
  meet(all);
  assertValue(all, LATER, "9");
});
