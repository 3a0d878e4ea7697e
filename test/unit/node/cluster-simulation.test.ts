/**
 * Whole nodes on a simulated network and disk, under crashes, cuts, pauses and lost disks. Replay a failure with
 * `MINIKEY_TEST_SEED=<seed> npm test -- cluster-simulation`; `MINIKEY_TEST_LOG=1` shows what the nodes say.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "../../support/sim/simulation.js";

const givenSeed = process.env["MINIKEY_TEST_SEED"];
const SEEDS = givenSeed === undefined ? Array.from({ length: 20 }, (_, i) => 1 + i) : [Number(givenSeed)];
const DURATION_MS = 12_000;

const log =
  givenSeed !== undefined && process.env["MINIKEY_TEST_LOG"] !== undefined
    ? { log: (line: string) => process.stderr.write(`${line}\n`) }
    : {};

for (const seed of SEEDS) {
  test(`a simulated cluster under faults keeps its promises, seed ${seed}`, async (t) => {
    try {
      const { description, faults } = await simulate({ seed, durationMs: DURATION_MS, ...log });
      t.diagnostic(`${description}; ${faults} faults`);
    } catch (error) {
      console.error(`replay with MINIKEY_TEST_SEED=${seed} npm test -- cluster-simulation`);
      throw error;
    }
  });
}

test("the same seed runs the same way twice", async () => {
  const options = { seed: 7, durationMs: 2_000, nodes: 3, replicas: 3 };
  assert.deepEqual(await simulate(options), await simulate(options));
});
