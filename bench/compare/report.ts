/** Figures of several runs, and the tables that they end in. */
import { cpus, totalmem } from "node:os";
import { versionOf } from "./command.js";
import type { LoadFigures } from "./redis.js";

/** One line of a table: what was measured on both sides, the bound to keep, and how to measure it again. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
  /** Ours to theirs, or undefined where there is no other side. */
  readonly ratio?: number | undefined;
  readonly bound: string;
  readonly kept: boolean;
  readonly command: string;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** The median of each figure over the runs. */
export function medianOf(runs: readonly LoadFigures[]): LoadFigures {
  const of = (pick: (figures: LoadFigures) => number): number => median(runs.map(pick));
  return {
    rps: of(({ rps }) => rps),
    meanMs: of(({ meanMs }) => meanMs),
    p50Ms: of(({ p50Ms }) => p50Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
  };
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const perSecond = ({ rps, p50Ms, p99Ms }: LoadFigures): string =>
  `${whole.format(rps)}/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;

export const latency = ({ meanMs, p50Ms, p99Ms }: LoadFigures): string =>
  `mean ${meanMs.toFixed(2)} ms, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;

export function markdownTable(rows: readonly Row[]): string {
  const lines = rows.map(({ what, ours, theirs, ratio, bound, kept, command }) =>
    [
      what,
      ours,
      theirs,
      ratio?.toFixed(2) ?? "",
      `${bound}: ${kept ? "kept" : "MISSED"}`,
      `\`${command}\``,
    ].join(" | "),
  );
  const head = ["measured", "MinikeyDB", "compared with", "ratio", "bound", "command"].join(" | ");
  return [`| ${head} |`, "| --- | --- | --- | --- | --- | --- |", ...lines.map((line) => `| ${line} |`)].join(
    "\n",
  );
}

/** What the figures were measured on and with. */
export async function describeMachine(): Promise<string> {
  const memoryGib = totalmem() / 1024 ** 3;
  const versions = await Promise.all([
    versionOf("redis-server", ["--version"]),
    versionOf("redis-benchmark", ["--version"]),
    versionOf("etcd", ["--version"]),
  ]);
  const processors = cpus();
  return [
    `- ${processors.length} × ${processors[0]?.model ?? "unknown processor"}, ${memoryGib.toFixed(0)} GiB, ${process.platform}`,
    `- Node.js ${process.versions.node}`,
    ...versions.filter((version) => version !== undefined).map((version) => `- ${version}`),
  ].join("\n");
}

/** Figures of all rounds, by the name of what was measured. */
export class Figures {
  readonly #rounds = new Map<string, LoadFigures[]>();

  add(name: string, figures: LoadFigures): void {
    this.#rounds.set(name, [...(this.#rounds.get(name) ?? []), figures]);
    console.error(`  ${name}: ${perSecond(figures)}`);
  }

  of(name: string): LoadFigures {
    return medianOf(this.#rounds.get(name) ?? []);
  }
}
