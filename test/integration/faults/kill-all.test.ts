import { test } from "node:test";
import { withCluster } from "../../support/cluster.js";
import { assertKept, type History } from "../../support/history.js";
import { assertReplicaKeeps } from "../../support/partitions.js";
import { Workload } from "../../support/workload.js";

const ROUNDS = 3;

test("after kill -9 of all nodes at the same moment under load, every answered write is there", async (t) => {
  await withCluster({}, async (cluster) => {
    const histories: History[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const workload = new Workload(cluster, { name: `round${round}` });
      await workload.progress(300, cluster.ids);
      await cluster.killAll();
      histories.push(await workload.stop());

      for (const id of cluster.ids) cluster.startNode(id);
      await cluster.waitReady();
      const client = await cluster.resp(cluster.ids[round % cluster.ids.length] ?? "n1");
      for (const history of histories) assertKept(await history.check(client));
    }
    for (const history of histories) {
      for (const id of cluster.ids) await assertReplicaKeeps(cluster, id, history);
    }
    const answered = histories.flatMap(({ operations }) =>
      operations.filter((o) => o.outcome === "answered"),
    );
    t.diagnostic(`${ROUNDS} kills of all nodes: ${answered.length} answered writes, all there`);
  });
});
