import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, MinikeyError, startNode } from "../../../src/client/index.js";
import { testClient } from "../../contract/client-contract.js";
import { startMemoryServer } from "../../support/memory-server.js";
import { makeTempDir } from "../../support/temp-dir.js";

testClient("over a socket", async (t) => {
  const server = await startMemoryServer();
  const client = connect(server.address);
  t.after(async () => {
    await client.close();
    await server.stop();
  });
  return client;
});

testClient("over a socket, without a session", async (t) => {
  const server = await startMemoryServer();
  const client = connect(`redis://${server.address}`, { session: false });
  t.after(async () => {
    await client.close();
    await server.stop();
  });
  return client;
});

testClient("inside the process", async (t) => {
  const place = makePlace();
  const node = await startNode({ dataDir: place.dataDir, partitions: 4 });
  t.after(async () => {
    await node.stop();
    place.remove();
  });
  return node.client();
});

test("an embedded node keeps its data over a restart, and its directory to itself", async (t) => {
  const { dataDir, remove } = makePlace();
  const first = await startNode({ dataDir });
  await first.client().put("k", { n: 1 });
  await assert.rejects(startNode({ dataDir }), { code: "DATA_IN_USE" });
  await first.stop();
  const second = await startNode({ dataDir });
  t.after(async () => {
    await second.stop();
    remove();
  });
  assert.deepEqual(await second.client().get("k"), { n: 1 });
});

/** A directory that outlives the node in it: what is registered with a test first is also undone first. */
function makePlace(): { readonly dataDir: string; readonly remove: () => void } {
  let remove = (): void => {};
  const dataDir = makeTempDir({
    after: (undo) => {
      remove = undo as () => void;
    },
  });
  return { dataDir, remove: () => remove() };
}

test("a wrong address and a missing directory are told at once", async () => {
  assert.throws(() => connect([]), MinikeyError);
  assert.throws(() => connect("host:port"), { code: "BAD_REQUEST" });
  await assert.rejects(startNode({ dataDir: "" }), { code: "BAD_CONFIG" });
});
