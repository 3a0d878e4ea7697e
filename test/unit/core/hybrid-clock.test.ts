import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MinikeyError } from "../../../src/core/errors.js";
import {
  AHEAD_MAX_MS,
  HybridClock,
  isStamp,
  laterStamp,
  msOf,
  NO_STAMP,
  STAMP_MAX,
  type Stamp,
  stampAt,
} from "../../../src/core/hybrid-clock.js";

const NOW = Date.UTC(2031, 4, 1, 12);

test("a stamp tells its millisecond", () => {
  assert.equal(msOf(stampAt(NOW)), NOW);
  assert.equal(msOf((stampAt(NOW) + 4095) as Stamp), NOW);
  assert.equal(stampAt(NOW + 1), stampAt(NOW) + 4096);
  assert.equal(msOf(NO_STAMP), 0);
});

test("stamps are exact numbers until 2089, and a clock before 2020 or after 2089 has stamps, too", () => {
  assert.ok(isStamp(stampAt(Date.UTC(2089, 0, 1))));
  assert.equal(msOf(stampAt(Date.UTC(2089, 0, 1))), Date.UTC(2089, 0, 1));
  for (const ms of [0, Date.UTC(1999, 0, 1), Date.UTC(2020, 0, 1)]) assert.equal(stampAt(ms), 1);
  const clock = new HybridClock();
  let last = NO_STAMP;
  for (let i = 0; i < 1000; i += 1) {
    const stamp = clock.next(Date.UTC(2400, 0, 1), NO_STAMP);
    assert.ok(stamp > last && isStamp(stamp));
    last = stamp;
  }
});

test("stamps strictly grow, also when the wall clock goes back and others are far ahead", () => {
  const moves = fc.record({
    byMs: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -1e7, max: 1e7 })),
    heardMs: fc.oneof(fc.integer({ min: -2000, max: 2000 }), fc.integer({ min: -1e8, max: 1e8 })),
  });
  fc.assert(
    fc.property(fc.array(moves, { maxLength: 50 }), (all) => {
      const clock = new HybridClock();
      let nowMs = NOW;
      let last = NO_STAMP;
      for (const { byMs, heardMs } of all) {
        nowMs += byMs;
        clock.observe(stampAt(nowMs + heardMs), nowMs);
        const stamp = clock.next(nowMs, NO_STAMP);
        assert.ok(stamp > last && stamp >= stampAt(nowMs));
        assert.equal(clock.last, stamp);
        last = stamp;
      }
    }),
  );
});

test("a stamp of a key is later than those before it, however far ahead they are", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1e8, max: 1e8 }), { maxLength: 20 }), (aheads) => {
      const clock = new HybridClock();
      let ofKey = NO_STAMP;
      for (const aheadMs of aheads) {
        const seen = laterStamp(ofKey, stampAt(NOW + aheadMs));
        ofKey = clock.next(NOW, seen);
        assert.ok(ofKey > seen);
        assert.ok(msOf(clock.last) <= NOW + AHEAD_MAX_MS);
      }
    }),
  );
});

test("what is heard carries the clock along up to a second, and no further", () => {
  const clock = new HybridClock();
  const near = stampAt(NOW + AHEAD_MAX_MS);
  assert.equal(clock.observe(near, NOW), true);
  assert.equal(clock.next(NOW, NO_STAMP), near + 1);
  assert.equal(clock.observe(stampAt(NOW + AHEAD_MAX_MS + 1), NOW), false);
  assert.equal(clock.last, near + 1);
  assert.equal(clock.observe(stampAt(NOW + AHEAD_MAX_MS + 1), NOW + 1), true);
});

test("a stamp that is only to be followed carries the clock along no further, either", () => {
  const clock = new HybridClock();
  const far = stampAt(NOW + 3_600_000);
  assert.equal(clock.next(NOW, far), far + 1);
  assert.equal(clock.next(NOW, NO_STAMP), stampAt(NOW));
});

test("after a restart the clock goes on after what it was told", () => {
  const clock = new HybridClock();
  clock.resumeAt(stampAt(NOW + 5000));
  clock.resumeAt(stampAt(NOW));
  assert.equal(clock.next(NOW, NO_STAMP), stampAt(NOW + 5000) + 1);
});

test("behind the latest of all stamps there is none, and the clock is as before", () => {
  const clock = new HybridClock();
  const before = clock.next(NOW, NO_STAMP);
  const isRefusal = (error: unknown): boolean =>
    error instanceof MinikeyError && error.code === "OUT_OF_RANGE";
  assert.throws(() => clock.next(NOW, STAMP_MAX), isRefusal);
  assert.equal(clock.next(NOW, NO_STAMP), before + 1);
});
