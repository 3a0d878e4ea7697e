/**
 * `npm run torture`: lives of real clusters, one after the other, for as long as was asked. `command/usage.ts` has the
 * options. Where the machine allows it, the command runs itself again in a network namespace of its own.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Violation } from "../sim/checks/violation.js";
import { UsageError } from "../sim/command/arguments.js";
import { type Asked, helpText, INSIDE_FLAG, parseUsage } from "./command/usage.js";
import { impossibleFaults } from "./faults/faults.js";
import { findNamespaces, NamespaceNetwork } from "./machine/namespaces.js";
import { LoopbackNetwork, type Network } from "./machine/network.js";
import { removeLeftovers, Workplace } from "./machine/workplace.js";
import { Life, type LifeReport, planLife } from "./run/life.js";
import { Totals } from "./run/totals.js";

const MINUTE_MS = 60_000;
const HISTORY_LINES_MAX = 40;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Exits with what the run inside exits with. Its own process group: Ctrl-C reaches it once, through this one. */
function runInside(command: readonly string[], args: readonly string[]): Promise<number> {
  const [file, ...prefix] = command;
  const main = fileURLToPath(import.meta.url);
  const inside = spawn(file, [...prefix, process.execPath, main, INSIDE_FLAG, ...args], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true,
  });
  for (const signal of SIGNALS) process.on(signal, () => inside.kill(signal));
  return new Promise((resolve, reject) => {
    inside.once("error", reject);
    inside.once("exit", (code) => resolve(code ?? 1));
  });
}

function stop(why: string): void {
  say(`torture: ${why}: all processes are ended`);
  process.exit(1);
}

/** Everything ends with this process, and nothing of it is left, however it ends. */
function openWorkplace(): Workplace {
  for (const line of removeLeftovers()) say(line);
  const workplace = new Workplace();
  process.once("exit", () => workplace.close());
  for (const signal of SIGNALS) process.once(signal, () => stop(signal));
  process.once("disconnect", () => stop("the command is gone"));
  // It is to be heard of, not waited for.
  process.channel?.unref();
  return workplace;
}

async function openNetwork(asked: Asked, nodes: number, workplace: Workplace): Promise<Network> {
  if (!asked.isInside) return await LoopbackNetwork.open(nodes);
  return await NamespaceNetwork.open(nodes, (pid) => workplace.record(pid));
}

const nameOf = (seed: number): string => `seed-${seed}`;

function tellLeftOut(faults: readonly string[] | undefined, network: Network): void {
  const left = impossibleFaults(faults, network);
  if (left.length === 0) return;
  const why = network.canSplit ? "this kernel has no tc netem" : "there are no network namespaces";
  say(`left out, as ${why}: ${left.join(", ")}`);
}

async function live(asked: Asked, seed: number, workplace: Workplace): Promise<LifeReport> {
  const { lifeMs, nodes, faults } = asked;
  const plan = planLife({
    seed,
    durationMs: lifeMs,
    ...(nodes === undefined ? {} : { nodes }),
    ...(faults === undefined ? {} : { faults }),
  });
  const { shape } = plan;
  const network = await openNetwork(asked, shape.nodes, workplace);
  if (seed === asked.seed) tellLeftOut(faults, network);
  say(`seed ${seed}: ${shape.nodes} nodes, ${shape.replicas} replicas, ${shape.partitions} partitions`);
  try {
    const directory = workplace.makeDirectory(nameOf(seed));
    const report = await new Life(plan, network, workplace, directory, say).run();
    if (report.violation === undefined && !asked.isKept) workplace.remove(nameOf(seed));
    return report;
  } finally {
    network.close();
  }
}

function tellViolation(asked: Asked, seed: number, violation: Violation, workplace: Workplace): void {
  say(`\nseed ${seed} broke a promise: ${violation.property}\n${violation.message}`);
  if (violation.history.length > 0) say("\nthe shortest history that shows it (from, to in ms):");
  for (const line of violation.history.slice(0, HISTORY_LINES_MAX)) say(`  ${line}`);
  const left = violation.history.length - HISTORY_LINES_MAX;
  if (left > 0) say(`  … and ${left} more`);
  workplace.keep();
  say(`\nlogs and data: ${join(workplace.directory, nameOf(seed))}`);
  const nodes = asked.nodes === undefined ? "" : ` --nodes ${asked.nodes}`;
  const faults = asked.faults === undefined ? "" : ` --faults ${asked.faults.join(",") || "none"}`;
  const life = ` --life ${asked.lifeMs / 1_000}${asked.isLoopback ? " --loopback" : ""}`;
  say(`the same faults in the same order: npm run torture -- --seed ${seed}${life}${nodes}${faults}`);
}

async function runLives(asked: Asked): Promise<number> {
  const workplace = openWorkplace();
  if (asked.isKept) workplace.keep();
  if (asked.isInside) NamespaceNetwork.prepare();
  const totals = new Totals();
  const untilMs = performance.now() + asked.minutes * MINUTE_MS;
  let seed = asked.seed;
  let violation: Violation | undefined;
  while (violation === undefined && performance.now() < untilMs) {
    const lifeMs = Math.min(asked.lifeMs, untilMs - performance.now());
    const report = await live({ ...asked, lifeMs }, seed, workplace);
    totals.add(report);
    violation = report.violation;
    if (violation !== undefined) tellViolation(asked, seed, violation, workplace);
    seed += 1;
  }
  say(totals.text);
  if (asked.isKept) say(`logs and data: ${workplace.directory}`);
  return violation === undefined ? 0 : 1;
}

async function run(args: readonly string[]): Promise<number> {
  const asked = parseUsage(args);
  if (asked.isHelp) {
    process.stdout.write(`${helpText()}\n`);
    return 0;
  }
  if (asked.isInside) return await runLives(asked);
  const found = asked.isLoopback ? { reason: "not wanted" } : findNamespaces();
  if ("command" in found) return await runInside(found.command, [...args, "--seed", String(asked.seed)]);
  say(`network namespaces: not available (${found.reason})`);
  return await runLives(asked);
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  say(`torture: ${error.message}`);
  process.exitCode = 2;
}
