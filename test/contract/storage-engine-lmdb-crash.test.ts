import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/platform/clock.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import type { GroupStore, StorageEngine } from "../../src/ports/storage-engine.js";
import { GROUPS, INSTALL_KEYS, KEYS, keyOf } from "../support/engine-crash-child.js";
import { valueText } from "../support/engine-model.js";
import { LogRecorder } from "../support/log-recorder.js";
import { makeTempDir } from "../support/temp-dir.js";

const KILLS = 5;

/** Runs the writing process and kills it some milliseconds after the first work of a run has begun. */
async function killDuring(
  t: TestContext,
  directory: string,
  what: string,
  delayMs: number,
): Promise<string[]> {
  const script = fileURLToPath(new URL("../support/engine-crash-child.js", import.meta.url));
  const child = fork(script, [directory, what], { stdio: ["ignore", "pipe", "inherit", "ipc"] });
  t.after(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const lines: string[] = [];
  assert.ok(child.stdout !== null);
  const reader = createInterface(child.stdout);
  for await (const line of reader) {
    lines.push(line);
    if (lines.length !== 3) continue;
    // One round is durable and the next has begun.
    await sleep(delayMs);
    child.kill("SIGKILL");
  }
  await exited;
  return lines;
}

const lastDurable = (lines: readonly string[]): number =>
  Number(lines.findLast((line) => line.startsWith("durable"))?.split(" ")[1]);

async function openGroups(
  t: TestContext,
  directory: string,
): Promise<{ engine: StorageEngine; stores: GroupStore[] }> {
  const engine = await openLmdbEngine({ path: directory, clock: systemClock(), logger: new LogRecorder() });
  t.after(() => engine.close());
  const stores: GroupStore[] = [];
  for (const group of GROUPS) stores.push(await engine.openGroup(group));
  return { engine, stores };
}

/** Every entry of the group is of the round that its applied state tells. */
function checkRound(store: GroupStore, keys: number): number {
  const round = store.durableIndex();
  assert.equal(store.restored?.index, round);
  let entries = 0;
  for (const [, value] of store.range("data")) {
    entries += 1;
    assert.equal(valueText(value), `${round}`);
  }
  assert.equal(entries, keys);
  assert.equal(store.count("data"), keys);
  assert.equal(valueText(store.get("data", keyOf(17))), `${round}`);
  return round;
}

describe("storage engine on LMDB, killed with SIGKILL", () => {
  it("has each group as of one checkpoint, none older than the last that had ended", async (t) => {
    const directory = makeTempDir(t);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const delayMs = kill * 25;
      const lines = await killDuring(t, directory, "checkpoints", delayMs);
      const { engine, stores } = await openGroups(t, directory);
      for (const store of stores) {
        const round = checkRound(store, KEYS);
        assert.ok(round >= lastDurable(lines), `group ${store.group} is at ${round} after ${lines.join()}`);
        assert.equal(valueText(store.get("meta", "round")), `${round}`);
      }
      await engine.close();
    }
  });

  it("has the whole old content or the whole new one after a crash in an installation", async (t) => {
    const directory = makeTempDir(t);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const delayMs = kill * 20;
      const lines = await killDuring(t, directory, "installs", delayMs);
      const { engine, stores } = await openGroups(t, directory);
      const round = checkRound(stores[0], INSTALL_KEYS);
      assert.ok(round >= lastDurable(lines), `${round} after ${lines.join()}`);
      await engine.close();
    }
  });
});
