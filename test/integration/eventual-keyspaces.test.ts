/** Eventual keyspaces on real processes: every door, every level, and nodes killed with SIGKILL. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/client/connect.js";
import { type Cluster, withCluster } from "../support/cluster.js";
import { type RespClient, RespError } from "../support/resp-client.js";
import { waitFor } from "../support/wait.js";

const REFUSED_WITHIN_MS = 3000;
const CONVERGED_WITHIN_MS = 5000;

interface Eventual {
  readonly cluster: Cluster;
  /** The keyspace's number. */
  readonly keyspace: string;
}

async function createSessions(cluster: Cluster): Promise<Eventual> {
  const client = await cluster.resp("n1");
  assert.equal(
    await client.call("KEYSPACE", "CREATE", "sessions", "CONSISTENCY", "eventual", "REPLICAS", "3"),
    "OK",
  );
  for (const id of cluster.ids) {
    await waitFor(`${id} knows the keyspace`, async () => {
      const response = await fetch(`${cluster.http(id)}/keyspaces/sessions`);
      return response.status === 200;
    });
  }
  return { cluster, keyspace: "1" };
}

/** A connection in the keyspace, at these levels. */
async function session({ cluster, keyspace }: Eventual, id: string, read = "default", write = "default") {
  const client = await cluster.resp(id);
  await client.call("SELECT", keyspace);
  await client.call("CONSISTENCY", "READ", read);
  await client.call("CONSISTENCY", "WRITE", write);
  return client;
}

/** The text of the error, which comes in time. */
async function refused(client: RespClient, ...command: string[]): Promise<string> {
  const startMs = performance.now();
  const reply = await client.call(...command).catch((error: unknown) => error);
  const tookMs = performance.now() - startMs;
  assert.ok(reply instanceof RespError, `${command.join(" ")} was answered with ${String(reply)}`);
  assert.ok(tookMs < REFUSED_WITHIN_MS, `${command.join(" ")} was refused after ${tookMs.toFixed(0)} ms`);
  return reply.message;
}

test("an eventual keyspace works through RESP, HTTP and the library, at every level", async () => {
  await withCluster({}, async (cluster) => {
    const eventual = await createSessions(cluster);
    const levels = ["one", "quorum", "all"];
    for (const level of levels) {
      const writer = await session(eventual, "n1", level, level);
      assert.equal(await writer.call("SET", `resp ${level}`, "value"), "OK");
      assert.equal(await writer.call("INCRBY", `count ${level}`, "5"), 5);
      assert.equal(await writer.call("GET", `resp ${level}`), "value");
      if (level === "one") continue;
      // What a majority has, any majority's newest shows.
      const reader = await session(eventual, "n2", level, level);
      assert.equal(await reader.call("GET", `resp ${level}`), "value");
      assert.deepEqual(await reader.call("MGET", `resp ${level}`, "none"), ["value", null]);
      assert.equal(await reader.call("TTL", `resp ${level}`), -1);
    }

    const url = `${cluster.http("n2")}/keyspaces/sessions/kv`;
    const headers = { "content-type": "application/json" };
    for (const level of levels) {
      const put = await fetch(`${url}/http-${level}?consistency=${level}`, {
        method: "PUT",
        headers,
        body: '{"value":{"n":1}}',
      });
      assert.equal(put.status, 201, await put.text());
      const got = await fetch(`${url}/http-${level}?consistency=${level}`);
      assert.deepEqual(((await got.json()) as { value: unknown }).value, { n: 1 });
    }
    const linearizable = await fetch(`${url}/http-one?consistency=linearizable`);
    assert.equal(linearizable.status, 400);
    assert.match(await linearizable.text(), /the eventual keyspace 'sessions' has no linearizable reads/);
    const conditional = await fetch(`${url}/http-one`, {
      method: "PUT",
      headers: { ...headers, "if-none-match": "*" },
      body: '{"value":2}',
    });
    assert.equal(conditional.status, 400);
    assert.match(await conditional.text(), /cannot be kept in the eventual keyspace 'sessions'/);

    const db = connect(cluster.addresses);
    try {
      await db.createKeyspace("carts", { consistency: "eventual" });
      const made = (await db.keyspaces()).find(({ name }) => name === "carts");
      assert.equal(made?.consistency, "eventual");
      const carts = db.keyspace("carts");
      await carts.put("cart", { items: [1] }, { consistency: "quorum" });
      assert.deepEqual(await carts.get("cart", { consistency: "quorum" }), { items: [1] });
      assert.equal(await carts.query("cart.items.0"), 1);
      assert.equal(await carts.incr("visits"), 1);
      await assert.rejects(carts.put("cart", "x", { onlyIf: "absent" }), { code: "UNSUPPORTED" });
      await carts.close();
    } finally {
      await db.close();
    }
  });
});

test("with one node killed, quorum goes on; with two, only one does; and all is made up for when they return", async () => {
  await withCluster({}, async (cluster) => {
    const eventual = await createSessions(cluster);
    const first = await session(eventual, "n1", "all", "all");
    assert.equal(await first.call("SET", "before", "value"), "OK");
    await cluster.kill("n3");

    const one = await session(eventual, "n1");
    const quorum = await session(eventual, "n1", "quorum", "quorum");
    await waitFor("n1 sees that n3 is gone", async () =>
      (await refused(first, "SET", "x", "1")).includes("all needs 3 of 3 replicas, and 2 can be reached"),
    );
    assert.equal(await quorum.call("SET", "with two", "value"), "OK");
    assert.equal(await quorum.call("GET", "before"), "value");
    assert.match(
      await refused(first, "GET", "before"),
      /^CLUSTERDOWN all needs 3 of 3 replicas, and 2 can be reached$/,
    );

    await cluster.kill("n2");
    await waitFor("n1 sees that n2 is gone", async () =>
      (await refused(quorum, "SET", "x", "1")).includes("quorum needs 2 of 3 replicas, and 1 can be reached"),
    );
    assert.match(
      await refused(quorum, "GET", "before"),
      /^CLUSTERDOWN quorum needs 2 of 3 replicas, and 1 can be reached$/,
    );
    assert.equal(await one.call("GET", "x"), null, "what was refused was not written");
    assert.equal(await one.call("SET", "alone", "value"), "OK");
    assert.equal(await one.call("INCR", "count"), 1);
    assert.equal(await one.call("GET", "alone"), "value");

    await Promise.all([cluster.restart("n2"), cluster.restart("n3")]);
    for (const id of ["n2", "n3"]) {
      const reader = await session(eventual, id, "quorum");
      for (const key of ["before", "with two", "alone"]) {
        await waitFor(
          `${id} reads ${key} at quorum`,
          async () => (await reader.call("GET", key)) === "value",
          {
            timeoutMs: CONVERGED_WITHIN_MS,
          },
        );
      }
      const own = await session(eventual, id);
      await waitFor(`${id} has the count`, async () => (await own.call("GET", "count")) === "1", {
        timeoutMs: CONVERGED_WITHIN_MS,
      });
    }
  });
});

test("what was answered at quorum is there after the node that took it was killed", async () => {
  await withCluster({}, async (cluster) => {
    const eventual = await createSessions(cluster);
    const writer = await session(eventual, "n1", "default", "quorum");
    const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
    await Promise.all(keys.map((key) => writer.call("SET", key, `value of ${key}`)));
    await cluster.kill("n1");
    const reader = await session(eventual, "n2", "quorum");
    const values = await Promise.all(keys.map((key) => reader.call("GET", key)));
    assert.deepEqual(
      values,
      keys.map((key) => `value of ${key}`),
    );
  });
});

test("while other nodes are stopped, a write at quorum is told in time how many replicas have it", async () => {
  await withCluster({}, async (cluster) => {
    const eventual = await createSessions(cluster);
    const writer = await session(eventual, "n1", "quorum", "quorum");
    assert.equal(await writer.call("SET", "key", "old"), "OK");
    cluster.pause("n2");
    cluster.pause("n3");
    const startMs = performance.now();
    const text = await writer.call("SET", "key", "new").then(String, (error: unknown) => String(error));
    const tookMs = performance.now() - startMs;
    assert.match(
      text,
      /1 of the 2 replicas that quorum needs has the write|quorum needs 2 of 3 replicas, and 1/,
    );
    assert.ok(tookMs < 6_000, `it took ${tookMs.toFixed(0)} ms`);
    const own = await session(eventual, "n1");
    const now = await own.call("GET", "key");
    assert.equal(now, text.includes("has the write") ? "new" : "old");
    cluster.resume("n2");
    cluster.resume("n3");
    await waitFor("quorum is answered again", async () => (await writer.call("GET", "key")) === now, {
      timeoutMs: CONVERGED_WITHIN_MS,
    });
  });
});
