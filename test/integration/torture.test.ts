/** `npm run torture`: what it takes, what it refuses, that it ends as it should, and a short life under all faults. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UsageError } from "../../sim/command/arguments.js";
import { parseUsage } from "../../torture/command/usage.js";
import { bornAt } from "../../torture/machine/processes.js";
import { repositoryRoot } from "../support/repository.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

const MAIN = join(repositoryRoot, "dist/torture/main.js");

interface Run {
  readonly child: ChildProcess;
  /** What was written so far. */
  readonly text: () => string;
  readonly status: Promise<number | null>;
}

/** Its temporary files are in `directory`. */
function torture(directory: string, ...args: string[]): Run {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: directory },
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const status = new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  return { child, text: () => text, status };
}

const REFUSED: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [["--seed", "seven"], /"seven" is no seed: a whole number/],
  [["--seed", "4294967296"], /no seed/],
  [["--minutes", "0"], /--minutes takes a number above 0/],
  [["--minutes", "soon"], /--minutes takes a number above 0, not "soon"/],
  [["--life", "-1"], /life/],
  [["--nodes", "2"], /--nodes takes one of 1, 3, 5, 7, not "2"/],
  [["--faults", "kill,earthquake"], /no fault "earthquake"; there are: kill,/],
  [["--unknown"], /unknown/i],
  [["7"], /positional|unexpected/i],
];

test("torture refuses wrong usage with what is wrong", () => {
  for (const [args, says] of REFUSED) {
    assert.throws(
      () => parseUsage(args),
      (error: unknown) => error instanceof UsageError && says.test(error.message),
      args.join(" "),
    );
  }
});

test("torture ends with status 2 and one line for wrong usage, and names every fault in its help", async (t) => {
  const directory = makeTempDir(t);
  const wrong = torture(directory, "--faults", "earthquake");
  assert.equal(await wrong.status, 2);
  assert.match(wrong.text(), /^torture: there is no fault "earthquake"; there are: kill, .*\n$/);
  const help = torture(directory, "--help");
  assert.equal(await help.status, 0);
  for (const word of ["kill-leader", "pause", "lose-disk", "one-way", "--minutes M", "--keep"]) {
    assert(help.text().includes(word), word);
  }
});

/** Ends what it started, whatever becomes of the test. */
function endAfter(t: TestContext, { child, status }: Run): void {
  t.after(async () => {
    child.kill("SIGTERM");
    await status;
  });
}

test("real processes keep every promise through a short life of all faults", async (t) => {
  const directory = makeTempDir(t);
  const run = torture(directory, "--seed", "1", "--nodes", "3", "--life", "10", "--minutes", "0.16");
  endAfter(t, run);
  assert.equal(await run.status, 0, run.text());
  assert.match(run.text(), /^1 lives, \d+ faults; commands: \d{3,} answered/m);
  assert.match(run.text(), /^1\d histories are linearizable$/m);
  const without = /^network namespaces: not available .*/.exec(run.text());
  t.diagnostic(`torture: ${without === null ? "with splits between network namespaces" : without[0]}`);
  assert.deepEqual(readdirSync(directory), [], "nothing is left");
});

/** The processes that a run has noted. */
function processesIn(directory: string): number[] {
  const [name] = readdirSync(directory);
  if (name === undefined || !existsSync(join(directory, name, "processes"))) return [];
  const lines = readFileSync(join(directory, name, "processes"), "utf8")
    .trimEnd()
    .split("\n");
  return lines.map((line) => Number(line.split(" ")[0]));
}

function isAlive(pid: number): boolean {
  return bornAt(pid) !== undefined;
}

test("torture ends all processes when it is interrupted, and the next run what a killed one left", async (t) => {
  const directory = makeTempDir(t);
  const args = ["--nodes", "3", "--faults", "none", "--loopback"];
  const killed = torture(directory, ...args);
  endAfter(t, killed);
  await waitFor("all nodes run", () => Promise.resolve(processesIn(directory).length === 4));
  const left = processesIn(directory).slice(1);
  killed.child.kill("SIGKILL");
  await killed.status;
  assert(left.every(isAlive), "nobody has ended the nodes");

  const next = torture(directory, ...args);
  endAfter(t, next);
  await waitFor("the next run ends them", () => Promise.resolve(!left.some(isAlive)));
  await waitFor("it says so", () =>
    Promise.resolve(/removed what an earlier run left: 3 /.test(next.text())),
  );
  await waitFor("its nodes run", () => Promise.resolve(processesIn(directory).length === 4));
  const nodes = processesIn(directory).slice(1);
  next.child.kill("SIGINT");
  assert.equal(await next.status, 1);
  assert.match(next.text(), /SIGINT: all processes are ended/);
  await waitFor("no node is left", () => Promise.resolve(!nodes.some(isAlive)));
  assert.deepEqual(readdirSync(directory), [], "nothing is left");
});
