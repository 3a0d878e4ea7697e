/**
 * Whatever happens to a group, its safety holds. Each seed is one random life; a failure names its seed.
 *
 *   RAFT_SEED=123 RAFT_TRACE=1 node --test dist/test/unit/raft/simulation.test.js    replays one, with its events
 *   RAFT_SEEDS=100000 …                                                              runs as many
 */
import { test } from "node:test";
import { Simulation, type SimulationOptions } from "./simulation.js";

const firstSeed = Number(process.env["RAFT_SEED"] ?? 1);
const count = Number(process.env["RAFT_SEEDS"] ?? (process.env["RAFT_SEED"] === undefined ? 300 : 1));
const steps = Number(process.env["RAFT_STEPS"] ?? 1_000);

function runSeeds(isLease: boolean, print: (line: string) => void): void {
  let reads = 0;
  let committed = 0;
  let elections = 0;
  for (let seed = firstSeed; seed < firstSeed + count; seed += 1) {
    const base: SimulationOptions = { seed, steps, isLease };
    const isTraced = process.env["RAFT_TRACE"] !== undefined;
    const simulation = new Simulation(isTraced ? { ...base, trace: print } : base);
    try {
      simulation.run();
    } catch (error) {
      throw new Error(
        `failed with RAFT_SEED=${seed} RAFT_STEPS=${steps}: ${error instanceof Error ? error.stack : String(error)}`,
        { cause: error },
      );
    }
    reads += simulation.invariants.readsAnswered;
    committed += simulation.invariants.committedIndex;
    elections += simulation.invariants.elections;
  }
  print(
    `${count} lives from seed ${firstSeed}: ${elections} elections, ${committed} entries, ${reads} reads answered`,
  );
}

test("no random life of a group breaks safety, and each comes to agree when it heals", (t) => {
  runSeeds(false, (line) => t.diagnostic(line));
});

test("a lease never lets a read miss a write while clocks run at one speed", (t) => {
  runSeeds(true, (line) => t.diagnostic(line));
});
