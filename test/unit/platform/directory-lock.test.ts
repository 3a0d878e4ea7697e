import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { lockDirectory } from "../../../src/platform/directory-lock.js";

const MODULE = new URL("../../../src/platform/directory-lock.js", import.meta.url).href;

/** Locks the directory of its argument, says how that ended, and stays. */
const PROGRAM = `
  const { lockDirectory } = await import(${JSON.stringify(MODULE)});
  try {
    await lockDirectory(process.argv[1]);
    console.log("won");
    setInterval(() => undefined, 1000);
  } catch (error) {
    console.log(error.code + " " + error.message);
  }
`;

interface Contender {
  readonly process: ChildProcess;
  /** Its first line. */
  readonly outcome: Promise<string>;
  readonly exited: Promise<void>;
}

describe("a lock on a data directory", () => {
  let directory: string;
  let contenders: Contender[];
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "minikey-lock-"));
    contenders = [];
  });
  afterEach(async () => {
    for (const { process } of contenders) process.kill("SIGKILL");
    await Promise.all(contenders.map(({ exited }) => exited));
    fs.rmSync(directory, { recursive: true });
  });

  function contend(): Contender {
    const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const outcome = new Promise<string>((resolve) => {
      child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
    });
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
    });
    const contender = { process: child, outcome, exited };
    contenders.push(contender);
    return contender;
  }

  const inUse = (pid: number | undefined): string =>
    `DATA_IN_USE data directory ${directory} is in use by process ${pid}`;

  it("is had by exactly one of several processes that want it at once, and the others name it", async () => {
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => contend().outcome));
    assert.equal(outcomes.filter((outcome) => outcome === "won").length, 1, outcomes.join("; "));
    const winner = contenders[outcomes.indexOf("won")];
    for (const outcome of outcomes) if (outcome !== "won") assert.equal(outcome, inUse(winner.process.pid));
  });

  it("dies with its process, kill -9 included", async () => {
    const first = contend();
    assert.equal(await first.outcome, "won");
    assert.equal(fs.readFileSync(path.join(directory, "lock"), "utf8"), `${first.process.pid}\n`);
    first.process.kill("SIGKILL");
    await first.exited;
    const second = contend();
    assert.equal(await second.outcome, "won");
    assert.equal(await contend().outcome, inUse(second.process.pid));
  });

  it("names a holder that is stopped and cannot answer", async () => {
    const first = contend();
    assert.equal(await first.outcome, "won");
    first.process.kill("SIGSTOP");
    assert.equal(await contend().outcome, inUse(first.process.pid));
  });

  it("is refused a second time within one process, and can be released", async () => {
    const lock = await lockDirectory(directory);
    await assert.rejects(lockDirectory(directory), {
      code: "DATA_IN_USE",
      message: `data directory ${directory} is in use by process ${process.pid}`,
    });
    await lock.release();
    await lock.release();
    await (await lockDirectory(directory)).release();
  });

  it("tells two names of one directory apart from two directories", async () => {
    const link = `${directory}-link`;
    fs.symlinkSync(directory, link);
    const other = fs.mkdtempSync(path.join(os.tmpdir(), "minikey-lock-"));
    const locks = [await lockDirectory(directory), await lockDirectory(other)];
    await assert.rejects(lockDirectory(link), { code: "DATA_IN_USE" });
    for (const lock of locks) await lock.release();
    fs.rmSync(link);
    fs.rmSync(other, { recursive: true });
  });
});
