/** What the library sends again in an eventual keyspace, where no node knows a repeat that another has carried out. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Client } from "../../../src/client/client.js";
import { connect } from "../../../src/client/connect.js";
import { type Answer, bulk, HANG_UP, ScriptedNode } from "./scripted-node.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const mapOf = (fields: Readonly<Record<string, string | number>>): string => {
  const entries = Object.entries(fields).map(
    ([name, value]) => `${bulk(name)}${typeof value === "number" ? `:${value}\r\n` : bulk(value)}`,
  );
  return `%${entries.length}\r\n${entries.join("")}`;
};

const KEYSPACES = [
  { id: 0, name: "default", consistency: "strong", storage: "disk", replicas: 3, partitions: 8 },
  { id: 3, name: "sessions", consistency: "eventual", storage: "disk", replicas: 3, partitions: 8 },
];
const LIST = `*${KEYSPACES.length}\r\n${KEYSPACES.map(mapOf).join("")}`;

/** Commands of the test itself, on a node that knows the keyspaces. */
async function startNode(received: string[], answer: (command: string) => Answer): Promise<ScriptedNode> {
  const node = await ScriptedNode.start((command) => {
    if (command === "KEYSPACE LIST") return LIST;
    if (command === "SELECT 3") return "+OK\r\n";
    received.push(command);
    return answer(command);
  });
  cleanups.push(() => node.stop());
  return node;
}

function open(addresses: readonly string[], keyspace: string | number, timeoutMs = 3_000): Client {
  const client = connect(addresses, { timeoutMs, keyspace });
  cleanups.push(() => client.close());
  return client;
}

for (const keyspace of ["sessions", 3]) {
  test(`a write whose answer is lost is not sent again (keyspace ${keyspace})`, async () => {
    const lost: string[] = [];
    const taken: string[] = [];
    const first = await startNode(lost, () => HANG_UP);
    const second = await startNode(taken, (command) => (command.startsWith("DEL") ? ":1\r\n" : "+OK\r\n"));
    const client = open([first.address, second.address], keyspace);
    await assert.rejects(client.put("k", "v"), { code: "OUTCOME_UNKNOWN", outcome: "unknown" });
    assert.equal(await client.delete("k"), true);
    assert.deepEqual(lost, ["SET k v"]);
    assert.deepEqual(taken, ["DEL k"]);
  });

  test(`an addition whose answer is lost is not sent again (keyspace ${keyspace})`, async () => {
    const lost: string[] = [];
    const taken: string[] = [];
    const first = await startNode(lost, () => HANG_UP);
    const second = await startNode(taken, () => ":1\r\n");
    const client = open([first.address, second.address], keyspace);
    await assert.rejects(client.incr("count"), { code: "OUTCOME_UNKNOWN", outcome: "unknown" });
    assert.equal(await client.incr("count"), 1);
    assert.deepEqual(lost, ["INCRBY count 1"]);
    assert.deepEqual(taken, ["INCRBY count 1"]);
  });
}

test("an addition that was certainly not carried out goes to another node", async () => {
  const refused: string[] = [];
  const first = await startNode(refused, () => "-STOPPING the node is stopping\r\n");
  const second = await startNode([], () => ":1\r\n");
  const client = open([first.address, second.address], "sessions");
  assert.equal(await client.incr("count"), 1);
  assert.deepEqual(refused, ["INCRBY count 1"]);
});

test("keyspaces are made, listed and dropped", async () => {
  const received: string[] = [];
  const node = await startNode(received, () => "+OK\r\n");
  const client = open([node.address], "default");
  await client.createKeyspace("sessions", { consistency: "eventual", replicas: 3 });
  await client.createKeyspace("plain");
  await client.dropKeyspace("plain");
  assert.deepEqual(await client.keyspaces(), KEYSPACES);
  assert.deepEqual(received, [
    "KEYSPACE CREATE sessions CONSISTENCY eventual REPLICAS 3",
    "KEYSPACE CREATE plain",
    "KEYSPACE DROP plain",
  ]);
});
