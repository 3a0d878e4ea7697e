import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Key } from "../../../../src/core/bytes.js";
import { systemClock } from "../../../../src/platform/clock.js";
import { BlockPool } from "../../../../src/storage/overlay/block-pool.js";
import { KeyHash } from "../../../../src/storage/overlay/key-hash.js";
import {
  BELOW_ABSENT,
  BELOW_PRESENT,
  BELOW_UNKNOWN,
  Overlay,
  TOMBSTONE,
} from "../../../../src/storage/overlay/overlay.js";
import { DELETED, OUTDATED, RecordWalk } from "../../../../src/storage/overlay/records.js";
import { ValueCopies } from "../../../../src/storage/overlay/value-copies.js";
import { storedValue, valueText } from "../../../support/engine-model.js";

type Call =
  | { do: "put" | "delete"; key: Key; tells: boolean; sizeBytes: number }
  | { do: "read"; from: Key; exclusive: boolean }
  | { do: "count" }
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

/** Writes as a table does: `tells` says whether the writer knows what lies below. */
function write(overlay: Overlay, below: ReadonlySet<Key>, call: Call & { do: "put" | "delete" }): void {
  const value = call.do === "put" ? storedValue(textOf(call)) : TOMBSTONE;
  if (overlay.replace(call.key, value)) return;
  const known = below.has(call.key) ? BELOW_PRESENT : BELOW_ABSENT;
  overlay.add(call.key, value, call.tells ? known : BELOW_UNKNOWN);
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
    overlay.add("known", storedValue("1"), BELOW_PRESENT);
    overlay.add("new", storedValue("1"), BELOW_ABSENT);
    overlay.add("in doubt", storedValue("1"), BELOW_UNKNOWN);
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
      overlay.add("key", storedValue(before), BELOW_ABSENT);
      const read = overlay.get("key");
      overlay.replace("key", storedValue("a".repeat(sizeBytes)));
      overlay.replace("key", TOMBSTONE);
      overlay.replace("key", storedValue("c".repeat(sizeBytes)));
      assert.equal(valueText(read), before);
    });
  }

  it("takes no more memory for a small key written again and again", () => {
    const overlay = newOverlay();
    overlay.add("key", storedValue("0".repeat(64)), BELOW_ABSENT);
    const sizeBytes = overlay.sizeBytes;
    for (let i = 0; i < 10_000; i += 1) overlay.replace("key", storedValue(String(i).padStart(64)));
    assert.equal(overlay.sizeBytes, sizeBytes);
    assert.equal(valueText(overlay.get("key")), "9999".padStart(64));
  });

  it("holds many keys of many sizes, each once, in order", () => {
    const overlay = newOverlay();
    const keyOf = (i: number): Key => `key ${(i * 7919) % 20_000}`;
    for (let i = 0; i < 20_000; i += 1)
      overlay.add(keyOf(i), storedValue(`${i}`.repeat(i % 50)), BELOW_ABSENT);
    for (let i = 0; i < 20_000; i += 1) {
      assert.equal(valueText(overlay.get(keyOf(i))), `${i}`.repeat(i % 50));
      assert.equal(overlay.has(`no ${keyOf(i)}`), undefined);
    }
    const keysInOrder = Array.from({ length: 20_000 }, (_, i) => keyOf(i)).sort();
    assert.deepEqual(readKeys(overlay, "", false), keysInOrder);
    assert.deepEqual([...savedBy(overlay).keys()].sort(), keysInOrder);
  });
});
