import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Client, ReadOptions } from "../../../src/client/client.js";
import { type ConnectOptions, connect, openChannel } from "../../../src/client/connect.js";
import { IN_FLIGHT_MAX } from "../../../src/client/node-connection.js";
import { SESSION_WINDOW } from "../../../src/client/session.js";
import { type Answer, bulk, HANG_UP, refusedAddress, ScriptedNode, SILENCE } from "./scripted-node.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function startNode(answer: (command: string, node: ScriptedNode) => Answer): Promise<ScriptedNode> {
  const node = await ScriptedNode.start(answer);
  cleanups.push(() => node.stop());
  return node;
}

function open(addresses: readonly string[], options: ConnectOptions = {}): Client {
  const client = connect(addresses, { timeoutMs: 3_000, ...options });
  cleanups.push(() => client.close());
  return client;
}

const echoValue = (command: string): string => bulk(`value of ${command.split(" ")[1]}`);

/** A read that is one `GET` on the wire. */
async function getText(client: Client, key: string, options: ReadOptions = {}): Promise<string | undefined> {
  return (await client.getBuffer(key, options))?.toString();
}
const withoutSession = (command: string): string => command.replace(/^ONCE \w+ /, "");

test("all calls of one turn leave in one write", async () => {
  const node = await startNode(echoValue);
  const client = open([node.address]);
  await client.ready();
  const values = await Promise.all(["a", "b", "c"].map((key) => getText(client, key)));
  assert.deepEqual(values, ["value of a", "value of b", "value of c"]);
  assert.deepEqual(node.chunks, [["GET a", "GET b", "GET c"]]);
});

test("a node that refuses connections is passed over", async () => {
  const node = await startNode(echoValue);
  const client = open([await refusedAddress(), node.address]);
  assert.equal(await getText(client, "k"), "value of k");
});

test("reads whose connection is lost are answered by another node", async () => {
  const first = await startNode(() => HANG_UP);
  const second = await startNode(echoValue);
  const client = open([first.address, second.address]);
  const values = await Promise.all(["a", "b"].map((key) => getText(client, key)));
  assert.deepEqual(values, ["value of a", "value of b"]);
  assert.deepEqual(first.received, ["GET a", "GET b"]);
});

test("a read that fails says that nothing happened, whatever failed", async () => {
  const hangsUp = await startNode(() => HANG_UP);
  const client = open([hangsUp.address], { timeoutMs: 200 });
  await assert.rejects(getText(client, "k"), { code: "CONNECTION_LOST", outcome: "none" });
  const unsure = await startNode(() => "-TIMEOUT no answer in time\r\n");
  const other = open([unsure.address], { timeoutMs: 200 });
  await assert.rejects(getText(other, "k"), { code: "OUTCOME_UNKNOWN", outcome: "none" });
});

test("without a session a write whose connection is lost is not sent again, and says so", async () => {
  const first = await startNode(() => HANG_UP);
  const second = await startNode(() => "+OK\r\n");
  const client = open([first.address, second.address], { session: false });
  await assert.rejects(client.put("k", "v"), { code: "OUTCOME_UNKNOWN", outcome: "unknown" });
  assert.deepEqual(second.received, []);
});

test("with a session it is sent again under the same number, in the old order", async () => {
  const first = await startNode((command) => (command.includes("SET c") ? HANG_UP : SILENCE));
  const second = await startNode(() => "+OK\r\n");
  const client = open([first.address, second.address], { session: true });
  await Promise.all(["a", "b", "c"].map((key) => client.put(key, "v")));
  assert.deepEqual(first.received.map(withoutSession), ["1 SET a v", "2 SET b v", "3 SET c v"]);
  assert.deepEqual(second.received, first.received);
  await client.put("d", "v");
  assert.deepEqual(second.received.slice(3).map(withoutSession), ["4 SET d v"]);
});

test("what was lost goes before what was waiting behind it", async () => {
  const first = await startNode(() => SILENCE);
  const second = await startNode(() => "+OK\r\n");
  const client = open([first.address, second.address], { session: true });
  const writes = Array.from({ length: 1_500 }, (_, i) => client.put(`k${i}`, "v"));
  while (first.received.length < IN_FLIGHT_MAX) await new Promise(setImmediate);
  await first.stop();
  await Promise.all(writes);
  assert.deepEqual(
    second.received.map((command) => command.split(" ")[4]),
    Array.from({ length: 1_500 }, (_, i) => `k${i}`),
  );
  assert.deepEqual(second.received.slice(0, IN_FLIGHT_MAX), first.received);
});

test("a write of several keys is not numbered and not sent again", async () => {
  const first = await startNode(() => HANG_UP);
  const second = await startNode(() => "+OK\r\n");
  const client = open([first.address, second.address], { session: true });
  await assert.rejects(client.mset({ a: "1", b: "2" }), { outcome: "unknown" });
  assert.deepEqual(first.received, ["MSET a 1 b 2"]);
  assert.deepEqual(second.received, []);
});

test("what never left a lost connection goes to another node, numbered or not", async () => {
  const second = await startNode(() => "+OK\r\n");
  const client = open([await refusedAddress(), second.address], { session: false });
  await client.mset({ a: "1", b: "2" });
  assert.deepEqual(second.received, ["MSET a 1 b 2"]);
});

test("a numbered write whose outcome a node does not know is asked again", async () => {
  let asked = 0;
  const node = await startNode(() => {
    asked += 1;
    return asked === 1 ? "-TIMEOUT no answer from the leader\r\n" : "+OK\r\n";
  });
  const client = open([node.address], { session: true });
  assert.equal(await client.put("k", "v"), true);
  assert.equal(node.received.length, 2);
  assert.equal(node.received[0], node.received[1]);
});

const FORGOTTEN =
  "-NOSESSION session x is not known, and sessions opened up to second 4000000000 were forgotten\r\n";

test("a write whose session a partition may have forgotten goes on in a new one that is later", async () => {
  const node = await startNode((command) => (command.startsWith("ONCE 4000000001_") ? "+OK\r\n" : FORGOTTEN));
  const client = open([node.address], { session: true });
  assert.equal(await client.put("k", "v"), true);
  assert.deepEqual(node.received.map(withoutSession), ["1 SET k v", "1 SET k v"]);
  await client.put("l", "v");
  assert.match(node.received[2], /^ONCE 4000000001_\w+ 2 SET l v$/);
});

test("not so when an earlier attempt in the forgotten session may have been carried out", async () => {
  const first = await startNode(() => HANG_UP);
  const second = await startNode(() => FORGOTTEN);
  const client = open([first.address, second.address], { session: true });
  await assert.rejects(client.put("k", "v"), { code: "OUTCOME_UNKNOWN", outcome: "unknown" });
  assert.equal(second.received.length, 1);
});

test("a refusal does not say that nothing was done when an earlier attempt was lost: it is asked again", async () => {
  let asked = 0;
  const first = await startNode(() => HANG_UP);
  const second = await startNode(() => {
    asked += 1;
    return asked === 1 ? "-CLUSTERDOWN no majority\r\n" : "+OK\r\n";
  });
  assert.equal(await open([first.address, second.address], { session: true }).put("k", "v"), true);
  const third = await startNode(() => "-CLUSTERDOWN no majority\r\n");
  const lost = open([first.address, third.address], { session: true, timeoutMs: 300 });
  await assert.rejects(lost.put("k", "v"), { code: "OUTCOME_UNKNOWN", outcome: "unknown" });
  const sure = open([third.address], { session: true });
  await assert.rejects(sure.put("k", "v"), { code: "NO_QUORUM", outcome: "not-applied" });
});

test("an unnumbered one is not", async () => {
  const node = await startNode(() => "-TIMEOUT no answer from the leader\r\n");
  const client = open([node.address], { session: false });
  await assert.rejects(client.put("k", "v"), {
    code: "OUTCOME_UNKNOWN",
    message: "no answer from the leader",
  });
  assert.equal(node.received.length, 1);
});

test("a node that is stopping or loading is left for another, and the write applied there", async () => {
  const first = await startNode(() => "-LOADING the log is being read\r\n");
  const second = await startNode(() => "-STOPPING the node is stopping\r\n");
  const third = await startNode(() => "+OK\r\n");
  const client = open([first.address, second.address, third.address], { session: false });
  assert.equal(await client.put("k", "v"), true);
  assert.deepEqual(third.received, ["SET k v"]);
});

test("a write refused by a loading node was certainly not applied", async () => {
  const node = await startNode((_, self) => {
    setImmediate(() => void self.stop());
    return "-LOADING the log is being read\r\n";
  });
  const client = open([node.address], { session: false });
  await assert.rejects(client.put("k", "v", { timeoutMs: 300 }), { outcome: "not-applied" });
});

test("while every node is loading, they are asked at a human pace", async () => {
  const nodes = await Promise.all([1, 2].map(() => startNode(() => "-LOADING reading the log\r\n")));
  const client = open(nodes.map((node) => node.address));
  await assert.rejects(getText(client, "k", { timeoutMs: 600 }), { code: "NOT_READY", retryable: true });
  const connections = nodes.map((node) => node.connections).reduce((sum, one) => sum + one);
  assert.ok(connections <= 20, `${connections} connections in 600 ms`);
});

test("a node that is silent is left, and what it owed is asked elsewhere", async () => {
  const first = await startNode(() => SILENCE);
  const second = await startNode(echoValue);
  const client = open([first.address, second.address], { stallMs: 150 });
  assert.equal(await getText(client, "k"), "value of k");
});

test("a call ends by its time, and says what is known of its outcome", async () => {
  const node = await startNode(() => SILENCE);
  const client = open([node.address], { session: true });
  const startMs = performance.now();
  await assert.rejects(client.put("k", "v", { timeoutMs: 100 }), {
    code: "OUTCOME_UNKNOWN",
    outcome: "unknown",
    message: "no answer within 100 ms",
  });
  await assert.rejects(getText(client, "k", { timeoutMs: 100 }), {
    code: "CONNECTION_LOST",
    outcome: "none",
  });
  assert.ok(performance.now() - startMs < 1_000);
});

test("a read that no node answers has nothing to be unsure of", async () => {
  const nodes = await Promise.all([startNode(() => HANG_UP), startNode(() => HANG_UP)]);
  const client = open(nodes.map(({ address }) => address));
  await assert.rejects(getText(client, "k", { timeoutMs: 200 }), {
    code: "CONNECTION_LOST",
    outcome: "none",
    message: /closed the connection$/,
  });
});

test("a late answer does not go to the next call", async () => {
  let answerLate!: (reply: string) => void;
  const late = new Promise<string>((resolve) => {
    answerLate = resolve;
  });
  const node = await startNode((command) => (command === "GET slow" ? late : echoValue(command)));
  const channel = openChannel(node.address);
  cleanups.push(() => channel.close());
  await channel.ready();
  const answers: string[] = [];
  const ask = (key: string, timeoutMs: number): Promise<void> =>
    new Promise((resolve) => {
      const onReply = (reply: unknown): void => {
        answers.push(`${key}: ${Buffer.isBuffer(reply) ? reply.toString() : (reply as Error).message}`);
        resolve();
      };
      channel.submit({ args: ["GET", key], kind: "read", timeoutMs, onReply });
    });
  await ask("slow", 100);
  const next = ask("next", 5_000);
  answerLate(bulk("late"));
  await next;
  assert.deepEqual(answers, ["slow: no answer within 100 ms", "next: value of next"]);
});

test("nothing reachable: calls fail by their time with every address and the reason", async () => {
  const addresses = [await refusedAddress(), await refusedAddress()];
  const client = open(addresses);
  await assert.rejects(client.ready(), {
    code: "CONNECTION_LOST",
    message: `no node answers (${addresses.map((one) => `${one}: connection refused`).join("; ")})`,
  });
  await assert.rejects(client.put("k", "v", { timeoutMs: 200 }), {
    code: "CONNECTION_LOST",
    outcome: "not-applied",
    message: /not sent within 200 ms: no node answers \(.*connection refused/,
  });
});

test("a node that comes back is found again", async () => {
  const address = await refusedAddress();
  const client = open([address]);
  const value = getText(client, "k");
  await assert.rejects(client.ready());
  const node = await ScriptedNode.start(echoValue, Number(address.split(":")[1]));
  cleanups.push(() => node.stop());
  assert.equal(await value, "value of k");
});

test("a session never sends a number a window ahead of one that is unanswered", async () => {
  const highest = new Map<string, number>();
  let firstSession = "";
  let isFirstUnknown = true;
  const node = await startNode((command) => {
    const [, session, sequence] = command.split(" ");
    if (firstSession === "") firstSession = session;
    highest.set(session, Math.max(highest.get(session) ?? 0, Number(sequence)));
    const isFirst = session === firstSession && sequence === "1";
    return isFirst && isFirstUnknown ? "-TIMEOUT no answer from the leader\r\n" : "+OK\r\n";
  });
  const client = open([node.address], { session: true, timeoutMs: 20_000 });
  const first = client.put("k", "v");
  // The other writes go on, in other sessions, while the first is asked again and again.
  await Promise.all(Array.from({ length: 3_000 }, (_, i) => client.put(`k${i}`, "v")));
  const [ofFirst, ...ofOthers] = highest.values();
  assert.ok(ofFirst <= SESSION_WINDOW, `number ${ofFirst}`);
  assert.equal(
    ofOthers.reduce((sum, last) => sum + last, ofFirst),
    3_001,
  );
  isFirstUnknown = false;
  assert.equal(await first, true);
});

test("a level other than the default is set for its calls alone", async () => {
  const node = await startNode((command) => (command.startsWith("GET") ? echoValue(command) : "+OK\r\n"));
  const client = open([node.address], { session: false });
  await Promise.all([
    getText(client, "a"),
    getText(client, "b", { consistency: "stale" }),
    getText(client, "c", { consistency: "stale" }),
    client.put("d", "v", { consistency: "all" }),
    getText(client, "e"),
  ]);
  assert.deepEqual(node.received, [
    "GET a",
    "CONSISTENCY READ stale",
    "GET b",
    "GET c",
    "CONSISTENCY READ default",
    "CONSISTENCY WRITE all",
    "SET d v",
    "CONSISTENCY WRITE default",
    "GET e",
  ]);
});

test("a level that the node refuses fails the call that asked for it", async () => {
  const node = await startNode((command) =>
    command.startsWith("CONSISTENCY") ? "-ERR no such level\r\n" : echoValue(command),
  );
  const client = open([node.address]);
  await assert.rejects(getText(client, "a", { consistency: "stale" }), { message: "no such level" });
  assert.equal(await getText(client, "a"), "value of a");
});

const KEYSPACES = `*2\r\n%2\r\n+id\r\n:0\r\n+name\r\n+default\r\n%2\r\n+id\r\n:3\r\n+name\r\n+cart\r\n`;

test("another keyspace has its own connection, selected before its first command", async () => {
  const node = await startNode((command) => {
    if (command === "KEYSPACE LIST") return KEYSPACES;
    return command.startsWith("SELECT") ? "+OK\r\n" : echoValue(command);
  });
  const client = open([node.address]);
  for (const keyspace of ["cart", 3]) {
    const other = client.keyspace(keyspace);
    cleanups.push(() => other.close());
    await getText(other, "k");
  }
  assert.deepEqual(node.received, [
    "KEYSPACE LIST",
    "SELECT 3",
    "GET k",
    "KEYSPACE LIST",
    "SELECT 3",
    "GET k",
  ]);
  assert.equal(node.connections, 2);
});

test("a keyspace that does not exist fails every call with that error, and none runs elsewhere", async () => {
  const node = await startNode((command) => {
    if (command === "KEYSPACE LIST") return KEYSPACES;
    return command.startsWith("SELECT") ? "-ERR DB index is out of range\r\n" : echoValue(command);
  });
  for (const keyspace of ["nope", 9]) {
    const client = open([node.address]).keyspace(keyspace);
    cleanups.push(() => client.close());
    await assert.rejects(getText(client, "k"), { code: "KEYSPACE_NOT_FOUND" });
  }
  assert.deepEqual(node.received, ["KEYSPACE LIST", "KEYSPACE LIST", "SELECT 9"]);
});

test("close waits for what is on its way and refuses what comes after", async () => {
  const node = await startNode(echoValue);
  const client = open([node.address]);
  const value = getText(client, "k");
  const closed = client.close();
  await assert.rejects(getText(client, "k"), { message: "the client is closed" });
  await closed;
  assert.equal(await value, "value of k");
});

test("beyond the bound of waiting calls the answer is overloaded", async () => {
  const node = await startNode(() => SILENCE);
  const client = open([node.address], { pendingMax: 2, timeoutMs: 100 });
  const calls = await Promise.allSettled(["a", "b", "c"].map((key) => getText(client, key)));
  const codes = calls.map((call) =>
    call.status === "rejected" ? (call.reason as { code: string }).code : "",
  );
  assert.deepEqual(codes, ["CONNECTION_LOST", "CONNECTION_LOST", "OVERLOADED"]);
});
