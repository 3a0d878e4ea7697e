/** Lives with an eventual keyspace, each twice: all promises are kept, and the second life is the first in every event. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { replayCommand } from "../../sim/command/shrink.js";
import { SCENARIOS, type Scenario } from "../../sim/run/scenarios.js";
import { simulate } from "../../sim/run/simulation.js";

const SEEDS = [1, 2, 3];
const DURATION_MS = 3_000;
const NAMES = ["eventual", "eventual-clocks", "eventual-away", "eventual-far"];

for (const name of NAMES) {
  for (const seed of SEEDS) {
    test(`an eventual keyspace keeps its promises, the same way twice, ${name}, seed ${seed}`, async () => {
      const scenario: Scenario = SCENARIOS[name];
      const options = { ...scenario.options, seed, durationMs: DURATION_MS };
      const { violation, digest, writes } = await simulate(options);
      assert.equal(violation, undefined, `${violation?.message}\nreplay: ${replayCommand(options)}`);
      assert(writes > 100, `only ${writes} writes`);
      const again = await simulate(options);
      assert.equal(again.digest, digest, `${replayCommand(options)} runs another way the second time`);
    });
  }
}
