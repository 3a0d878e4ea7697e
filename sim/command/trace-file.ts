/**
 * Timelines in files: the first line says whose life it is, the others what happened. A timeline is replayed by
 * living that life again; the first line that differs is where this code goes another way.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { SimulationOptions } from "../run/plan.js";
import { type SimulationReport, simulate } from "../run/simulation.js";
import { TRACE_VERSION } from "../world/trace.js";
import { UsageError } from "./arguments.js";

interface Header {
  readonly minikeyTrace: number;
  readonly options: SimulationOptions;
}

/** Lives the life and writes its timeline; `-` is the standard output. */
export async function writeTrace(path: string, options: SimulationOptions): Promise<SimulationReport> {
  const header: Header = { minikeyTrace: TRACE_VERSION, options };
  const lines = [JSON.stringify(header)];
  const report = await simulate({ ...options, hasStacks: true, trace: (line) => lines.push(line) });
  lines.push(`digest ${report.digest}`);
  const text = `${lines.join("\n")}\n`;
  if (path === "-") process.stdout.write(text);
  else writeTraceFile(path, text);
  return report;
}

function writeTraceFile(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`the timeline cannot be written: ${String(error)}`);
  }
}

export interface Replay {
  readonly report: SimulationReport;
  /** The first line that differs; undefined when the lives are the same. */
  readonly difference: { readonly line: number; readonly was: string; readonly is: string } | undefined;
}

/** Throws `UsageError` for what is no timeline, or one of another version. */
export async function replayTrace(path: string): Promise<Replay> {
  const [first, ...was] = readTrace(path);
  const { options } = headerOf(path, first);
  const is: string[] = [];
  const report = await simulate({ ...options, trace: (line) => is.push(line) });
  is.push(`digest ${report.digest}`);
  // Some events are several lines.
  const now = is.join("\n").split("\n");
  for (let i = 0; i < Math.max(was.length, now.length); i += 1) {
    if (was[i] === now[i]) continue;
    return { report, difference: { line: i + 2, was: was[i] ?? "the end", is: now[i] ?? "the end" } };
  }
  return { report, difference: undefined };
}

function readTrace(path: string): string[] {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n");
  } catch (error) {
    throw new UsageError(`the timeline cannot be read: ${String(error)}`);
  }
}

function headerOf(path: string, line: string): Header {
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(line) as Partial<Header> | null;
  } catch {
    header = null;
  }
  const isOfLife = header?.minikeyTrace !== TRACE_VERSION || typeof header.options?.seed === "number";
  if (typeof header?.minikeyTrace !== "number" || !isOfLife) {
    throw new UsageError(`${path} is no timeline of this simulator`);
  }
  if (header.minikeyTrace !== TRACE_VERSION || header.options === undefined) {
    const versions = `version ${header.minikeyTrace}, and this simulator knows version ${TRACE_VERSION}`;
    throw new UsageError(`${path} is a timeline of ${versions}: the same seed means another life here`);
  }
  return { minikeyTrace: header.minikeyTrace, options: header.options };
}
