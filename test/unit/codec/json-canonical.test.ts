import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { canonicalJson } from "../../../src/codec/json-canonical.js";
import { JsonTextScanner } from "../../../src/codec/json-text.js";
import { asBytes, utf8ToBytes } from "../../../src/core/bytes.js";

/** A document as text has it: an object is a list of fields, whose names may come twice. */
type Tree = string | Tree[] | { readonly fields: readonly (readonly [name: string, value: Tree])[] };

const NAMES = [
  "a",
  "b",
  "",
  "aa",
  "ab",
  "ba",
  "é",
  "\ud800",
  "\ufffd",
  '"',
  "\\",
  "\\u0061",
  "1",
  "0",
  "__proto__",
];

const anyTree = (names: fc.Arbitrary<string>, fieldsMax: number): fc.Arbitrary<Tree> =>
  fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, depthSize: "medium" },
      fc.constantFrom<Tree>("1", "2.50", "12345678901234567890", '"x"', '"\\u0061\\" {"', "null", "true"),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.array(fc.tuple(names, tie("tree")), { maxLength: fieldsMax }).map((fields) => ({ fields })),
    ),
  })).tree;

const anySpace = fc.constantFrom("", "", " ", "\n\t");

function escaped(name: string): string {
  let text = "";
  for (let i = 0; i < name.length; i += 1) text += `\\u${name.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return text;
}

/** `spell` gives the whitespace of the next place, and whether to escape the next name. */
function textOf(tree: Tree, spell: () => readonly [space: string, isEscaped: boolean]): string {
  const space = (): string => spell()[0];
  if (typeof tree === "string") return tree;
  if (Array.isArray(tree)) {
    return `[${space()}${tree.map((item) => textOf(item, spell)).join(`${space()},${space()}`)}${space()}]`;
  }
  const fields = tree.fields.map(([name, value]) => {
    const quoted = spell()[1] ? `"${escaped(name)}"` : JSON.stringify(name);
    return `${quoted}${space()}:${space()}${textOf(value, spell)}`;
  });
  return `{${space()}${fields.join(`${space()},${space()}`)}${space()}}`;
}

function hasTwice(tree: Tree): boolean {
  if (typeof tree === "string") return false;
  if (Array.isArray(tree)) return tree.some(hasTwice);
  const names = tree.fields.map(([name]) => name);
  return new Set(names).size < names.length || tree.fields.some(([, value]) => hasTwice(value));
}

/** The tree as it is to be stored. */
function canonicalTree(tree: Tree): Tree {
  if (typeof tree === "string") return tree;
  if (Array.isArray(tree)) return tree.map(canonicalTree);
  const fields = new Map<string, Tree>();
  for (const [name, value] of tree.fields) fields.set(name, canonicalTree(value));
  return { fields: [...fields] };
}

const spelling = fc.infiniteStream(fc.tuple(anySpace, fc.boolean()));

for (const [what, names, fieldsMax] of [
  ["few names", fc.constantFrom(...NAMES), 6],
  ["many names", fc.oneof(fc.constantFrom(...NAMES), fc.nat(60).map(String)), 60],
] as const) {
  test(`a name that comes twice is noticed, however written and wherever, among ${what}`, () => {
    fc.assert(
      fc.property(anyTree(names, fieldsMax), spelling, (tree, stream) => {
        const text = utf8ToBytes(textOf(tree, () => stream.next().value as [string, boolean]));
        const scanner = new JsonTextScanner();
        assert.equal(scanner.value(text, 0, text.length), text.length);
        assert.equal(scanner.hasUniqueNames, !hasTwice(tree), text.utf8Slice());
      }),
      { numRuns: 1500 },
    );
  });

  test(`the canonical text is compact, has each name once, and means the same, among ${what}`, () => {
    fc.assert(
      fc.property(anyTree(names, fieldsMax), spelling, anySpace, (tree, stream, around) => {
        const text = around + textOf(tree, () => stream.next().value as [string, boolean]) + around;
        const bytes = asBytes(Buffer.from(`x${text}x`));
        const canonical = canonicalJson(bytes, 1, bytes.length - 1);
        assert.ok(canonical.kind === "canonical");
        const written = canonical.bytes.utf8Slice(canonical.start, canonical.end);
        assert.deepEqual(JSON.parse(written), JSON.parse(text));
        // Names may keep their escapes; all else is the same byte for byte.
        assert.equal(
          unescapeNames(written),
          textOf(canonicalTree(tree), () => ["", false]),
        );
        const again = canonicalJson(canonical.bytes, canonical.start, canonical.end);
        assert.ok(again.kind === "canonical" && again.bytes === canonical.bytes, "it is canonical now");
      }),
      { numRuns: 1500 },
    );
  });
}

const unescapeNames = (text: string): string =>
  text.replaceAll(/"(?:[^"\\]|\\.)*":/g, (name) => `${JSON.stringify(JSON.parse(name.slice(0, -1)))}:`);

test("of a name that comes twice the last value counts, in the place of the first", () => {
  const cases: [string, string][] = [
    ['{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
    ['{"a":{"x":1,"x":[1]},"b":2,"\\u0061":{"y":1.0,"y":2.50}}', '{"a":{"y":2.50},"b":2}'],
    ['[{"":1,"":2,"":{}}]', '[{"":{}}]'],
    [' { "a" : 1 , "a" : [ 1 , 2 ] } ', '{"a":[1,2]}'],
    ['{"\\ud800":1,"\ufffd":2}', '{"\\ud800":1,"\ufffd":2}'],
  ];
  for (const [text, expected] of cases) {
    const bytes = utf8ToBytes(text);
    const canonical = canonicalJson(bytes, 0, bytes.length);
    assert.ok(canonical.kind === "canonical");
    assert.equal(canonical.bytes.utf8Slice(canonical.start, canonical.end), expected);
  }
});

test("what is no JSON is refused with its position", () => {
  for (const [text, at] of [
    ["", 0],
    ["  ", 2],
    ['{"a":1}}', 7],
    ["[1,]", 3],
    ['{"a":1,"a"}', 10],
  ] as const) {
    const bytes = utf8ToBytes(text);
    assert.deepEqual(canonicalJson(bytes, 0, bytes.length), { kind: "invalid", at, isTooDeep: false }, text);
  }
});

test("in an object of any size every name is remembered, however it comes again", () => {
  for (let count = 1; count < 150; count += 7) {
    const names = Array.from({ length: count }, (_, i) => `name${i}`);
    const fields = names.map((name) => `"${name}":{"name0":1}`);
    const isUnique = (more: string): boolean => {
      const text = utf8ToBytes(`{${[...fields, `"${more}":1`].join(",")}}`);
      const scanner = new JsonTextScanner();
      assert.equal(scanner.value(text, 0, text.length), text.length);
      return scanner.hasUniqueNames;
    };
    for (const name of names) {
      assert.ok(!isUnique(name), `${name} of ${count}`);
      assert.ok(!isUnique(escaped(name)), `${name} of ${count}, escaped`);
    }
    assert.ok(isUnique(`name${count}`));
    assert.ok(isUnique(escaped(`name${count}`)));
  }
});

test("names of one object are not names of another", () => {
  const text = utf8ToBytes('[{"a":1},{"a":{"a":{"a":1},"b":{"a":1}}},{"b":1,"a":1}]');
  const scanner = new JsonTextScanner();
  assert.equal(scanner.value(text, 0, text.length), text.length);
  assert.ok(scanner.hasUniqueNames);
});
