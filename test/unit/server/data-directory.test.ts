/** What a start makes of a data directory before anything in it is opened. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MapDisk } from "../../../sim/disk/map-disk.js";
import { SeededRandom } from "../../../sim/world/random.js";
import { type Bytes, latin1ToBytes } from "../../../src/core/bytes.js";
import { nodeId } from "../../../src/core/ids.js";
import { type Identity, readIdentity } from "../../../src/node/identity.js";
import { systemClock } from "../../../src/platform/clock.js";
import { prepareDirectory } from "../../../src/server/data-directory.js";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

function prepare(files: Map<string, Bytes>): Promise<Identity> {
  return prepareDirectory({
    id: nodeId("n1"),
    dataDir: "data",
    founders: [{ id: nodeId("n1"), address: "n1:1" }],
    rebuild: false,
    disk: new MapDisk(files),
    random: new SeededRandom(1),
    clock: systemClock(),
    logger: quiet,
    transportOf: () => assert.fail("nobody is asked"),
    meetCluster: async () => undefined,
  });
}

for (const path of ["wal/000001.log", "disk/data.mdb", "memory/0/1.snapshot"]) {
  test(`data without an identity is refused, not thrown away: ${path}`, async () => {
    const files = new Map([[path, latin1ToBytes("all that there is")]]);
    await assert.rejects(prepare(files), { code: "DATA_CORRUPT", message: /identity\.json is missing/ });
    assert.deepEqual([...files.keys()], [path]);
  });
}

test("an empty directory becomes that of a new node", async () => {
  const files = new Map<string, Bytes>();
  const { stage, nodeId: id } = await prepare(files);
  assert.deepEqual([stage, id], ["fresh", "n1"]);
  assert.equal((await readIdentity(new MapDisk(files)))?.stage, "fresh");
});

test("what lies beside the identity of a node that is no member yet is removed", async () => {
  const files = new Map<string, Bytes>();
  await prepare(files);
  files.set("wal/000001.log", latin1ToBytes("of an earlier life"));
  await prepare(files);
  assert.deepEqual([...files.keys()], ["identity.json"]);
});
