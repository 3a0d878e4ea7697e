/** The file that says whose a data directory is: believed whole, or not at all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MapDisk } from "../../../sim/disk/map-disk.js";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { nodeId } from "../../../src/core/ids.js";
import { type Identity, readIdentity, writeIdentity } from "../../../src/node/identity.js";

const MEMBER: Identity = {
  nodeId: nodeId("n2"),
  clusterId: "a1b2c3",
  memberNumber: 2,
  incarnation: 3,
  disk: "k3j4",
  stage: "formed",
};

async function textOf(identity: Identity): Promise<string> {
  const disk = new MapDisk();
  await writeIdentity(disk, identity);
  return disk.files.get("identity.json")?.latin1Slice() ?? "";
}

async function outcomeOf(text: string): Promise<unknown> {
  const disk = new MapDisk(new Map([["identity.json", latin1ToBytes(text)]]));
  try {
    return await readIdentity(disk);
  } catch (error) {
    assert(error instanceof MinikeyError, String(error));
    return error.code;
  }
}

test("an identity is read as it was written", async () => {
  for (const identity of [MEMBER, { ...MEMBER, rebuilt: true }]) {
    assert.deepEqual(await outcomeOf(await textOf(identity)), identity);
  }
  assert.equal(await readIdentity(new MapDisk()), undefined);
});

test("no change of one character passes for an identity of another kind", async () => {
  const text = await textOf(MEMBER);
  for (let i = 0; i < text.length; i += 1) {
    for (const bit of [1, 2, 4, 8, 16, 64]) {
      const changed = String.fromCharCode(text.charCodeAt(i) ^ bit);
      const outcome = await outcomeOf(text.slice(0, i) + changed + text.slice(i + 1));
      // White space carries nothing, nor does the name of the checksum: the rest is as it was.
      if (typeof outcome === "object") assert.deepEqual(outcome, MEMBER, `character ${i} as '${changed}'`);
      else assert.equal(outcome, "DATA_CORRUPT", `character ${i} as '${changed}'`);
    }
  }
});

test("what is no identity is called damaged, and what a later version wrote is not", async () => {
  const parts = { format: 1, ...MEMBER };
  const halves = [
    { ...parts, incarnation: 0 },
    { ...parts, memberNumber: "2" },
    { ...parts, disk: undefined },
    { ...parts, stage: "retired" },
    { ...parts, clusterId: "" },
    { ...parts, checksum: 7 },
    { ...parts, format: 0 },
    { ...parts, format: 9, checksum: 7 },
  ];
  for (const text of ["", "{", "null", "7", "[]", "{}", ...halves.map((half) => JSON.stringify(half))]) {
    assert.equal(await outcomeOf(text), "DATA_CORRUPT", text);
  }
  assert.equal(await outcomeOf('{"format":2,"who":"knows"}'), "DATA_NEWER");
});
