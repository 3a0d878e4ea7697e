/** The command `minikey` as a user has it: a cluster, and the other subcommands against it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { freePorts } from "../support/ports.js";
import { minikeyPath } from "../support/repository.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** A process of `minikey`; its output as far as it has come. */
class Minikey {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  out = "";
  err = "";

  constructor(t: TestContext, args: readonly string[], input?: string) {
    this.child = spawn(process.execPath, [minikeyPath, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.out += chunk.toString();
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (status) => resolve({ status, out: this.out, err: this.err }));
    });
    if (input !== undefined) this.child.stdin?.end(input);
    t.after(() => this.child.kill("SIGKILL"));
  }
}

/** Where a cluster of three is to be, and how to reach it. */
async function makePlace(
  t: TestContext,
  data = makeTempDir(t),
): Promise<{ args: string[]; connect: string; http: string; data: string }> {
  // Counting up from a free port: the next two are free as well, most likely, and checked when it starts.
  const [base] = await freePorts(1);
  const first = Math.min(base, 60_000);
  const args = ["cluster", "--data", data, "--resp-port", `${first}`];
  return {
    data,
    args: [...args, "--http-port", `${first + 3}`, "--peer-port", `${first + 6}`],
    connect: `127.0.0.1:${first},${first + 1},${first + 2}`,
    http: `127.0.0.1:${first + 3},${first + 4},${first + 5}`,
  };
}

async function startCluster(t: TestContext, args: readonly string[]): Promise<Minikey> {
  const cluster = new Minikey(t, args);
  await waitFor("the table of where to connect", () => cluster.out.includes("redis-cli -p"), {
    timeoutMs: 60_000,
  });
  return cluster;
}

const run = (t: TestContext, args: readonly string[], input = ""): Promise<Ended> =>
  new Minikey(t, args, input).ended;

test("one command runs a cluster that shell, load, status and keyspace work on, and Ctrl-C stops it; it goes on with other ports", async (t) => {
  const { args, connect, http, data } = await makePlace(t);
  const cluster = await startCluster(t, args);
  for (const name of ["n1", "n2", "n3"]) assert.match(cluster.out, new RegExp(`│ ${name} +│ 127.0.0.1:\\d+`));

  // Nodes tell each other where their doors are once they are up.
  await waitFor("every node knows where the others listen", async () => {
    const { out } = await run(t, ["shell", "--connect", connect, "-c", "CLUSTER SLOTS"]);
    return ["n1", "n2", "n3"].every((name) => out.includes(name));
  });
  const put = await run(t, ["shell", "--connect", connect, "-v", "-c", "PUT mykey myvalue"]);
  assert.deepEqual(put, { status: 0, out: "[n1] OK\n[n2] OK\n[n3] OK\n", err: "" });
  const got = await run(t, ["shell", "--connect", connect, "-v", "-c", "GET mykey"]);
  assert.equal(got.out, "[n1] VALUE myvalue\n[n2] VALUE myvalue\n[n3] VALUE myvalue\n");

  const loaded = await run(
    t,
    ["load", "-", "--connect", connect, "--json"],
    '{"key":"doc","value":{"a":[1]}}\nplain\n',
  );
  assert.equal(loaded.status, 1);
  assert.equal((JSON.parse(loaded.out) as { loaded: number }).loaded, 1);
  const lines = await run(t, ["shell", "--connect", connect], "GET doc\nTYPE doc\nDBSIZE\n");
  assert.equal(lines.out, "doc -> [ a -> [ 1 ] ]\njson\n2\n");

  assert.equal((await run(t, ["keyspace", "create", "cart", "--connect", connect])).status, 0);
  assert.match((await run(t, ["keyspace", "list", "--connect", connect])).out, /│ cart +│ 1 +│ strong/);
  const twice = await run(t, ["keyspace", "create", "cart", "--connect", connect]);
  assert.equal(twice.status, 1);
  assert.match(twice.err, /cart.*exists/);
  await dropsKeyspace(t, connect);

  const status = await run(t, ["status", "--http", http]);
  assert.match(status.out, /3 of 3 nodes up · \d+ partitions, all with a leader/);

  cluster.child.kill("SIGINT");
  const ended = await cluster.ended;
  assert.equal(ended.status, 0, ended.err);
  const refused = await run(t, ["shell", "--connect", connect, "-c", "PING"]);
  assert.equal(refused.status, 1);
  assert.match(refused.err, /^minikey: no node answers .*connection refused.*npm start/);

  // The nodes find each other although each remembers the others elsewhere.
  const elsewhere = await makePlace(t, data);
  assert.notEqual(elsewhere.connect, connect);
  const again = await startCluster(t, elsewhere.args);
  const kept = await run(t, ["shell", "--connect", elsewhere.connect, "-c", "GET mykey"]);
  assert.equal(kept.out, "myvalue\n");
  again.child.kill("SIGTERM");
  assert.equal((await again.ended).status, 0);
});

/** `cart`, whose number is 1, goes with its keys; `default` stays. */
async function dropsKeyspace(t: TestContext, connect: string): Promise<void> {
  const inCart = "SELECT 1\nSET only-here 1\n";
  assert.equal((await run(t, ["shell", "--connect", connect], inCart)).out, "OK\nOK\n");
  const drop = (name: string, ...flags: string[]): Promise<Ended> =>
    run(t, ["keyspace", "drop", name, "--connect", connect, ...flags]);
  assert.deepEqual(await drop("cart"), { status: 0, out: "dropped cart\n", err: "" });
  const listed = await run(t, ["keyspace", "list", "--connect", connect, "--json"]);
  const names = (JSON.parse(listed.out) as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ["default"]);
  const again = await drop("cart");
  assert.equal(again.status, 1);
  assert.match(again.err, /^minikey: .*cart/);
  const fixed = await drop("default");
  assert.notEqual(fixed.status, 0);
  assert.match(fixed.err, /default/);
  // A keyspace of the same name starts empty.
  assert.equal((await run(t, ["keyspace", "create", "cart", "--connect", connect])).status, 0);
  const { out } = await run(t, ["keyspace", "list", "--connect", connect, "--json"]);
  const id = (JSON.parse(out) as { name: string; id: number }[]).find(({ name }) => name === "cart")?.id;
  const empty = await run(t, ["shell", "--connect", connect], `SELECT ${id}\nDBSIZE\n`);
  assert.equal(empty.out, "OK\n0\n");
  assert.deepEqual(await drop("cart", "--json"), { status: 0, out: '{"name":"cart"}\n', err: "" });
}

test("while a node is down the others answer, and it is named", async (t) => {
  const { args, connect, http } = await makePlace(t);
  const cluster = await startCluster(t, [...args, "--log-level", "warn"]);
  const view = JSON.parse((await run(t, ["status", "--http", http, "--json"])).out) as {
    nodes: { id: string; state: string }[];
  };
  assert.deepEqual(
    view.nodes.map((node) => node.state),
    ["ready", "ready", "ready"],
  );
  const shell = new Minikey(t, ["shell", "--connect", connect]);
  shell.child.stdin?.write("SET k before\n");
  await waitFor("the first answer", () => shell.out === "OK\n");

  // The shell talks to n1, so that is the node to lose.
  const lock = await readPid(args[2], "n1");
  process.kill(lock, "SIGKILL");
  await waitFor("the report", () => cluster.err.includes("n1 was killed by SIGKILL"));
  shell.child.stdin?.end("SET k after\nGET k\n");
  assert.deepEqual(await shell.ended, { status: 0, out: "OK\nOK\nafter\n", err: "" });
  const { out } = await run(t, ["shell", "--connect", connect, "-v", "-c", "SET k again"]);
  assert.equal(out, "[n1] DOWN\n[n2] OK\n[n3] OK\n");
  const status = await run(t, ["status", "--http", http]);
  assert.match(status.out, /2 of 3 nodes up/);
  assert.match(status.out, /│ n1 +│ DOWN/);
  cluster.child.kill("SIGTERM");
  assert.equal((await cluster.ended).status, 0);
});

test("a second cluster on the same ports or data is refused by name, and disturbs nothing", async (t) => {
  const { args, connect } = await makePlace(t);
  const cluster = await startCluster(t, args);
  const samePorts = await run(t, args);
  assert.equal(samePorts.status, 1);
  assert.match(samePorts.err, /port \d+ \(the RESP port of n1\) is in use/);
  const other = await makePlace(t);
  const sameData = await run(t, [...other.args.slice(0, 2), args[2], ...other.args.slice(3)]);
  assert.equal(sameData.status, 1);
  assert.match(sameData.err, /n\d did not start: it ended with status 1: .*in use/);
  const otherSize = await run(t, [...args, "--nodes", "5"]);
  assert.match(otherSize.err, /holds a cluster made with --nodes 3/);
  assert.equal((await run(t, ["shell", "--connect", connect, "-c", "PING"])).out, "PONG\n");
  cluster.child.kill("SIGTERM");
  assert.equal((await cluster.ended).status, 0);
});

test("nodes whose cluster process was killed stop by themselves", async (t) => {
  const { args } = await makePlace(t);
  const cluster = await startCluster(t, args);
  const pids = await Promise.all(["n1", "n2", "n3"].map((id) => readPid(args[2], id)));
  cluster.child.kill("SIGKILL");
  await cluster.ended;
  await waitFor("the nodes are gone", () => pids.every((pid) => !isRunning(pid)), { timeoutMs: 20_000 });
});

/** The process of a node: its lock names it. */
async function readPid(dataDir: string, id: string): Promise<number> {
  return Number(await readFile(join(dataDir, id, "lock"), "utf8"));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
