import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { asBytes, utf8ToBytes } from "../../../src/core/bytes.js";
import type { Found, MissingPart } from "../../../src/document/found.js";
import { lookUp } from "../../../src/document/lookup.js";
import { anyDocument, anyName, escapedJson, type Json } from "./documents.js";

/** Looks up in text that stands between other text, which must not matter. */
function find(text: string, path: readonly string[]): { found: Found; value: string | undefined } {
  const before = '"a\\';
  const bytes = asBytes(Buffer.from(`${before}${text}],"a":[1]}`));
  const start = before.length;
  const found = lookUp(bytes, start, start + Buffer.byteLength(text), path);
  const value = found.kind === "value" ? bytes.utf8Slice(found.start, found.end) : undefined;
  return { found, value };
}

function valueAt(document: Json, path: readonly string[]): Json | MissingPart | undefined {
  let value = document;
  for (const [depth, segment] of path.entries()) {
    const missing = (at: MissingPart["at"], elements = 0): MissingPart => ({
      kind: "missing",
      depth,
      at,
      elements,
    });
    if (value === null) return missing("null");
    if (typeof value === "string") return missing("text");
    if (typeof value === "number") return missing("number");
    if (typeof value === "boolean") return missing("boolean");
    if (Array.isArray(value)) {
      const position = String(Number(segment)) === segment ? Number(segment) : -1;
      if (!(position in value)) return missing("array", value.length);
      value = value[position];
    } else {
      if (!Object.hasOwn(value, segment)) return missing("object");
      value = value[segment];
    }
  }
  return { found: value };
}

/** Ways that exist for about as far as they go, and others. */
function anyPathInto(document: Json): fc.Arbitrary<string[]> {
  const ways: string[][] = [[]];
  const walk = (value: Json, way: string[]): void => {
    if (typeof value !== "object" || value === null) return;
    for (const name of Object.keys(value)) {
      const next = [...way, name];
      ways.push(next);
      walk((value as Record<string, Json>)[name], next);
    }
  };
  walk(document, []);
  return fc
    .tuple(fc.constantFrom(...ways), fc.option(anyName, { freq: 3 }))
    .map(([way, more]) => (more === null ? way : way.concat(more)));
}

test("a path leads to what it leads to in the parsed document, however names are written", () => {
  const cases = anyDocument.chain((document) => fc.tuple(fc.constant(document), anyPathInto(document)));
  fc.assert(
    fc.property(cases, ([document, path]) => {
      const expected = valueAt(document, path);
      for (const text of [JSON.stringify(document), escapedJson(document)]) {
        const { found, value } = find(text, path);
        if (value === undefined) assert.deepEqual(found, expected, `${text} ${JSON.stringify(path)}`);
        else
          assert.deepEqual({ found: JSON.parse(value) as Json }, expected, `${text} ${JSON.stringify(path)}`);
      }
    }),
    { numRuns: 3000 },
  );
});

test("a value is found with exactly its bytes", () => {
  const text =
    '{"s":"a\\"]}","n":-1.5e+9,"t":true,"o":{"l":[[],{},"]"]},"u\\u0061":1,"long":"' +
    "x\\\\".repeat(50) +
    '"}';
  const cases: [string[], string][] = [
    [[], text],
    [["s"], '"a\\"]}"'],
    [["n"], "-1.5e+9"],
    [["t"], "true"],
    [["o"], '{"l":[[],{},"]"]}'],
    [["o", "l", "1"], "{}"],
    [["o", "l", "2"], '"]"'],
    [["ua"], "1"],
    [["long"], `"${"x\\\\".repeat(50)}"`],
  ];
  for (const [path, value] of cases) assert.equal(find(text, path).value, value, path.join("."));
});

test("half a character is no name but its own", () => {
  assert.equal(find('{"\ufffd":1,"\\ud800":2}', ["\ud800"]).value, "2");
  assert.equal(find('{"\ufffd":1}', ["\ud800"]).found.kind, "missing");
});

test("only digits without leading zeros are a position", () => {
  for (const segment of ["00", "01", "-1", "+1", "1.0", "1e0", " 1", "", "3", "4294967296", "9".repeat(30)]) {
    const { found } = find('["a","b","c"]', [segment]);
    assert.deepEqual(found, { kind: "missing", depth: 0, at: "array", elements: 3 }, segment);
  }
});

test("deep and large documents are walked, not climbed", () => {
  const depth = 100_000;
  const text = utf8ToBytes(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);
  assert.equal(lookUp(text, 0, text.length, ["b"]).kind, "missing");
  const path = Array.from({ length: 1000 }, () => "a");
  assert.equal(lookUp(text, 0, text.length, path).kind, "value");
});
