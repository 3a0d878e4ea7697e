/**
 * What a new user does: clone, `npm start`, use, Ctrl-C, start again. The clone is of this repository as it is
 * checked in; its packages are those that lie here, so that no registry is needed.
 */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { freePorts } from "../support/ports.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirement.js";
import { RespClient } from "../support/resp-client.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

/** It compiles first. */
const START_TIMEOUT_MS = 120_000;
const NODES = 3;

/** The repository may belong to another user than the one who tests. */
function git(...args: readonly string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: join(repositoryRoot, "test/support/gitconfig") };
  return spawnSync("git", args, { encoding: "utf8", env });
}

/** Why there is nothing to clone: what is installed from a package has no history. */
function whyNoClone(): string | undefined {
  const { status, error } = git("-C", repositoryRoot, "rev-parse", "HEAD");
  if (error !== undefined) return "git is missing: no clone is made";
  return status === 0 ? undefined : "this directory is no git repository: no clone is made";
}

/** `npm start` in `directory`, in a process group of its own, as a terminal would run it. */
class Started {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(t: TestContext, directory: string, args: readonly string[]) {
    this.#child = spawn("npm", ["start", "--", ...args], { cwd: directory, detached: true });
    const keep = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    this.#child.stdout?.on("data", keep);
    this.#child.stderr?.on("data", keep);
    this.ended = new Promise((resolve) => {
      this.#child.once("close", resolve);
    });
    t.after(async () => {
      if (this.#child.exitCode === null) this.interrupt();
      await this.ended;
    });
  }

  async isUp(): Promise<void> {
    await waitFor(
      "the table of where to connect",
      () => {
        if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.output}`);
        return this.output.includes("redis-cli -p");
      },
      { timeoutMs: START_TIMEOUT_MS, everyMs: 100 },
    );
  }

  /** Ctrl-C: the terminal sends it to npm and to the cluster, and npm sends it to the cluster once more. */
  interrupt(): void {
    assert.ok(this.#child.pid !== undefined);
    process.kill(-this.#child.pid, "SIGINT");
  }
}

test("npm start on a fresh clone builds and runs a cluster, Ctrl-C stops it, and the next start goes on", {
  skip: skipWithout("git", whyNoClone()),
}, async (t) => {
  const clone = join(makeTempDir(t), "clone");
  const cloned = git("clone", "--quiet", "--no-hardlinks", repositoryRoot, clone);
  assert.equal(cloned.status, 0, cloned.stderr);
  symlinkSync(join(repositoryRoot, "node_modules"), join(clone, "node_modules"));
  assert.equal(existsSync(join(clone, "dist")), false, "nothing is built yet");
  const [base] = await freePorts(1);
  const first = Math.min(base, 60_000);
  const args = ["--resp-port", first, "--http-port", first + NODES, "--peer-port", first + 2 * NODES].map(
    String,
  );

  const started = new Started(t, clone, args);
  await started.isUp();
  assert.match(started.output, /^Building …\n/m);
  const client = await RespClient.connect(first);
  assert.equal(await client.call("SET", "hello", "world"), "OK");
  client.close();
  started.interrupt();
  assert.equal(await started.ended, 0, started.output);
  assert.match(started.output, /^stopped$/m);
  assert.doesNotMatch(started.output, /^killing/m);
  assert.ok(existsSync(join(clone, "data/n1/identity.json")), "its data is under ./data");

  const again = new Started(t, clone, args);
  await again.isUp();
  assert.doesNotMatch(again.output, /Building/);
  const other = await RespClient.connect(first + 2);
  assert.equal(await other.call("GET", "hello"), "world");
  other.close();
  again.interrupt();
  assert.equal(await again.ended, 0, again.output);
});
