import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemRandom } from "../../../src/platform/random.js";

describe("the system's randomness", () => {
  const random = systemRandom();

  it("stays within its bounds and reaches all of them", () => {
    const seen = new Set<number>();
    for (let i = 0; i < 1000; i += 1) {
      const unit = random.unit();
      assert(unit >= 0 && unit < 1);
      seen.add(random.below(5));
    }
    assert.deepEqual(
      [...seen].sort((a, b) => a - b),
      [0, 1, 2, 3, 4],
    );
  });

  it("gives identifiers of 48 bits that differ", () => {
    const ids = Array.from({ length: 1000 }, () => random.id48());
    assert.equal(new Set(ids).size, ids.length);
    assert(ids.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 48));
    assert(
      ids.some((id) => id >= 2 ** 47),
      "the highest bit is used",
    );
  });
});
