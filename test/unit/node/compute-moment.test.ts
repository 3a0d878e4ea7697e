/** `COMPUTE` on simulated clusters, beside writes that move what it adds up: the sum never changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "../../../sim/run/simulation.js";

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`a formula is of one moment while nodes crash and writes go on, seed ${seed}`, async (t) => {
    const options = {
      seed,
      durationMs: 8_000,
      nodes: 3,
      replicas: 3,
      partitions: 3,
      workloads: ["formulas"],
    };
    const { description, violation } = await simulate(options);
    t.diagnostic(description);
    assert.equal(violation, undefined);
  });
}
