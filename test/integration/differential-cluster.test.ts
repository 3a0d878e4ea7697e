/**
 * The same comparison as in `differential.test.ts`, against a cluster of real processes: every node in turn, over
 * all partitions, with each kind of storage. `DIFFERENTIAL_SEED=n` repeats a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_VALUE_BYTES_MAX } from "../../src/commands/check.js";
import { withCluster } from "../support/cluster.js";
import { compareServers } from "../support/differential.js";
import { skipWithoutRedis, startRedis } from "../support/redis-server.js";
import { waitFor } from "../support/wait.js";

const SEED = Number(process.env["DIFFERENTIAL_SEED"] ?? Date.now() % 2 ** 32);
const COMMANDS = Number(process.env["DIFFERENTIAL_COMMANDS"] ?? 400);

test(`a cluster's nodes answer as redis-server does (seed ${SEED})`, {
  skip: skipWithoutRedis(),
}, async (t) => {
  const redis = await startRedis(DEFAULT_VALUE_BYTES_MAX);
  t.after(async () => await redis.stop());
  await withCluster({}, async (cluster) => {
    const admin = await cluster.resp("n1");
    assert.equal(await admin.call("KEYSPACE", "CREATE", "compared", "STORAGE", "memory"), "OK");
    admin.close();
    for (const id of ["n1", "n2", "n3"]) {
      const client = await cluster.resp(id);
      await waitFor(`${id} knows the keyspace`, async () => (await client.call("SELECT", "1")) === "OK");
      client.close();
    }
    let seed = SEED;
    for (const protocol of [2, 3] as const) {
      for (const mode of ["single", "pipelined", "inline"] as const) {
        await compareServers({
          seed,
          redisPort: redis.port,
          testedPort: cluster.node(`n${1 + (seed % 3)}`).respPort,
          commands: COMMANDS,
          protocol,
          mode,
          databases: [0, 1],
        });
        seed += 1;
      }
    }
  });
});
