import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { utf8ToBytes } from "../../../src/core/bytes.js";
import { lookUp } from "../../../src/document/lookup.js";
import { lookUpAll } from "../../../src/document/lookup-all.js";
import { anyDocument, anyName, escapedJson, type Json } from "./documents.js";

/** The ways to everything in the document. */
function waysInto(document: Json): string[][] {
  const ways: string[][] = [[]];
  const walk = (value: Json, way: string[]): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      const next = [...way, name];
      ways.push(next);
      walk(inner, next);
    }
  };
  walk(document, []);
  return ways;
}

test("many paths at once lead where each of them leads alone", () => {
  const documentAndPaths = anyDocument.chain((document) => {
    const way = fc.constantFrom(...waysInto(document));
    const beyond = fc
      .tuple(way, fc.oneof(anyName, fc.constantFrom("0", "7", "00", "-1")))
      .map(([start, more]) => start.concat(more));
    return fc.tuple(fc.constant(document), fc.array(fc.oneof(way, beyond), { maxLength: 12 }), fc.boolean());
  });
  const reached = { value: 0, missing: 0 };
  fc.assert(
    fc.property(documentAndPaths, ([document, paths, isEscaped]) => {
      const before = '"a\\';
      const json = isEscaped ? escapedJson(document) : JSON.stringify(document);
      const bytes = utf8ToBytes(`${before}${json}],"a":[1]}`);
      const end = before.length + utf8ToBytes(json).length;
      const alone = paths.map((path) => lookUp(bytes, before.length, end, path));
      assert.deepEqual(lookUpAll(bytes, before.length, end, paths), alone);
      for (const { kind } of alone) reached[kind] += 1;
    }),
    { numRuns: 2_000 },
  );
  assert(reached.value > 1_000 && reached.missing > 1_000, JSON.stringify(reached));
});

test("hundreds of paths to the end of a large document cost about as much as one walk over it", () => {
  const people = Array.from({ length: 40_000 }, (_, i) => [`person${i}`, { age: i, tags: ["a", i] }]);
  const bytes = utf8ToBytes(JSON.stringify(Object.fromEntries(people)));
  const paths = Array.from({ length: 500 }, (_, i) => [`person${39_999 - i}`, "age"]);
  const timed = (run: () => void): number => {
    let bestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i += 1) {
      const startMs = performance.now();
      run();
      bestMs = Math.min(bestMs, performance.now() - startMs);
    }
    return bestMs;
  };
  const oneMs = timed(() => lookUp(bytes, 0, bytes.length, paths[0]));
  const allMs = timed(() => lookUpAll(bytes, 0, bytes.length, paths));
  // Five hundred walks would take five hundred times as long.
  assert(allMs < 40 * oneMs, `one ${oneMs} ms, all ${allMs} ms`);
});

test("text that is no document ends the walk", () => {
  const end = (text: string) => {
    const bytes = utf8ToBytes(text);
    return () => lookUpAll(bytes, 0, bytes.length, [["a", "b"], ["a"], ["c", "0"]]);
  };
  for (const text of [
    "",
    "{",
    '{"a',
    '{"a"',
    '{"a":',
    '{"a":{"b',
    "[",
    "[1",
    '{"c":[',
    '{"a":1 "b":2',
    "{]",
    "[}",
    "}{",
  ]) {
    try {
      end(text)();
    } catch (error) {
      assert.equal((error as { code?: string }).code, "DATA_CORRUPT", `${text}: ${String(error)}`);
    }
  }
});
