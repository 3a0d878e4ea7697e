/** All workloads of a life: those of the simulator that any clients can do, and those for real ones. */
import { Counters } from "../../sim/workloads/counters.js";
import { Documents } from "../../sim/workloads/documents.js";
import { Expiring } from "../../sim/workloads/expiring.js";
import { Formulas } from "../../sim/workloads/formulas.js";
import { Queries } from "../../sim/workloads/queries.js";
import { Registers } from "../../sim/workloads/registers.js";
import { Repeats } from "../../sim/workloads/repeats.js";
import { Scans } from "../../sim/workloads/scans.js";
import { Sums } from "../../sim/workloads/sums.js";
import { Swaps } from "../../sim/workloads/swaps.js";
import { ManyKeys } from "../../sim/workloads/transactions.js";
import type { WorkloadOn } from "../../sim/workloads/workload.js";
import { Freshness } from "./freshness.js";
import { Ledger } from "./ledger.js";
import type { TortureLoad } from "./torture-load.js";
import { Versions } from "./versions.js";

/** All nodes ask the same clock. */
const CLOCKS_APART_MS = 500;

export function makeWorkloads(): readonly WorkloadOn<TortureLoad>[] {
  return [
    new Ledger(),
    new Freshness(),
    new Versions(),
    new Registers(),
    new Counters(),
    new Swaps(),
    new ManyKeys(),
    new Queries(),
    new Formulas(),
    new Documents(),
    new Repeats(),
    new Sums(),
    new Scans(),
    new Expiring(CLOCKS_APART_MS),
  ];
}
