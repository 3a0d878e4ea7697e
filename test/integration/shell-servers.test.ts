/** `minikey shell --servers`: the client of a store with k copies of everything, on a cluster whose nodes fail. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Cluster, withCluster } from "../support/cluster.js";
import { minikeyPath } from "../support/repository.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

const WARNING = "k or more servers are down and therefore the correct output cannot be guaranteed\n";
const RECORDS = `${[
  '{"key":"person1","value":{"name":"John","age":22}}',
  '{"key":"person2","value":{"name":"Mary","address":{"street":"Panepistimiou","number":12}}}',
  '{"key":"person4","value":{}}',
].join("\n")}\n`;

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** A shell that stays open, its commands one a line. */
class PipedShell {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;
  out = "";
  err = "";

  constructor(t: TestContext, args: readonly string[]) {
    this.#child = spawn(process.execPath, [minikeyPath, "shell", ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.out += chunk.toString();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (status) => resolve({ status, out: this.out, err: this.err }));
    });
    t.after(() => this.#child.kill("SIGKILL"));
  }

  /** What the line comes to, stdout and stderr. */
  async ask(line: string): Promise<{ out: string; err: string }> {
    this.out = "";
    this.err = "";
    this.#child.stdin?.write(`${line}\n`);
    await waitFor(`the answer to ${line}`, () => this.out.endsWith("\n"), { timeoutMs: 20_000 });
    // A warning is written before the answer, but on another pipe.
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { out: this.out, err: this.err };
  }

  end(input = ""): void {
    this.#child.stdin?.end(input);
  }
}

function shellOnce(t: TestContext, args: readonly string[]): Promise<Ended> {
  const shell = new PipedShell(t, args);
  shell.end();
  return shell.ended;
}

function writeServers(t: TestContext, cluster: Cluster): string {
  const path = join(makeTempDir(t), "servers.txt");
  writeFileSync(path, cluster.nodes.map((node) => `127.0.0.1 ${node.respPort}\n`).join(""));
  return path;
}

test("with fewer than k down answers are proven; from k on they carry the warning and nothing is deleted", async (t) => {
  await withCluster({ partitions: 4 }, async (cluster) => {
    const servers = writeServers(t, cluster);
    const records = join(makeTempDir(t), "records.jsonl");
    writeFileSync(records, RECORDS);
    const where = ["--servers", servers];

    const loaded = await shellOnce(t, [...where, "--load", records, "-c", "GET person1"]);
    assert.equal(loaded.status, 0, loaded.err);
    assert.equal(loaded.out, "person1 -> [ name -> John | age -> 22 ]\n");
    assert.match(loaded.err, /^loaded 3 records/);

    const shell = new PipedShell(t, where);
    const cautious = new PipedShell(t, [...where, "-k", "1"]);
    const john = "person1 -> [ name -> John | age -> 22 ]\n";
    assert.deepEqual(await shell.ask("GET person1"), { out: john, err: "" });
    assert.deepEqual(await cautious.ask("GET person1"), { out: john, err: "" });

    // The shells talk to n1: that is the one to lose.
    await cluster.kill("n1");
    assert.deepEqual(await shell.ask("GET person1"), { out: john, err: "" });
    assert.deepEqual(await cautious.ask("GET person1"), { out: john, err: WARNING });
    assert.deepEqual(await cautious.ask("GET nobody"), { out: "NOT FOUND\n", err: WARNING });
    const refused = await cautious.ask("DELETE person1");
    assert.match(refused.out, /^\(error\) CLUSTERDOWN DELETE is refused and nothing is changed: n1 is down/);
    assert.deepEqual(await shell.ask("DELETE person4"), { out: "1\n", err: "" });
    const named = await shellOnce(t, [...where, "-c", "GET person1"]);
    assert.equal(named.out, john);
    const [port] = cluster.nodes.map((node) => node.respPort);
    assert.equal(named.err, `minikey: n1 (127.0.0.1:${port}) is down: connection refused\n`);

    await cluster.kill("n2");
    assert.deepEqual(await shell.ask("GET person1"), { out: john, err: WARNING });
    assert.deepEqual(await shell.ask("GET nobody"), { out: "NOT FOUND\n", err: WARNING });
    const stopped = await shell.ask("DELETE person1");
    assert.match(
      stopped.out,
      /^\(error\) CLUSTERDOWN DELETE is refused and nothing is changed: n1, n2 are down/,
    );
    assert.equal(stopped.err, WARNING);
    const late = await shellOnce(t, [...where, "-c", "GET person1"]);
    assert.equal(late.out, john);
    assert.ok(late.err.endsWith(WARNING), late.err);

    for (const { respPort } of cluster.nodes.slice(0, 2))
      assert.match(late.err, new RegExp(`:${respPort}\\)? is down`));

    cluster.startNode("n1");
    await waitFor(
      "n1 is noticed, and the warning gone",
      async () => {
        const { out, err } = await shell.ask("GET person1");
        assert.equal(out, john);
        return err === "";
      },
      { timeoutMs: 20_000 },
    );
    assert.deepEqual(await shell.ask("DELETE person1"), { out: "1\n", err: "" });
    assert.deepEqual(await shell.ask("GET person1"), { out: "NOT FOUND\n", err: "" });
    shell.end("EXIT\n");
    assert.equal((await shell.ended).status, 1);
  });
});
