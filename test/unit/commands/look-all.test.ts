import assert from "node:assert/strict";
import { test } from "node:test";
import { findAll } from "../../../src/commands/look-all.js";
import type { Entry } from "../../../src/commands/types.js";
import { utf8ToBytes } from "../../../src/core/bytes.js";

const MIB = 1024 * 1024;

function entryOf(text: string, type: Entry["type"] = "json"): Entry {
  const bytes = utf8ToBytes(text);
  return { type, bytes, start: 0, end: bytes.length, expiresAtMs: 0, version: 1 };
}

/** A document of 2 MiB: one field at its beginning, one at its end. */
const large = (): Entry => entryOf(`{"first":1,"pad":"${"x".repeat(2 * MIB)}","last":2}`);

test("lookups in several entries come back in their order", () => {
  const one = entryOf('{"a":{"b":1},"c":[5]}');
  const other = entryOf('{"a":2}');
  const text = entryOf("hello", "string");
  const lookups = [
    { entry: one, path: ["c", "0"] },
    { entry: other, path: ["a"] },
    { entry: text, path: ["x"] },
    { entry: one, path: ["a", "b"] },
    { entry: text, path: [] },
    { entry: one, path: [] },
  ];
  const found = findAll(lookups).map((at, i) =>
    at.kind === "value" ? lookups[i].entry.bytes.latin1Slice(at.start, at.end) : at.at,
  );
  assert.deepEqual(found, ["5", "2", "text", "1", "hello", '{"a":{"b":1},"c":[5]}']);
});

test("more text than holds the node for a tenth of a second is not walked over", () => {
  const entries = Array.from({ length: 20 }, large);
  const lookupsOf = (path: readonly string[], count: number) =>
    entries.slice(0, count).map((entry) => ({ entry, path }));
  assert.equal(findAll(lookupsOf(["last"], 16)).length, 16);
  assert.equal(findAll(lookupsOf(["first"], 20)).length, 20, "what is found at once costs nothing");
  assert.equal(findAll(lookupsOf([], 20)).length, 20, "whole values are not walked over");
  const refusal = {
    code: "BAD_REQUEST",
    message: "the paths lead through more than 32 MiB of documents: ask for fewer at a time",
  };
  assert.throws(() => findAll(lookupsOf(["last"], 20)), refusal);
  assert.throws(() => findAll(lookupsOf(["missing"], 20)), refusal);
  const again = Array.from({ length: 500 }, () => ({ entry: entries[0], path: ["last"] }));
  const startMs = performance.now();
  assert.equal(findAll(again.slice(0, 1)).length, 1);
  const oneMs = performance.now() - startMs;
  assert.equal(findAll(again).length, 500);
  const allMs = performance.now() - startMs - oneMs;
  assert(allMs < 100 * oneMs + 20, `one document is walked over once: ${oneMs} ms, then ${allMs} ms`);
});
