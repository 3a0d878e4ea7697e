import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join, relative } from "node:path";
import { test } from "node:test";
import { Cluster, withCluster } from "../support/cluster.js";
import { freePorts } from "../support/ports.js";
import { minikeyPath } from "../support/repository.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

/** Runs `minikey start` to its end; a node that starts after all is ended, and its status is null. */
async function start(args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [minikeyPath, "start", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const giveUp = setTimeout(() => child.kill("SIGKILL"), 20_000);
  const code = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  clearTimeout(giveUp);
  return { code, stderr };
}

const DOORS = ["resp", "http", "peer"] as const;

async function portArgs(): Promise<{ ports: number[]; args: string[] }> {
  const ports = await freePorts(DOORS.length);
  return { ports, args: DOORS.flatMap((door, i) => [`--${door}-port`, String(ports[i])]) };
}

for (const [i, door] of DOORS.entries()) {
  test(`a ${door} port in use is named, and whoever uses it is not disturbed`, async (t) => {
    const { ports, args } = await portArgs();
    const port = ports[i];
    const other = createServer((socket) => socket.end("still here")).listen(port, "127.0.0.1");
    t.after(() => other.close());
    await new Promise((resolve) => {
      other.once("listening", resolve);
    });
    // A cluster of one listens to no peers.
    const founders = ["--id", "n1", "--cluster", `n1=127.0.0.1:${ports[2]},n2=127.0.0.1:1`];
    const { code, stderr } = await start(["--data", makeTempDir(t), ...args, ...founders]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`\\b${port}\\b.*in use`));
    assert.equal(await heardFrom(port), "still here");
    for (const free of ports.filter((each) => each !== port)) {
      await assert.rejects(heardFrom(free), { code: "ECONNREFUSED" });
    }
  });
}

/** All that a server says to whoever connects. */
async function heardFrom(port: number): Promise<string> {
  let heard = "";
  for await (const chunk of connect(port, "127.0.0.1")) heard += String(chunk);
  return heard;
}

test("a bad flag is named, with what was expected", async (t) => {
  for (const [args, message] of [
    [["--resp-port", "abc"], /--resp-port.*"?abc"?/],
    [["--nonsense", "1"], /--nonsense/],
    [["--replicas", "0"], /--replicas/],
    [["--host", "0.0.0.0"], /0\.0\.0\.0/],
    [["--id", "n9", "--cluster", "n1=127.0.0.1:1,n2=127.0.0.1:2"], /n9/],
  ] as const) {
    const { code, stderr } = await start(["--data", makeTempDir(t), ...args]);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, message);
  }
});

test("a data directory that is in use, another node's, or of a newer version is refused by name", async (t) => {
  await withCluster({ nodes: 1 }, async (cluster) => {
    const { dataDir } = cluster.node("n1");
    const { args } = await portArgs();
    const inUse = await start(["--data", dataDir, ...args]);
    assert.equal(inUse.code, 1);
    assert.match(inUse.stderr, /in use by process \d+/);
    assert.ok(inUse.stderr.includes(dataDir));
    assert.equal((await fetch(`${cluster.http("n1")}/ready`)).status, 200);

    await cluster.stop("n1");
    const othersDirectory = await start(["--id", "n7", "--data", dataDir, ...args]);
    assert.equal(othersDirectory.code, 1);
    assert.match(othersDirectory.stderr, /belongs to node n1, not to n7/);

    const others = ["--cluster", "n1=127.0.0.1:1,n2=127.0.0.1:2"];
    const otherFounders = await start(["--id", "n1", "--data", dataDir, ...args, ...others]);
    assert.equal(otherFounders.code, 2);
    assert.match(otherFounders.stderr, /founded by other nodes than n1, n2/);

    const newer = makeTempDir(t);
    cpSync(dataDir, newer, { recursive: true });
    const file = join(newer, "identity.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"format": 1', '"format": 99'));
    const tooNew = await start(["--id", "n1", "--data", newer, ...args]);
    assert.equal(tooNew.code, 1);
    assert.match(tooNew.stderr, /format 99, newer than 1/);
  });
});

test("a data directory of another cluster is refused, and the cluster goes on", async (t) => {
  const foreign = makeTempDir(t);
  await withCluster({}, async (cluster) => {
    // Killed, it has a log to be cut off.
    await cluster.kill("n1");
    cpSync(cluster.node("n1").dataDir, foreign, { recursive: true });
  });
  await withCluster({}, async (cluster) => {
    await cluster.stop("n1");
    cluster.wipe("n1");
    cpSync(foreign, cluster.node("n1").dataDir, { recursive: true });
    const before = filesOf(foreign);
    assert.ok(
      [...before.keys()].some((path) => path.startsWith("wal")),
      "there is a log",
    );
    cluster.startNode("n1");
    const exit = await cluster.node("n1").exited;
    assert.equal(exit.code, 1);
    assert.match(cluster.node("n1").log, /belongs to cluster [0-9a-f]+.*to cluster [0-9a-f]+/);
    const after = filesOf(cluster.node("n1").dataDir);
    assert.deepEqual(after, before, "what the other cluster needs is as it was, byte for byte");
    const client = await cluster.resp("n2");
    await waitFor("n2 writes", () => client.call("SET", "key", "value"));
  });
});

/** The segment that holds `text`, and where. */
function findInLog(dataDir: string, text: string): { file: string; offset: number } {
  const directory = join(dataDir, "wal");
  for (const name of readdirSync(directory).sort()) {
    const offset = readFileSync(join(directory, name)).indexOf(text);
    if (offset >= 0) return { file: join(directory, name), offset };
  }
  throw new Error(`the log does not hold ${text}`);
}

function flipByte(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0xff;
  writeFileSync(file, bytes);
}

test("a damaged log is named with file and offset, nothing is served, and --rebuild fetches it again", async () => {
  await withCluster({}, async (cluster: Cluster) => {
    const client = await cluster.resp("n1");
    for (let i = 0; i < 200; i += 1) await client.call("SET", `key${i}`, `value-of-key-${i}!`);
    await cluster.kill("n3");
    await client.call("SET", "while-away", "1");
    const { file, offset } = findInLog(cluster.node("n3").dataDir, "value-of-key-100!");
    flipByte(file, offset);

    cluster.startNode("n3");
    const exit = await cluster.node("n3").exited;
    assert.equal(exit.code, 1);
    const { log } = cluster.node("n3");
    const name = file.slice(file.lastIndexOf("/") + 1);
    assert.ok(log.includes(name), log);
    assert.match(log, /byte \d+/);
    assert.match(log, /--rebuild/);

    cluster.startNode("n3", ["--rebuild"]);
    await cluster.waitReady(["n3"]);
    // Alone with n3 a majority rests on what it fetched.
    await cluster.kill("n2");
    const third = await cluster.resp("n3");
    for (let i = 0; i < 200; i += 20) {
      assert.equal(await third.call("GET", `key${i}`), `value-of-key-${i}!`);
    }
    assert.equal(await third.call("GET", "while-away"), "1");
    const members = (await cluster.view("n1")).members;
    assert.equal(members.find((member) => member.id === "n3")?.incarnation, 2);
  });
});

test("--rebuild throws nothing away before the others can do without it, and Ctrl-C leaves all as it was", async () => {
  await withCluster({}, async (cluster: Cluster) => {
    const client = await cluster.resp("n1");
    for (let i = 0; i < 50; i += 1) await client.call("SET", `key${i}`, "old");
    await cluster.kill("n1");
    const second = await cluster.resp("n2");
    await waitFor("n2 writes without n1", () => second.call("SET", "while-away", "1"));
    await Promise.all([cluster.kill("n2"), cluster.kill("n3")]);

    // Two of the three: what n2 and n3 alone have may not go, though a member of the cluster is there.
    cluster.startNode("n1");
    const rebuilding = ["n2", "n3"];
    const before = rebuilding.map((id) => filesOf(cluster.node(id).dataDir));
    for (const id of rebuilding) cluster.startNode(id, ["--rebuild"]);
    for (const id of rebuilding) {
      await waitFor(
        `${id} says what it waits for`,
        () => /"waitingFor":"n1: the cluster map has no leader/.test(cluster.node(id).log),
        { timeoutMs: 20_000 },
      );
      cluster.node(id).signal("SIGINT");
      assert.deepEqual(await cluster.node(id).exited, { code: 0, signal: null });
    }
    assert.deepEqual(
      rebuilding.map((id) => filesOf(cluster.node(id).dataDir)),
      before,
    );

    // One of them may, with the option left there at a later start.
    cluster.startNode("n2");
    cluster.startNode("n3", ["--rebuild"]);
    await cluster.waitReady();
    await cluster.killAll();
    for (const id of cluster.ids) cluster.startNode(id, id === "n3" ? ["--rebuild"] : []);
    await cluster.waitReady();
    assert.match(cluster.node("n3").log, /rebuilt already/);
    const members = (await cluster.view("n1")).members.map(({ incarnation }) => incarnation);
    assert.deepEqual(members, [1, 1, 2]);
    const third = await cluster.resp("n3");
    for (const [key, value] of [
      ["while-away", "1"],
      ["key0", "old"],
    ] as const) {
      assert.equal(await third.call("GET", key), value);
    }
  });
});

/** Every file's content, by path; not the locks, which tell of processes. */
function filesOf(dataDir: string): Map<string, string> {
  const names = readdirSync(dataDir, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile() && !/^lock(?:\.mdb)?$/.test(entry.name));
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  const digest = (path: string): string => createHash("sha1").update(readFileSync(path)).digest("hex");
  return new Map(paths.map((path) => [relative(dataDir, path), digest(path)]));
}
