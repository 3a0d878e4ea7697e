import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { systemClock } from "../../../src/platform/clock.js";
import { sortByKey } from "../../../src/platform/lmdb/key-order.js";
import { BlockPool } from "../../../src/storage/overlay/block-pool.js";
import { Records, RecordWalk } from "../../../src/storage/overlay/records.js";

/** The keys in the order that `sortByKey` gives their records. */
function sorted(keys: readonly string[]): string[] {
  const records = new Records(new BlockPool(systemClock()));
  const positions = Int32Array.from(keys, (key) => records.add(key, 3, 0));
  sortByKey(records.blocks, positions);
  const walk = new RecordWalk(records.blocks);
  return Array.from(positions, (position) => {
    walk.moveTo(position);
    return walk.key;
  });
}

/** Few different bytes, so that keys agree for long, end inside each other and go on with zeros. */
const byte = fc.constantFrom("\u0000", "a", "b", "\u007f", "\u0080", "\u00ff");
const alike = fc.tuple(fc.constantFrom("", "key:", "key:00000"), fc.string({ unit: byte, maxLength: 12 }));
const key = alike.map(([start, rest]) => start + rest).filter((text) => text !== "");
const keys = fc.uniqueArray(key, { maxLength: 300, size: "max" });

test("records come in the byte order of their keys, whatever these have in common", () => {
  fc.assert(
    fc.property(keys, (all) => {
      assert.deepEqual(sorted(all), all.toSorted());
    }),
    { numRuns: 200 },
  );
});

test("many keys of one form are sorted, from any order", () => {
  const ascending = Array.from({ length: 50_000 }, (_, i) => `key:${String(i).padStart(12, "0")}`);
  const mixed = ascending.map((_, i) => ascending[(i * 7_919) % ascending.length]);
  for (const order of [ascending, ascending.toReversed(), mixed]) {
    assert.deepEqual(sorted(order), ascending);
  }
});

test("no order of writing takes long, not even down and then up", () => {
  const numbers = Array.from({ length: 200_000 }, (_, i) => i);
  const keys = numbers.map((i) => String.fromCharCode(i >> 24, (i >> 16) & 255, (i >> 8) & 255, i & 255));
  const down = keys.filter((_, i) => i % 2 === 1).toReversed();
  const up = keys.filter((_, i) => i % 2 === 0);
  const startMs = performance.now();
  for (const order of [
    [...down, ...up],
    [...up, ...down],
  ]) {
    assert.deepEqual(sorted(order), keys);
  }
  // A fraction of a second, or with the square of the keys half a minute.
  assert(performance.now() - startMs < 10_000);
});

test("keys that agree for long are sorted without going deep into the stack", () => {
  const long = Array.from(
    { length: 2_000 },
    (_, i) => "x".repeat(1_000) + String.fromCharCode(i >> 8, i & 255),
  );
  const lengths = Array.from({ length: 1_500 }, (_, i) => "y".repeat(i + 1));
  assert.deepEqual(sorted([...lengths.toReversed(), ...long.toReversed()]), [...long, ...lengths]);
});
