/** HTTP on real nodes: every node gives the same answers, and versions and times outlive a `kill -9`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cluster, withCluster } from "../support/cluster.js";
import { waitFor } from "../support/wait.js";

const KEYS = 250;

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly body: Record<string, unknown>;
}

async function ask(cluster: Cluster, id: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${cluster.http(id)}${path}`, init);
  const body = (await response.json()) as Record<string, unknown>;
  return { status: response.status, etag: response.headers.get("etag"), body };
}

function put(
  cluster: Cluster,
  id: string,
  path: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return ask(cluster, id, path, {
    method: "PUT",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** All keys of a prefix by pages, each page from the next node. */
async function listed(cluster: Cluster, prefix: string, limit: number): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | null = null;
  let page = 0;
  do {
    const query = new URLSearchParams({ prefix, limit: `${limit}`, ...(cursor === null ? {} : { cursor }) });
    const id = cluster.ids[page % cluster.ids.length] ?? "";
    const { status, body } = await ask(cluster, id, `/kv?${query.toString()}`);
    assert.equal(status, 200, JSON.stringify(body));
    const found = body["keys"] as string[];
    assert.ok(found.length <= limit);
    keys.push(...found);
    cursor = body["cursor"] as string | null;
    page += 1;
  } while (cursor !== null);
  assert.ok(page >= KEYS / limit, `${page} pages`);
  return keys;
}

test("pages of a listing come from any node, in the order of keys over all partitions", async () => {
  await withCluster({}, async (cluster) => {
    const expected = Array.from({ length: KEYS }, (_, i) => `page/${i}`).toSorted();
    const client = await cluster.resp("n1");
    for (const reply of await client.pipeline(expected.map((key) => ["SET", key, "1"]))) {
      assert.equal(reply, "OK");
    }
    await client.call("MSET", "pag", "1", "page0", "1", "pagf", "1");
    assert.deepEqual(await listed(cluster, "page/", 17), expected);
    assert.deepEqual(await listed(cluster, "page/", 250), expected);
  });
});

test("versions, conditions and times to live are the same on every node, and after kill -9 of all", async () => {
  await withCluster({}, async (cluster) => {
    const created = await put(cluster, "n1", "/kv/doc", { value: { n: 1 } }, { "if-none-match": "*" });
    assert.equal(created.status, 201);
    const first = created.etag ?? "";
    const again = await put(cluster, "n2", "/kv/doc", { value: 2 }, { "if-none-match": "*" });
    assert.deepEqual([again.status, again.body["error"]], [409, "Key already exists"]);
    const updated = await put(cluster, "n3", "/kv/doc", { value: { n: 2 } }, { "if-match": first });
    assert.equal(updated.status, 200);
    const second = updated.etag ?? "";
    assert.notEqual(second, first);
    assert.equal((await put(cluster, "n2", "/kv/doc", { value: 3 }, { "if-match": first })).status, 412);
    await put(cluster, "n1", "/kv/long", { value: "stays a while", ttl: 1_000 });
    await put(cluster, "n2", "/kv/short", { value: "goes soon", ttl: 3 });

    await cluster.killAll();
    for (const id of cluster.ids) cluster.startNode(id);
    await cluster.waitReady();

    for (const id of cluster.ids) {
      const { body, etag } = await ask(cluster, id, "/kv/doc");
      assert.deepEqual([body["value"], etag], [{ n: 2 }, second], `through ${id}`);
      const { body: long } = await ask(cluster, id, "/kv/long");
      const ttl = Number(long["ttl"]);
      assert.ok(ttl > 900 && ttl < 1_000, `${ttl} s through ${id}`);
    }
    assert.equal((await put(cluster, "n1", "/kv/doc", { value: 3 }, { "if-match": first })).status, 412);
    const third = await put(cluster, "n1", "/kv/doc", { value: 3 }, { "if-match": second });
    assert.equal(third.status, 200);
    assert.ok(Number(third.body["version"]) > Number(updated.body["version"]));
    for (const id of cluster.ids) {
      await waitFor(`the key has expired, as ${id} sees it`, async () => {
        const { status } = await ask(cluster, id, "/kv/short");
        return status === 404;
      });
    }
    const gone = await ask(cluster, "n2", "/kv/doc", {
      method: "DELETE",
      headers: { "if-match": third.etag ?? "" },
    });
    assert.deepEqual([gone.status, gone.body], [200, { status: "deleted" }]);
    assert.equal((await ask(cluster, "n3", "/kv/doc")).status, 404);
  });
});
