/**
 * The lives of one group's consensus core alone, as reports of the simulator. Where whole clusters take a second a
 * life, these take some milliseconds; and their members change in every way, also several at once, through joint
 * configurations, which replicas of a cluster hardly ever do.
 */
import { asViolation, type Violation } from "../checks/violation.js";
import type { SimulationReport } from "../run/simulation.js";
import { GroupLife } from "./group-life.js";
import { moodOf } from "./mood.js";

/** How reads are confirmed: by a round of messages, or by a lease, with clocks that run at one speed. */
export type GroupReads = "quorum" | "lease";

export interface GroupSettings {
  readonly seed: number;
  readonly group: GroupReads;
  readonly trace?: (line: string) => void;
}

const STEPS = 1_000;
const STEPS_BUSY = 3_000;
/** As long as a node's. */
const TICK_MS = 50;

export function simulateGroup({ seed, group, trace }: GroupSettings): SimulationReport {
  const { isLate, isRestless, isBusy } = moodOf(seed);
  const steps = isBusy ? STEPS_BUSY : STEPS;
  const options = { seed, steps, isLease: group === "lease" };
  const life = new GroupLife(trace === undefined ? options : { ...options, trace });
  let violation: Violation | undefined;
  try {
    life.run();
  } catch (error) {
    violation = asViolation(error, "no node ends by itself");
  }
  const { invariants, digest, events, writes } = life;
  return {
    digest,
    events,
    description: `one group, ${steps} steps, reads by ${group}${isLate ? ", late messages" : ""}${isRestless ? ", restless members" : ""}`,
    faults: life.faults,
    reads: invariants.readsAnswered,
    writes,
    terms: invariants.elections,
    told: 0,
    untold: 0,
    simulatedMs: life.ticks * TICK_MS,
    violation,
  };
}
