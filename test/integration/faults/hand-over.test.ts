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
/** Leaders move to where they belong one by one, so that nobody notices. */
const SPREAD_WITHIN_MS = 30_000;

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
    // The median: the machine may be busy with other things at one of them.
    const medianMs = gapsMs.toSorted((a, b) => a - b)[(STOPS - 1) / 2] ?? Infinity;
    assert.ok(medianMs < ELECTION_TIMEOUT_MS, `writes waited ${gapsMs.join(", ")} ms`);
  });
});

/** How many partitions each node leads, as `viaId` sees it; undefined while one has no leader. */
async function leadersSeenBy(cluster: Cluster, viaId: string): Promise<number[] | undefined> {
  const { partitions } = await cluster.view(viaId);
  if (partitions.length === 0 || partitions.some(({ leader }) => leader === null)) return undefined;
  return cluster.ids.map((id) => partitions.filter(({ leader }) => leader === id).length);
}

/** Waits until every node sees leaders spread evenly over all nodes, and all nodes see the same. */
async function waitUntilSpread(cluster: Cluster, when: string): Promise<void> {
  await waitFor(
    `leaders are spread evenly ${when}`,
    async () => {
      const seen = await Promise.all(cluster.ids.map((id) => leadersSeenBy(cluster, id)));
      const [first] = seen;
      if (first === undefined || Math.max(...first) - Math.min(...first) > 1) return false;
      return seen.every((counts) => String(counts) === String(first));
    },
    { timeoutMs: SPREAD_WITHIN_MS, everyMs: 100 },
  );
}

test("every node sees leaders spread evenly over the nodes after a start, and again after the return of one that was killed", async () => {
  for (const partitions of [undefined, 7]) {
    await withCluster(partitions === undefined ? {} : { partitions }, async (cluster) => {
      await waitUntilSpread(cluster, "after the start");
      await cluster.kill("n2");
      await waitFor("the others lead all", async () => {
        const counts = await leadersSeenBy(cluster, "n1");
        return counts?.[1] === 0;
      });
      await cluster.restart("n2");
      await waitUntilSpread(cluster, "after the return of n2");
    });
  }
});

/** What the node said of its leaderships when it stopped last. */
function lastStop(cluster: Cluster, id: string): string {
  const lines = cluster.node(id).log.split("\n");
  return lines.findLast((line) => line.includes('"handedOver"')) ?? "";
}
