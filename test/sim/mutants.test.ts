/** The mutants (`npm run mutants`): each still fits the sources, and the hunt for them works from end to end. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MUTANTS } from "../../sim/mutants/all.js";
import { mutate } from "../../sim/mutants/workshop.js";
import { SCENARIOS } from "../../sim/run/scenarios.js";
import { repositoryRoot } from "../support/repository.js";

const MAIN = join(repositoryRoot, "dist/sim/mutants/main.js");

function hunt(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
}

test("there are at least twenty mutants, each with a name of its own and a scenario that exists", () => {
  assert(MUTANTS.length >= 20);
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  for (const { attack } of MUTANTS) assert(attack.scenario in SCENARIOS, attack.scenario);
});

test("each mutant changes one place of the product as it is now", () => {
  for (const mutant of MUTANTS) {
    assert.match(mutant.file, /^src\//);
    const source = readFileSync(join(repositoryRoot, mutant.file), "utf8");
    assert.notEqual(mutate(source, mutant), source, mutant.name);
  }
});

test("a mutant is caught, by which property and at which seed is told, and the product keeps that seed", () => {
  const { status, stdout, stderr } = hunt("--only", "joint-vote-by-one-majority");
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^joint-vote-by-one-majority +election safety +seed \d+ .*leads term/m);
  assert.match(stdout, /1 of 1 mutants caught/);
});

test("a mutant that lives ends the hunt with status 1", () => {
  const { status, stdout } = hunt("--only", "lease-without-bound", "--seeds-max", "2");
  assert.equal(status, 1);
  assert.match(stdout, /^lease-without-bound +LIVES after 2 seeds/m);
});

test("wrong usage ends with status 2 and one line", () => {
  for (const args of [["--only", "nobody"], ["--jobs", "0"], ["--seeds-max", "many"], ["--unheard"], ["x"]]) {
    const { status, stdout, stderr } = hunt(...args);
    assert.equal(status, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^mutants: .*\n$/);
  }
});

test("the list names every mutant with its mistake", () => {
  const { status, stdout } = hunt("--list");
  assert.equal(status, 0);
  for (const { name, mistake } of MUTANTS) assert(stdout.includes(name) && stdout.includes(mistake), name);
});
