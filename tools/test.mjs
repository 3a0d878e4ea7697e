/**
 * `npm test`: set-up, then every check and every test, from the quickest to the slowest. Prints one line a
 * stage, failures in full, skipped tests with their reason, and last one line `N passed, N failed`.
 *
 * `npm test -- raft wal` builds and runs only the tests whose path contains one of the words.
 */
import "./lib/node-version.mjs";
import { setMaxListeners } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkLayers } from "./checks/layers.mjs";
import { checkTidy } from "./checks/tidy.mjs";
import { compile, install, root, runMain, runTool, withLock } from "./lib/setup.mjs";
import { listFiles } from "./lib/source.mjs";

const SECOND_MS = 1000;

/** The checks: each one thing that can pass or fail, with what it has to say. */
const CHECKS = [
  ["format", () => runTool("@biomejs/biome", "biome", ["check", "--max-diagnostics=50", "."])],
  ["lint", () => runTool("oxlint", "oxlint", ["--deny-warnings"])],
  ["types", () => compile(["."])],
  ["layers", () => problems(checkLayers(root))],
  ["tidy", () => problems(checkTidy(root))],
];

/** The tests, by folder. Those on real processes run one after the other, so that none disturbs another's timing. */
const SUITES = [
  { name: "unit", folders: ["test/unit"], concurrency: 2, timeoutMs: 120 * SECOND_MS },
  { name: "scripts", folders: ["test/scripts"], concurrency: 2, timeoutMs: 120 * SECOND_MS },
  { name: "contract", folders: ["test/contract"], concurrency: 2, timeoutMs: 120 * SECOND_MS },
  { name: "simulation", folders: ["sim", "test/sim"], concurrency: 2, timeoutMs: 300 * SECOND_MS },
  { name: "integration", folders: ["test/integration"], concurrency: 1, timeoutMs: 300 * SECOND_MS },
];

const problems = (lines) => ({ status: lines.length > 0 ? 1 : 0, output: lines.join("\n") });
const write = (text) => process.stdout.write(text);

function line(name, outcome, startMs) {
  const seconds = ((performance.now() - startMs) / SECOND_MS).toFixed(1);
  write(`${name.padEnd(12)} ${outcome.padEnd(28)} ${seconds.padStart(7)} s\n`);
}

/** Runs one check; returns whether it passed. */
function runCheck([name, check]) {
  const startMs = performance.now();
  const { status, output } = check();
  if (status !== 0) write(`\n${output}\n\n`);
  line(name, status === 0 ? "passed" : "FAILED", startMs);
  return status === 0;
}

/** Compiled tests of a suite, as long as their source exists. */
function testFiles({ folders }, words) {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => listFiles(root, folder))
    .filter((path) => path.endsWith(".test.ts"))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .map((path) => join(root, "dist", path.replace(/\.ts$/, ".js")));
}

await runMain(async () => {
  const words = process.argv.slice(2);
  /** @type {{ passed: number, failed: number, skipped: string[] }} */
  const totals = { passed: 0, failed: 0, skipped: [] };
  // Not above: a Node.js that is too old has no node:test, and is to say so in words.
  const { runTests } = await import("./lib/test-run.mjs");
  const stopping = new AbortController();
  // Every test file that runs listens.
  setMaxListeners(0, stopping.signal);
  const note = (text) => write(`${text}\n`);
  const checks = words.length === 0 ? CHECKS : CHECKS.filter(([name]) => name === "types");
  let compiled = true;
  await withLock(note, async () => {
    await install({ note });
    for (const check of checks) {
      const passed = runCheck(check);
      totals[passed ? "passed" : "failed"] += 1;
      if (check[0] === "types") compiled = passed;
    }
  });
  // Until here a signal ends the process; now there are tests to be stopped first.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => {
      process.exitCode = 1;
      stopping.abort();
    });
  }

  const seedModule = new URL("./lib/property-seed.mjs", import.meta.url).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --import=${seedModule}`.trim();
  // Temporary files of all tests: none of them leaves any behind.
  const scratch = mkdtempSync(join(tmpdir(), "minikey-test-"));
  process.once("exit", () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
  process.env.TMPDIR = scratch;
  for (const suite of SUITES) {
    const files = testFiles(suite, words);
    if (files.length === 0) continue;
    const startMs = performance.now();
    if (!compiled) {
      totals.failed += 1;
      line(suite.name, "NOT RUN: it does not compile", startMs);
      continue;
    }
    const result = await runTests(files, { root, write, signal: stopping.signal, ...suite });
    if (stopping.signal.aborted) return;
    totals.passed += result.passed;
    totals.failed += result.failed;
    totals.skipped.push(...result.skipped);
    line(suite.name, `${result.passed} passed, ${result.failed} failed`, startMs);
    for (const note of result.notes) write(`  ${note}\n`);
  }

  const left = readdirSync(scratch);
  totals[left.length === 0 ? "passed" : "failed"] += 1;
  if (left.length > 0) write(`tests have left files behind in the temporary directory: ${left.join(", ")}\n`);

  for (const skipped of totals.skipped) write(`skipped: ${skipped}\n`);
  const tail = totals.skipped.length > 0 ? `, ${totals.skipped.length} skipped` : "";
  write(`${totals.passed} passed, ${totals.failed} failed${tail}\n`);
  process.exitCode = totals.failed > 0 ? 1 : 0;
});
