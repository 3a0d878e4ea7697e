import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { gzipSync } from "node:zlib";
import { connect } from "../../../../src/client/connect.js";
import { systemClock } from "../../../../src/platform/clock.js";
import { MemoryDatabase } from "../../../support/memory-database.js";
import { type MemoryServer, startMemoryServer } from "../../../support/memory-server.js";
import { minikeyPath, repositoryRoot } from "../../../support/repository.js";
import { type Ended, runMinikey } from "../../../support/run-minikey.js";
import { makeTempDir } from "../../../support/temp-dir.js";
import { waitFor } from "../../../support/wait.js";
import { HANG_UP, ScriptedNode } from "../../client/scripted-node.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function startServer(): Promise<MemoryServer> {
  const server = await startMemoryServer();
  cleanups.push(() => server.stop());
  return server;
}

/** Runs `minikey load` with `input` on its standard input. */
const load = (args: readonly string[], input: Buffer | string = ""): Promise<Ended> =>
  runMinikey(["load", ...args], input);

const jsonl = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"key":"k${i}","value":{"n":${i}}}\n`).join("");

test("JSON lines, gzipped or not, are stored as documents, and the end says what happened", async (t) => {
  const server = await startServer();
  const path = join(makeTempDir(t), "records.jsonl.gz");
  writeFileSync(path, gzipSync(jsonl(5_000)));
  const first = await load([path, "--connect", server.address]);
  assert.match(first.out, /^loaded 5,000 records \(0 replaced, 0 failed\) in [\d.]+ s, [\d,]+ a second\n$/);
  assert.deepEqual([first.status, first.err], [0, ""]);
  const again = await load(["-", "--json", "--connect", server.address], jsonl(6_000));
  const { loaded, created, replaced, failed, lastLine } = JSON.parse(again.out);
  assert.deepEqual([loaded, created, replaced, failed, lastLine], [6_000, 1_000, 5_000, 0, 6_000]);
  const client = connect(server.address);
  cleanups.push(() => client.close());
  assert.deepEqual(await client.get("k4999"), { n: 4_999 });
  assert.equal(await client.count(), 6_000);
});

test("key:value lines are stored as bytes; of one key the last line wins", async () => {
  const server = await startServer();
  const lines = Array.from({ length: 2_000 }, (_, i) => `k${i % 3}:${i}:x`).join("\r\n");
  const { status, out } = await load(["-", "--connect", server.address], lines);
  assert.equal(status, 0);
  assert.match(out, /^loaded 2,000 records \(1,997 replaced, 0 failed\)/);
  const client = connect(server.address);
  cleanups.push(() => client.close());
  assert.deepEqual(await client.mget(["k0", "k1", "k2"]), ["1998:x", "1999:x", "1997:x"]);
});

test("records of the record format are stored as documents; bad ones are named with line and column", async () => {
  const server = await startServer();
  const people = readFileSync(join(repositoryRoot, "examples/people.txt"), "utf8");
  const bad =
    '\r\n"person5" -> "hello"\r\n"person6" -> [ "address" -> [ "there" ] ]\r\nk : { a : 1 ; b : { } }';
  const { status, out, err } = await load(["-", "--connect", server.address], `\ufeff${people}${bad}`);
  assert.match(out, /^loaded 5 records \(0 replaced, 2 failed\)/);
  assert.equal(
    err,
    "standard input:6:14: the value of a record is a set: [ … ]\n" +
      'standard input:7:39: expected "->" here\n',
  );
  assert.equal(status, 1);
  const client = connect(server.address);
  cleanups.push(() => client.close());
  assert.deepEqual(await client.mget(["person1", "person2", "person3", "person4", "k"]), [
    '{"name":"John","age":22}',
    '{"name":"Mary","address":{"street":"Panepistimiou","number":12}}',
    '{"height":1.75,"profession":"student"}',
    "{}",
    '{"a":1,"b":{}}',
  ]);
});

test("what minikey generate prints is loaded, all of it", async () => {
  const server = await startServer();
  const keyFile = join(repositoryRoot, "examples/keyFile.txt");
  const args = [minikeyPath, "generate", "-k", keyFile, "-n", "3000", "--seed", "11"];
  const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const { status, out, err } = await load(["-", "--strict", "--connect", server.address], stdout);
  assert.match(out, /^loaded 3,000 records \(0 replaced, 0 failed\)/);
  assert.deepEqual([status, err], [0, ""]);
  const client = connect(server.address);
  cleanups.push(() => client.close());
  const line = stdout.split("\n")[1_233];
  // The notation without the product's parser: as simple as its records are.
  const json = line
    .replace(/^"key1234" -> /, "")
    .replaceAll(" -> ", ":")
    .replaceAll(" | ", ",");
  const expected = JSON.parse(json.replaceAll("[", "{").replaceAll("]", "}")) as unknown;
  assert.deepEqual(await client.get("key1234"), expected);
});

test("--format overrides what the content looks like", async () => {
  const server = await startServer();
  const formats = ["lines", "records", "json", "auto"];
  const ends = [];
  for (const format of formats) {
    ends.push(await load(["-", "--format", format, "--connect", server.address], "k:{a:1}\n"));
  }
  assert.deepEqual(
    ends.map(({ status }) => status),
    [0, 0, 1, 0],
  );
  assert.equal(ends[2].err, "standard input:1:1: not JSON from here on\n");
});

test("bad lines are named and do not stop the rest", async () => {
  const server = await startServer();
  const { status, out, err } = await load(
    ["-", "--connect", server.address],
    '{"key":"a","value":1}\n{"key":\n\nx\n{"key":"b","value":2}',
  );
  assert.equal(status, 1);
  assert.match(out, /^loaded 2 records \(0 replaced, 2 failed\)/);
  assert.equal(
    err,
    "standard input:2:8: the JSON ends too early\nstandard input:4:1: not JSON from here on\n",
  );
});

test("a load that goes on at a bad line keeps the file's format", async () => {
  const server = await startServer();
  const { status, out, err } = await load(
    ["-", "--from-line", "2", "--connect", server.address],
    '{"key":"a","value":1}\nx:1\n{"key":"b","value":2}\n',
  );
  assert.equal(status, 1);
  assert.match(out, /^loaded 1 records? \(0 replaced, 1 failed\)/);
  assert.equal(err, "standard input:2:1: not JSON from here on\n");
  const client = connect(server.address);
  cleanups.push(() => client.close());
  assert.equal(await client.get("b"), 2);
});

test("a line that is too long is named, even the first", async () => {
  const server = await startServer();
  const tooLong = Buffer.alloc(64 * 1024 * 1024 + 1, "x");
  const input = Buffer.concat([tooLong, Buffer.from("\na:1\n")]);
  const { status, out, err } = await load(["-", "--connect", server.address], input);
  assert.equal(err, "standard input:1:1: the line is too long for a record\n");
  assert.equal(status, 1);
  assert.match(out, /^loaded 1 records? \(0 replaced, 1 failed\)/);
});

test("a record that is larger than a value may be is named, and does not stop the rest", async () => {
  const server = await startServer();
  const large = `k2 -> [ a -> "${"x".repeat(9 * 1024 * 1024)}" ]`;
  const { status, out, err } = await load(
    ["-", "--connect", server.address],
    `k1 -> []\n${large}\nk3 -> []\n`,
  );
  assert.match(out, /^loaded 2 records \(0 replaced, 1 failed\)/);
  assert.match(err, /^standard input:2: .*8388608/);
  assert.equal(status, 1);
});

test("--strict writes nothing when any line is bad, from a file or a pipe", async (t) => {
  const server = await startServer();
  const path = join(makeTempDir(t), "records");
  writeFileSync(path, "a:1\nb\n");
  for (const [source, input] of [
    [path, ""],
    ["-", "a:1\nb\n"],
  ]) {
    const { status, out, err } = await load([source, "--strict", "--connect", server.address], input);
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /:2:2: no ":" between key and value\nminikey: nothing was written\n$/);
  }
  const good = await load(["-", "--strict", "--connect", server.address], "a:1\nc:2\n");
  assert.match(good.out, /^loaded 2 records \(0 replaced, 0 failed\)/);
});

test("a gzip file that is cut off loads what is there, and says so", async (t) => {
  const server = await startServer();
  const path = join(makeTempDir(t), "cut.gz");
  const whole = gzipSync(jsonl(50_000));
  writeFileSync(path, whole.subarray(0, whole.length / 2));
  const { status, out, err } = await load([path, "--connect", server.address]);
  assert.equal(status, 1);
  assert.match(err, /cut\.gz: the gzip data is damaged or cut off/);
  assert.match(out, /^loaded [1-9]/);
});

test("a file that is not there, a directory, and a cluster that is not there are named", async (t) => {
  assert.deepEqual(await load(["no-such-file"]), {
    status: 1,
    out: "",
    err: "minikey: cannot read no-such-file: no such file\n",
  });
  const directory = makeTempDir(t);
  assert.match((await load([directory])).err, /is a directory\n$/);
  const { status, err } = await load(["-", "--connect", "127.0.0.1:1"]);
  assert.equal(status, 1);
  assert.match(err, /no node answers \(127.0.0.1:1: connection refused\)/);
});

test("a record that the cluster refuses is named by its line, and counted", async () => {
  const server = await startServer();
  const input = `a:1\nb:${"x".repeat(9 << 20)}\nc:3\n`;
  const { status, out, err } = await load(["-", "--connect", server.address], input);
  assert.equal(status, 1);
  assert.match(out, /^loaded 2 records \(0 replaced, 1 failed\)/);
  assert.match(err, /^standard input:2: value of \d+ bytes is larger/);
});

test("an overloaded cluster is offered the record again, and it is counted once", async () => {
  let refusals = 3;
  const node = await scriptedNode((command) => {
    if (isQuestion(command)) return "*0\r\n";
    refusals -= 1;
    return refusals >= 0 ? "-OVERLOADED try again\r\n" : ":2\r\n";
  });
  const { status, out } = await load(["-", "--connect", node.address], "a:1\nb:2\n");
  assert.equal(status, 0);
  assert.match(out, /^loaded 2 records \(0 replaced, 0 failed\)/);
});

test("when the cluster is lost for good, it says from which line to go on", async () => {
  let stored = 0;
  const node = await scriptedNode((command) => {
    if (isQuestion(command)) return "*0\r\n";
    stored += 1;
    return stored <= 2 ? "*2\r\n:1\r\n:1\r\n" : HANG_UP;
  });
  // So large that each goes alone.
  const input = ["a", "b", "c", "d"].map((key) => `${key}:${"x".repeat(200_000)}\n`).join("");
  const { status, out, err } = await load(["-", "--connect", node.address, "--timeout", "500"], input);
  assert.equal(status, 1);
  assert.match(out, /^loaded 2 records/);
  assert.match(err, /stopped at line 3: .*Every line before it is stored; go on with --from-line 3/);
  const server = await startServer();
  const rest = await load(["-", "--connect", server.address, "--from-line", "3"], input);
  assert.match(rest.out, /^loaded 2 records/);
});

test("a batch with a record that the cluster refuses is stored but for that record", async () => {
  const database = new MemoryDatabase({ clock: systemClock(), partitions: 2, valueBytesMax: 1_000 });
  const server = await startMemoryServer(0, database);
  cleanups.push(() => server.stop());
  const line = (i: number): string => `k${i}:${"x".repeat(i === 70 || i === 71 ? 2_000 : 10)}\n`;
  const input = Array.from({ length: 200 }, (_, i) => line(i)).join("");
  const { status, out, err } = await load(["-", "--json", "--connect", server.address], input);
  const { created, failed, lastLine } = JSON.parse(out);
  assert.deepEqual([status, created, failed, lastLine], [1, 198, 2, 200]);
  assert.deepEqual(err.match(/^standard input:\d+: value of 2000 bytes/gm)?.toSorted(), [
    "standard input:71: value of 2000 bytes",
    "standard input:72: value of 2000 bytes",
  ]);
});

test("a document of 7 MB is loaded beside small ones, and the last of a key wins whatever their sizes", async () => {
  const server = await startServer();
  const large = (key: string): string => `{"key":"${key}","value":{"text":"${"x".repeat(7 << 20)}"}}\n`;
  const input = `${jsonl(500)}${large("k1")}${large("k2")}${jsonl(2)}${large("k499")}`;
  const { status, out } = await load(["-", "--json", "--connect", server.address], input);
  const { created, replaced, failed } = JSON.parse(out);
  assert.deepEqual([status, created, replaced, failed], [0, 500, 5, 0]);
  const client = connect(server.address);
  cleanups.push(() => client.close());
  assert.deepEqual([await client.get("k0"), await client.get("k1")], [{ n: 0 }, { n: 1 }]);
  for (const key of ["k2", "k499"]) {
    assert.equal(((await client.get(key)) as { text: string }).text.length, 7 << 20);
  }
});

test("Ctrl-C stores what was read and names the line to go on from, which completes the load", async () => {
  const server = await startServer();
  const child = spawn(process.execPath, [minikeyPath, "load", "-", "--connect", server.address]);
  const ended = new Promise<Ended>((resolve) => {
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    child.once("close", (status) => resolve({ status, out, err }));
  });
  const input = jsonl(30_000);
  const half = input.length / 2;
  child.stdin.write(input.slice(0, half));
  const client = connect(server.address);
  cleanups.push(() => client.close());
  await waitFor("some records are stored", async () => (await client.count()) > 0);
  child.kill("SIGINT");
  // Its input is still open, and says nothing more.
  child.stdin.on("error", () => {});
  const { status, err } = await ended;
  assert.equal(status, 1);
  const [, last, next] = /interrupted after line (\d+), .*--from-line (\d+)\n$/.exec(err)!;
  assert.equal(Number(next), Number(last) + 1);
  assert.equal(await client.count(), Number(last));
  const rest = await load(["-", "--json", "--from-line", next, "--connect", server.address], input);
  assert.equal(JSON.parse(rest.out).created, 30_000 - Number(last));
  assert.equal(JSON.parse(rest.out).replaced, 0);
});

/** What a load asks about the cluster before it begins. */
function isQuestion(command: string): boolean {
  return command === "CLUSTER SLOTS" || command === "KEYSPACE LIST";
}

async function scriptedNode(answer: Parameters<typeof ScriptedNode.start>[0]): Promise<ScriptedNode> {
  const node = await ScriptedNode.start(answer);
  cleanups.push(() => node.stop());
  return node;
}

test("a signal while standard input is still kept for --strict writes nothing and leaves nothing behind", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const directory = makeTempDir(t);
    const child = spawn(process.execPath, [minikeyPath, "load", "-", "--strict"], {
      env: { ...process.env, TMPDIR: directory },
    });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    child.stdin.write(jsonl(100));
    child.stdin.on("error", () => {});
    await waitFor("the copy is there", () => readdirSync(directory).length > 0);
    child.kill(signal);
    assert.equal(await ended, 1, signal);
    assert.deepEqual(readdirSync(directory), [], signal);
  }
});

test("a load whose messages nobody reads any more ends, and does not pass for done", async () => {
  const server = await startServer();
  const child = spawn(process.execPath, [minikeyPath, "load", "-", "--connect", server.address]);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  child.stdin.on("error", () => {});
  const closed = new Promise((resolve) => child.stderr.once("close", resolve));
  child.stderr.destroy();
  await closed;
  child.stdin.write("k:v\nno record\n");
  assert.equal(await ended, 1);
});
