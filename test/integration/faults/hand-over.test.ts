/** A clean stop: leadership is handed over before the node goes, and nobody waits for a time-out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cluster, withCluster } from "../../support/cluster.js";
import { assertKept } from "../../support/history.js";
import { waitFor } from "../../support/wait.js";
import { Workload } from "../../support/workload.js";

/** Of the product: no follower asks for votes sooner when a leader falls silent. */
const ELECTION_TIMEOUT_MS = 600;
const STOPS = 3;

/** How many groups each node leads, as `viaId` knows it. */
async function ledBy(cluster: Cluster, id: string, viaId: string): Promise<number> {
  const { partitions } = await cluster.view(viaId);
  return partitions.filter(({ leader }) => leader === id).length;
}

/** Writes through `viaId`, one at a time, until `isOver`; returns the longest time that one took, in ms. */
async function longestWrite(cluster: Cluster, viaId: string, isOver: () => boolean): Promise<number> {
  const client = await cluster.resp(viaId);
  let longestMs = 0;
  for (let n = 0; !isOver(); n += 1) {
    const startMs = performance.now();
    // Any refusal fails the test: the node that writes never stops.
    await client.call("SET", `key${n % 97}`, `${n}`);
    longestMs = Math.max(longestMs, performance.now() - startMs);
  }
  client.close();
  return longestMs;
}

test("after SIGTERM a node's groups have other leaders before it ends, and who writes through another waits for no election", async (t) => {
  await withCluster({}, async (cluster) => {
    const gapsMs: number[] = [];
    for (let stop = 0; stop < STOPS; stop += 1) {
      const victim = cluster.ids[stop % 3] ?? "";
      const via = cluster.others(victim)[0]?.id ?? "";
      await waitFor(`${victim} leads`, async () => (await ledBy(cluster, victim, via)) > 0, {
        timeoutMs: 20_000,
      });
      const workload = new Workload(cluster, { clients: 2, nodes: [via], name: `stop ${stop}` });
      await workload.progress(20, [via]);

      let hasEnded = false;
      let wasHandedOver = false;
      const stopping = cluster.stop(victim).finally(() => {
        hasEnded = true;
      });
      const watching = (async () => {
        while (!hasEnded && !wasHandedOver) {
          const left = await ledBy(cluster, victim, via);
          wasHandedOver = left === 0 && cluster.node(victim).isRunning;
        }
      })();
      const gap = longestWrite(cluster, via, () => hasEnded);
      assert.deepEqual(await stopping, { code: 0, signal: null });
      await watching;
      gapsMs.push(await gap);
      assert.match(lastStop(cluster, victim), /"handedOver":[1-9]\d*,"led":0/);
      t.diagnostic(
        `${victim}: ${wasHandedOver ? "seen to lead nothing before its end" : "ended too soon to be seen"}`,
      );

      // Nobody had to be elected after its end: all have leaders, of whom none is the one that is gone.
      assert.equal(await ledBy(cluster, victim, via), 0);
      assertKept(await (await workload.stop()).check(await cluster.resp(via)));
      await cluster.restart(victim);
    }
    t.diagnostic(`longest write around ${STOPS} stops: ${gapsMs.map((ms) => ms.toFixed(0)).join(", ")} ms`);
    // Of several stops the best: the machine may be busy with other things at one of them.
    assert.ok(Math.min(...gapsMs) < ELECTION_TIMEOUT_MS, `writes waited ${gapsMs.join(", ")} ms`);
  });
});

/** What the node said of its leaderships when it stopped last. */
function lastStop(cluster: Cluster, id: string): string {
  const lines = cluster.node(id).log.split("\n");
  return lines.findLast((line) => line.includes('"handedOver"')) ?? "";
}
