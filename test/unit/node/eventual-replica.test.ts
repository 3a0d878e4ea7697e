/** One replica of an eventual partition: what it takes, keeps, shows, lets go of and refuses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { eventualStateProblems } from "../../../sim/checks/eventual-state.js";
import { DurableState } from "../../../sim/disk/durable.js";
import { World } from "../../../sim/world/world.js";
import { copyBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { NO_STAMP } from "../../../src/core/hybrid-clock.js";
import { logIndex, type ReplicaId, replicaId, replicaOf } from "../../../src/core/ids.js";
import { BatchReader, BatchWriter } from "../../../src/eventual/batch.js";
import { DROPPED_AFTER_MS } from "../../../src/eventual/counter.js";
import { DropRound } from "../../../src/eventual/drop-round.js";
import { VersionVector } from "../../../src/eventual/version-vector.js";
import { makeArgs } from "../../../src/node/node-commands.js";
import { GROUP, LoneEventual, type LoneOptions, recordsOf, specOf } from "./eventual-fixture.js";

const [A, B, C] = [1, 2, 3].map((number) => replicaOf(number, 1));
const HOUR_MS = 3_600_000;

async function started(
  id: ReplicaId,
  world = new World(1),
  options: LoneOptions = {},
): Promise<LoneEventual> {
  return await new LoneEventual(world, id, options).start();
}

async function trio(): Promise<[LoneEventual, LoneEventual, LoneEventual]> {
  const world = new World(1);
  return [await started(A, world), await started(B, world), await started(C, world)];
}

/** Everything that `from` wrote, in order. */
async function sync(from: LoneEventual, to: LoneEventual): Promise<void> {
  for (const { batch } of from.written) assert.ok(to.replica.take(batch, ignore));
  await to.pass();
}

const ignore = (): void => undefined;

const codeOf = (reply: unknown): string => (reply instanceof MinikeyError ? reply.code : String(reply));

// --- Writes ---

test("a write is shown, told and answered once it is on disk, and not before", async () => {
  const lone = await started(A);
  const result = lone.write("SET", "k", "v");
  lone.replicas.flush();
  assert.equal(lone.read("GET", "k"), null);
  assert.equal(result.answer, undefined);
  assert.equal(lone.written.length, 0);
  await lone.pass();
  assert.deepEqual(result.answer, { reply: "OK", number: 1 });
  assert.equal(lone.read("GET", "k"), "v");
  assert.deepEqual(
    lone.written.map(({ after, upTo }) => [after, upTo]),
    [[0, 1]],
  );
});

test("commands of one batch see each other, in their order, and are told by one batch", async () => {
  const lone = await started(A);
  const results = [
    lone.write("SET", "n", "5"),
    lone.write("INCR", "n"),
    lone.write("GETDEL", "other"),
    lone.write("INCRBY", "n", "4"),
    lone.write("APPEND", "n", "0"),
    lone.write("PEXPIRE", "n", "5000"),
  ];
  await lone.pass();
  assert.deepEqual(
    results.map(({ answer }) => answer?.reply),
    ["OK", 6, null, 10, 3, 1],
  );
  assert.equal(lone.read("GET", "n"), "100");
  assert.equal(lone.written.length, 1);
});

test("what is written while a batch is under way sees it, and what has come from others since it was written", async () => {
  const world = new World(1);
  const [a, ahead] = [await started(A, world), await started(B, world, { aheadMs: 5 * HOUR_MS })];
  await ahead.run("SET", "k", "ahead");
  await ahead.run("INCRBY", "n", "10");
  let sum: { answer: { reply: unknown } | undefined } | undefined;
  const [first, second] = ahead.written;
  a.replica.take(first.batch, () => a.write("SET", "k", "last"));
  a.replica.take(second.batch, () => {
    sum = a.write("INCR", "n");
  });
  await a.pass(0);
  // Not on disk, and neither is what was taken.
  a.write("SET", "k", "first");
  a.write("INCR", "n");
  await a.pass();
  assert.equal(a.read("GET", "k"), "last");
  assert.equal(sum?.answer?.reply, 12);
  assert.equal(a.read("GET", "n"), "12");
});

test("what comes while a batch is under way is the next one", async () => {
  const lone = await started(A);
  lone.write("SET", "a", "1");
  lone.replicas.flush();
  const second = lone.write("INCR", "a");
  const third = lone.write("INCR", "a");
  await lone.pass();
  assert.deepEqual([second.answer?.reply, third.answer?.reply], [2, 3]);
  assert.deepEqual(
    lone.written.map(({ after, upTo }) => [after, upTo]),
    [
      [0, 1],
      [1, 3],
    ],
  );
});

test("a command that is refused changes nothing, and is answered without the disk", async () => {
  const lone = await started(A);
  await lone.run("SET", "t", "text");
  const refused = lone.write("INCR", "t");
  lone.replicas.flush();
  assert.equal(codeOf(refused.answer?.reply), "NOT_AN_INTEGER");
  assert.equal(refused.answer?.number, 0);
  await lone.pass();
  assert.equal(lone.written.length, 1);
});

test("several batches are under way at a time, and each sees those before it", async () => {
  const lone = await started(A);
  const answers: unknown[] = [];
  const increment = (then?: () => void): void => {
    const words = ["INCR", "n"];
    lone.replica.write(specOf(words), makeArgs(words), (reply) => {
      answers.push(reply);
      then?.();
    });
  };
  increment(() => increment());
  lone.replicas.flush();
  increment();
  lone.replicas.flush();
  await lone.pass();
  assert.deepEqual(answers, [1, 2, 3]);
});

test("a refusal for what is not on disk yet waits until it is", async () => {
  const lone = await started(A);
  lone.write("SET", "t", "text");
  const sameTurn = lone.write("INCR", "t");
  lone.replicas.flush();
  const later = lone.write("INCR", "t");
  assert.deepEqual([sameTurn.answer, later.answer], [undefined, undefined]);
  await lone.pass();
  for (const { answer } of [sameTurn, later]) assert.equal(codeOf(answer?.reply), "NOT_AN_INTEGER");
});

test("FLUSHPART deletes what is there and what the same batch has just set", async () => {
  const lone = await started(A);
  await lone.run("SET", "old", "1");
  await lone.run("SET", "gone", "1");
  await lone.run("DEL", "gone");
  lone.write("SET", "new", "1");
  lone.write("FLUSHPART");
  await lone.pass();
  assert.equal(lone.replica.state.live, 0);
  // What was deleted before is not deleted again.
  assert.deepEqual(recordsIn(lone.written.at(-1)), ["new", "new", "old"]);
});

function recordsIn(sent: { batch: Parameters<typeof copyBytes>[0] } | undefined): string[] {
  assert.ok(sent);
  const reader = new BatchReader(copyBytes(sent.batch));
  const keys: string[] = [];
  while (reader.next()) keys.push(reader.key);
  return keys;
}

// --- What others send ---

const word = fc.constantFrom("1", "12", "text");
const key = fc.constantFrom("a", "b", "c");
const write = fc.oneof(
  fc.tuple(fc.constant("SET"), key, word),
  fc.tuple(fc.constant("SET"), key, word, fc.constant("PX"), fc.constantFrom("100000", "200000")),
  fc.tuple(fc.constant("DEL"), key),
  fc.tuple(fc.constant("INCR"), key),
  fc.tuple(fc.constant("DECRBY"), key, fc.constant("5")),
  fc.tuple(fc.constant("PEXPIRE"), key, fc.constantFrom("150000", "90000")),
  fc.tuple(fc.constant("PERSIST"), key),
);

test("replicas that have taken the same, in any order and again, have the same records", async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ by: fc.nat(2), words: write }) },
    { weight: 2, arbitrary: fc.record({ from: fc.nat(2), to: fc.nat(2), which: fc.nat() }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.infiniteStream(fc.nat()), async (steps, order) => {
      const all = await trio();
      for (const each of steps) {
        if ("by" in each) await all[each.by].run(...each.words);
        else {
          const { written } = all[each.from];
          const sent = written.at(each.which % Math.max(1, written.length));
          if (sent !== undefined && each.from !== each.to) all[each.to].replica.take(sent.batch, ignore);
        }
      }
      // What is left, in whatever order; then in order, for the vectors.
      for (const to of all) {
        const rest = all.filter((from) => from !== to).flatMap((from) => from.written);
        while (rest.length > 0) {
          const [{ batch }] = rest.splice((order.next().value ?? 0) % rest.length, 1);
          to.replica.take(batch, ignore);
        }
      }
      for (const to of all) for (const from of all) if (from !== to) await sync(from, to);
      for (const each of all) {
        assert.deepEqual(recordsOf(each.store), recordsOf(all[0].store));
        assert.ok(each.replica.state.fingerprints.sameRoot(all[0].replica.state.fingerprints));
        assert.ok(each.replica.state.vector.equals(all[0].replica.state.vector));
        assert.deepEqual(eventualStateProblems(each.replica.state, each.store), []);
      }
    }),
    { numRuns: 150 },
  );
});

test("no increment is lost to increments elsewhere, nor one that a SET has not seen to that", async () => {
  const [a, b, c] = await trio();
  for (const each of [a, b, c]) await each.run("INCR", "n");
  await b.run("INCRBY", "n", "10");
  for (const to of [a, b, c]) for (const from of [a, b, c]) if (from !== to) await sync(from, to);
  for (const each of [a, b, c]) assert.equal(each.read("GET", "n"), "13");
  await a.run("SET", "n", "100");
  await b.run("INCR", "n");
  await sync(a, b);
  await sync(b, a);
  for (const each of [a, b]) assert.equal(each.read("GET", "n"), "101");
});

test("what comes before something earlier is taken, but the vector waits for what is missing", async () => {
  const [a, b] = await trio();
  await a.run("SET", "x", "1");
  await a.run("SET", "y", "2");
  b.replica.take(a.written[1].batch, ignore);
  await b.pass();
  assert.equal(b.read("GET", "y"), "2");
  assert.equal(b.replica.state.vector.get(A), 0);
  await sync(a, b);
  assert.equal(b.replica.state.vector.get(A), 2);
});

test("onMerged is called in the order of takes, once all of it is on disk and shown", async () => {
  const [a, b] = await trio();
  await a.run("SET", "x", "1");
  await a.run("SET", "x", "2");
  const seen: unknown[] = [];
  for (const { batch } of a.written) b.replica.take(batch, () => seen.push(b.read("GET", "x")));
  b.replicas.flush();
  assert.deepEqual(seen, []);
  await b.pass();
  assert.deepEqual(seen, ["1", "2"]);
});

// --- Deletions ---

/** As at the end of a round in which all others had what this one has. */
function dropAll({ replica: { state } }: LoneEventual, noted: VersionVector = state.vector): void {
  const mark = state.markTombstones();
  while (state.dropTombstones(mark, noted, 2));
}

test("a dropped deletion leaves nothing, and what it deleted is not taken again", async () => {
  const [a, b] = await trio();
  await a.run("SET", "k", "v");
  await b.run("SET", "other", "v");
  await sync(a, b);
  await b.run("DEL", "k");
  dropAll(b);
  assert.deepEqual([...recordsOf(b.store).keys()], ["other"]);
  assert.equal(b.replica.state.tombstones, 0);
  await sync(a, b);
  assert.equal(b.read("EXISTS", "k"), 0);
});

test("a deletion from after the mark stays, and so does one that the noted vector does not have", async () => {
  const [a, b] = await trio();
  await a.run("SET", "k", "v");
  await a.run("DEL", "k");
  // As a repair brings it: beside the vector.
  b.replica.take(a.written[1].batch, ignore);
  await b.pass();
  assert.equal(b.replica.state.vector.get(A), 0);
  dropAll(b);
  assert.equal(b.replica.state.tombstones, 1);

  const mark = a.replica.state.markTombstones();
  await a.run("SET", "l", "v");
  await a.run("DEL", "l");
  while (a.replica.state.dropTombstones(mark, a.replica.state.vector, 2));
  assert.deepEqual([...recordsOf(a.store).keys()], ["l"]);
});

test("a key that is set anew comes after a deletion from a clock hours ahead, also where that was dropped", async () => {
  const world = new World(1);
  const [a, b] = [await started(A, world), await started(B, world)];
  const ahead = await started(C, world, { aheadMs: 5 * HOUR_MS });
  await ahead.run("SET", "k", "far ahead");
  await ahead.run("DEL", "k");
  await sync(ahead, a);
  await sync(ahead, b);
  dropAll(a);
  await a.run("SET", "k", "new");
  await sync(a, b);
  for (const each of [a, b]) assert.equal(each.read("GET", "k"), "new");
  // Late, and not taken: neither the value nor its deletion.
  await sync(ahead, a);
  assert.equal(a.read("GET", "k"), "new");
  // The floor is known after a restart, too.
  await a.checkpointed();
  a.crash();
  await a.start();
  await a.run("SET", "l", "v");
  assert.ok(a.replica.state.floor > 0);
});

test("a counter that is counted again after its deletion has the same records where that was dropped and where not", async () => {
  const [a, b] = await trio();
  await a.run("INCRBY", "n", "5");
  await a.run("DEL", "n");
  await sync(a, b);
  dropAll(a);
  await a.run("INCR", "n");
  await sync(a, b);
  for (const each of [a, b]) assert.equal(each.read("GET", "n"), "1");
  dropAll(b);
  assert.deepEqual(recordsOf(a.store), recordsOf(b.store));
  assert.deepEqual(eventualStateProblems(b.replica.state, b.store), []);
});

// --- Expiry ---

test("what has expired is hidden at once, dropped when time is sure, and comes back with a later expiry", async () => {
  const [a, b] = await trio();
  await a.run("SET", "k", "value", "PX", "300");
  await sync(a, b);
  await b.run("PEXPIRE", "k", "100000");
  await a.pass(300);
  assert.equal(a.read("GET", "k"), null);
  a.replicas.sweep();
  assert.equal(a.replica.state.tombstones, 0);
  await a.pass(DROPPED_AFTER_MS);
  a.isTimeSure = false;
  a.replicas.sweep();
  assert.equal(a.replica.state.tombstones, 0);
  a.isTimeSure = true;
  a.replicas.sweep();
  assert.equal(a.replica.state.tombstones, 1);
  assert.equal(recordsOf(a.store).get("k")?.includes("value"), false);
  await sync(b, a);
  assert.equal(a.read("GET", "k"), "value");
  assert.deepEqual(recordsOf(a.store), recordsOf(b.store));
  assert.deepEqual(eventualStateProblems(a.replica.state, a.store), []);
});

test("a counter that expires though its replica did not know of it goes once that has written its end", async () => {
  const [a, b] = await trio();
  await a.run("SET", "n", "5", "PX", "300");
  await b.run("INCR", "n");
  await sync(a, b);
  await sync(b, a);
  for (const each of [a, b]) assert.equal(each.read("GET", "n"), "6");
  await a.pass(300 + DROPPED_AFTER_MS);
  for (const each of [a, b]) each.replicas.sweep();
  dropAll(a);
  assert.equal(a.replica.state.tombstones, 1);
  dropAll(b);
  b.replicas.sweep();
  await b.pass();
  await sync(b, a);
  dropAll(a);
  assert.equal(recordsOf(a.store).size, 0);
  // Who has dropped it sets it anew, who has not hears of that.
  await a.run("SET", "n", "7");
  await sync(a, b);
  for (const each of [a, b]) assert.equal(each.read("GET", "n"), "7");
  assert.equal(b.replica.state.fingerprints.sameRoot(a.replica.state.fingerprints), true);
});

// --- Repairs ---

test("a repair brings nothing of a replica that is gone, but what others wrote and what was here", async () => {
  const [a, b, c] = await trio();
  await b.run("SET", "of-b", "1");
  await c.run("SET", "of-c", "1");
  const repair = new BatchWriter();
  for (const { batch } of [...b.written, ...c.written]) {
    const reader = new BatchReader(batch);
    while (reader.next()) repair.stored(reader.key, reader);
  }
  a.gone.add(C);
  assert.equal(a.replica.repair(repair.take()), true);
  await a.pass();
  assert.deepEqual([a.read("EXISTS", "of-b"), a.read("EXISTS", "of-c")], [1, 0]);
});

// --- Bounds and ends ---

test("hints have every own write that was not forgotten, and never more than the bound", async () => {
  const lone = await started(A, new World(1), { hintsMax: 5 });
  const { hints } = lone.replica.state;
  for (const each of ["a", "b", "c"]) await lone.run("SET", each, "v");
  assert.deepEqual(
    hints.after(0, 10).map(({ number, key: each }) => `${number}${each}`),
    ["1a", "2b", "3c"],
  );
  hints.forget(2);
  assert.deepEqual([hints.from, hints.count], [2, 1]);
  for (let i = 0; i < 20; i += 1) await lone.run("SET", `k${i}`, "v");
  assert.deepEqual([hints.from, hints.count], [18, 5]);
  assert.deepEqual(eventualStateProblems(lone.replica.state, lone.store), []);
  hints.forget(23);
  assert.deepEqual([hints.from, hints.count, hints.storedBytes], [23, 0, 0]);
});

test("while the disk is behind, writes are refused, and when it is far behind nothing is taken", async () => {
  const [a, b] = await trio();
  await b.run("SET", "k", "v");
  a.lag = "behind";
  assert.equal(codeOf(a.write("SET", "k", "v").answer?.reply), "OVERLOADED");
  assert.equal(a.replica.take(b.written[0].batch, ignore), true);
  a.lag = "far";
  assert.equal(a.replica.take(b.written[0].batch, ignore), false);
});

test("a replica that is closed answers what is under way as unknown, and refuses what waits", async () => {
  const lone = await started(A);
  const underway = lone.write("SET", "a", "1");
  lone.replicas.flush();
  const large = lone.write("SET", "large", "x".repeat(1_200_000));
  const waiting = lone.write("SET", "b", "1");
  await lone.replicas.remove(lone.replica);
  assert.equal(codeOf(large.answer?.reply), "STOPPING");
  assert.equal(codeOf(underway.answer?.reply), "OUTCOME_UNKNOWN");
  assert.equal(codeOf(waiting.answer?.reply), "STOPPING");
  assert.equal(codeOf(lone.write("SET", "c", "1").answer?.reply), "STOPPING");
  await lone.pass();
  assert.equal(lone.written.length, 0);
});

test("a replica that came with an empty disk is incomplete until it is told otherwise, also after a restart", async () => {
  const lone = await started(A, new World(1), { isFounder: false });
  assert.equal(lone.replica.isComplete, false);
  lone.replica.becomeComplete();
  assert.equal(lone.replica.isComplete, false);
  await lone.pass();
  assert.equal(lone.replica.isComplete, true);
  lone.crash();
  await lone.start();
  assert.equal(lone.replica.isComplete, true);
  await lone.checkpointed();
  lone.crash();
  await lone.start();
  assert.equal(lone.replica.isComplete, true);
});

test("a state of a later version, one that is damaged, and a gap in the log are named", async () => {
  const durable = new DurableState();
  const lone = await started(A, new World(1), { durable });
  await lone.run("SET", "k", "v");
  await lone.checkpointed();
  const stored = durable.stores.disk.get(GROUP);
  assert.ok(stored);
  const { state } = stored.applied;
  const changed: [Uint8Array, string][] = [
    [Uint8Array.from(state, (byte, i) => (i === 0 ? 2 : byte)), "DATA_NEWER"],
    [state.subarray(0, state.length - 1), "DATA_CORRUPT"],
  ];
  for (const [bytes, code] of changed) {
    durable.stores.disk.set(GROUP, { ...stored, applied: { ...stored.applied, state: copyBytes(bytes) } });
    await assert.rejects(started(A, new World(1), { durable }), (error) => codeOf(error) === code);
  }
  const logged = durable.log.get(GROUP);
  assert.ok(logged);
  logged.snapshot = { ...logged.snapshot, index: logIndex(2) };
  durable.stores.disk.set(GROUP, stored);
  await assert.rejects(started(A, new World(1), { durable }), /the log starts after entry 2/);
});

test("a deletion stays while a write that knew nothing of it is on its way to the disk of another", async () => {
  const world = new World(1);
  const [a, b] = [await started(A, world), await started(B, world, { aheadMs: 300 })];
  await b.run("DEL", "k");
  const { state } = b.replica;
  const round = new DropRound();
  round.begin(state.vector, { origin: B, number: b.replica.given }, 1, [A]);
  a.replica.take(b.written[0].batch, () => {
    const { given } = a.replica;
    const vector = a.replica.state.vector.copy();
    round.onStanding(A, { vector, given, isComplete: true, members: 1, floor: NO_STAMP });
  });
  // Stamped before the deletion by the clock of its replica, which has not merged that yet.
  await world.run(0.05, () => false);
  const write = a.write("SET", "k", "old");
  await a.pass();
  assert.deepEqual([write.answer?.reply, a.read("GET", "k")], ["OK", null]);
  assert.equal(round.isSettled(state.vector), false, "the write may still come");
  await sync(a, b);
  assert.equal(b.read("GET", "k"), null);
  assert.equal(round.isSettled(state.vector), true);
});

test("a log that was lost behind its store begins anew where the store is", async () => {
  const durable = new DurableState();
  const lone = await started(A, new World(1), { durable });
  await lone.run("SET", "k", "v");
  await lone.checkpointed();
  lone.crash();
  durable.log.clear();
  await lone.start();
  await lone.run("SET", "l", "v");
  lone.crash();
  await lone.start();
  assert.deepEqual([lone.read("GET", "k"), lone.read("GET", "l")], ["v", "v"]);
  assert.equal(lone.replica.state.vector.get(replicaId(A)), 2);
});
