/** Named sets of what is fixed, so that seeds vary the rest. */

import { DISK_FAULTS } from "../faults/disk-faults.js";
import { EVENTUAL_FAULTS } from "../faults/eventual-faults.js";
import { ALL_FAULTS } from "../faults/faults.js";
import { NETWORK_FAULTS } from "../faults/network-faults.js";
import { CLOCK_FAULTS, PROCESS_FAULTS } from "../faults/process-faults.js";
import { ALL_WORKLOADS } from "../workloads/all.js";
import type { SimulationOptions } from "./plan.js";

export interface Scenario {
  readonly about: string;
  readonly options: Partial<SimulationOptions>;
}

const namesOf = (faults: readonly { readonly name: string }[]): string[] => faults.map(({ name }) => name);

const EVENTUAL = ALL_WORKLOADS.filter(({ isEventual }) => isEventual === true);
const THREE_HOURS_MS = 3 * 3_600_000;

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  any: { about: "everything is drawn from the seed", options: {} },
  calm: { about: "no faults at all", options: { faults: [] } },
  network: { about: "network faults alone", options: { faults: namesOf(NETWORK_FAULTS) } },
  crashes: { about: "processes die, stop and stand still", options: { faults: namesOf(PROCESS_FAULTS) } },
  disks: {
    about: "disks that are slow, full, failing, damaged or gone, and crashes, on real files",
    options: {
      faults: [...namesOf(DISK_FAULTS), "crash", "crash-all"],
      storage: "files",
      nodes: 3,
      replicas: 3,
    },
  },
  clocks: {
    about: "clocks that jump, drift and disagree, and expiring keys",
    options: {
      faults: namesOf(CLOCK_FAULTS),
      skewMs: 5_000,
      workloads: ["expiring", "registers", "repeats", "transactions"],
    },
  },
  single: { about: "one node alone", options: { nodes: 1 } },
  five: { about: "five nodes, five replicas", options: { nodes: 5, replicas: 5 } },
  transactions: {
    about: "commands over several partitions",
    options: { workloads: ["transactions", "queries", "formulas", "sums"] },
  },
  far: {
    about:
      "nodes far from each other, faults that last: what takes several steps is mostly in the middle of them",
    options: {
      isFar: true,
      nodes: 3,
      partitions: 4,
      workloads: ["bundles", "registers"],
      faults: ["split", "bridge", "one-way", "flap", "reset", "delay", "crash", "stop", "pause"],
    },
  },
  blackout: {
    about:
      "as far, and once all nodes die and come back one by one, on bad lines: others finish what was begun",
    options: {
      isFar: true,
      durationMs: 16_000,
      nodes: 3,
      replicas: 1,
      partitions: 4,
      workloads: ["bundles"],
      faults: ["blackout"],
      only: [1],
    },
  },
  sessions: {
    about: "clients that repeat their writes",
    options: { workloads: ["repeats", "pipelines", "counters", "swaps"] },
  },
  lease: {
    about: "reads by lease, on clocks that drift as far as it allows, while leaders come and go",
    options: {
      reads: "lease",
      faults: [...namesOf(NETWORK_FAULTS), ...namesOf(CLOCK_FAULTS), "crash", "crash-loop", "stop"],
      workloads: ["registers", "swaps", "pipelines", "documents"],
    },
  },
  group: {
    about: "one group's consensus core alone, a hundred times faster: members change, also several at once",
    options: { group: "quorum" },
  },
  "group-lease": { about: "the same, with reads by lease", options: { group: "lease" } },
  library: {
    about: "the product's own client over connections that break",
    options: { workloads: ["library", "counters", "registers"], clients: "library" },
  },
  eventual: {
    about: "an eventual keyspace, under all faults, also with every node cut off from every other",
    options: { workloads: namesOf(EVENTUAL), faults: namesOf(ALL_FAULTS), reads: "quorum" },
  },
  "eventual-clocks": {
    about: "the same, with clocks that are hours off, and jump by hours",
    options: {
      workloads: namesOf(EVENTUAL),
      faults: [
        ...namesOf(NETWORK_FAULTS),
        ...namesOf(CLOCK_FAULTS),
        ...namesOf(EVENTUAL_FAULTS),
        "crash",
        "stop",
      ],
      reads: "quorum",
      skewMs: THREE_HOURS_MS,
    },
  },
  "eventual-away": {
    about: "the same, with replicas that are away for long, or lose their disks, and few hints",
    options: {
      workloads: namesOf(EVENTUAL),
      faults: ["away", "late", "lose-disk", "crash", "split", "islands"],
      reads: "quorum",
      nodes: 3,
      replicas: 3,
      durationMs: 12_000,
      hintsMax: 5,
    },
  },
  "eventual-far": {
    about: "the same, with nodes far from each other: most of what is done at the same time is",
    options: {
      workloads: namesOf(EVENTUAL),
      faults: ["late", "pause", "delay", "split", "islands", "crash", "lose-disk"],
      reads: "quorum",
      isFar: true,
    },
  },
  documents: { about: "documents and queries", options: { workloads: ["documents", "queries", "formulas"] } },
};
