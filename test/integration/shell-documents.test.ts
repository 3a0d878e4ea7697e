/** GET, QUERY and COMPUTE in the shell, by -c, from a pipe and on a terminal, before and after a node is lost. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Cluster, withCluster } from "../support/cluster.js";
import { minikeyPath, repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirement.js";
import { runMinikey } from "../support/run-minikey.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

/** Lines, what stdout and stderr then say, and the exit status. */
const SESSION: readonly (readonly [line: string, out: string, err: string, status: number])[] = [
  ["GET person1", "person1 -> [ name -> John | age -> 22 ]", "", 0],
  ["GET person4", "person4 -> []", "", 0],
  ["get person9", "NOT FOUND", "", 1],
  ["GET hello", "world", "", 0],
  ["QUERY person2.address.number", "person2.address.number -> 12", "", 0],
  ["query person2.address", "person2.address -> [ street -> Panepistimiou | number -> 12 ]", "", 0],
  ["QUERY person1", "person1 -> [ name -> John | age -> 22 ]", "", 0],
  ["QUERY hello", "world", "", 0],
  ['QUERY "a.b".c', '"a.b".c -> true', "", 0],
  ["QUERY a.b.c", "a.b.c -> true", "", 0],
  ['QUERY "city:AD:El Tarter".location.lat', '"city:AD:El Tarter".location.lat -> 42.5', "", 0],
  ["QUERY city:AD:El Tarter.location.lat", "city:AD:El Tarter.location.lat -> 42.5", "", 0],
  ["QUERY person9.x", "NOT FOUND", "minikey: no such key: person9", 1],
  ["QUERY person2.address.nr", "NOT FOUND", 'minikey: person2.address has no field "nr"', 1],
  ["QUERY hello.x", "NOT FOUND", 'minikey: hello is text and has no field "x"', 1],
  ["COMPUTE 1+1", "2", "", 0],
  ["COMPUTE 2*x WHERE x = QUERY person2.address.number", "24", "", 0],
  ["compute 2 * (x + 3) where x=query person2.address.number", "30", "", 0],
  ["COMPUTE '2*(x+3)' WHERE x = QUERY person2.address.number", "30", "", 0],
  [
    "COMPUTE 2/(x+3*(y+z)) WHERE x = QUERY person2.address.number AND y = QUERY person1.age AND z = QUERY person3.height",
    "0.024024024024024024",
    "",
    0,
  ],
  ['COMPUTE lat*2 WHERE lat = QUERY "city:AD:El Tarter".location.lat', "85", "", 0],
  ["COMPUTE sin(x) WHERE x = QUERY right.angle DEGREES", "1", "", 0],
];

const DOCUMENTS: readonly (readonly [string, string])[] = [
  ["a.b", '{"c":true}'],
  ["city:AD:El Tarter", '{"location":{"lat":42.5}}'],
  ["right", '{"angle":90}'],
];

async function loadPeople(cluster: Cluster): Promise<void> {
  const connect = ["--connect", cluster.addresses.join(",")];
  const loaded = await runMinikey(["load", join(repositoryRoot, "examples", "people.txt"), ...connect]);
  assert.match(loaded.out, /^loaded 4 records/);
  const client = await cluster.resp("n1");
  await client.call("SET", "hello", "world");
  for (const [key, json] of DOCUMENTS) await client.call("KV.PUT", key, "json", "any", "0", "0", json);
}

async function answersByCommandAndPipe(cluster: Cluster): Promise<void> {
  const connect = ["--connect", cluster.addresses.join(",")];
  for (const [line, out, err, status] of SESSION.slice(0, 6)) {
    const expected = { status, out: `${out}\n`, err: err === "" ? "" : `${err}\n` };
    assert.deepEqual(await runMinikey(["shell", ...connect, "-c", line]), expected, line);
  }
  const lines = SESSION.map(([line]) => `${line}\n`).join("");
  const piped = await runMinikey(["shell", ...connect], lines);
  assert.deepEqual(
    piped.out.trimEnd().split("\n"),
    SESSION.map(([, out]) => out),
  );
  assert.deepEqual(
    piped.err.trimEnd().split("\n"),
    SESSION.map(([, , err]) => err).filter((err) => err !== ""),
  );
  assert.equal(piped.status, 1);
}

test("by -c and from a pipe, before and after one node is killed", async () => {
  await withCluster({ partitions: 4 }, async (cluster) => {
    await loadPeople(cluster);
    await answersByCommandAndPipe(cluster);
    const json = await runMinikey(
      ["shell", "--connect", cluster.addresses.join(","), "--json"],
      "GET person1\nQUERY person1.age\n",
    );
    assert.equal(json.out, '{"name":"John","age":22}\n22\n');
    await cluster.kill("n1");
    await answersByCommandAndPipe(cluster);
  });
});

/** The shell on a terminal of its own, which util-linux's `script` makes. */
class TerminalShell {
  readonly #child;
  readonly ended: Promise<number | null>;
  #shown = "";

  constructor(t: TestContext, args: readonly string[]) {
    const command = [process.execPath, minikeyPath, "shell", ...args].map((word) => `'${word}'`).join(" ");
    this.#child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, MINIKEY_HISTORY: join(makeTempDir(t), "history"), TERM: "xterm" },
    });
    this.#child.stdout.on("data", (chunk: Buffer) => {
      this.#shown += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("close", resolve);
    });
    t.after(() => this.#child.kill("SIGKILL"));
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Types, presses Tab, and waits until the rest has been filled in. A Tab in pasted text is only a character. */
  async completes(typed: string, rest: string): Promise<void> {
    this.type(typed);
    await this.sees(typed);
    this.type("\t");
    await this.sees(rest);
  }

  /** Waits until this has been shown since the last call, and forgets it. */
  async sees(text: string): Promise<void> {
    await waitFor(`the terminal shows ${JSON.stringify(text)}`, () => this.#shown.includes(text), {
      timeoutMs: 20_000,
    });
    this.#shown = this.#shown.slice(this.#shown.indexOf(text) + text.length);
  }
}

function skipWithoutScript(): string | false {
  const { stdout } = spawnSync("script", ["--version"], { encoding: "utf8" });
  const isThere = typeof stdout === "string" && stdout.includes("util-linux");
  return skipWithout(
    "script",
    isThere ? undefined : "util-linux's script is missing: no shell on a terminal",
  );
}

test("on a terminal", { skip: skipWithoutScript() }, async (t) => {
  await withCluster({ nodes: 1, partitions: 2 }, async (cluster) => {
    await loadPeople(cluster);
    const terminal = new TerminalShell(t, ["--connect", cluster.addresses.join(",")]);
    await terminal.sees("> ");
    terminal.type("GET person1\r");
    await terminal.sees("person1 -> [ name -> John | age -> 22 ]\r\n");
    terminal.type("GET hello\r");
    await terminal.sees('"world"\r\n');
    terminal.type("QUERY person2.address.nr\r");
    await terminal.sees('NOT FOUND\r\n(person2.address has no field "nr")\r\n');
    await terminal.completes("QUERY person2.address.nu", "mber");
    terminal.type("\r");
    await terminal.sees("person2.address.number -> 12\r\n");
    await terminal.completes("COMPUTE 2*x WHERE x = QUERY person2.ad", "dress");
    await terminal.completes(".nu", "mber");
    terminal.type("\r");
    await terminal.sees("\r\n24\r\n");
    terminal.type("EXIT\r");
    assert.equal(await terminal.ended, 0);
  });
});
