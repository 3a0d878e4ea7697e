/** What a mode's run has come to so far. */

/** How long nodes have for a write to be on all of them, and to be equal after a round. */
export const PATIENCE_MS = 10_000;

/** Of all nodes, after a round of writes. */
export interface EndState {
  readonly round: "put" | "remove";
  readonly keys: number;
  /** Every node that answers shows the same of every key. */
  readonly isEqual: boolean;
  /** Nodes that did not answer, by name. */
  readonly silent: readonly string[];
  /** Keys that nodes show differently; of the rest, those that show what was overwritten for certain. */
  readonly differing: readonly string[];
  readonly outdated: readonly string[];
}

export class Tally {
  writes = 0;
  reads = 0;
  /** Operations that were not answered, or answered with an error. */
  errors = 0;
  staleReads = 0;
  /** Reads that do not fit into one order of writes. */
  outOfOrder = 0;
  /** Writes that were not shown by all nodes in time. */
  notConverged = 0;
  /** Of each write that was: from its answer until all nodes showed it. */
  readonly convergedMs: number[] = [];
  readonly endStates: EndState[] = [];
}

/** The smallest value that at least `share` of all are not above (nearest rank); undefined of none. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
