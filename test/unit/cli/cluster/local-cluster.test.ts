import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type NodePlan, planNodes } from "../../../../src/cli/cluster/layout.js";
import { LocalCluster, type LocalClusterOptions } from "../../../../src/cli/cluster/local-cluster.js";
import { plainLogLine } from "../../../../src/cli/cluster/node-process.js";
import { freePorts } from "../../../support/ports.js";
import { makeTempDir } from "../../../support/temp-dir.js";
import { waitFor } from "../../../support/wait.js";

const STAND_IN = fileURLToPath(new URL("stand-in-node.js", import.meta.url));

interface Made {
  readonly cluster: LocalCluster;
  readonly plans: readonly NodePlan[];
}

/** Three stand-ins; `behaviours` by node. */
async function makeCluster(
  t: TestContext,
  behaviours: Readonly<Record<string, string>> = {},
  options: Partial<LocalClusterOptions> = {},
): Promise<Made> {
  const directory = makeTempDir(t);
  const ports = await freePorts(3);
  const plans = planNodes(directory, 3, { respPort: 1, httpPort: 1, peerPort: 1 }).map((plan, i) =>
    Object.assign(plan, { httpPort: ports[i] }),
  );
  for (const [id, behaviour] of Object.entries(behaviours)) {
    mkdirSync(join(directory, id));
    writeFileSync(join(directory, id, "behaviour"), behaviour);
  }
  const cluster = new LocalCluster({
    plans,
    host: "127.0.0.1",
    command: [process.execPath, STAND_IN],
    argsOf: (plan) => ["--data", plan.dataDir, "--http-port", String(plan.httpPort)],
    readyTimeoutMs: 20_000,
    stopTimeoutMs: 20_000,
    ...options,
  });
  t.after(() => cluster.kill());
  return { cluster, plans };
}

test("start waits for all nodes, stop ends all cleanly", async (t) => {
  const { cluster } = await makeCluster(t);
  await cluster.start();
  assert.equal(cluster.runningCount, 3);
  assert.equal(await cluster.stop(), true);
  assert.equal(cluster.runningCount, 0);
});

test("a node that does not start is named with its last words, and the others are stopped", async (t) => {
  const { cluster } = await makeCluster(t, { n2: "fails" });
  await assert.rejects(cluster.start(), {
    message: "n2 did not start: it ended with status 1: the disk is on fire",
    exitStatus: 1,
  });
  assert.equal(cluster.runningCount, 0);
});

test("a node that is never ready is named with its log, and the others are stopped", async (t) => {
  const { cluster, plans } = await makeCluster(t, { n3: "never-ready" }, { readyTimeoutMs: 500 });
  await assert.rejects(cluster.start(), (error: Error) => {
    assert.ok(
      error.message.startsWith(`n3 was not ready within 0.5 s; see ${plans[2].logPath}`),
      error.message,
    );
    return true;
  });
  assert.equal(cluster.runningCount, 0);
});

test("a node that dies is reported once with the reason, the others go on", async (t) => {
  const { cluster } = await makeCluster(t);
  await cluster.start();
  const reports: string[] = [];
  cluster.watch((node, reason) => reports.push(`${node.plan.id} ${reason}`));
  const [first] = cluster.nodes;
  assert.ok(first.pid !== undefined);
  process.kill(first.pid, "SIGKILL");
  await waitFor("the report", () => reports.length > 0);
  assert.deepEqual(reports, ["n1 was killed by SIGKILL"]);
  assert.equal(cluster.runningCount, 2);
  await cluster.stop();
  assert.equal(reports.length, 1, "what is stopped on purpose is not reported");
});

test("a node that does not stop in time is killed, and the stop is not clean", async (t) => {
  const { cluster } = await makeCluster(t, { n2: "stubborn" }, { stopTimeoutMs: 300 });
  await cluster.start();
  assert.equal(await cluster.stop(), false);
  assert.equal(cluster.runningCount, 0);
});

test("the last words of a log are found in plain lines and in JSON", () => {
  assert.equal(plainLogLine("minikey: port 1 is in use"), "port 1 is in use");
  assert.equal(
    plainLogLine('{"level":"error","msg":"write failed","err":{"message":"ENOSPC"}}'),
    "write failed: ENOSPC",
  );
  assert.equal(
    plainLogLine('{"level":"error","msg":"write failed","reason":"no space"}'),
    "write failed: no space",
  );
  assert.equal(plainLogLine("{broken"), "{broken");
});
