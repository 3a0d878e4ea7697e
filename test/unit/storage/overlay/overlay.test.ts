import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Key } from "../../../../src/core/bytes.js";
import {
  BELOW_ABSENT,
  BELOW_PRESENT,
  BELOW_UNKNOWN,
  Overlay,
  TOMBSTONE,
} from "../../../../src/storage/overlay/overlay.js";
import { storedValue, valueText } from "../../../support/engine-model.js";

type Call =
  | { do: "put"; key: Key; tells: boolean }
  | { do: "delete"; key: Key; tells: boolean }
  | { do: "read"; from: Key; exclusive: boolean }
  | { do: "count" }
  | { do: "clear" };

const keys = fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "e"), minLength: 1, maxLength: 3 });

const calls = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("put", "delete"), key: keys, tells: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("read"), from: keys, exclusive: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("count") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear") }) },
) as fc.Arbitrary<Call>;

/** Writes as a table does: `tells` says whether the writer knows what lies below. */
function write(overlay: Overlay, below: ReadonlySet<Key>, call: Call & { do: "put" | "delete" }): void {
  const value = call.do === "put" ? storedValue(call.key) : TOMBSTONE;
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
          const overlay = new Overlay();
          let below = new Set(keysBelow);
          const written = new Map<Key, boolean>();
          for (const call of sequence) {
            switch (call.do) {
              case "put":
              case "delete":
                write(overlay, below, call);
                written.set(call.key, call.do === "put");
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
                for (const [key, isThere] of written) {
                  if (isThere) visible.add(key);
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
          for (const [key, isThere] of written) {
            assert.equal(valueText(overlay.get(key)), isThere ? key : "");
            assert.equal(overlay.get(key) === TOMBSTONE, !isThere);
          }
        },
      ),
    );
  });

  it("asks about a key in doubt once, and about no other", () => {
    const overlay = new Overlay();
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
});
