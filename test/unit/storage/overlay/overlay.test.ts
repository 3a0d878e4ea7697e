import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { type Key, latin1ToBytes } from "../../../../src/core/bytes.js";
import { systemClock } from "../../../../src/platform/clock.js";
import { BlockPool } from "../../../../src/storage/overlay/block-pool.js";
import { KeyHash } from "../../../../src/storage/overlay/key-hash.js";
import {
  BELOW_ABSENT,
  BELOW_PRESENT,
  BELOW_UNKNOWN,
  type Below,
  Overlay,
  TOMBSTONE,
} from "../../../../src/storage/overlay/overlay.js";
import { DELETED, OUTDATED, RecordWalk } from "../../../../src/storage/overlay/records.js";
import { ValueCopies } from "../../../../src/storage/overlay/value-copies.js";
import { layOut, spansOf, storedValue, valueText } from "../../../support/engine-model.js";

type Call =
  | { do: "put" | "delete"; key: Key; tells: boolean; sizeBytes: number }
  | { do: "read"; from: Key; exclusive: boolean }
  | { do: "count" }
  | { do: "prefetch"; keys: Key[] }
  | { do: "clear" };

const keys = fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "e"), minLength: 1, maxLength: 3 });

const calls = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("put", "delete"),
      key: keys,
      tells: fc.boolean(),
      sizeBytes: fc.constantFrom(0, 1, 8, 20, 1000, 1025, 5000, 300_000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("read"), from: keys, exclusive: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("count") }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("prefetch"), keys: fc.array(keys, { maxLength: 64 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear") }) },
) as fc.Arbitrary<Call>;

const newOverlay = (): Overlay =>
  new Overlay({ hash: new KeyHash(1, 2), copies: new ValueCopies(), pool: new BlockPool(systemClock()) });

const textOf = ({ key, sizeBytes }: { key: Key; sizeBytes: number }): string => key.padEnd(sizeBytes, "·");

/** What a checkpoint would save. */
function savedBy(overlay: Overlay): Map<Key, string | undefined> {
  const saved = new Map<Key, string | undefined>();
  const walk = new RecordWalk(overlay.blocks);
  while (walk.next()) {
    if ((walk.flags & OUTDATED) !== 0) continue;
    assert.equal(saved.has(walk.key), false, "a key is saved once");
    const text = walk.bytes.latin1Slice(walk.keyEnd, walk.valueEnd);
    saved.set(walk.key, (walk.flags & DELETED) !== 0 ? undefined : text);
  }
  return saved;
}

function put(overlay: Overlay, key: Key, text: string, below: Below = BELOW_ABSENT): void {
  const value = storedValue(text);
  const sizeBytes = value.end - value.start;
  layOut(overlay.replace(key, sizeBytes) ?? overlay.add(key, sizeBytes, below), value);
}

function prefetch(overlay: Overlay, keys: readonly Key[]): void {
  overlay.prefetch(latin1ToBytes(keys.join("")), spansOf(keys), 0, keys.length);
}

/** Writes as a table does: `tells` says whether the writer knows what lies below. */
function write(overlay: Overlay, below: ReadonlySet<Key>, call: Call & { do: "put" | "delete" }): void {
  const known = below.has(call.key) ? BELOW_PRESENT : BELOW_ABSENT;
  const told = call.tells ? known : BELOW_UNKNOWN;
  if (call.do === "put") put(overlay, call.key, textOf(call), told);
  else if (!overlay.bury(call.key)) overlay.addTombstone(call.key, told);
}

function readKeys(overlay: Overlay, from: Key, exclusive: boolean): Key[] {
  const found: Key[] = [];
  const cursor = overlay.keysFrom(from, exclusive);
  for (let key = cursor.key; key !== undefined; key = cursor.key) {
    found.push(key);
    cursor.advance();
  }
  return found;
}

describe("overlay", () => {
  it("behaves like a map over a set of keys below it, in order and in number", () => {
    fc.assert(
      fc.property(
        fc.array(calls, { maxLength: 200, size: "max" }),
        fc.uniqueArray(keys),
        (sequence, keysBelow) => {
          const overlay = newOverlay();
          let below = new Set(keysBelow);
          const written = new Map<Key, string | undefined>();
          for (const call of sequence) {
            switch (call.do) {
              case "put":
              case "delete":
                write(overlay, below, call);
                written.set(call.key, call.do === "put" ? textOf(call) : undefined);
                break;
              case "read": {
                const expected = [...written.keys()].filter((key) => {
                  return key > call.from || (key === call.from && !call.exclusive);
                });
                assert.deepEqual(readKeys(overlay, call.from, call.exclusive), expected.sort());
                break;
              }
              case "count": {
                const visible = new Set(below);
                for (const [key, text] of written) {
                  if (text !== undefined) visible.add(key);
                  else visible.delete(key);
                }
                assert.equal(overlay.count(below.size, below), visible.size);
                break;
              }
              case "prefetch":
                prefetch(overlay, call.keys);
                break;
              case "clear":
                overlay.clear();
                written.clear();
                below = new Set();
                break;
            }
          }
          for (const [key, text] of written) {
            assert.equal(valueText(overlay.get(key)), text ?? "");
            assert.equal(overlay.get(key) === TOMBSTONE, text === undefined);
            assert.equal(overlay.has(key), text !== undefined);
          }
          assert.deepEqual(savedBy(overlay), written);
        },
      ),
    );
  });

  it("asks about a key in doubt once, and about no other", () => {
    const overlay = newOverlay();
    put(overlay, "known", "1", BELOW_PRESENT);
    put(overlay, "new", "1", BELOW_ABSENT);
    put(overlay, "in doubt", "1", BELOW_UNKNOWN);
    const asked: Key[] = [];
    const below = {
      has: (key: Key): boolean => {
        asked.push(key);
        return true;
      },
    };
    assert.equal(overlay.count(10, below), 11);
    assert.equal(overlay.count(10, below), 11);
    assert.deepEqual(asked, ["in doubt"]);
  });

  for (const sizeBytes of [0, 10, 1000, 1024, 1025, 100_000]) {
    it(`leaves a value of ${sizeBytes} bytes that was read alone while its key is written`, () => {
      const overlay = newOverlay();
      const before = "b".repeat(sizeBytes);
      put(overlay, "key", before);
      const read = overlay.get("key");
      put(overlay, "key", "a".repeat(sizeBytes));
      overlay.bury("key");
      put(overlay, "key", "c".repeat(sizeBytes));
      assert.equal(valueText(read), before);
    });
  }

  it("finds keys foreseen in any order, repeated, missing, outgrown and deleted meanwhile", () => {
    const overlay = newOverlay();
    for (let i = 0; i < 1_000; i += 1) put(overlay, `key ${i}`, "before");
    prefetch(overlay, ["key 1", "key 1", "missing", "key 2", "key 3", "key 4", "key 5"]);
    put(overlay, "key 1", "x");
    put(overlay, "key 1", "y".repeat(2_000));
    put(overlay, "key 1", "z".repeat(3_000));
    put(overlay, "missing", "m");
    put(overlay, "key 3", "3");
    overlay.bury("key 2");
    put(overlay, "key 2", "2");
    put(overlay, "key 5", "5");
    const found = ["key 1", "missing", "key 2", "key 3", "key 4", "key 5"].map((key) =>
      valueText(overlay.get(key)),
    );
    assert.deepEqual(found, ["z".repeat(3_000), "m", "2", "3", "before", "5"]);
    assert.equal(overlay.count(0, new Set()), 1_001);
    overlay.clear();
    assert.equal(overlay.get("key 5"), undefined);
    put(overlay, "other", "o");
    assert.equal(overlay.get("key 5"), undefined);
  });

  it("takes no more memory for a small key written again and again", () => {
    const overlay = newOverlay();
    put(overlay, "key", "0".repeat(64));
    const sizeBytes = overlay.sizeBytes;
    for (let i = 0; i < 10_000; i += 1) put(overlay, "key", String(i).padStart(64));
    assert.equal(overlay.sizeBytes, sizeBytes);
    assert.equal(valueText(overlay.get("key")), "9999".padStart(64));
  });

  it("holds many keys of many sizes, each once, in order", () => {
    const overlay = newOverlay();
    const keyOf = (i: number): Key => `key ${(i * 7919) % 20_000}`;
    for (let i = 0; i < 20_000; i += 1) put(overlay, keyOf(i), `${i}`.repeat(i % 50));
    for (let i = 0; i < 20_000; i += 1) {
      assert.equal(valueText(overlay.get(keyOf(i))), `${i}`.repeat(i % 50));
      assert.equal(overlay.has(`no ${keyOf(i)}`), undefined);
    }
    const keysInOrder = Array.from({ length: 20_000 }, (_, i) => keyOf(i)).sort();
    assert.deepEqual(readKeys(overlay, "", false), keysInOrder);
    assert.deepEqual([...savedBy(overlay).keys()].sort(), keysInOrder);
  });
});
