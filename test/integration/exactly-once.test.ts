/**
 * The library's promise: a write that it sends again, because a connection or a node was lost, applies once.
 * Counters show it: one increment too many or too few is seen.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { type Client, connect } from "../../src/client/index.js";
import { withCluster } from "../support/cluster.js";
import { minikeyPath } from "../support/repository.js";
import { waitFor } from "../support/wait.js";

const LOOPS_PER_CLIENT = 16;
const COUNTERS = 10;

test("every increment that was answered is there once, and every one is answered, though nodes are killed", async (t) => {
  await withCluster({}, async (cluster) => {
    const addresses = cluster.addresses;
    const clients = addresses.map((_, i) =>
      connect([...addresses.slice(i), ...addresses.slice(0, i)], { timeoutMs: 20_000 }),
    );
    t.after(async () => {
      await Promise.all(clients.map((client) => client.close()));
    });
    const answered = new Map<string, number>();
    let total = 0;
    let isOver = false;
    const increment = async (client: Client, key: string): Promise<void> => {
      try {
        while (!isOver) {
          await client.incr(key);
          answered.set(key, (answered.get(key) ?? 0) + 1);
          total += 1;
        }
      } finally {
        // One that fails is the end of all.
        isOver = true;
      }
    };
    const loops = clients.flatMap((client) =>
      Array.from({ length: LOOPS_PER_CLIENT }, (_, i) => increment(client, `counter:${i % COUNTERS}`)),
    );
    const kill = async (): Promise<void> => {
      for (const id of cluster.ids) {
        const enough = total + 500;
        await waitFor("500 more increments", () => isOver || total >= enough);
        if (isOver) return;
        await cluster.kill(id);
        await cluster.restart(id);
      }
      isOver = true;
    };
    await Promise.all([kill(), ...loops]);
    for (const [key, count] of answered) assert.equal(await clients[0].get(key), String(count), key);
  });
});

test("a load whose node is killed loads every record, each counted once", async (t) => {
  await withCluster({}, async (cluster) => {
    const records = 300_000;
    const args = [minikeyPath, "load", "-", "--json", "--connect", cluster.addresses.join(",")];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    const ended = new Promise<number | null>((resolve) => {
      child.once("close", resolve);
    });
    const lines = (from: number, to: number): string => {
      let text = "";
      for (let i = from; i < to; i += 1) text += `{"key":"k${i}","value":{"n":${i}}}\n`;
      return text;
    };
    child.stdin.end(lines(0, records));
    const client = connect(cluster.addresses);
    t.after(() => client.close());
    await waitFor("a tenth of the records", async () => (await client.count()) >= records / 10);
    await cluster.kill("n1");
    assert.equal(child.exitCode, null, "the load is under way");
    assert.equal(await ended, 0);
    const { loaded, created, replaced, failed } = JSON.parse(output);
    assert.deepEqual(
      { loaded, created, replaced, failed },
      { loaded: records, created: records, replaced: 0, failed: 0 },
    );
    assert.equal(await client.count(), records);
  });
});
