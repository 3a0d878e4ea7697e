import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Cluster, withCluster } from "../../support/cluster.js";
import { assertKept, History } from "../../support/history.js";
import { assertReplicaKeeps } from "../../support/partitions.js";
import { skipWithout } from "../../support/requirement.js";
import { ConnectionLost, RespError } from "../../support/resp-client.js";
import { SmallDisk } from "../../support/small-disk.js";
import { waitFor } from "../../support/wait.js";
import { Workload } from "../../support/workload.js";

const DISK_MIB = 400;
const LEFT_MIB = 24;
const VALUE_BYTES = 100_000;
const FILLED_WITHIN_MS = 30_000;
/** A process waits for what its threads have asked of the disk. */
const ENDS_WITHIN_MS = 30_000;

/** Runs `run` with a small disk, or skips the test with the reason why there is none. */
async function withSmallDisk(t: TestContext, run: (disk: SmallDisk) => Promise<void>): Promise<void> {
  const disk = SmallDisk.mount(DISK_MIB);
  if (!(disk instanceof SmallDisk)) {
    const reason = skipWithout("mount", disk.reason);
    if (reason !== false) t.skip(reason);
    return;
  }
  try {
    await run(disk);
  } finally {
    disk.unmount();
  }
}

/** Writes large values through `viaId` until the node `victim` has ended, which it does soon. */
async function fillUntilEnd(cluster: Cluster, viaId: string, victim: string): Promise<History> {
  const history = new History();
  const client = await cluster.resp(viaId);
  const untilMs = performance.now() + FILLED_WITHIN_MS;
  for (let n = 0; cluster.node(victim).isRunning && performance.now() < untilMs; n += 1) {
    const value = `${n} `.padEnd(VALUE_BYTES, "x");
    const operation = history.begin("set", `large:${n}`, value, viaId);
    try {
      await client.call("SET", operation.key, value);
      operation.outcome = "answered";
    } catch (error) {
      operation.answer = String(error);
      if (error instanceof ConnectionLost) break;
      if (!(error instanceof RespError)) throw error;
    }
  }
  await waitFor(`${victim} ends, its disk being full`, () => !cluster.node(victim).isRunning, {
    timeoutMs: ENDS_WITHIN_MS,
  });
  return history;
}

async function assertEndedWithMessage(cluster: Cluster, id: string): Promise<void> {
  const exit = await cluster.node(id).exited;
  assert.deepEqual(exit, { code: 1, signal: null }, `${id} ends by itself, with status 1`);
  assert.match(cluster.node(id).log, /ENOSPC|no space left/i, "its message names the cause");
}

test("a node whose disk is full stops with a message, and has all that it answered once there is space again", async (t) => {
  await withSmallDisk(t, (disk) =>
    withCluster({ nodes: 1, dataDirOf: () => join(disk.directory, "data") }, async (cluster) => {
      disk.leave(LEFT_MIB);
      const history = await fillUntilEnd(cluster, "n1", "n1");
      await assertEndedWithMessage(cluster, "n1");

      disk.free();
      await cluster.restart("n1");
      const verdict = await history.check(await cluster.resp("n1"));
      assertKept(verdict);
      assert.ok(verdict.answered > 10, `${verdict.answered} writes were answered before the disk was full`);
      t.diagnostic(`disk full: ${verdict.answered} answered writes of 100 kB, all there after the restart`);
    }),
  );
});

test("when the disk of one of three nodes is full, the others go on, and the node catches up once there is space again", async (t) => {
  await withSmallDisk(t, (disk) => {
    const dataDirOf = (id: string): string | undefined =>
      id === "n3" ? join(disk.directory, "data") : undefined;
    return withCluster({ dataDirOf }, async (cluster) => {
      const workload = new Workload(cluster, { clients: 2, nodes: ["n1", "n2"] });
      disk.leave(LEFT_MIB);
      const large = await fillUntilEnd(cluster, "n1", "n3");
      await assertEndedWithMessage(cluster, "n3");
      await workload.progress(50, ["n1", "n2"]);

      disk.free();
      await cluster.restart("n3");
      await workload.progress(50);
      const small = await workload.stop();
      const client = await cluster.resp("n3");
      for (const history of [large, small]) {
        assertKept(await history.check(client));
        await assertReplicaKeeps(cluster, "n3", history);
      }
    });
  });
});
