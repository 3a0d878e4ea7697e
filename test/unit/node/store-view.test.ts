/** Records, versions and expiry, over a store: what commands see of a partition. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { allocBytes, type Key, latin1ToBytes } from "../../../src/core/bytes.js";
import {
  dueTime,
  expiryKey,
  keyOfExpiry,
  readExpiry,
  readRecord,
  recordBytes,
  writeRecord,
} from "../../../src/node/record.js";
import { StoreView } from "../../../src/node/store-view.js";
import { newStore } from "./partition-fixture.js";

const NOW_MS = 1_000;

function textOf(view: StoreView, key: Key): string | undefined {
  const entry = view.get(key);
  return entry && entry.bytes.latin1Slice(entry.start, entry.end);
}

function set(view: StoreView, key: Key, text: string, expiresAtMs = 0): number {
  const bytes = latin1ToBytes(text);
  return view.set(key, "string", bytes, 0, bytes.length, expiresAtMs);
}

test("a record comes back as it was written, of any size, type, version and expiry", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("string" as const, "json" as const),
      fc.integer({ min: 1, max: 2 ** 48 - 1 }),
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 48 - 1 })),
      fc.oneof(fc.nat(100), fc.integer({ min: 32_000, max: 33_500 })),
      fc.nat(10),
      (type, version, expiresAtMs, sizeBytes, offset) => {
        const value = latin1ToBytes("#".repeat(offset) + "v".repeat(sizeBytes));
        const end = offset + recordBytes(sizeBytes, expiresAtMs);
        const stored = { bytes: allocBytes(end + 1), start: offset, end };
        writeRecord(stored.bytes, offset, type, version, expiresAtMs, value, offset, value.length);
        assert.equal(stored.bytes[end], 0, "nothing is written behind it");
        const entry = readRecord(stored);
        assert.deepEqual([entry.type, entry.version, entry.expiresAtMs], [type, version, expiresAtMs]);
        assert.equal(entry.bytes.latin1Slice(entry.start, entry.end), "v".repeat(sizeBytes));
        assert.equal(readExpiry(stored), expiresAtMs);
      },
    ),
  );
});

test("records in the store do not change as others are written", async () => {
  const view = new StoreView(await newStore(), 1_000_000);
  const text = (i: number): string => `value ${i} ${"x".repeat(i % 200 === 7 ? 20_000 : i % 200)}`;
  for (let i = 0; i < 3_000; i += 1) set(view, `key ${i}`, text(i));
  for (let i = 0; i < 3_000; i += 1) {
    assert.equal(view.get(`key ${i}`)?.version, i + 1);
    assert.equal(textOf(view, `key ${i}`), text(i));
  }
});

test("lines of the expiry table sort by due time, then by key", () => {
  const times = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 });
  const keys = fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(times, times, keys, keys, (timeA, timeB, a, b) => {
      const [lineA, lineB] = [expiryKey(timeA, a), expiryKey(timeB, b)];
      assert.equal(keyOfExpiry(lineA), a);
      if (timeA !== timeB) assert.equal(lineA < lineB, timeA < timeB);
      assert.equal(lineA < dueTime(timeB + 1), timeA <= timeB);
    }),
  );
});

test("every write of the partition gets a new version, whichever key it is of", async () => {
  const view = new StoreView(await newStore(), 100);
  assert.equal(set(view, "a", "1"), 1);
  assert.equal(set(view, "b", "1"), 2);
  assert.equal(set(view, "a", "2"), 3);
  view.delete("a");
  assert.equal(set(view, "a", "3"), 5, "a deleted key does not get an old version again");
  assert.equal(view.setExpiry("a", 5_000), 6);
  assert.equal(view.setExpiry("missing", 5_000), 0);
  view.clear();
  assert.equal(set(view, "a", "4"), 8);
});

test("deleting what is not there is no write", async () => {
  const view = new StoreView(await newStore(), 100);
  assert.equal(view.delete("a"), false);
  assert.equal(view.revision, 0);
});

test("a key whose time has come is absent, but for purging", async () => {
  const view = new StoreView(await newStore(), 100);
  view.nowMs = NOW_MS;
  set(view, "a", "1", NOW_MS + 1);
  assert.deepEqual(
    [view.isOverdue("a"), view.has("a"), textOf(view, "a"), view.purge("a")],
    [false, true, "1", false],
  );
  view.nowMs = NOW_MS + 1;
  assert.deepEqual([view.isOverdue("a"), view.has("a"), textOf(view, "a")], [true, false, undefined]);
  assert.deepEqual([...view.keys({})], []);
  assert.equal(view.count(), 1);
  assert.equal(view.purge("a"), true);
  assert.equal(view.count(), 0);
  assert.equal(view.purge("a"), false);
});

type Step =
  | { readonly do: "set"; readonly key: Key; readonly lifeMs: number }
  | { readonly do: "expire"; readonly key: Key; readonly lifeMs: number }
  | { readonly do: "delete" | "purge"; readonly key: Key }
  | { readonly do: "clear" | "wait" };

const key = fc.constantFrom("a", "b", "c");
const lifeMs = fc.constantFrom(0, 5, 50);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("set" as const), key, lifeMs }),
  fc.record({ do: fc.constant("set" as const), key, lifeMs }),
  fc.record({ do: fc.constant("expire" as const), key, lifeMs }),
  fc.record({ do: fc.constantFrom("delete" as const, "purge" as const), key }),
  fc.record({ do: fc.constantFrom("clear" as const, "wait" as const, "wait" as const) }),
);

test("the expiry table lists exactly the keys that expire, whatever is done to them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const store = await newStore();
      const view = new StoreView(store, 100);
      const model = new Map<Key, number>();
      view.nowMs = NOW_MS;
      for (const each of steps) {
        const isThere = (name: Key) => {
          const due = model.get(name);
          return due !== undefined && (due === 0 || due > view.nowMs);
        };
        switch (each.do) {
          case "set":
          case "expire": {
            const due = each.lifeMs === 0 ? 0 : view.nowMs + each.lifeMs;
            const isDone = each.do === "set" ? set(view, each.key, "v", due) : view.setExpiry(each.key, due);
            assert.equal(isDone > 0, each.do === "set" || isThere(each.key));
            if (isDone > 0) model.set(each.key, due);
            break;
          }
          case "delete":
            assert.equal(view.delete(each.key), isThere(each.key));
            model.delete(each.key);
            break;
          case "purge":
            assert.equal(view.purge(each.key), model.has(each.key) && !isThere(each.key));
            if (!isThere(each.key)) model.delete(each.key);
            break;
          case "clear":
            view.clear();
            model.clear();
            break;
          case "wait":
            view.nowMs += 7;
        }
        for (const name of ["a", "b", "c"]) assert.equal(view.has(name), isThere(name));
        assert.deepEqual([...view.keys({})], [...model.keys()].filter(isThere).sort());
        assert.equal(view.count(), model.size);
        const listed = [...store.range("expiry")].map(([line]) => line);
        const expected = [...model].filter(([, due]) => due !== 0).map(([name, due]) => expiryKey(due, name));
        assert.deepEqual(listed, expected.sort());
      }
    }),
  );
});

test("an expiry of any size is kept, and orders like any other", async () => {
  const view = new StoreView(await newStore(), 100);
  const value = latin1ToBytes("v");
  for (const [given, kept] of [
    [2 ** 48, 2 ** 48],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [2 ** 63, Number.MAX_SAFE_INTEGER],
    [-5, 1],
  ] as const) {
    view.set("key", "string", value, 0, 1, given);
    view.nowMs = 0;
    assert.equal(view.get("key")?.expiresAtMs, kept, `${given}`);
  }
});

test("a key is taken for absent since a revision unless it, or one like it, was deleted later", async () => {
  const view = new StoreView(await newStore(), 100);
  set(view, "a", "v");
  assert.equal(view.isAbsentSince("b", 0), true);
  view.delete("a");
  assert.deepEqual([view.isAbsentSince("a", 1), view.isAbsentSince("a", 2)], [false, true]);
  assert.equal(view.isAbsentSince("b", 1), true);
  view.clear();
  assert.deepEqual([view.isAbsentSince("b", 2), view.isAbsentSince("b", 3)], [false, true]);
  view.resumeAt(9);
  assert.deepEqual([view.isAbsentSince("b", 8), view.isAbsentSince("b", 9)], [false, true]);
});
