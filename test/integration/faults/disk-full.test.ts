import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { withCluster } from "../../support/cluster.js";
import { assertKept } from "../../support/history.js";
import { assertReplicaKeeps } from "../../support/partitions.js";
import { skipWithout } from "../../support/requirement.js";
import { SmallDisk } from "../../support/small-disk.js";
import { Workload } from "../../support/workload.js";
import { assertEndedWithMessage, writeUntilEnd } from "../../support/write-until-end.js";

const DISK_MIB = 400;
const LEFT_MIB = 24;
const FULL = /ENOSPC|no space left/i;

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

test("a node whose disk is full stops with a message, and has all that it answered once there is space again", async (t) => {
  await withSmallDisk(t, (disk) =>
    withCluster({ nodes: 1, dataDirOf: () => join(disk.directory, "data") }, async (cluster) => {
      disk.leave(LEFT_MIB);
      const history = await writeUntilEnd(cluster, "n1", "n1");
      await assertEndedWithMessage(cluster, "n1", FULL);

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
      const large = await writeUntilEnd(cluster, "n1", "n3");
      await assertEndedWithMessage(cluster, "n3", FULL);
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
