/** Eventual keyspaces as users meet them on real processes: made in four ways, and shown while a node is away. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/client/connect.js";
import { type Cluster, withCluster } from "../support/cluster.js";
import type { RespClient } from "../support/resp-client.js";
import { runMinikey } from "../support/run-minikey.js";
import { waitFor } from "../support/wait.js";

interface Shown {
  readonly lag: number;
  readonly lagMax: number;
  readonly hints: number;
  readonly tombstones: number;
  readonly readRepairs: number;
  readonly repaired: number;
  readonly lastRepair: { readonly recordsTaken: number; readonly recordsGiven: number } | null;
}

/** What `minikey status` shows of the keyspace and of each node's lag. */
async function statusOf(
  cluster: Cluster,
  name: string,
): Promise<{ shown: Shown; lags: (number | undefined)[] }> {
  const http = new URL(cluster.http("n1")).host;
  const { status, out, err } = await runMinikey(["status", "--http", http, "--json"]);
  assert.equal(status, 0, err);
  const view = JSON.parse(out) as {
    nodes: { lag?: number }[];
    keyspaces: { name: string; replication?: Shown }[];
  };
  const shown = view.keyspaces.find((keyspace) => keyspace.name === name)?.replication;
  assert(shown !== undefined, out);
  return { shown, lags: view.nodes.map(({ lag }) => lag) };
}

/** A connection in the keyspace, once its node knows that. */
async function selected(cluster: Cluster, id: string, name: string): Promise<RespClient> {
  let number = "";
  await waitFor(`${id} knows ${name}`, async () => {
    const response = await fetch(`${cluster.http(id)}/keyspaces/${name}`);
    number = String(((await response.json()) as { id?: number }).id);
    return response.status === 200;
  });
  const client = await cluster.resp(id);
  assert.equal(await client.call("SELECT", number), "OK");
  return client;
}

test("an eventual keyspace is made by the command line, RESP, HTTP and the library, and each is used", async () => {
  await withCluster({}, async (cluster) => {
    const made = await runMinikey([
      ...["keyspace", "create", "by-command", "--consistency", "eventual", "--replicas", "3"],
      ...["--connect", cluster.addresses.join(",")],
    ]);
    assert.deepEqual([made.status, made.out, made.err], [0, "created by-command\n", ""]);
    const client = await cluster.resp("n2");
    assert.equal(
      await client.call("KEYSPACE", "CREATE", "by-resp", "CONSISTENCY", "eventual", "REPLICAS", "2"),
      "OK",
    );
    const posted = await fetch(`${cluster.http("n3")}/keyspaces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"name":"by-http","consistency":"eventual","storage":"memory","partitions":4}',
    });
    assert.equal(posted.status, 201);
    const { id, ...rest } = (await posted.json()) as Record<string, unknown>;
    assert.equal(typeof id, "number");
    const expected = {
      name: "by-http",
      consistency: "eventual",
      storage: "memory",
      replicas: 3,
      partitions: 4,
    };
    assert.deepEqual(rest, expected);
    const db = connect(cluster.addresses);
    await db.createKeyspace("by-library", { consistency: "eventual" });
    await db.close();

    for (const name of ["by-command", "by-resp", "by-http", "by-library"]) {
      const n1 = await selected(cluster, "n1", name);
      assert.equal(await n1.call("SET", "greeting", "hello"), "OK");
      assert.equal(await n1.call("INCRBY", "count", "5"), 5);
      const n3 = await selected(cluster, "n3", name);
      await n3.call("CONSISTENCY", "READ", "all");
      assert.deepEqual(await n3.call("MGET", "greeting", "count"), ["hello", "5"], name);
      const { shown } = await statusOf(cluster, name);
      assert.equal(shown.lastRepair, null, name);
    }
  });
});

test("what a node that is away lacks is shown, and what mended a disk that was lost", async () => {
  await withCluster({}, async (cluster) => {
    const n2 = await cluster.resp("n2");
    await n2.call("KEYSPACE", "CREATE", "sessions", "CONSISTENCY", "eventual", "REPLICAS", "3");
    const n1 = await selected(cluster, "n1", "sessions");
    for (let i = 0; i < 60; i += 1) assert.equal(await n1.call("SET", `old${i}`, "value"), "OK");
    await waitFor("all replicas have them", async () => {
      const { shown, lags } = await statusOf(cluster, "sessions");
      return shown.lag === 0 && lags.every((lag) => lag === 0);
    });
    await cluster.kill("n3");
    for (let i = 0; i < 60; i += 1) assert.equal(await n1.call("SET", `k${i}`, "value"), "OK");
    for (let i = 0; i < 10; i += 1) assert.equal(await n1.call("DEL", `k${i}`), 1);
    await waitFor("n2 has confirmed them, and n3 is seen to lack them", async () => {
      const { shown, lags } = await statusOf(cluster, "sessions");
      return shown.lag === 70 && shown.hints === 70 && lags[1] === 0 && (lags[2] ?? 0) >= 70;
    });
    const { shown } = await statusOf(cluster, "sessions");
    assert.ok(shown.lagMax < 70 && shown.lagMax >= 70 / 12, `${shown.lagMax} in one of 12 partitions`);
    assert.equal(shown.tombstones, 20, "each of two nodes keeps ten");
    assert.match(
      (await runMinikey(["status", "--http", new URL(cluster.http("n1")).host])).out,
      /12 partitions, all with a leader · 12 eventual, which need none[^]*│ sessions │ 70 \(\d+ in one partition\) │ 70/,
    );
    assert.match(
      String(await n1.call("INFO", "eventual")),
      /^db1:lag=70,lag_max=\d+,hints=70,tombstones=10,/m,
    );

    cluster.wipe("n3");
    await cluster.restart("n3");
    await waitFor("nothing is missing any more", async () => {
      const now = await statusOf(cluster, "sessions");
      return now.shown.lag === 0 && now.shown.hints === 0 && now.shown.tombstones === 0 && now.lags[2] === 0;
    });
    const after = (await statusOf(cluster, "sessions")).shown;
    // Of what all had confirmed nobody keeps hints.
    assert.ok(after.repaired >= 60, `${after.repaired} records came by trees`);
    assert.ok(after.lastRepair !== null && after.lastRepair.recordsTaken + after.lastRepair.recordsGiven > 0);
  });
});
