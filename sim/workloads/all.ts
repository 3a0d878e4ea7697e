/** All workloads, by the names that `--workloads` takes. */
import { Bundles } from "./bundles.js";
import { Counters } from "./counters.js";
import { Documents } from "./documents.js";
import { EventualCounters } from "./eventual-counters.js";
import { EventualDeletes } from "./eventual-deletes.js";
import { EventualExpiring } from "./eventual-expiring.js";
import { EventualHomes } from "./eventual-homes.js";
import { EventualWrites } from "./eventual-writes.js";
import { Expiring } from "./expiring.js";
import { Formulas } from "./formulas.js";
import { Keyspaces } from "./keyspaces.js";
import { Levels } from "./levels.js";
import { LibraryMethods } from "./library.js";
import { Pipelines } from "./pipelines.js";
import { Queries } from "./queries.js";
import { Registers } from "./registers.js";
import { Repeats } from "./repeats.js";
import { Scans } from "./scans.js";
import { Sums } from "./sums.js";
import { Swaps } from "./swaps.js";
import { ManyKeys } from "./transactions.js";
import type { SimWorkload } from "./workload.js";

export interface WorkloadSettings {
  readonly replicas: number;
  readonly mayLoseData: boolean;
}

export interface WorkloadKind {
  readonly name: string;
  /** It looks at what lies on the modelled disks. */
  readonly needsModel?: true;
  /** Only where it is asked for, by name. */
  readonly isSpecial?: true;
  /** It works in an eventual keyspace; only where it is asked for by name. */
  readonly isEventual?: true;
  make(settings: WorkloadSettings): SimWorkload;
}

export const ALL_WORKLOADS: readonly WorkloadKind[] = [
  { name: "levels", needsModel: true, make: ({ replicas }) => new Levels(replicas) },
  { name: "registers", make: () => new Registers() },
  { name: "counters", make: () => new Counters() },
  { name: "swaps", make: () => new Swaps() },
  { name: "expiring", make: () => new Expiring() },
  { name: "formulas", make: () => new Formulas() },
  { name: "transactions", make: () => new ManyKeys() },
  { name: "pipelines", make: () => new Pipelines() },
  { name: "queries", make: () => new Queries() },
  { name: "repeats", make: () => new Repeats() },
  { name: "sums", make: () => new Sums() },
  { name: "scans", make: () => new Scans() },
  { name: "library", make: () => new LibraryMethods() },
  { name: "documents", make: () => new Documents() },
  { name: "bundles", isSpecial: true, make: () => new Bundles() },
  { name: "eventual-writes", isEventual: true, make: () => new EventualWrites() },
  { name: "eventual-homes", isEventual: true, make: () => new EventualHomes() },
  { name: "eventual-counters", isEventual: true, make: () => new EventualCounters() },
  { name: "eventual-deletes", isEventual: true, make: () => new EventualDeletes() },
  { name: "eventual-expiring", isEventual: true, make: () => new EventualExpiring() },
  // Keyspaces of fewer replicas than that may be lost with a disk.
  { name: "keyspaces", make: ({ mayLoseData }) => new Keyspaces(mayLoseData ? 3 : 1) },
];
