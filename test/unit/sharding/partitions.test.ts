import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { partitionId } from "../../../src/core/ids.js";
import { partitionOfSlot, partitionTable, slotRangeOf } from "../../../src/sharding/partitions.js";
import { SLOT_COUNT } from "../../../src/sharding/slots.js";

const partitionCount = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: SLOT_COUNT }));

describe("partitions", () => {
  it("cuts the slots as the drawing shows", () => {
    assert.deepEqual(slotRangeOf(partitionId(0), 3), [0, 5461]);
    assert.deepEqual(slotRangeOf(partitionId(1), 3), [5462, 10_922]);
    assert.deepEqual(slotRangeOf(partitionId(2), 3), [10_923, 16_383]);
    assert.deepEqual(slotRangeOf(partitionId(0), 1), [0, 16_383]);
    assert.deepEqual(slotRangeOf(partitionId(16_383), SLOT_COUNT), [16_383, 16_383]);
  });

  it("has ranges that follow each other and hold all slots, with sizes that differ by one at most", () => {
    fc.assert(
      fc.property(partitionCount, (partitions) => {
        let next = 0;
        const sizes = new Set<number>();
        for (let partition = 0; partition < partitions; partition += 1) {
          const [first, last] = slotRangeOf(partitionId(partition), partitions);
          assert.equal(first, next);
          sizes.add(last - first + 1);
          next = last + 1;
        }
        assert.equal(next, SLOT_COUNT);
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
      }),
    );
  });

  it("finds every slot in the partition whose range holds it, by computing and by the table", () => {
    fc.assert(
      fc.property(partitionCount, (partitions) => {
        const table = partitionTable(partitions);
        assert.equal(table.length, SLOT_COUNT);
        for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
          const partition = partitionOfSlot(slot, partitions);
          const [first, last] = slotRangeOf(partition, partitions);
          if (!(first <= slot && slot <= last && table[slot] === partition)) assert.fail(`slot ${slot}`);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("refuses numbers of partitions, and partitions, that cannot be", () => {
    for (const partitions of [0, -1, 1.5, SLOT_COUNT + 1, Number.NaN]) {
      assert.throws(() => partitionTable(partitions), /1 to 16,384/);
    }
    assert.throws(() => slotRangeOf(partitionId(3), 3), /no such partition/);
  });
});
