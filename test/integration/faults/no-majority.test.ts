import assert from "node:assert/strict";
import { test } from "node:test";
import { withCluster } from "../../support/cluster.js";
import { keysByPartition, staleReader } from "../../support/partitions.js";
import { type RespClient, RespError } from "../../support/resp-client.js";
import { waitFor } from "../../support/wait.js";

const REFUSED_WITHIN_MS = 3000;
const RECOVERED_WITHIN_MS = 10_000;

/** The command is refused in time, with this prefix. */
async function assertRefused(
  client: RespClient,
  prefixes: readonly string[],
  ...command: string[]
): Promise<void> {
  const startMs = performance.now();
  const reply = await client.call(...command).catch((error: unknown) => error);
  const tookMs = performance.now() - startMs;
  const what = command.join(" ");
  assert.ok(reply instanceof RespError, `${what} was answered with ${String(reply)}`);
  assert.ok(prefixes.includes(reply.prefix), `${what} was refused with ${reply.message}`);
  assert.ok(tookMs < REFUSED_WITHIN_MS, `${what} was refused after ${tookMs.toFixed(0)} ms`);
}

async function assertRefusedHttp(url: string, init: RequestInit = {}): Promise<void> {
  const startMs = performance.now();
  const response = await fetch(url, init);
  const body = (await response.json()) as { code?: string };
  const tookMs = performance.now() - startMs;
  assert.equal(response.status, 503, `${init.method ?? "GET"} ${url}: ${JSON.stringify(body)}`);
  assert.equal(body.code, "NO_QUORUM");
  assert.ok(Number(response.headers.get("retry-after")) > 0, "it says when to try again");
  assert.ok(tookMs < REFUSED_WITHIN_MS, `${url} was refused after ${tookMs.toFixed(0)} ms`);
}

test("with two of three nodes down, writes and linearizable reads are refused, stale reads answered, and one node's return heals all", async () => {
  await withCluster({}, async (cluster) => {
    const keys = (await keysByPartition(cluster, "n1")).map(({ key }) => key);
    const client = await cluster.resp("n1");
    const stale = await staleReader(cluster, "n1");
    for (const key of keys) await client.call("SET", key, `before ${key}`);
    const holdsAll = async (): Promise<boolean> => {
      const values = await stale.pipeline(keys.map((key) => ["GET", key]));
      return values.every((value, i) => value === `before ${keys[i] ?? ""}`);
    };
    await waitFor("n1's own replicas hold the values", holdsAll);

    await Promise.all([cluster.kill("n2"), cluster.kill("n3")]);
    // A write that a leader took just before it noticed may be done later: its outcome is unknown.
    const firstClient = await cluster.resp("n1");
    await assertRefused(firstClient, ["CLUSTERDOWN", "TIMEOUT"], "SET", "first", "1");
    await waitFor("n1 is no longer ready", async () => !(await cluster.isReady("n1")), {
      timeoutMs: REFUSED_WITHIN_MS,
    });

    const refusals = keys.flatMap((key) => [
      ["SET", key, "after"],
      ["GET", key],
    ]);
    await Promise.all(
      refusals.map(async (command) => assertRefused(await cluster.resp("n1"), ["CLUSTERDOWN"], ...command)),
    );
    const url = `${cluster.http("n1")}/kv/${keys[0] ?? ""}`;
    const headers = { "content-type": "application/json" };
    await Promise.all([
      assertRefusedHttp(url, { method: "PUT", headers, body: '{"value":"after"}' }),
      assertRefusedHttp(url, { method: "DELETE" }),
      assertRefusedHttp(url),
    ]);

    assert.ok(await holdsAll(), "stale reads are answered over RESP");
    const answer = await fetch(`${url}?consistency=stale`);
    assert.equal(answer.status, 200, "stale reads are answered over HTTP");
    assert.equal(((await answer.json()) as { value: string }).value, `before ${keys[0] ?? ""}`);

    cluster.startNode("n2");
    for (const key of keys) {
      await waitFor(`the connection of before writes ${key} again`, () => client.call("SET", key, "after"), {
        timeoutMs: RECOVERED_WITHIN_MS,
      });
      assert.equal(await client.call("GET", key), "after");
    }
    await cluster.waitReady(["n1", "n2"]);
  });
});
