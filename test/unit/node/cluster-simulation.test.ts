/**
 * Whole nodes on a simulated network and disk, under crashes, cuts, pauses and lost disks. Replay a failure with
 * `MINIKEY_TEST_SEED=<seed> npm test -- cluster-simulation`; `MINIKEY_TEST_LOG=1` shows what the nodes say.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SimulationReport, simulate } from "../../../sim/run/simulation.js";

const givenSeed = process.env["MINIKEY_TEST_SEED"];
const SEEDS = givenSeed === undefined ? Array.from({ length: 20 }, (_, i) => 1 + i) : [Number(givenSeed)];
const DURATION_MS = 12_000;

const log =
  givenSeed !== undefined && process.env["MINIKEY_TEST_LOG"] !== undefined
    ? { log: (line: string) => process.stderr.write(`${line}\n`) }
    : {};

const reports: SimulationReport[] = [];

for (const seed of SEEDS) {
  test(`a simulated cluster under faults keeps its promises, seed ${seed}`, async (t) => {
    try {
      const report = await simulate({ seed, durationMs: DURATION_MS, ...log });
      reports.push(report);
      const { description, faults, reads, writes } = report;
      t.diagnostic(`${description}; ${faults} faults, ${reads} reads, ${writes} writes`);
      assert(faults > 0 && reads > 0 && writes > 0, "something happened");
    } catch (error) {
      console.error(`replay with MINIKEY_TEST_SEED=${seed} npm test -- cluster-simulation`);
      throw error;
    }
  });
}

/** Of all lives together, about half of what they had when this was written. */
const FLOORS = { faults: 40, reads: 14_000, writes: 23_000, terms: 70, told: 35 } as const;
const UNTOLD_SHARE_MAX = 0.05;

const single = givenSeed === undefined ? false : "one life alone does not reach the floors";

test("the lives together hold enough faults, elections, reads and writes to prove something", {
  skip: single,
}, (t) => {
  const total = (name: "untold" | keyof typeof FLOORS): number =>
    reports.reduce((sum, report) => sum + report[name], 0);
  for (const name of Object.keys(FLOORS) as (keyof typeof FLOORS)[]) {
    t.diagnostic(`${name}: ${total(name)}`);
    assert(total(name) >= FLOORS[name], `${name}: ${total(name)} of at least ${FLOORS[name]}`);
  }
  const untold = total("untold");
  const share = untold / (total("told") + untold);
  assert(share <= UNTOLD_SHARE_MAX, `${untold} histories took too long to judge`);
});

test("the same seed runs the same way twice", async () => {
  const options = { seed: 7, durationMs: 2_000, nodes: 3, replicas: 3 };
  assert.deepEqual(await simulate(options), await simulate(options));
});
