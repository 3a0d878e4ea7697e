/** What a run came to, a mode at a time: for people, for programs, and whether the mode kept its promise. */
import Table from "cli-table3";
import type { Mode } from "./modes.js";
import { type EndState, PATIENCE_MS, percentile, type Tally } from "./tally.js";

export interface ModeResult {
  readonly mode: Mode;
  readonly keyspace: string;
  readonly seconds: number;
  readonly tally: Tally;
}

const HEAD = [
  "mode",
  "operations",
  "errors",
  "stale reads",
  "everywhere after: p50",
  "p99",
  "not everywhere",
  "nodes in the end",
];

export function summaryTable(results: readonly ModeResult[]): string {
  const table = new Table({ head: HEAD, style: { head: [], border: [] } });
  for (const { mode, tally } of results) {
    table.push([
      mode.name,
      tally.writes + tally.reads,
      tally.errors,
      tally.staleReads,
      milliseconds(percentile(tally.convergedMs, 0.5)),
      milliseconds(percentile(tally.convergedMs, 0.99)),
      tally.notConverged,
      endOf(tally),
    ]);
  }
  return table.toString();
}

/** What `--json` prints of a mode. */
export function jsonOf({ mode, keyspace, seconds, tally }: ModeResult): object {
  return {
    mode: mode.name,
    keyspace,
    operations: tally.writes + tally.reads,
    writes: tally.writes,
    reads: tally.reads,
    errors: tally.errors,
    staleReads: tally.staleReads,
    outOfOrder: tally.outOfOrder,
    convergence: {
      writes: tally.convergedMs.length,
      p50Ms: rounded(percentile(tally.convergedMs, 0.5)),
      p99Ms: rounded(percentile(tally.convergedMs, 0.99)),
      maxMs: rounded(percentile(tally.convergedMs, 1)),
      missed: tally.notConverged,
    },
    endStates: tally.endStates,
    seconds: rounded(seconds),
  };
}

/** Why the run of this mode has failed: a line each; none when it has not. */
export function failuresOf({ mode, tally }: ModeResult): string[] {
  const failures: string[] = [];
  const { errors, staleReads, outOfOrder, notConverged, endStates } = tally;
  if (errors > 0) failures.push(`${counted(errors, "operation")} failed`);
  if (mode.forbidsStale && staleReads > 0) {
    failures.push(`${counted(staleReads, "stale read")}, and there may be none`);
  }
  if (outOfOrder > 0) {
    failures.push(
      `${counted(outOfOrder, "read")} ${outOfOrder === 1 ? "does" : "do"} not fit into one order of writes`,
    );
  }
  if (notConverged > 0) {
    const late = `${counted(notConverged, "write")} ${notConverged === 1 ? "was" : "were"}`;
    failures.push(`${late} not on every node within ${PATIENCE_MS / 1_000} s`);
  }
  for (const end of endStates) failures.push(...failuresInTheEnd(mode, end));
  return failures.map((failure) => `${mode.name}: ${failure}`);
}

/**
 * What was overwritten by the order of calls and answers may be the later write by the clocks of an eventual
 * keyspace's nodes.
 */
function failuresInTheEnd(mode: Mode, end: EndState): string[] {
  const { round, keys, differing, silent, outdated } = end;
  const failures: string[] = [];
  if (!end.isEqual) failures.push(`the nodes differ in ${differing.length} of ${keys} keys`);
  if (silent.length > 0) failures.push(`${silent.join(" and ")} did not answer`);
  if (mode.consistency === "strong" && outdated.length > 0) {
    const verb = outdated.length === 1 ? "shows" : "show";
    failures.push(`${outdated.length} of ${keys} keys ${verb} what was overwritten`);
  }
  return failures.map((failure) => `after the round of ${round}s ${failure}`);
}

/** Of all comparisons the one that says most. */
function endOf({ endStates }: Tally): string {
  const differing = Math.max(0, ...endStates.map((end) => end.differing.length));
  const silent = new Set(endStates.flatMap((end) => end.silent));
  if (endStates.length === 0) return "not compared";
  if (differing > 0) return `DIFFER in ${counted(differing, "key")}`;
  if (silent.size > 0) return `equal, without ${[...silent].join(", ")}`;
  return `equal (${counted(endStates[0].keys, "key")})`;
}

const counted = (count: number, noun: string): string =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

const milliseconds = (ms: number | undefined): string => (ms === undefined ? "" : `${ms.toFixed(1)} ms`);

const rounded = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(value * 1_000) / 1_000;
