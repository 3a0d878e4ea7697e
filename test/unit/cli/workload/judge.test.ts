/** Which reads are stale: the driver's idea of what the clients know together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Expected, isStale, Judge, type Value, type Write } from "../../../../src/cli/workload/judge.js";

const exactly = (...values: readonly Value[]): Expected => ({ values, anything: false });

/** What a read may show that is called and answered now. */
const expectedNow = (judge: Judge, key = "k"): Expected => judge.expected(key, judge.moment());

function write(judge: Judge, value: Value): Write {
  const begun = judge.begin("k", value);
  judge.confirm(begun);
  return begun;
}

test("a read may show the latest answered write and none before it", () => {
  const judge = new Judge("absent");
  assert.deepEqual(expectedNow(judge), exactly(null));
  write(judge, "a");
  assert.deepEqual(expectedNow(judge), exactly("a"));
  write(judge, "b");
  assert.deepEqual(expectedNow(judge), exactly("b"));
  write(judge, null);
  assert.deepEqual(expectedNow(judge), exactly(null));
  assert.equal(isStale("b", expectedNow(judge)), true);
  assert.equal(isStale(null, expectedNow(judge)), false);
  assert.deepEqual(expectedNow(judge, "other"), exactly(null));
});

test("while a write is under way its value and the one before are both right", () => {
  const judge = new Judge("absent");
  write(judge, "a");
  const b = judge.begin("k", "b");
  assert.deepEqual(expectedNow(judge), exactly("a", "b"));
  const called = judge.moment();
  judge.confirm(b);
  assert.deepEqual(judge.expected("k", called), exactly("a", "b"), "the read was called before the answer");
  assert.deepEqual(expectedNow(judge), exactly("b"));
});

test("a read may show a write that was called after it", () => {
  const judge = new Judge("absent");
  const called = judge.moment();
  write(judge, "a");
  assert.deepEqual(judge.expected("k", called), exactly(null, "a"));
});

test("of two clients' writes at the same time either may be the later one", () => {
  const judge = new Judge("absent");
  write(judge, "before");
  const a = judge.begin("k", "a");
  const b = judge.begin("k", "b");
  judge.confirm(b);
  assert.deepEqual(expectedNow(judge), exactly("a", "b"));
  judge.confirm(a);
  assert.deepEqual(expectedNow(judge), exactly("a", "b"));
  write(judge, "c");
  assert.deepEqual(expectedNow(judge), exactly("c"));
});

test("a value that was overwritten is right again when another client writes it anew", () => {
  const judge = new Judge("absent");
  write(judge, "a");
  write(judge, "b");
  assert.equal(isStale("a", expectedNow(judge)), true);
  write(judge, "a");
  assert.deepEqual(expectedNow(judge), exactly("a"));
});

test("a write with an unknown outcome may show for ever, and proves nothing overwritten", () => {
  const judge = new Judge("absent");
  write(judge, "a");
  judge.begin("k", "lost");
  assert.deepEqual(expectedNow(judge), exactly("a", "lost"));
  write(judge, "b");
  assert.deepEqual(expectedNow(judge), exactly("lost", "b"));
});

test("a write that was refused was never there", () => {
  const judge = new Judge("absent");
  write(judge, "a");
  const refused = judge.begin("k", "b");
  judge.withdraw(refused);
  assert.deepEqual(expectedNow(judge), exactly("a"));
});

test("what a key held before the run is right until a write was answered, whatever it was", () => {
  const judge = new Judge("unknown");
  assert.equal(isStale("foreign", expectedNow(judge)), false);
  const a = judge.begin("k", "a");
  assert.deepEqual(expectedNow(judge), { values: ["a"], anything: true });
  judge.confirm(a);
  assert.deepEqual(expectedNow(judge), exactly("a"));
  assert.equal(isStale("foreign", expectedNow(judge)), true);
  assert.equal(isStale(null, expectedNow(judge)), true);
});

test("no read of a register that takes each write at one moment is stale", () => {
  const step = fc.record({ client: fc.nat(3), isRead: fc.boolean(), value: fc.constantFrom("a", "b", null) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const judge = new Judge("absent");
      let register: Value = null;
      /** Calls an operation; what is left of it is that it takes effect, and its answer. */
      const call = (isRead: boolean, value: Value): (() => void)[] => {
        if (isRead) {
          const called = judge.moment();
          let shown: Value;
          const takeEffect = (): void => {
            shown = register;
          };
          return [takeEffect, () => assert.equal(isStale(shown, judge.expected("k", called)), false)];
        }
        const begun = judge.begin("k", value);
        const takeEffect = (): void => {
          register = value;
        };
        return [takeEffect, () => judge.confirm(begun)];
      };
      const left = new Map<number, (() => void)[]>();
      for (const { client, isRead, value } of steps) {
        const next = left.get(client)?.shift();
        if (next === undefined) left.set(client, call(isRead, value));
        else next();
      }
    }),
  );
});
