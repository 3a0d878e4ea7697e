/** `npm run simulate`: runs the lives that were asked for, and says what came of them. `usage.ts` has the options. */

import { Violation } from "./checks/violation.js";
import { UsageError } from "./command/arguments.js";
import { replayCommand, shrink } from "./command/shrink.js";
import { replayTrace, writeTrace } from "./command/trace-file.js";
import { type Asked, helpText, parseUsage } from "./command/usage.js";
import type { SimulationOptions } from "./run/plan.js";
import { type SimulationReport, simulate } from "./run/simulation.js";

const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;
const HISTORY_LINES_MAX = 40;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** What all lives came to together. */
class Totals {
  lives = 0;
  simulatedMs = 0;
  busyMs = 0;
  faults = 0;
  commands = 0;

  add({ simulatedMs, faults, reads, writes }: SimulationReport, busyMs: number): void {
    this.lives += 1;
    this.simulatedMs += simulatedMs;
    this.busyMs += busyMs;
    this.faults += [...faults.values()].reduce((sum, count) => sum + count, 0);
    this.commands += reads + writes;
  }

  get text(): string {
    const ratio = this.simulatedMs / this.busyMs;
    return (
      `${this.lives} lives, ${(this.simulatedMs / SECOND_MS).toFixed(0)} simulated seconds in ` +
      `${(this.busyMs / SECOND_MS).toFixed(1)} s of CPU: ${ratio.toFixed(1)} times faster than real time; ` +
      `${this.faults} faults, ${this.commands} commands answered`
    );
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

async function liveOnce(asked: Asked, options: SimulationOptions, totals: Totals): Promise<SimulationReport> {
  const startMs = cpuMs();
  const report = asked.trace === undefined ? await simulate(options) : await writeTrace(asked.trace, options);
  const busyMs = cpuMs() - startMs;
  totals.add(report, busyMs);
  const ratio = (report.simulatedMs / busyMs).toFixed(1);
  say(`seed ${options.seed}  ${report.digest}  ×${ratio}  ${report.description}`);
  return report;
}

/** Returns whether all promises were kept. */
async function live(asked: Asked, seed: number, totals: Totals): Promise<boolean> {
  const options = { ...asked.options, seed };
  const report = await liveOnce(asked, options, totals);
  if (report.violation !== undefined) {
    await tellFailure(asked, options, report, report.violation);
    return false;
  }
  if (!asked.isTwice) return true;
  const again = await simulate(options);
  if (again.digest === report.digest) return true;
  const violation = new Violation("same seed, same life", `${report.digest}, and again ${again.digest}`);
  await tellFailure({ ...asked, isShrunk: false }, options, report, violation);
  return false;
}

async function tellFailure(
  asked: Asked,
  options: SimulationOptions,
  report: SimulationReport,
  violation: Violation,
): Promise<void> {
  say(`\nseed ${options.seed} broke a promise: ${violation.property}\n${violation.message}`);
  const found = { options, report, tries: 0 };
  if (asked.isShrunk) say("\nmaking it smaller …");
  const shrunk = asked.isShrunk ? await shrink(options, report) : found;
  const shown = shrunk.report.violation ?? violation;
  if (asked.isShrunk)
    say(`after ${shrunk.tries} smaller lives: ${shrunk.report.description}\n${shown.message}`);
  if (shown.history.length > 0) say(`\nthe shortest history that shows it (from, to in ms):`);
  for (const line of shown.history.slice(0, HISTORY_LINES_MAX)) say(`  ${line}`);
  const left = shown.history.length - HISTORY_LINES_MAX;
  if (left > 0) say(`  … and ${left} more`);
  say(`\nreplay: ${replayCommand(shrunk.options)} --trace FILE\n`);
}

async function replay(path: string): Promise<number> {
  const { report, difference } = await replayTrace(path);
  if (difference === undefined) {
    say(`the same life, in every event: ${report.digest}`);
    return 0;
  }
  say(`line ${difference.line} was\n  ${difference.was}\nand is\n  ${difference.is}`);
  return 1;
}

async function run(asked: Asked): Promise<number> {
  if (asked.isHelp) {
    process.stdout.write(`${helpText()}\n`);
    return 0;
  }
  if (asked.replay !== undefined) return await replay(asked.replay);
  const totals = new Totals();
  const broken: number[] = [];
  const untilMs =
    asked.minutes > 0 ? performance.now() + asked.minutes * MINUTE_MS : Number.POSITIVE_INFINITY;
  for (let seed = asked.from; seed <= asked.to && performance.now() < untilMs; seed += 1) {
    if (!(await live(asked, seed, totals))) broken.push(seed);
  }
  say(totals.text);
  if (broken.length > 0) say(`promises were broken by the seeds ${broken.join(", ")}`);
  return broken.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await run(parseUsage(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  say(`simulate: ${error.message}`);
  process.exitCode = 2;
}
