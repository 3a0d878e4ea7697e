import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cluster, withCluster } from "../../support/cluster.js";
import { keysByPartition } from "../../support/partitions.js";
import { RespError } from "../../support/resp-client.js";
import { waitFor } from "../../support/wait.js";

/** Many election time-outs: long enough for a wrong majority to form, if one could. */
const WATCHED_MS = 4000;

/** The role of `id` in each partition, as `viaId` knows it. */
async function rolesOf(cluster: Cluster, viaId: string, id: string): Promise<string[]> {
  const { partitions } = await cluster.view(viaId);
  return partitions.map(({ replicas }) => replicas.find(({ node }) => node === id)?.role ?? "none");
}

/** Nobody leads anything, and the one that lost its disk holds nothing: no majority has admitted it. */
async function assertNoMajority(cluster: Cluster, lostId: string, otherId: string): Promise<void> {
  const { partitions } = await cluster.view(otherId);
  assert.ok(partitions.length > 0, `${otherId} knows the partitions`);
  assert.ok(
    partitions.every(({ leader }) => leader === null),
    `${otherId} sees no leader`,
  );
  const lost = await cluster.view(lostId);
  assert.deepEqual([lost.ready, lost.partitions], [false, []], `${lostId} holds nothing`);
}

test("a node that lost its disk forms no majority with one that missed the answered writes", async () => {
  await withCluster({}, async (cluster) => {
    const keys = (await keysByPartition(cluster, "n1")).map(({ key }) => key);
    const first = await cluster.resp("n1");
    for (const key of keys) await first.call("SET", key, "old");
    await cluster.kill("n3");
    // Answered by n1 and n2: the only majority there is.
    for (const key of keys) {
      await waitFor(`${key} is written without n3`, () => first.call("SET", key, "new"));
    }

    await Promise.all([cluster.kill("n1"), cluster.kill("n2")]);
    cluster.wipe("n2");
    cluster.startNode("n2");
    cluster.startNode("n3");
    const returned = ["n2", "n3"];
    for (const id of returned) {
      await waitFor(`${id} is alive`, async () => (await fetch(`${cluster.http(id)}/health`)).status === 200);
    }

    let refusals = 0;
    const untilMs = performance.now() + WATCHED_MS;
    const clients = await Promise.all(returned.map((id) => cluster.resp(id)));
    while (performance.now() < untilMs) {
      for (const client of clients) {
        const commands = keys.flatMap((key) => [
          ["GET", key],
          ["SET", key, "wrong"],
        ]);
        for (const [i, reply] of (await client.pipeline(commands)).entries()) {
          assert.ok(
            reply instanceof RespError,
            `${commands[i]?.join(" ")} was answered with ${String(reply)}`,
          );
          refusals += 1;
        }
      }
    }

    assert.ok(refusals >= 4 * keys.length, `${refusals} refusals: every key through both, reads and writes`);
    await assertNoMajority(cluster, "n2", "n3");

    cluster.startNode("n1");
    await cluster.waitReady();
    await waitFor("n2 has a vote in every partition again", async () =>
      (await rolesOf(cluster, "n1", "n2")).every((role) => role === "leader" || role === "follower"),
    );
    for (const id of cluster.ids) {
      const client = await cluster.resp(id);
      for (const key of keys) assert.equal(await client.call("GET", key), "new", `${key} through ${id}`);
    }
  });
});
