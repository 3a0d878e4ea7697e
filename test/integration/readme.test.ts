import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Cluster, withCluster } from "../support/cluster.js";
import { minikeyPath, repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirement.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

interface Step {
  readonly command: string;
  /** What the README says is printed. */
  readonly printed: string;
}

interface Block {
  /** What stands behind the opening fence. */
  readonly language: string;
  readonly lines: readonly string[];
}

const readme = readFileSync(join(repositoryRoot, "README.md"), "utf8");

/** The README's fenced blocks, in their order. */
function readBlocks(): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[] } | undefined;
  for (const line of readme.split("\n")) {
    if (!line.startsWith("```")) open?.lines.push(line);
    else if (open === undefined) open = { language: line.slice(3), lines: [] };
    else {
      blocks.push(open);
      open = undefined;
    }
  }
  assert.equal(open, undefined, "every block is closed");
  return blocks;
}

const isSession = ({ lines }: Block): boolean => lines.some((line) => line.startsWith("$ "));

/** The README's sessions: commands that start with `$ `, each followed by what it prints. */
function readSteps(): Step[] {
  return readBlocks()
    .filter(isSession)
    .flatMap(({ lines }) => {
      assert.match(lines[0] ?? "", /^\$ /, "a session begins with a command");
      return lines
        .join("\n")
        .split(/^\$ /m)
        .slice(1)
        .map((step) => {
          const [command = "", ...printed] = step.trimEnd().split("\n");
          return { command, printed: printed.join("\n") };
        });
    });
}

/** The command as it must be for the test's cluster, whose nodes have other ports than `npm start`'s. */
function adapt(command: string, cluster: Cluster): string {
  let adapted = command
    .replace(/^redis-cli/, "redis-cli --no-raw")
    .replace(/^curl/, "curl --silent")
    .replace(/^npx minikey/, `${process.execPath} ${minikeyPath}`);
  for (const [i, node] of cluster.nodes.entries()) {
    adapted = adapted.replace(`-p ${6380 + i}`, `-p ${node.respPort}`);
    adapted = adapted.replace(`localhost:${8000 + i}`, `localhost:${node.httpPort}`);
  }
  return adapted;
}

/** What is the same in every run: no names of clusters, ports, times and numbers, and no widths that depend on them. */
function shapeOf(printed: string): string {
  return printed
    .replace(/\b[0-9a-f]{32}\b/g, "ID")
    .replace(/\d+/g, "N")
    .replace(/─+/g, "─")
    .replace(/ +/g, " ");
}

/** How fast records were loaded is not the same in every run. */
const withoutRate = (printed: string): string => printed.replace(/ in [\d.]+ s, [\d,]+ a second$/m, "");

/** For `skip`: false when all programs are there that the README uses. */
function skipWithoutPrograms(): string | false {
  for (const [need, program] of [
    ["redis", "redis-cli"],
    ["curl", "curl"],
  ] as const) {
    const isThere = spawnSync(program, ["--version"]).status === 0;
    const reason = skipWithout(need, isThere ? undefined : `${program} is missing: the README uses it`);
    if (reason !== false) return reason;
  }
  return false;
}

test("the README's sessions print what it says, word by word", { skip: skipWithoutPrograms() }, async () => {
  const steps = readSteps();
  // However they are fenced, none is passed over.
  assert.equal(steps.length, readme.split("\n").filter((line) => line.startsWith("$ ")).length);
  assert.ok(steps.length >= 5, "the README has its sessions");
  await withCluster({}, async (cluster) => {
    symlinkSync(cluster.directory, join(cluster.directory, "data"));
    symlinkSync(join(repositoryRoot, "examples"), join(cluster.directory, "examples"));
    const MINIKEY_CONNECT = `127.0.0.1:${cluster.node("n1").respPort}`;
    const MINIKEY_HTTP = `127.0.0.1:${cluster.node("n1").httpPort}`;
    for (const { command, printed } of steps) {
      const run = (): string => {
        const { stdout, stderr } = spawnSync("sh", ["-c", adapt(command, cluster)], {
          cwd: cluster.directory,
          env: { ...process.env, MINIKEY_CONNECT, MINIKEY_HTTP },
          encoding: "utf8",
          timeout: 20_000,
        });
        return `${stdout}${stderr}`.trimEnd();
      };
      if (command.endsWith("minikey status")) {
        // A reader comes to it when the other nodes have taken over.
        await waitFor("every partition has a leader again", () => run().includes("all with a leader"));
        assert.equal(shapeOf(run()), shapeOf(printed), command);
      } else if (command.includes("minikey load")) {
        assert.equal(withoutRate(run()), withoutRate(printed), command);
      } else assert.equal(run(), printed, command);
    }
  });
});

test("every block of the README is a session, a program that is run, or a command that another test runs", () => {
  // In fresh-clone.test.ts, and this very run.
  const elsewhere = ["npm start", "npm test"];
  const others = readBlocks().filter((block) => !isSession(block));
  assert.deepEqual(
    others.map(({ language, lines }) => (language === "ts" ? "ts" : lines.join("\n"))),
    [...elsewhere, "ts"],
  );
});

test("the README's program runs, and its values are those that it says", async (t) => {
  await withCluster({}, async (cluster) => {
    const program = readBlocks().find(({ language }) => language === "ts");
    assert.ok(program !== undefined);
    const directory = makeTempDir(t);
    mkdirSync(join(directory, "node_modules"));
    symlinkSync(repositoryRoot, join(directory, "node_modules/minikeydb"));
    // `expression; // value` becomes an assertion.
    const lines = program.lines.map((line) =>
      line.replace(/^(await .*); \/\/ (".*"|[\d.]+)$/, "assert.deepEqual($1, $2);"),
    );
    assert.ok(
      lines.some((line) => line.startsWith("assert.")),
      "the README says what comes back",
    );
    let text = lines.join("\n");
    for (const [i, node] of cluster.nodes.entries()) {
      text = text.replace(`127.0.0.1:${6380 + i}`, `127.0.0.1:${node.respPort}`);
    }
    const file = join(directory, "program.mjs");
    const end = "await db.close();\nawait node.stop();\nconsole.log('done');\n";
    writeFileSync(file, `import assert from "node:assert/strict";\n${text}\n${end}`);
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
      cwd: directory,
      encoding: "utf8",
      timeout: 30_000,
    });
    assert.deepEqual([status, stdout], [0, "done\n"], stderr);
  });
});
