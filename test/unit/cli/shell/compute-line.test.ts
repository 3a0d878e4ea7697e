import assert from "node:assert/strict";
import { test } from "node:test";
import { computeArguments, computeWords } from "../../../../src/cli/shell/compute-line.js";

test("words are cut at white space, a quoted path stays one word with its quotes", () => {
  assert.deepEqual(computeArguments('2 * (x + 3) WHERE x = QUERY "a b".c AND y=query "d e". "f'), [
    ...["2", "*", "(x", "+", "3)", "WHERE", "x", "=", "QUERY", '"a b".c', "AND", "y=query", '"d e".', '"f'],
  ]);
  assert.deepEqual(computeArguments(String.raw`x where x = QUERY "a \" b"."c d".e DEGREES`), [
    ...["x", "where", "x", "=", "QUERY", String.raw`"a \" b"."c d".e`, "DEGREES"],
  ]);
  // A quote in the middle of a segment is a letter of it.
  assert.deepEqual(computeArguments('x WHERE x = QUERY a"b c'), [
    ...["x", "WHERE", "x", "=", "QUERY", 'a"b', "c"],
  ]);
  assert.deepEqual(computeArguments("  "), []);
});

test("quotes that stay open reach to the end of the line", () => {
  assert.deepEqual(computeArguments('x WHERE x = QUERY "a b AND'), [
    ...["x", "WHERE", "x", "=", "QUERY", '"a b AND'],
  ]);
});

test("a formula in quotes, as a system shell needs it, is that formula", () => {
  assert.deepEqual(computeArguments("'cos(x) - 1' WHERE x = QUERY a"), [
    ...["cos(x)", "-", "1", "WHERE", "x", "=", "QUERY", "a"],
  ]);
  assert.deepEqual(computeArguments('"1+1"'), ["1+1"]);
});

test("words know where they stand and which of them are paths", () => {
  assert.deepEqual(computeWords("x WHERE x = QUERY a.b"), [
    { text: "x", start: 0, isPath: false },
    { text: "WHERE", start: 2, isPath: false },
    { text: "x", start: 8, isPath: false },
    { text: "=", start: 10, isPath: false },
    { text: "QUERY", start: 12, isPath: false },
    { text: "a.b", start: 18, isPath: true },
  ]);
});
