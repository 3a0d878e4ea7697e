import assert from "node:assert/strict";
import { test } from "node:test";
import type { Key } from "../../../src/core/bytes.js";
import { systemClock } from "../../../src/platform/clock.js";
import { visitSorted } from "../../../src/platform/lmdb/sorted-writes.js";
import { BlockPool } from "../../../src/storage/overlay/block-pool.js";
import { DELETED, OUTDATED, Records } from "../../../src/storage/overlay/records.js";
import { layOut, storedValue } from "../../support/engine-model.js";

test("writes are visited in the order of their keys, each key's newest alone", () => {
  const records = new Records(new BlockPool(systemClock()));
  const add = (key: Key, text: string, flags: number): void => {
    const value = storedValue(text);
    const sizeBytes = value.end - value.start;
    layOut(records.reserve(records.add(key, sizeBytes, flags), sizeBytes), value);
  };
  const keys = Array.from({ length: 3_000 }, (_, i) => `key ${(i * 7919) % 3_000}`.padEnd(i % 40, "."));
  for (const key of keys) add(key, `old ${key}`, OUTDATED);
  for (const [i, key] of keys.entries()) add(key, `new ${key}`, i % 5 === 0 ? DELETED : 0);
  const saved: [Key, string | undefined][] = [];
  visitSorted(records.blocks, (key, value) => saved.push([key, value?.latin1Slice()]));
  const expected = keys.map((key, i) => [key, i % 5 === 0 ? undefined : `new ${key}`]);
  assert.deepEqual(
    saved,
    expected.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  );
});
