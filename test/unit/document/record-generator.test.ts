import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import { asBytes } from "../../../src/core/bytes.js";
import {
  type GeneratorOptions,
  type NameType,
  RecordGenerator,
  type TypedName,
} from "../../../src/document/record-generator.js";
import { RecordTextParser } from "../../../src/document/record-parser.js";
import { printEntry } from "../../../src/document/record-printer.js";

const NAMES: readonly TypedName[] = [
  { name: "name", type: "string" },
  { name: "age", type: "int" },
  { name: "height", type: "float" },
  { name: "street", type: "string" },
  { name: 'of "use"', type: "int" },
];

const OPTIONS: GeneratorOptions = { names: NAMES, depth: 2, stringLengthMax: 4, setSizeMax: 3, seed: 1 };

function generate(options: Partial<GeneratorOptions>, count: number): string {
  const generator = new RecordGenerator({ ...OPTIONS, ...options });
  const writer = new ByteWriter();
  for (let i = 0; i < count; i += 1) generator.write(writer);
  return writer.toBytes().utf8Slice();
}

/** The lines, taken apart by hand: no part of the product reads them. */
const linesOf = (text: string): string[] => {
  assert.ok(text.endsWith("\n"));
  return text.slice(0, -1).split("\n");
};

type RecordSet = { readonly [name: string]: string | number | RecordSet };

const parser = new RecordTextParser();

function parse(line: string): { key: string; json: string; document: RecordSet } {
  const bytes = asBytes(Buffer.from(line));
  assert.ok(parser.parse(bytes, 0, bytes.length), `${parser.reason}: ${line}`);
  const key = parser.key.utf8Slice(parser.keyStart, parser.keyEnd);
  const json = parser.value.utf8Slice(0, parser.valueEnd);
  return { key, json, document: JSON.parse(json) as RecordSet };
}

/** Sets in sets: 0 for a flat one. */
const depthOf = (set: RecordSet): number =>
  Math.max(0, ...Object.values(set).map((value) => (typeof value === "object" ? 1 + depthOf(value) : 0)));

function checkSet(set: RecordSet, options: GeneratorOptions): void {
  const entries = Object.entries(set);
  assert.ok(entries.length <= options.setSizeMax);
  for (const [name, value] of entries) {
    const named = options.names.find((candidate) => candidate.name === name);
    assert.ok(named !== undefined, name);
    if (typeof value === "object") checkSet(value, options);
    else if (named.type === "string") {
      assert.match(String(value), /^[A-Za-z0-9]+$/);
      assert.ok(typeof value === "string" && value.length <= options.stringLengthMax);
    } else {
      assert.ok(typeof value === "number" && value >= 0 && value < 10_000);
      assert.ok(named.type === "float" || Number.isInteger(value));
    }
  }
}

const GOLDEN = [
  '"key1" -> [ "age" -> [ "age" -> [ "height" -> 3520.45 | "name" -> "8fcJ" | "street" -> "lJxT" ] ] | "street" -> [ "street" -> [ "height" -> 3979.74 | "of \\"use\\"" -> 1485 ] | "age" -> 6390 | "height" -> [ "name" -> "ai" | "age" -> 6067 ] ] ]',
  '"key2" -> [ "name" -> "rhap" | "height" -> 5559.20 | "of \\"use\\"" -> [ "street" -> [ "of \\"use\\"" -> 5148 ] | "of \\"use\\"" -> [ "of \\"use\\"" -> 6400 ] | "name" -> "equr" ] ]',
  '"key3" -> [ "height" -> 5461.99 | "of \\"use\\"" -> 5792 | "name" -> "c" ]',
  '"key4" -> [ "street" -> [ "age" -> [ "height" -> 4342.75 ] | "name" -> [ "name" -> "R5" | "height" -> 5610.70 | "of \\"use\\"" -> 6520 ] | "of \\"use\\"" -> 8418 ] | "of \\"use\\"" -> 4089 ]',
];

test("a seed makes the same bytes on every machine", () => {
  assert.deepEqual(linesOf(generate({ seed: 42 }, 4)), GOLDEN);
  assert.notEqual(generate({ seed: 42 }, 4), generate({ seed: 43 }, 4));
  // Both halves of a large seed count.
  assert.notEqual(generate({ seed: 42 }, 4), generate({ seed: 42 + 2 ** 32 }, 4));
  assert.equal(generate({ seed: 2 ** 53 - 1 }, 4), generate({ seed: 2 ** 53 - 1 }, 4));
});

test("the first records are the same however many follow", () => {
  assert.ok(generate({}, 200).startsWith(generate({}, 100)));
});

test("what is generated is read back as the same values, and printed as it was generated", () => {
  const types = fc.constantFrom<NameType[]>("string", "int", "float");
  const names = fc
    .uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 40 })
    .chain((all) => fc.tuple(...all.map((name) => fc.record({ name: fc.constant(name), type: types }))));
  const options = fc.record({
    names,
    depth: fc.nat(6),
    stringLengthMax: fc.integer({ min: 1, max: 20 }),
    setSizeMax: fc.nat(45),
    seed: fc.maxSafeNat(),
  });
  fc.assert(
    fc.property(options, (chosen) => {
      const lines = linesOf(generate(chosen, 20));
      assert.equal(lines.length, 20);
      lines.forEach((line, i) => {
        const { key, json, document } = parse(line);
        assert.equal(key, `key${i + 1}`);
        checkSet(document, chosen);
        assert.ok(depthOf(document) <= chosen.depth);
        const bytes = asBytes(Buffer.from(json));
        assert.equal(printEntry(key, bytes, 0, bytes.length, "record"), line);
      });
    }),
  );
});

test("depth 0 is one flat set; other depths are reached, and not passed", () => {
  for (const depth of [0, 1, 2, 5]) {
    const depths = linesOf(generate({ depth }, 5_000)).map((line) => depthOf(parse(line).document));
    assert.equal(Math.max(...depths), depth);
  }
});

test("every size of a set, length of a string and name comes, and nothing beyond", () => {
  const documents = linesOf(generate({ depth: 0 }, 2_000)).map((line) => parse(line).document);
  const sizes = new Set(documents.map((document) => Object.keys(document).length));
  assert.deepEqual(sizes, new Set([0, 1, 2, 3]));
  const lengths = new Set(documents.flatMap(({ name }) => (typeof name === "string" ? [name.length] : [])));
  assert.deepEqual(lengths, new Set([1, 2, 3, 4]));
  assert.deepEqual(
    [...new Set(documents.flatMap((document) => Object.keys(document)))].toSorted(),
    NAMES.map(({ name }) => name).toSorted(),
  );
});

test("a set has no more keys than there are names; with at most 0 every set is empty", () => {
  const sizes = linesOf(generate({ setSizeMax: 100 }, 500)).map(
    (line) => Object.keys(parse(line).document).length,
  );
  assert.equal(Math.max(...sizes), NAMES.length);
  assert.equal(generate({ setSizeMax: 0 }, 2), '"key1" -> []\n"key2" -> []\n');
});

test("records stay small however deep they may nest", () => {
  const names = Array.from({ length: 500 }, (_, i): TypedName => ({ name: `n${i}`, type: "int" }));
  const lengths = linesOf(generate({ names, setSizeMax: 500, depth: 127 }, 100)).map(({ length }) => length);
  assert.ok(Math.max(...lengths) < 8 * 1024 * 1024);
  // Depth 127 is 128 sets in one another: what can be stored.
  for (const line of linesOf(generate({ depth: 127 }, 5_000))) parse(line);
});
