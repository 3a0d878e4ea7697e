/** `minikey shell --servers`: the client of a store with k copies of everything, on a cluster whose nodes fail. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Cluster, withCluster } from "../support/cluster.js";
import { minikeyPath, repositoryRoot } from "../support/repository.js";
import { runMinikey } from "../support/run-minikey.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

const WARNING = "k or more servers are down and therefore the correct output cannot be guaranteed\n";
/** Lines, and all that is printed for them while answers are proven. */
const ANSWERS: readonly (readonly [string, string])[] = [
  ["GET person1", "person1 -> [ name -> John | age -> 22 ]\n"],
  ["QUERY person2.address.number", "person2.address.number -> 12\n"],
  ["COMPUTE 2 * (x + 3) WHERE x = QUERY person2.address.number", "30\n"],
  ["GET nobody", "NOT FOUND\n"],
];

/** A shell that stays open, its commands one a line; stdout and stderr in one stream, in the order written. */
class PipedShell {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  #shown = "";
  #asked = 0;

  constructor(t: TestContext, args: readonly string[]) {
    this.#child = spawn(
      "sh",
      ["-c", 'exec "$@" 2>&1', "sh", process.execPath, minikeyPath, "shell", ...args],
      {
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#shown += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("close", resolve);
    });
    t.after(() => this.#child.kill("SIGKILL"));
  }

  /** All that the line comes to. */
  async ask(line: string): Promise<string> {
    this.#shown = "";
    const mark = `answered ${++this.#asked}\n`;
    this.#child.stdin?.write(`${line}\nECHO "${mark.trimEnd()}"\n`);
    await waitFor(`the answer to ${line}`, () => this.#shown.endsWith(mark), { timeoutMs: 20_000 });
    return this.#shown.slice(0, -mark.length);
  }

  end(input = ""): void {
    this.#child.stdin?.end(input);
  }
}

function writeServers(t: TestContext, cluster: Cluster): string {
  const path = join(makeTempDir(t), "servers.txt");
  writeFileSync(path, cluster.nodes.map((node) => `127.0.0.1 ${node.respPort}\n`).join(""));
  return path;
}

test("with fewer than k down answers are proven; from k on they carry the warning and nothing is deleted", async (t) => {
  await withCluster({ partitions: 4 }, async (cluster) => {
    const servers = writeServers(t, cluster);
    const records = join(repositoryRoot, "examples", "people.txt");
    const where = ["--servers", servers];

    const loaded = await runMinikey(["shell", ...where, "--load", records, "-c", "GET person1"]);
    assert.equal(loaded.status, 0, loaded.err);
    assert.equal(loaded.out, "person1 -> [ name -> John | age -> 22 ]\n");
    assert.match(loaded.err, /^loaded 4 records/);

    const shell = new PipedShell(t, where);
    const cautious = new PipedShell(t, [...where, "-k", "1"]);
    for (const [line, answer] of ANSWERS) {
      assert.equal(await shell.ask(line), answer);
      assert.equal(await cautious.ask(line), answer);
    }

    // The shells talk to n1: that is the one to lose.
    await cluster.kill("n1");
    for (const [line, answer] of ANSWERS) {
      assert.equal(await shell.ask(line), answer);
      assert.equal(await cautious.ask(line), `${WARNING}${answer}`);
    }
    assert.equal(
      await cautious.ask("DELETE person1"),
      `${WARNING}(error) CLUSTERDOWN DELETE is refused and nothing is changed: n1 is down, of 3 servers that may hold what it writes\n`,
    );
    assert.equal(await shell.ask("DELETE person4"), "1\n");
    const [first, second] = cluster.addresses;
    assert.deepEqual(await runMinikey(["shell", ...where, "-c", "QUERY person2.address.number"]), {
      status: 0,
      out: "person2.address.number -> 12\n",
      err: `minikey: n1 (${first}) is down: connection refused\n`,
    });

    await cluster.kill("n2");
    for (const [line, answer] of ANSWERS) assert.equal(await shell.ask(line), `${WARNING}${answer}`);
    assert.match(
      await shell.ask("DELETE person1"),
      /^k or more.*\n\(error\) CLUSTERDOWN DELETE is refused and nothing is changed: n1, n2 are down/,
    );
    const late = await runMinikey(["shell", ...where, "-c", "GET person1"]);
    assert.equal(late.out, "person1 -> [ name -> John | age -> 22 ]\n");
    assert.ok(late.err.endsWith(WARNING), late.err);
    for (const address of [first, second]) assert.match(late.err, new RegExp(`${address}\\)? is down`));
    const unloaded = await runMinikey(["shell", ...where, "--load", records, "-c", "GET person2"]);
    assert.match(unloaded.err, /people\.txt is not loaded: too many servers are down\n/);
    assert.match(unloaded.out, /^person2 -> \[ name -> Mary/);
    assert.equal(unloaded.status, 1);

    cluster.startNode("n1");
    await waitFor(
      "n1 is noticed, and the warning gone",
      async () => !(await shell.ask("GET person1")).startsWith(WARNING),
      { timeoutMs: 20_000 },
    );
    // What was refused has not been done.
    for (const [line, answer] of ANSWERS) assert.equal(await shell.ask(line), answer);
    assert.equal(await shell.ask("DELETE person1"), "1\n");
    assert.equal(await shell.ask("GET person1"), "NOT FOUND\n");
    shell.end("EXIT\n");
    assert.equal(await shell.ended, 1);
  });
});
