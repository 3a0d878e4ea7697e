/**
 * Whatever happens to a group, its safety holds. Each seed is one random life; a failure names its seed.
 *
 *   npm run simulate -- --scenario group --seed 123 --trace -     replays one, with its events
 *   npm run simulate -- --scenario group --seeds 1..100000        runs as many
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type GroupReads, simulateGroup } from "../../../sim/group/simulate-group.js";

const SEEDS = 300;

function live(group: GroupReads, scenario: string, print: (line: string) => void): void {
  let reads = 0;
  let writes = 0;
  let terms = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const report = simulateGroup({ seed, group });
    const { violation } = report;
    if (violation !== undefined) {
      const replay = `npm run simulate -- --scenario ${scenario} --seed ${seed}`;
      assert.fail(`${violation.property}: ${violation.stack ?? violation.message}\nreplay: ${replay}`);
    }
    reads += report.reads;
    writes += report.writes;
    terms += report.terms;
  }
  print(`${SEEDS} lives: ${terms} elections, ${writes} proposals taken, ${reads} reads answered`);
}

test("no random life of a group breaks safety, and each comes to agree when it heals", (t) => {
  live("quorum", "group", (line) => t.diagnostic(line));
});

test("a lease never lets a read miss a write while clocks run at one speed", (t) => {
  live("lease", "group-lease", (line) => t.diagnostic(line));
});

test("the same seed is the same life", () => {
  for (const seed of [1, 2, 3]) {
    const [first, again] = [1, 2].map(() => simulateGroup({ seed, group: "quorum" }).digest);
    assert.equal(first, again);
  }
});
