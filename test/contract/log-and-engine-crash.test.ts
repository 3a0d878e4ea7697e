/** The log and the disk engine together, as a node uses them: what is left when the process is killed. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { contentOf } from "../support/engine-model.js";
import { applyEntry, effectOf, GROUPS, openStorage } from "../support/log-crash-child.js";
import { skipWithoutStrace } from "../support/strace.js";
import { makeTempDir } from "../support/temp-dir.js";

const KILLS = 12;
const CHILD = fileURLToPath(new URL("../support/log-crash-child.js", import.meta.url));

function start(t: TestContext, program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

/** All that the process says; it is killed when it has said so many lines after its second checkpoint began. */
async function linesOf(child: ChildProcess, linesInCheckpoint = Number.POSITIVE_INFINITY): Promise<string[]> {
  const exited = once(child, "exit");
  const lines: string[] = [];
  let begun = 0;
  let left = linesInCheckpoint;
  assert.ok(child.stdout !== null);
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (line === "begin") begun += 1;
    else if (begun >= 2) left -= 1;
    if (begun >= 2 && left <= 0) child.kill("SIGKILL");
  }
  await exited;
  return lines;
}

/** What a group holds after its first `last` entries. */
function contentAfter(last: number): Map<string, string> {
  const content = new Map<string, string>();
  for (let i = 1; i <= last; i += 1) {
    const { key, value } = effectOf(i);
    if (value === undefined) content.delete(key);
    else content.set(key, value);
  }
  return content;
}

describe("the log and the disk engine, killed with SIGKILL", () => {
  it("hold together all that was durable, and nothing else, wherever checkpoints and the log's cuts were", async (t) => {
    const directory = makeTempDir(t);
    let checkpoints = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const lines = await linesOf(start(t, process.execPath, [CHILD, directory]), kill);
      checkpoints += lines.filter((line) => line.startsWith("checkpoint")).length;
      const { log, report, engine, stores } = await openStorage(directory);
      for (const [g, store] of stores.entries()) {
        const said = lines.findLast((line) => line.startsWith(`durable ${g} `))?.split(" ")[2];
        const recovered = report.groups.get(GROUPS[g]);
        assert(recovered !== undefined);
        const applied = store.restored?.index ?? 0;
        const { snapshot, entries } = recovered;
        assert(snapshot.index <= applied, `group ${g}: cut at ${snapshot.index}, checkpoint at ${applied}`);
        const last = snapshot.index + entries.length;
        assert(last >= Number(said ?? 0), `group ${g} ends at ${last}, ${said} was durable`);
        assert(applied <= last);
        assert.deepEqual(new Map(contentOf(store).data), contentAfter(applied));
        for (let i = applied + 1; i <= last; i += 1) applyEntry(store, i);
        assert.deepEqual(new Map(contentOf(store).data), contentAfter(last));
      }
      await log.close();
      await engine.close();
    }
    assert(checkpoints >= KILLS, `${checkpoints} checkpoints`);
  });
});

/** One system call or line said, in their order. */
type Step = "pages" | "sync" | "meta" | "checkpoint" | "cut";

/** What a traced process did to the disk. `meta`: through the descriptor whose writes are durable when they return. */
function stepsOf(trace: string): Step[] {
  const durable = new Set<string>();
  const steps: Step[] = [];
  for (const line of trace.split("\n")) {
    const opened = /openat\(.*data\.mdb", ([A-Z_|]+).* = (\d+)</.exec(line);
    if (opened !== null) {
      if (opened[1].includes("O_DSYNC")) durable.add(opened[2]);
      else durable.delete(opened[2]);
    }
    const call = /(pwrite64|pwritev|fdatasync|unlink|write)\((?:(\d+)<([^>]*)>)?/.exec(line);
    if (call === null) continue;
    const [, name, descriptor, file = ""] = call;
    if (name === "write" && line.includes('"checkpoint ')) steps.push("checkpoint");
    else if (name === "unlink" && line.includes("/wal/")) steps.push("cut");
    else if (!file.endsWith("data.mdb")) continue;
    else if (name === "fdatasync") steps.push("sync");
    else if (name.startsWith("pwrite")) steps.push(durable.has(descriptor) ? "meta" : "pages");
  }
  return steps;
}

describe("power loss", () => {
  const skip = skipWithoutStrace("it shows in what order the disk is written");

  it("finds a checkpoint on the disk before the log that it replaces goes", { skip }, async (t) => {
    const directory = makeTempDir(t);
    const trace = join(makeTempDir(t), "trace");
    const calls = "trace=openat,pwrite64,pwritev,fdatasync,unlink,write";
    const args = ["-f", "-y", "-e", calls, "-o", trace, process.execPath, CHILD, directory, "4"];
    await linesOf(start(t, "strace", args));
    const steps = stepsOf(readFileSync(trace, "utf8"));
    const checkpoints = steps.filter((step) => step === "checkpoint").length;
    assert(checkpoints >= 3, `${checkpoints} checkpoints`);
    assert(steps.includes("cut"), "the log was cut");
    let unsynced = 0;
    let metas = 0;
    let sinceCut = 0;
    let cuts = 0;
    for (const [i, step] of steps.entries()) {
      if (step === "pages") unsynced += 1;
      if (step === "sync") unsynced = 0;
      if (step === "meta") {
        // The page that names the new tree comes when all of the tree is on the disk.
        assert.equal(unsynced, 0);
        metas += 1;
      }
      if (step === "checkpoint") {
        assert.equal(unsynced, 0);
        assert(metas > 0, "every checkpoint has its own commit");
        metas = 0;
        sinceCut += 1;
      }
      if (step !== "cut") continue;
      // What goes was covered by a checkpoint that came after what went before. One may let several segments go.
      cuts += 1;
      assert(sinceCut > 0 || steps[i - 1] === "cut", "a cut without a checkpoint of its own");
      sinceCut = 0;
    }
    assert(cuts >= 2, `${cuts} cuts`);
  });
});
