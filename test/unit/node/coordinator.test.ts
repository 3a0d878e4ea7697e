/** Replies of parts put together to a command's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reply } from "../../../src/commands/reply.js";
import { COMMANDS } from "../../../src/commands/table.js";
import { copyArgs } from "../../../src/commands/types.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { gatherAll, sumOf } from "../../../src/node/coordinator.js";
import { makeArgs } from "../../../src/node/node-commands.js";

const refused = new MinikeyError("NO_QUORUM", "refused");
const unknown = new MinikeyError("OUTCOME_UNKNOWN", "unknown");

function codeOf(name: string, replies: readonly Reply[]): unknown {
  const spec = COMMANDS.byName(name);
  assert(spec !== undefined);
  const reply = sumOf(replies, spec.access);
  return reply instanceof MinikeyError ? reply.code : reply;
}

test("the parts of a sum are added up", () => {
  assert.equal(codeOf("DEL", [1, 0, 2]), 3);
  assert.equal(codeOf("EXISTS", []), 0);
});

test("a write that was carried out in part, or may have been, has an unknown outcome", () => {
  assert.equal(codeOf("DEL", [refused, refused]), "NO_QUORUM");
  assert.equal(codeOf("DEL", [0, refused]), "NO_QUORUM", "what changed nothing does not matter");
  assert.equal(codeOf("DEL", [1, refused]), "OUTCOME_UNKNOWN");
  assert.equal(codeOf("DEL", [refused, unknown]), "OUTCOME_UNKNOWN", "whichever comes first");
  assert.equal(codeOf("DEL", [unknown, refused]), "OUTCOME_UNKNOWN");
});

test("a read that fails in part has failed", () => {
  assert.equal(codeOf("EXISTS", [1, refused]), "NO_QUORUM");
});

test("replies come together in the order of the questions", () => {
  const all: (readonly Reply[])[] = [];
  const collect = (replies: readonly Reply[]) => all.push(replies);
  const finish = gatherAll(3, collect);
  finish(2, "c");
  finish(0, "a");
  assert.equal(all.length, 0);
  finish(1, "b");
  gatherAll(0, collect);
  assert.deepEqual(all, [["a", "b", "c"], []]);
});

test("copied arguments do not change with the buffer that they came in", () => {
  const args = makeArgs(["SET", "key", "value"]);
  const copy = copyArgs(args);
  args.bytes.fill(0);
  assert.deepEqual([copy.key(0), copy.key(1), copy.key(2), copy.count], ["SET", "key", "value", 3]);
});
