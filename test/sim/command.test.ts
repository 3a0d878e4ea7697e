/** `npm run simulate`: what it takes, what it refuses, and that a timeline lives again. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { UsageError } from "../../sim/command/arguments.js";
import { parseUsage } from "../../sim/command/usage.js";
import { repositoryRoot } from "../support/repository.js";
import { makeTempDir } from "../support/temp-dir.js";

const MAIN = join(repositoryRoot, "dist/sim/main.js");

function simulate(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
}

const REFUSED: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [["--scenario", "unheard-of"], /no scenario "unheard-of"; there are: any, calm, network/],
  [["--seed", "seven"], /"seven" is no seed: a whole number/],
  [["--seed", "-1"], /seed/],
  [["--seed", "1.5"], /"1.5" is no seed/],
  [["--seed", "4294967296"], /no seed/],
  [["--seeds", "9..3"], /the range 9\.\.3 is backwards: did you mean 3\.\.9\?/],
  [["--seeds", "3"], /"3" is no range of seeds/],
  [["--seeds", "1..x"], /"x" is no seed/],
  [["--seed", "1", "--seeds", "1..2"], /one too many/],
  [["--minutes", "0"], /--minutes takes a number above 0/],
  [["--minutes", "soon"], /--minutes takes a number above 0, not "soon"/],
  [["--duration", "-3"], /duration/],
  [["--faults", "crash,earthquake"], /no fault "earthquake"; there are: crash,/],
  [["--workloads", "mining"], /no workload "mining"; there are: /],
  [["--storage", "cloud"], /no storage "cloud"; there are: files, mixed, model/],
  [["--nodes", "0"], /--nodes takes a number from 1 to 9/],
  [["--only", "one"], /--only takes numbers of faults/],
  [["--trace", "t.txt", "--seeds", "1..2"], /--trace is of one life/],
  [["--unknown"], /unknown/i],
  [["7"], /positional|unexpected/i],
];

test("wrong usage is refused with what is wrong", () => {
  for (const [args, says] of REFUSED) {
    assert.throws(
      () => parseUsage(args),
      (error: unknown) => error instanceof UsageError && says.test(error.message),
      args.join(" "),
    );
  }
});

test("wrong usage ends with status 2 and one line", () => {
  const { status, stderr, stdout } = simulate("--scenario", "unheard-of");
  assert.equal(status, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^simulate: there is no scenario "unheard-of"; there are: any, .*\n$/);
});

test("what is asked for is what is run", () => {
  const { from, to, options } = parseUsage(["--seeds", "3..5", "--duration", "1.5", "--faults", "none"]);
  assert.deepEqual([from, to, options], [3, 5, { durationMs: 1_500, faults: [] }]);
  assert.equal(parseUsage(["--minutes", "2", "--seed", "9"]).from, 9);
});

const SHORT = ["--seed", "3", "--duration", "0.3", "--nodes", "1"];

test("a timeline is lived again, and where it differs is named", (t) => {
  const path = join(makeTempDir(t), "trace.txt");
  const written = simulate(...SHORT, "--trace", path);
  assert.equal(written.status, 0, written.stderr);
  assert.match(written.stderr, /times faster than real time/);
  const again = simulate("--replay", path);
  assert.equal(again.status, 0, again.stderr);
  assert.match(again.stderr, /^the same life, in every event: [0-9a-f]{16}\n$/);
  const text = readFileSync(path, "utf8");
  const lines = text.split("\n");
  assert.match(lines[1], /^ +0\.000 {2}n1 +/);
  lines[10] = "something else";
  writeFileSync(path, lines.join("\n"));
  const other = simulate("--replay", path);
  assert.equal(other.status, 1);
  assert.match(other.stderr, /^line 11 was\n {2}something else\nand is\n/);
});

test("a timeline of another version is refused, and so is what is no timeline", (t) => {
  const path = join(makeTempDir(t), "trace.txt");
  const refused = (content: string, says: RegExp) => {
    writeFileSync(path, content);
    const { status, stderr } = simulate("--replay", path);
    assert.equal(status, 2);
    assert.match(stderr, says);
  };
  refused(
    `{"minikeyTrace":999,"options":{"seed":1}}\n`,
    /a timeline of version 999, and this simulator knows/,
  );
  refused(`{"minikeyTrace":0}\n`, /a timeline of version 0/);
  refused("hello\n", /no timeline of this simulator/);
  refused("null\n", /no timeline of this simulator/);
  refused("", /no timeline of this simulator/);
  const missing = simulate("--replay", `${path}.gone`);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /cannot be read/);
});

test("the help names every scenario and fault", () => {
  const { status, stdout } = simulate("--help");
  assert.equal(status, 0);
  for (const word of ["calm", "flip-bits", "crash-all", "--seeds A..B", "registers"]) {
    assert(stdout.includes(word), word);
  }
});
