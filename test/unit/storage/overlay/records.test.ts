import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Key } from "../../../../src/core/bytes.js";
import { systemClock } from "../../../../src/platform/clock.js";
import { BlockPool } from "../../../../src/storage/overlay/block-pool.js";
import { DELETED, OUTDATED, Records, RecordWalk } from "../../../../src/storage/overlay/records.js";
import { layOut, storedValue, valueText } from "../../../support/engine-model.js";

function add(records: Records, key: Key, text: string, flags = 0): number {
  const value = storedValue(text);
  const position = records.add(key, value.end - value.start, flags);
  layOut(records.reserve(position, value.end - value.start), value);
  return position;
}

function walked(walk: RecordWalk): [Key, string][] {
  const found: [Key, string][] = [];
  while (walk.next()) found.push([walk.key, walk.bytes.latin1Slice(walk.keyEnd, walk.valueEnd)]);
  return found;
}

describe("records", () => {
  it("know their key from one that is longer, shorter or other", () => {
    const records = new Records(new BlockPool(systemClock()));
    const position = add(records, "key 12", "34");
    assert.equal(records.hasKey(position, "key 12"), true);
    for (const other of ["key 1", "key 123", "key 1234", "ey 12", "key 13", ""]) {
      assert.equal(records.hasKey(position, other), false, other);
    }
  });

  it("are walked through in the order they came in, also by parts, over blocks of any size", () => {
    const records = new Records(new BlockPool(systemClock()));
    const expected: [Key, string][] = [];
    let end = 0;
    for (const size of [0, 1, 4000, 4096, 70_000, 262_132, 262_144, 1_000_000, 3, 500_000, 7]) {
      for (let i = 0; i < 20; i += 1) {
        const entry: [Key, string] = [`key ${expected.length}`, "x".repeat(i % 7 === 3 ? size : i)];
        add(records, ...entry);
        expected.push(entry);
      }
      const walk = new RecordWalk(records.blocks, end);
      assert.deepEqual(walked(walk), expected.slice(-20), `values of ${size} bytes`);
      end = walk.end;
    }
    assert.deepEqual(walked(new RecordWalk(records.blocks)), expected);
  });

  it("keep their key, their flags and their neighbours when their value changes", () => {
    const records = new Records(new BlockPool(systemClock()));
    const [before, position, after] = ["a", "b", "c"].map((key) =>
      add(records, key, key.repeat(9), OUTDATED),
    );
    layOut(records.reserve(position, 5), storedValue("short"));
    records.setFlags(position, DELETED);
    assert.deepEqual(
      [before, position, after].map((at) => records.key(at)),
      ["a", "b", "c"],
    );
    assert.deepEqual(
      [before, position, after].map((at) => records.flags(at)),
      [OUTDATED, DELETED, OUTDATED],
    );
    assert.equal(valueText(records.value(position)), "short");
    assert.equal(valueText(records.value(after)), "ccccccccc");
    assert.equal(records.room(position) >= 9, true);
  });
});
