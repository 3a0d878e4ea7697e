import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { planNodes, resolveShape, startArgs, storeShape } from "../../../../src/cli/cluster/layout.js";
import { checkPorts } from "../../../../src/cli/cluster/ports.js";
import { freePorts } from "../../../support/ports.js";
import { makeTempDir } from "../../../support/temp-dir.js";

test("a new cluster has three nodes with three replicas, or what the flags say", async (t) => {
  const dir = makeTempDir(t);
  assert.deepEqual(await resolveShape(dir, {}), { nodes: 3, replicas: 3, partitions: undefined });
  assert.deepEqual(await resolveShape(dir, { nodes: 1 }), { nodes: 1, replicas: 1, partitions: undefined });
  assert.deepEqual(await resolveShape(dir, { nodes: 5, partitions: 8 }), {
    nodes: 5,
    replicas: 3,
    partitions: 8,
  });
  await assert.rejects(resolveShape(dir, { nodes: 2, replicas: 3 }), { exitStatus: 2 });
});

test("a second start goes on with what is stored, and refuses to be told otherwise", async (t) => {
  const dir = makeTempDir(t);
  const shape = { nodes: 5, replicas: 3, partitions: 8 };
  await storeShape(dir, shape);
  assert.deepEqual(await resolveShape(dir, {}), shape);
  assert.deepEqual(await resolveShape(dir, { nodes: 5 }), shape);
  await assert.rejects(
    resolveShape(dir, { nodes: 3 }),
    /holds a cluster made with --nodes 5, so --nodes 3 is not possible/,
  );
  await assert.rejects(resolveShape(dir, { partitions: 12 }), /--partitions 8, so --partitions 12/);
});

test("a damaged or newer description is named", async (t) => {
  const dir = makeTempDir(t);
  const path = join(dir, "cluster.json");
  for (const [text, reason] of [
    ["{", /is damaged/],
    ['{"format":1,"nodes":0,"replicas":3}', /is damaged/],
    ['{"format":2}', /newer version/],
  ] as const) {
    writeFileSync(path, text);
    await assert.rejects(resolveShape(dir, {}), reason);
    assert.equal(readFileSync(path, "utf8"), text);
  }
});

test("every node gets its own ports and directory, and the list of all", () => {
  const plans = planNodes("/d", 2, { respPort: 6380, httpPort: 8000, peerPort: 7380 });
  assert.equal(
    startArgs(plans[1], plans, "127.0.0.1", { nodes: 2, replicas: 2, partitions: undefined }).join(" "),
    "start --id n2 --data /d/n2 --host 127.0.0.1 --resp-port 6381 --http-port 8001 --peer-port 7381 " +
      "--cluster n1=127.0.0.1:7380,n2=127.0.0.1:7381 --replicas 2",
  );
});

test("a port in use is named before anything is started", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const [resp, peer] = await freePorts(2);
  const first = { respPort: resp, httpPort: port, peerPort: peer };
  await assert.rejects(checkPorts(planNodes("/d", 1, first), "127.0.0.1"), {
    message: `port ${port} (the HTTP port of n1) is in use. Is the cluster running already? Other ports: --http-port`,
  });
});

test("ports that overlap or run out are named", async () => {
  const overlap = planNodes("/d", 3, { respPort: 42_001, httpPort: 42_002, peerPort: 42_100 });
  await assert.rejects(
    checkPorts(overlap, "127.0.0.1"),
    /port 42002 would be the HTTP port of n1 and the RESP port of n2/,
  );
  const beyond = planNodes("/d", 1, { respPort: 65_536, httpPort: 1, peerPort: 2 });
  await assert.rejects(checkPorts(beyond, "127.0.0.1"), /would be 65536, beyond 65535/);
});
