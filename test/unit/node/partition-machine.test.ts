/** What a partition does with batches: once each, in order, and nothing behind a lock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { groupId } from "../../../src/core/ids.js";
import { encodePreparePart } from "../../../src/node/node-commands.js";
import { plain } from "../../support/sim/client.js";
import { apply, newMachine } from "./partition-fixture.js";

const SESSION = 77;
const OTHER = 88;

function prepare(
  id: string,
  keys: readonly string[],
): readonly (string | ReturnType<typeof encodePreparePart>)[] {
  const part = encodePreparePart({
    participants: [groupId(7)],
    checks: keys.map((key) => ({ key, version: -1 })),
    writes: [],
    wantsValues: false,
  });
  return ["TXN.PREPARE", id, part];
}

test("a repeat of a batch gets the first replies and changes nothing", async () => {
  const machine = await newMachine();
  const batch = {
    session: SESSION,
    sequence: 1,
    commands: [
      ["INCR", "n"],
      ["INCR", "n"],
    ],
  };
  assert.deepEqual(apply(machine, batch).replies, [1, 2]);
  const repeat = apply(machine, batch);
  assert.equal(repeat.status, "applied");
  assert.deepEqual(repeat.replies, [1, 2]);
  assert.deepEqual(apply(machine, { session: SESSION, sequence: 2, commands: [["INCR", "n"]] }).replies, [3]);
});

test("a batch is blocked at the first command that meets a lock, and so is its repeat", async () => {
  const machine = await newMachine();
  apply(machine, { session: OTHER, sequence: 1, commands: [prepare("t", ["held"])] });
  const batch = {
    session: SESSION,
    sequence: 1,
    commands: [
      ["SET", "free", "1"],
      ["SET", "held", "2"],
    ],
  };
  const first = apply(machine, batch);
  assert.equal(first.status, "blocked");
  assert.deepEqual(first.replies.map(plain), ["OK"]);
  const repeat = apply(machine, batch);
  assert.equal(repeat.status, "blocked", "else its origin would take the rest for done, and wait for ever");
  assert.deepEqual(repeat.replies.map(plain), ["OK"]);
});
