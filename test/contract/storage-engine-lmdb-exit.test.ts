import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { closeGate, newGate, passGate } from "../../src/platform/lmdb/gate.js";
import { makeTempDir } from "../support/temp-dir.js";

const CHILD = fileURLToPath(new URL("../support/engine-exit-child.js", import.meta.url));
const ENDS_WITHIN_MS = 30_000;

test("a process that exits in the middle of a checkpoint ends", (t) => {
  let inTheMiddle = 0;
  for (const afterMs of [20, 60, 100, 140]) {
    const args = [CHILD, makeTempDir(t), `${afterMs}`];
    const { status, signal } = spawnSync(process.execPath, args, { timeout: ENDS_WITHIN_MS });
    assert.equal(signal, null, `after ${afterMs} ms it does not end by itself`);
    if (status === 3) inTheMiddle += 1;
  }
  assert(inTheMiddle > 0, "no checkpoint was under way");
});

test("a gate lets one job through after the other, until it is closed", () => {
  const gate = newGate();
  const done: string[] = [];
  passGate(gate, () => {
    done.push("first");
    assert.equal(closeGate(gate, 0), false, "a job is under way");
  });
  assert.throws(() => passGate(gate, () => assert.fail("as planned")), /as planned/);
  passGate(gate, () => done.push("second"));
  assert.equal(closeGate(gate, 0), true);
  passGate(gate, () => done.push("too late"));
  assert.equal(closeGate(gate, 0), true);
  assert.deepEqual(done, ["first", "second"]);
});
