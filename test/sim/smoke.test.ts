/**
 * The lives of whole clusters from their seeds, each twice: all promises are kept, and the second life is the first
 * in every event. Replay one with `npm run simulate -- --seed N --duration 4`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { replayCommand } from "../../sim/command/shrink.js";
import { REGRESSIONS } from "../../sim/regressions.js";
import { planLife, type SimulationOptions } from "../../sim/run/plan.js";
import { SCENARIOS } from "../../sim/run/scenarios.js";
import { type SimulationReport, simulate } from "../../sim/run/simulation.js";

const SEEDS = Array.from({ length: 50 }, (_, i) => 1 + i);
const DURATION_MS = 4_000;
const FAR_DURATION_MS = 8_000;

const reports: SimulationReport[] = [];

function assertKept({ violation }: SimulationReport, replay: string): void {
  if (violation === undefined) return;
  const history = violation.history.map((line) => `\n  ${line}`).join("");
  assert.fail(`${violation.property}: ${violation.message}${history}\nreplay: ${replay}`);
}

for (const seed of SEEDS) {
  test(`a simulated cluster under faults keeps its promises, the same way twice, seed ${seed}`, async () => {
    const options = { seed, durationMs: DURATION_MS };
    const replay = replayCommand(options);
    const report = await simulate(options);
    assertKept(report, replay);
    reports.push(report);
    const again = await simulate(options);
    assert.equal(again.digest, report.digest, `${replay} runs another way the second time`);
  });
}

for (const seed of [1, 2, 3, 4]) {
  test(`nodes far apart, under faults that last, keep their promises, the same way twice, seed ${seed}`, async () => {
    const options: SimulationOptions = { ...SCENARIOS["far"].options, seed, durationMs: FAR_DURATION_MS };
    const replay = replayCommand(options);
    const report = await simulate(options);
    assertKept(report, replay);
    const again = await simulate(options);
    assert.equal(again.digest, report.digest, `${replay} runs another way the second time`);
  });
}

test("what nodes have begun before all of them die is finished over bad lines, the same way twice", async () => {
  const options: SimulationOptions = { ...SCENARIOS["blackout"].options, seed: 3 };
  const replay = replayCommand(options);
  const report = await simulate(options);
  assertKept(report, replay);
  assert.equal(report.faults.get("blackout"), 1);
  const again = await simulate(options);
  assert.equal(again.digest, report.digest, `${replay} runs another way the second time`);
});

for (const { seed, scenario, durationMs, workloads, clients = "nodes", about } of REGRESSIONS) {
  test(`seed ${seed} of ${scenario} does not come back: ${about}`, async () => {
    const fixed = { seed, durationMs, clients, ...(workloads === undefined ? {} : { workloads }) };
    const options: SimulationOptions = { ...SCENARIOS[scenario].options, ...fixed };
    const report = await simulate(options);
    assertKept(report, replayCommand(options));
  });
}

/** Of all lives together, about half of what they had when this was written. */
const FLOORS = { reads: 12_000, writes: 18_000, terms: 150, told: 120, events: 700_000 } as const;
const FAULTS_FLOOR = 120;
/** Kinds of faults that strike in some life. */
const KINDS_FLOOR = 18;
const UNTOLD_SHARE_MAX = 0.05;
/** Of simulated time to processor time, on whatever this runs on. */
const RATIO_FLOOR = 5;

test("the lives together hold enough faults, elections, reads and writes to prove something", (t) => {
  const total = (name: "untold" | keyof typeof FLOORS): number =>
    reports.reduce((sum, report) => sum + report[name], 0);
  for (const name of Object.keys(FLOORS) as (keyof typeof FLOORS)[]) {
    t.diagnostic(`${name}: ${total(name)}`);
    assert(total(name) >= FLOORS[name], `${name}: ${total(name)} of at least ${FLOORS[name]}`);
  }
  const struck = reports.flatMap(({ faults }) => Array.from(faults));
  const faults = struck.reduce((sum, [, count]) => sum + count, 0);
  const kinds = new Set(struck.map(([name]) => name));
  t.diagnostic(`faults: ${faults}, of ${kinds.size} kinds`);
  assert(faults >= FAULTS_FLOOR && kinds.size >= KINDS_FLOOR, `${faults} faults: ${[...kinds].join(", ")}`);
  const untold = total("untold");
  const share = untold / (total("told") + untold);
  assert(share <= UNTOLD_SHARE_MAX, `${untold} histories took too long to judge`);
});

test("simulated time is several times faster than time", async (t) => {
  const { user: before } = process.cpuUsage();
  const { simulatedMs } = await simulate({ seed: 1, durationMs: DURATION_MS });
  const ratio = (1_000 * simulatedMs) / (process.cpuUsage().user - before);
  t.diagnostic(`${ratio.toFixed(1)} times`);
  assert(ratio >= RATIO_FLOOR, `${ratio} times`);
});

test("another seed is another life, and a part that is fixed leaves the others as they are", () => {
  const [one, other] = [planLife({ seed: 1 }), planLife({ seed: 2 })];
  assert.notDeepEqual(one.faults, other.faults);
  const fixed = planLife({ seed: 1, workloads: ["registers"] });
  assert.deepEqual(fixed.faults, one.faults);
  const shorter = planLife({ seed: 1, durationMs: one.durationMs / 2 });
  assert.deepEqual(shorter.faults, one.faults.slice(0, shorter.faults.length));
});
