/**
 * Seeds that once showed a mistake, with what it was. Each is lived again by `npm test`, in the scenario that found
 * it. A seed means another life when the simulator changes: then the mistake's own test guards it, and the seed here
 * is only one more life.
 */
import type { ClientKind } from "./run/plan.js";

export interface Regression {
  readonly seed: number;
  readonly scenario: string;
  readonly durationMs: number;
  /** Those that the seed meant then; those that it means now, when absent. */
  readonly workloads?: readonly string[];
  /** Clients of nodes, when absent. */
  readonly clients?: ClientKind;
  /** What was broken, and where. */
  readonly about: string;
}

export const REGRESSIONS: readonly Regression[] = [
  {
    seed: 104,
    scenario: "any",
    durationMs: 8_000,
    workloads: ["levels", "repeats", "pipelines", "formulas"],
    about: "a write refused because the node stops was sent by a flush that was due (node/partition-writer)",
  },
  {
    seed: 207,
    scenario: "any",
    durationMs: 4_000,
    workloads: ["pipelines", "scans", "queries", "keyspaces"],
    about:
      "a dropped keyspace's state was removed before its log had let go of it: no start any more (node/keeper)",
  },
  {
    seed: 75,
    scenario: "disks",
    durationMs: 8_000,
    workloads: ["scans", "keyspaces", "expiring", "queries"],
    about:
      "a learner that was away for a moment in an idle group had everything and never voted (node/upkeep)",
  },
  {
    seed: 1099,
    scenario: "any",
    durationMs: 8_000,
    workloads: ["transactions", "sums", "expiring", "formulas"],
    about: "a transaction between two tries was not answered before its node stopped (node/node)",
  },
  {
    seed: 2003,
    scenario: "any",
    durationMs: 8_000,
    workloads: ["pipelines", "counters", "expiring", "swaps"],
    about: "a flipped bit in a format's number was told as a newer version, for which there is no rebuild",
  },
  {
    seed: 21,
    scenario: "five",
    durationMs: 8_000,
    workloads: ["counters", "swaps", "keyspaces", "pipelines"],
    about:
      "what superseded a log was written without its term: the restart after the next failed (raft/persistence)",
  },
  {
    seed: 10001,
    scenario: "any",
    durationMs: 20_000,
    workloads: ["formulas", "pipelines", "scans", "expiring"],
    about:
      "a read that followed another of a pipeline while its node stopped was never answered (node/own-reads)",
  },
  {
    seed: 10575,
    scenario: "any",
    durationMs: 8_000,
    workloads: ["keyspaces", "pipelines", "counters", "sums"],
    about:
      "after a restart a node went back to a map with a keyspace whose groups it had removed (node/keeper)",
  },
  {
    seed: 716,
    scenario: "group",
    durationMs: 1_000,
    about:
      "a leader that joined later shortened its log, and had no snapshot that names the members (raft/raft)",
  },
  {
    seed: 11446,
    scenario: "any",
    durationMs: 4_000,
    about: "a node that stopped closed its log before dropped keyspaces were removed (node/node)",
  },
  {
    seed: 19,
    scenario: "lease",
    durationMs: 4_000,
    about: "with reads by lease, a leader that votes alone waited for others to confirm it (raft/reads)",
  },
  {
    seed: 9,
    scenario: "any",
    durationMs: 4_000,
    workloads: ["formulas", "documents", "keyspaces", "counters"],
    clients: "library",
    about: "a read whose connection was lost said that it may have changed something (client/outgoing)",
  },
  {
    seed: 27,
    scenario: "far",
    durationMs: 1_000,
    clients: "library",
    about: "nodes far from each other interrupted their own first elections for ever (node/first-elections)",
  },
  {
    seed: 306893,
    scenario: "any",
    durationMs: 6_000,
    about: "the answer to a read of before a restart was taken for another read's (node/requests)",
  },
  {
    seed: 3179,
    scenario: "group-lease",
    durationMs: 1_000,
    about:
      "a candidate asked for votes by a log that another leader's had replaced meanwhile (raft/persistence)",
  },
  {
    seed: 273,
    scenario: "group",
    durationMs: 1_000,
    about:
      "without pre-vote, a replica that could not win ran so often that nobody else could either (raft/election)",
  },
  {
    seed: 407613,
    scenario: "any",
    durationMs: 8_000,
    workloads: ["scans", "pipelines", "keyspaces", "expiring"],
    clients: "library",
    about:
      "the simulator's own last scan was not asked again when its answer was not heard (sim/workloads/scans)",
  },
  {
    seed: 502197,
    scenario: "any",
    durationMs: 4_000,
    workloads: ["repeats", "formulas", "documents", "expiring"],
    about: "the simulator took an answer that came while it read for one from before (sim/workloads/repeats)",
  },
  {
    seed: 77,
    scenario: "eventual",
    durationMs: 5_000,
    clients: "library",
    about: "a comparison of trees whose messages were lost held up all others for 10 s (eventual/reconcile)",
  },
  {
    seed: 8,
    scenario: "eventual-away",
    durationMs: 12_000,
    clients: "library",
    about: "writes at one were refused while others waited in vain for replicas (node/eventual/level-write)",
  },
  {
    seed: 68,
    scenario: "eventual-far",
    durationMs: 20_000,
    clients: "library",
    about: "a replica that had become complete did not say so (node/eventual/partition-links)",
  },
];
