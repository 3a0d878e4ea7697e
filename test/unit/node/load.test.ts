/** `KV.LOAD` on a cluster: one partition's records in one command, through any node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordsOf } from "../../support/records.js";
import { ask, keysApart, partitionOfKey, startedCluster } from "./scenario.js";

test("a batch of one partition is stored through any node, and one of several partitions is refused whole", async () => {
  const partitions = 4;
  const cluster = await startedCluster({ partitions });
  const [here, elsewhere] = keysApart(partitions, 2);
  const beside = Array.from({ length: 1_000 }, (_, i) => `beside${i}`).find(
    (key) => partitionOfKey(key, partitions) === partitionOfKey(here, partitions),
  )!;
  for (const [i, sim] of cluster.nodes.entries()) {
    const good = ["KV.LOAD", here, recordsOf([here, `${i}`], [beside, `${i}`])];
    assert.equal(await ask(cluster, sim, good), i === 0 ? 2 : 0);
    assert.equal(await ask(cluster, sim, ["ONCE", "s", `${i + 1}`, ...good]), 0);
    assert.equal(await ask(cluster, sim, ["GET", beside]), `${i}`);
    const apart = recordsOf([here, "bad"], [elsewhere, "bad"]);
    for (const prefix of [[], ["ONCE", "s", "9"]]) {
      const reply = await ask(cluster, sim, [...prefix, "KV.LOAD", here, apart]);
      assert.match(String(reply), /the records lie in several partitions/);
    }
    assert.equal(await ask(cluster, sim, ["GET", here]), `${i}`);
    assert.equal(await ask(cluster, sim, ["GET", elsewhere]), null);
  }
});
