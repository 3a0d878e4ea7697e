import assert from "node:assert/strict";
import { test } from "node:test";
import { withCluster } from "../../support/cluster.js";
import { keysByPartition } from "../../support/partitions.js";
import { RespError } from "../../support/resp-client.js";
import { waitFor } from "../../support/wait.js";

/** Many election time-outs: long enough for a wrong majority to form, if one could. */
const WATCHED_MS = 4000;

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

    const untilMs = performance.now() + WATCHED_MS;
    const clients = await Promise.all(returned.map((id) => cluster.resp(id)));
    while (performance.now() < untilMs) {
      for (const client of clients) {
        for (const command of [
          ["GET", keys[0] ?? ""],
          ["SET", "new key", "1"],
        ]) {
          const reply = await client.call(...command).catch((error: unknown) => error);
          assert.ok(reply instanceof RespError, `${command.join(" ")} was answered with ${String(reply)}`);
        }
      }
    }

    cluster.startNode("n1");
    await cluster.waitReady();
    for (const id of cluster.ids) {
      const client = await cluster.resp(id);
      for (const key of keys) assert.equal(await client.call("GET", key), "new", `${key} through ${id}`);
    }
  });
});
