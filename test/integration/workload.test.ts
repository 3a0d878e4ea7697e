/** `minikey workload`, the driver of the store with eventual consistency, on clusters of three real processes. */
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

const EXAMPLE = join(repositoryRoot, "examples", "workload", "clients.txt");

interface ModeFigures {
  readonly mode: string;
  readonly operations: number;
  readonly writes: number;
  readonly reads: number;
  readonly errors: number;
  readonly staleReads: number;
  readonly outOfOrder: number;
  readonly convergence: { readonly writes: number; readonly maxMs: number; readonly missed: number };
  readonly endStates: readonly {
    readonly isEqual: boolean;
    readonly keys: number;
    readonly silent: string[];
  }[];
}

interface Summary {
  readonly interrupted: boolean;
  readonly modes: readonly ModeFigures[];
}

/** A run that others go on beside: nodes fail, or Ctrl-C comes. */
class Run {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  out = "";
  err = "";

  constructor(t: TestContext, args: readonly string[]) {
    this.#child = spawn(process.execPath, [minikeyPath, "workload", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.out += chunk.toString();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("close", resolve);
    });
    t.after(() => this.#child.kill("SIGKILL"));
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  get summary(): Summary {
    return JSON.parse(this.out) as Summary;
  }
}

/** Clients whose test files share keys, with `lines` lines each. */
function writeClients(t: TestContext, clients: number, lines: number): string {
  const directory = makeTempDir(t);
  const names = Array.from({ length: clients }, (_, i) => `${i} test_${i}.txt\n`);
  for (const [i] of names.entries()) {
    const text = Array.from({ length: lines }, (_, n) => `key${n % 20}:value ${i}.${n}\n`);
    writeFileSync(join(directory, `test_${i}.txt`), text.join(""));
  }
  writeFileSync(join(directory, "clients.txt"), names.join(""));
  return join(directory, "clients.txt");
}

const connectTo = (cluster: Cluster): string[] => ["--connect", cluster.addresses.join(",")];

const keyspacesOf = async (cluster: Cluster): Promise<string[]> => {
  const { out } = await runMinikey(["keyspace", "list", "--json", ...connectTo(cluster)]);
  return (JSON.parse(out) as { name: string }[]).map(({ name }) => name);
};

test("without a cluster or its files the driver says what it needs", async (t) => {
  const nobody = ["--connect", "127.0.0.1:1"];
  const missing = await runMinikey(["workload", "--clients", EXAMPLE, ...nobody]);
  assert.equal(missing.status, 1);
  assert.match(missing.err, /^minikey: no node answers .*connection refused.*npm start/);
  const path = join(makeTempDir(t), "clients.txt");
  assert.deepEqual(await runMinikey(["workload", "--clients", path, ...nobody]), {
    status: 1,
    out: "",
    err: `minikey: cannot read ${path}: no such file\n`,
  });
  for (const [args, message] of [
    [[], /required option '--clients <file>' not specified/],
    [
      ["--clients", EXAMPLE, "--mode", "strict"],
      /Allowed choices are eventual, sequential, linearizable, all/,
    ],
    [["--clients", EXAMPLE, "--wait-ms", "2..1"], /the shorter wait first/],
    [["--clients", EXAMPLE, "--wait-ms", "soon"], /Expected a whole number from 0/],
    [["--clients", EXAMPLE, "-a", "--keyspace", "one"], /cannot be both eventual and strong/],
  ] as const) {
    const { status, out, err } = await runMinikey(["workload", ...args, ...nobody]);
    assert.deepEqual([status, out], [2, ""], args.join(" "));
    assert.match(err, message);
  }
});

test("strong modes keep their promises: nothing linearizable is stale, and all nodes end up the same", async (t) => {
  await withCluster({ partitions: 4 }, async (cluster) => {
    const where = connectTo(cluster);
    const example = await runMinikey([
      "workload",
      "--clients",
      EXAMPLE,
      "-l",
      "--wait-ms",
      "5..20",
      "-v",
      ...where,
    ]);
    assert.equal(example.status, 0, example.err);
    for (const line of [
      "Client 0 Node 2 - GET turpis -> Result libero --> Expected libero",
      "Client 1 Node 3 - GET home -> Result http://localhost:8000/docs --> Expected http://localhost:8000/docs",
      'Client 1 Node 1 - GET nulla -> Result "" --> Expected ""',
      "Client 1 Node 1 - GET nulla -> Result null --> Expected null",
    ]) {
      assert.ok(example.out.includes(`${line}\n`), `${line} in ${example.out}`);
    }
    assert.match(example.out, /^Client 0 Node [123] - PUT turpis libero -> OK after \d+\.\d ms$/m);
    for (const node of [1, 2, 3]) {
      assert.match(example.out, new RegExp(`^Client 0 Node ${node} - HAS turpis -> libero after \\d+`, "m"));
    }
    assert.match(example.out, /│ linearizable │ 108 +│ 0 +│ 0 +│ .*│ equal \(10 keys\) +│/);

    const clients = writeClients(t, 3, 60);
    const flags = ["--clients", clients, "-s", "-l", "--wait-ms", "0", "--seed", "7", "--json"];
    const { status, out, err } = await runMinikey(["workload", ...flags, ...where]);
    assert.equal(status, 0, err);
    const { modes, interrupted } = JSON.parse(out) as Summary;
    assert.equal(interrupted, false);
    assert.deepEqual(
      modes.map(({ mode }) => mode),
      ["sequential", "linearizable"],
    );
    for (const figures of modes) {
      // 60 puts and 20 removes of each client, each read on three nodes.
      assert.deepEqual([figures.writes, figures.reads, figures.errors], [240, 720, 0], figures.mode);
      assert.deepEqual(
        [figures.outOfOrder, figures.convergence.writes, figures.convergence.missed],
        [0, 240, 0],
      );
      const ends = figures.endStates.map(({ isEqual, keys, silent }) => [isEqual, keys, silent.length]);
      assert.deepEqual(ends, [
        [true, 20, 0],
        [true, 20, 0],
      ]);
    }
    const [sequential, linearizable] = modes;
    assert.equal(linearizable.staleReads, 0);
    // Read at once, a replica has not always heard of what was written elsewhere.
    assert.ok(sequential.staleReads > 0, `${sequential.staleReads} stale reads`);
    assert.deepEqual(await keyspacesOf(cluster), ["default"], "the keyspaces made for the runs are gone");
  });
});

test("a keyspace that is there is used and stays, when it is of the kind that the mode needs", async (t) => {
  await withCluster({ partitions: 2 }, async (cluster) => {
    const where = connectTo(cluster);
    const clients = writeClients(t, 1, 3);
    const flags = ["--clients", clients, "--wait-ms", "0", "--keyspace", "mine", ...where];
    const made = await runMinikey(["keyspace", "create", "mine", "--partitions", "1", ...where]);
    assert.equal(made.status, 0, made.err);
    const used = await runMinikey(["workload", "-l", ...flags]);
    assert.equal(used.status, 0, used.err);
    assert.deepEqual(await keyspacesOf(cluster), ["default", "mine"]);
    const refused = await runMinikey(["workload", "-e", ...flags]);
    assert.equal(refused.status, 1);
    assert.match(refused.err, /the keyspace mine is not eventual, as this mode needs it to be\n$/);
  });
});

test("a stopped node is named and counted, keeps nobody from working, and is equal again in the end", async (t) => {
  await withCluster({ partitions: 2 }, async (cluster) => {
    const clients = writeClients(t, 2, 60);
    const flags = ["--clients", clients, "-s", "--wait-ms", "40..80", "--timeout", "250", "--json"];
    const run = new Run(t, [...flags, ...connectTo(cluster)]);
    const third = `n3 (127.0.0.1:${cluster.node("n3").respPort})`;
    const isShown = (text: string) => (): boolean => run.err.includes(text);
    await waitFor("the clients work", isShown("Node 3 - GET key3 "), { timeoutMs: 30_000 });
    cluster.pause("n3");
    await waitFor("n3 is named", isShown(`${third} does not answer: `));
    const before = run.err.length;
    const isAnswered = (): boolean => /Node 1 - GET \w+ -> Result/.test(run.err.slice(before));
    await waitFor("others are read meanwhile", isAnswered);
    cluster.resume("n3");
    await waitFor("n3 is back", isShown(`${third} answers again`));
    assert.equal(await run.ended, 1, run.err);
    const [figures] = run.summary.modes;
    assert.ok(figures.errors > 0);
    assert.match(run.err, /\nminikey: sequential: \d+ operations? failed\n/);
    assert.equal(figures.outOfOrder, 0);
    assert.deepEqual(
      figures.endStates.map(({ isEqual, silent }) => [isEqual, silent]),
      [
        [true, []],
        [true, []],
      ],
    );
  });
});

test("Ctrl-C ends the run with what was done until then and status 130, also when a node is dead", async (t) => {
  await withCluster({ partitions: 2 }, async (cluster) => {
    const clients = writeClients(t, 2, 1_000);
    const flags = ["--clients", clients, "-l", "--wait-ms", "10..20", "--json"];
    const run = new Run(t, [...flags, ...connectTo(cluster)]);
    await waitFor("the clients work", () => run.err.includes("Node 3 - GET key3 "), { timeoutMs: 30_000 });
    await cluster.kill("n3");
    await waitFor("n3 is named", () => /n3 .* does not answer: /.test(run.err));
    run.interrupt();
    assert.equal(await run.ended, 130, run.err);
    assert.match(run.err, /\nminikey: interrupted: what is counted is what was done until then\n$/);
    const { interrupted, modes } = run.summary;
    assert.equal(interrupted, true);
    assert.ok(modes[0].writes > 0 && modes[0].errors > 0, run.out);
    assert.equal(modes[0].staleReads, 0);
    assert.deepEqual(modes[0].endStates, []);
    assert.deepEqual(await keyspacesOf(cluster), ["default"]);
  });
});

test("an eventual keyspace shows stale reads, and writes a stopped node gets when it goes on", async (t) => {
  await withCluster({ partitions: 2 }, async (cluster) => {
    const clients = writeClients(t, 4, 60);
    const flags = ["--clients", clients, "-e", "--wait-ms", "0..40", "--timeout", "1000", "-v", "--json"];
    const run = new Run(t, [...flags, ...connectTo(cluster)]);
    await waitFor("the clients work", () => run.err.includes("Node 3 - GET key3 "), { timeoutMs: 30_000 });
    cluster.pause("n3");
    const stopped = run.err.length;
    const since = (): string => run.err.slice(stopped);
    await waitFor("others are written", () => /Node [12] - PUT .* -> OK/.test(since()), { everyMs: 5 });
    const writtenMs = performance.now();
    await waitFor("n3 is named", () => since().includes(") does not answer: no answer within 1000 ms"));
    const stoppedMs = performance.now() - writtenMs;
    cluster.resume("n3");
    await waitFor("n3 is back", () => / n3 .* answers again/.test(since()));
    // What it was asked when it was stopped it did not answer.
    assert.equal(await run.ended, 1, run.err);
    const [{ errors, staleReads, convergence, endStates }] = run.summary.modes;
    assert.ok(errors > 0 && staleReads > 0, run.out);
    assert.equal(convergence.missed, 0);
    assert.ok(
      convergence.maxMs > stoppedMs,
      `${convergence.maxMs} ms, with a node stopped for ${stoppedMs} ms`,
    );
    const stale = /Client \d Node \d - GET \w+ -> Result .* --> Expected value .* \(stale\)\n/g;
    assert.ok(staleReads >= Array.from(run.err.matchAll(stale)).length);
    assert.deepEqual(
      endStates.map(({ isEqual, silent }) => [isEqual, silent]),
      [
        [true, []],
        [true, []],
      ],
    );
  });
});

test("an eventual keyspace is written on both sides of a split, which is stale until it heals, and equal after it", async (t) => {
  await withCluster({ partitions: 2 }, async (cluster) => {
    const clients = writeClients(t, 2, 300);
    const flags = ["--clients", clients, "-e", "--wait-ms", "10..30", "--timeout", "400", "-v", "--json"];
    const run = new Run(t, [...flags, ...connectTo(cluster)]);
    const keysPutOn = (nodes: string, since: number): number => {
      const lines = run.err.slice(since).matchAll(new RegExp(`Node ${nodes} - PUT (\\w+) .* -> OK`, "g"));
      return new Set(Array.from(lines, ([, key]) => key)).size;
    };
    const isShown = (pattern: RegExp, since: number) => (): boolean => pattern.test(run.err.slice(since));
    const slowly = { timeoutMs: 30_000 };
    await waitFor("every key is put", () => keysPutOn("[123]", 0) === 20, slowly);
    await cluster.kill("n3");
    const killed = run.err.length;
    await waitFor("every key is put anew without n3", () => keysPutOn("[12]", killed) === 20, slowly);
    cluster.pause("n1");
    cluster.pause("n2");
    const alone = run.err.length;
    cluster.startNode("n3");
    await waitFor("n3 is written alone", () => keysPutOn("3", alone) > 2, slowly);
    const stale = /Node 3 - GET \w+ -> Result value \S+ --> Expected .* \(stale\)/;
    await waitFor("n3 shows what it has missed", isShown(stale, alone), slowly);
    cluster.resume("n1");
    cluster.resume("n2");
    assert.equal(await run.ended, 1, run.err);
    const [{ staleReads, endStates }] = run.summary.modes;
    assert.ok(staleReads > 0);
    assert.deepEqual(
      endStates.map(({ isEqual, silent }) => [isEqual, silent]),
      [
        [true, []],
        [true, []],
      ],
      run.err.slice(-2_000),
    );
  });
});
