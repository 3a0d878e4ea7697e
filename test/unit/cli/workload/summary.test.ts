/** What the driver prints: lines, figures, and what counts as failed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { Lines, textOf } from "../../../../src/cli/workload/lines.js";
import { MODES, type ModeName } from "../../../../src/cli/workload/modes.js";
import { failuresOf, jsonOf, type ModeResult, summaryTable } from "../../../../src/cli/workload/summary.js";
import { type EndState, percentile, Tally } from "../../../../src/cli/workload/tally.js";
import { MinikeyError } from "../../../../src/core/errors.js";

const NODE = { name: "n2", label: "2", address: "127.0.0.1:6381" };
const EQUAL: EndState = { round: "put", keys: 7, isEqual: true, silent: [], differing: [], outdated: [] };

function makeResult(mode: ModeName, fields: Partial<Tally>): ModeResult {
  const tally = Object.assign(new Tally(), { endStates: [EQUAL] }, fields);
  return { mode: MODES[mode], keyspace: `workload-${mode}`, seconds: 1.5, tally };
}

test("a line shows the client, the node, the result and what was expected, as the original's", () => {
  const printed: string[] = [];
  const notes: string[] = [];
  const lines = new Lines(
    (line) => printed.push(line),
    (line) => notes.push(line),
    false,
  );
  const expected = { values: ["v"], anything: false };
  lines.read("0", NODE, "k", "v", expected, "");
  lines.read("0", NODE, "k", null, expected, "stale");
  lines.read("1", NODE, "k", "u", { values: ["u", null], anything: true }, "");
  lines.wrote("0", NODE, "k", "v", 1);
  const refused = new MinikeyError(
    "CONNECTION_LOST",
    "no node answers (127.0.0.1:6381: connection refused)",
    {
      outcome: "none",
    },
  );
  lines.failedRead("0", NODE, "k", refused, expected);
  lines.failedWrite("0", NODE, "k", null, refused);
  lines.failedWrite("0", NODE, "k", "v", new MinikeyError("OUTCOME_UNKNOWN", "no answer within 10 ms"));
  lines.read("0", NODE, "k", "v", expected, "");
  assert.deepEqual(printed, [
    "Client 0 Node 2 - GET k -> Result v --> Expected v",
    "Client 0 Node 2 - GET k -> Result null --> Expected v (stale)",
    "Client 1 Node 2 - GET k -> Result u --> Expected anything or u or null",
    "Client 0 Node 2 - GET k -> Error connection refused --> Expected v",
    "Client 0 Node 2 - REMOVE k -> Error connection refused",
    "Client 0 Node 2 - PUT k v -> Error no answer within 10 ms (it may be done all the same)",
    "Client 0 Node 2 - GET k -> Result v --> Expected v",
  ]);
  assert.deepEqual(notes, [
    "n2 (127.0.0.1:6381) does not answer: connection refused",
    "n2 (127.0.0.1:6381) answers again",
  ]);
});

test("-v shows each write and when it came to each node", () => {
  const printed: string[] = [];
  const lines = new Lines(
    (line) => printed.push(line),
    () => undefined,
    true,
  );
  lines.wrote("0", NODE, "k", "v", 1.23);
  lines.wrote("0", NODE, "k", null, 1.23);
  lines.arrived("0", NODE, "k", null, 4.56);
  assert.deepEqual(printed, [
    "Client 0 Node 2 - PUT k v -> OK after 1.2 ms",
    "Client 0 Node 2 - REMOVE k -> OK after 1.2 ms",
    "Client 0 Node 2 - HAS k -> null after 4.6 ms",
  ]);
});

test("a value that could be misread is in quotes", () => {
  assert.equal(textOf(null), "null");
  assert.equal(textOf("null"), '"null"');
  assert.equal(textOf(""), '""');
  assert.equal(textOf(" v"), '" v"');
  assert.equal(textOf("a\tb"), String.raw`"a\tb"`);
  assert.equal(textOf("http://host:80/"), "http://host:80/");
});

test("a percentile is the smallest value that so many are not above", () => {
  assert.equal(percentile([], 0.5), undefined);
  assert.equal(percentile([3], 0.99), 3);
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 1), 100);
});

test("the summary has a row a mode, and JSON the same figures", () => {
  const result = makeResult("eventual", { writes: 2, reads: 6, staleReads: 1, convergedMs: [1.5, 2.5] });
  const rows = stripVTControlCharacters(summaryTable([result, makeResult("sequential", {})])).split("\n");
  assert.match(rows[3], /│ eventual +│ 8 +│ 0 +│ 1 +│ 1\.5 ms +│ 2\.5 ms +│ 0 +│ equal \(7 keys\) +│/);
  assert.match(rows[5], /│ sequential +│ 0 +│/);
  assert.deepEqual(jsonOf(result), {
    mode: "eventual",
    keyspace: "workload-eventual",
    operations: 8,
    writes: 2,
    reads: 6,
    errors: 0,
    staleReads: 1,
    outOfOrder: 0,
    convergence: { writes: 2, p50Ms: 1.5, p99Ms: 2.5, maxMs: 2.5, missed: 0 },
    endStates: [EQUAL],
    seconds: 1.5,
  });
});

test("stale reads break the promise of linearizable alone; errors and nodes that differ fail every mode", () => {
  assert.deepEqual(failuresOf(makeResult("eventual", { staleReads: 3 })), []);
  assert.deepEqual(failuresOf(makeResult("sequential", { staleReads: 3 })), []);
  assert.deepEqual(failuresOf(makeResult("linearizable", { staleReads: 1 })), [
    "linearizable: 1 stale read, and there may be none",
  ]);
  assert.deepEqual(failuresOf(makeResult("sequential", { outOfOrder: 2 })), [
    "sequential: 2 reads do not fit into one order of writes",
  ]);
  const differing: EndState = { ...EQUAL, round: "remove", isEqual: false, differing: ["k"] };
  const silent: EndState = { ...EQUAL, silent: ["n3"] };
  assert.deepEqual(
    failuresOf(makeResult("eventual", { errors: 1, notConverged: 2, endStates: [silent, differing] })),
    [
      "eventual: 1 operation failed",
      "eventual: 2 writes were not on every node within 10 s",
      "eventual: after the round of puts n3 did not answer",
      "eventual: after the round of removes the nodes differ in 1 of 7 keys",
    ],
  );
});

test("a value that comes back after it was overwritten is a failure where one order of writes is promised", () => {
  const endStates = [{ ...EQUAL, outdated: ["k"] }];
  assert.deepEqual(failuresOf(makeResult("eventual", { endStates })), []);
  assert.deepEqual(failuresOf(makeResult("sequential", { endStates })), [
    "sequential: after the round of puts 1 of 7 keys shows what was overwritten",
  ]);
});
