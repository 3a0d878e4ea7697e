import assert from "node:assert/strict";
import { test } from "node:test";
import { withCluster } from "../../support/cluster.js";
import { assertKept } from "../../support/history.js";
import { assertReplicaKeeps } from "../../support/partitions.js";
import { Workload } from "../../support/workload.js";

test("kill -9 of any node under load loses no answered write, repeats none, and the other nodes' clients go on", async (t) => {
  await withCluster({}, async (cluster) => {
    const workload = new Workload(cluster);
    await workload.progress(100, cluster.ids);

    for (const victim of cluster.ids) {
      const survivors = cluster.others(victim).map(({ id }) => id);
      const killedMs = performance.now();
      await cluster.kill(victim);
      await workload.progress(100, survivors);
      await cluster.restart(victim);
      await workload.progress(100, [victim]);

      const cutOff = workload.history.operations.filter(
        ({ node, endedMs, answer }) =>
          endedMs >= killedMs && node !== victim && endedMs !== Infinity && /connection/.test(answer),
      );
      assert.deepEqual(cutOff, [], `no client of ${survivors.join(" and ")} lost its connection`);
    }

    const history = await workload.stop();
    const verdict = await history.check(await cluster.resp("n1"));
    t.diagnostic(
      `kill -9 of any node: ${verdict.answered} writes answered, ${verdict.refused} refused, ${verdict.unknown} unknown`,
    );
    assertKept(verdict);
    for (const id of cluster.ids) await assertReplicaKeeps(cluster, id, history);
  });
});
