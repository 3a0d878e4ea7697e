import assert from "node:assert/strict";
import { test } from "node:test";
import { RECORDS_MAX } from "../../../src/codec/record-batch.js";
import { checkCommand } from "../../../src/commands/check.js";
import { runCommand } from "../../../src/commands/run.js";
import { COMMANDS } from "../../../src/commands/table.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { makeArgs } from "../../../src/node/node-commands.js";
import { plain } from "../../support/commands.js";
import { MemoryView } from "../../support/memory-database.js";
import { recordsOf, type TestRecord } from "../../support/records.js";

const SPEC = COMMANDS.byName("KV.LOAD")!;
const LIMITS = { valueBytesMax: 10_000 };

/** What the command replies, with its code when it is refused. */
function load(view: MemoryView, records: string, limits = LIMITS): unknown {
  const args = makeArgs(["KV.LOAD", "any", records]);
  try {
    checkCommand(SPEC, args, limits);
  } catch (error) {
    assert(error instanceof MinikeyError);
    return error.code;
  }
  return plain(runCommand(SPEC, view, args));
}

test("records are stored in order, with their types, and the created ones are counted", () => {
  const view = new MemoryView();
  const first: TestRecord[] = [
    ["a", "1"],
    ["é", '{"n":[1,2.50]}', "json"],
    ["a", ""],
  ];
  assert.equal(load(view, recordsOf(...first)), 2);
  assert.equal(load(view, recordsOf(["a", "x".repeat(300)], ["b", "2"])), 1);
  const found = ["a", "\u00c3\u00a9", "b"].map((key) => {
    const { type, bytes, start, end } = view.get(key)!;
    return [type, bytes.utf8Slice(start, end)];
  });
  assert.deepEqual(found, [
    ["string", "x".repeat(300)],
    ["json", '{"n":[1,2.50]}'],
    ["string", "2"],
  ]);
});

test("more records than a node stores at once are refused, and nothing of them is stored", () => {
  const records = Array.from({ length: RECORDS_MAX + 1 }, (_, i): TestRecord => [`key${i}`, "1"]);
  const view = new MemoryView();
  const limits = { valueBytesMax: 1_000_000 };
  assert.equal(load(view, recordsOf(...records), limits), "BAD_REQUEST");
  assert.equal(view.count(), 0);
  assert.equal(load(view, recordsOf(...records.slice(1)), limits), RECORDS_MAX);
});

test("one record that cannot be stored is the end of the batch, and nothing of it is stored", () => {
  const view = new MemoryView();
  for (const [bad, code] of [
    [["", "1"], "KEY_EMPTY"],
    [["k".repeat(1025), "1"], "KEY_TOO_LARGE"],
    [["b", '{"n":}', "json"], "BAD_REQUEST"],
    [["b", "", "json"], "BAD_REQUEST"],
    [["b", '{"n": 1}', "json"], "BAD_REQUEST"],
    [["b", '[{"n":1,"n":2}]', "json"], "BAD_REQUEST"],
  ] as [TestRecord, string][]) {
    assert.equal(load(view, recordsOf(["a", "1"], bad, ["c", "1"])), code);
  }
  assert.equal(load(view, recordsOf(["a", "x".repeat(10_000)])), "VALUE_TOO_LARGE");
  assert.equal(view.count(), 0);
});

test("what is no batch of records is refused, wherever it is cut off", () => {
  const view = new MemoryView();
  const whole = recordsOf(["key", "value"]);
  for (let length = 1; length < whole.length; length += 1) {
    assert.equal(load(view, whole.slice(0, length)), "BAD_REQUEST");
  }
  assert.equal(load(view, `\u0002${whole.slice(1)}`), "BAD_REQUEST");
  assert.equal(view.count(), 0);
});
