import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { keyFromText, keyToText } from "../../../src/core/bytes.js";
import type { JsonKind } from "../../../src/document/found.js";
import { candidates, formatKeyPath, parseKeyPath } from "../../../src/document/key-path.js";
import { meaningsOf } from "../../../src/document/meanings.js";
import { noSuchKey, noSuchPart } from "../../../src/document/missing.js";
import { anyName } from "./documents.js";

/** `key > field > field`, the longest key first. */
const meanings = (text: string): string[] =>
  candidates(parseKeyPath(text)).map(({ key, path }) => [keyToText(key), ...path].join(" > "));

test("a path means every key that its first segments make, the longest first", () => {
  const cases: [string, string[]][] = [
    ["person1", ["person1"]],
    [
      "person2.address.number",
      ["person2.address.number", "person2.address > number", "person2 > address > number"],
    ],
    ["tags.0", ["tags.0", "tags > 0"]],
    ["city:AD:Vila.location", ["city:AD:Vila.location", "city:AD:Vila > location"]],
    ["a..b", ["a..b", "a. > b", "a >  > b"]],
    [".a", [".a"]],
    ["a.", ["a.", "a > "]],
    [".", ["."]],
    ['say"hi".x', ['say"hi".x', 'say"hi" > x']],
    ["é.ü", ["é.ü", "é > ü"]],
  ];
  for (const [text, expected] of cases) assert.deepEqual(meanings(text), expected, text);
});

test("a segment in quotes is joined to no other", () => {
  const cases: [string, string[]][] = [
    ['"a.b".c', ["a.b > c"]],
    ['"a".b.c', ["a > b > c"]],
    ['a."b.c"', ["a > b.c"]],
    ['a.b."c".d', ["a.b > c > d", "a > b > c > d"]],
    ['"a.b"', ["a.b"]],
    ['a.""', ["a > "]],
    ['"\\"\\\\\\/\\u00e9\\ud83d\\ude00\\t"', ['"\\/é😀\t']],
  ];
  for (const [text, expected] of cases) assert.deepEqual(meanings(text), expected, text);
});

test("what is no path is refused, with the column of what is wrong", () => {
  const cases: [string, string][] = [
    ["", "the path is empty: it begins with a key"],
    ['"a', "path, column 1: the quotes are not closed"],
    ['a.b."c\\"', "path, column 5: the quotes are not closed"],
    ['"a"b', "path, column 4: a dot must follow the quotes"],
    ['é😀."a\\x"', "path, column 6: no such escape"],
    ['"\\u12g4"', "path, column 2: no such escape"],
    ['"\\u12"', "path, column 2: no such escape"],
    [`a${".b".repeat(128)}`, "path, column 257: more than 128 segments"],
    ["é".repeat(2049), "the path has 4098 bytes: 4096 are the most"],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseKeyPath(text), { code: "BAD_REQUEST", message }, text);
  }
  assert.equal(parseKeyPath(`a${".b".repeat(127)}`).length, 128);
  assert.equal(meaningsOf(`a${".b".repeat(127)}`).count, 128);
  assert.throws(() => meaningsOf(`a${".b".repeat(128)}`), { code: "BAD_REQUEST" });
});

test("keys that cannot exist are not looked for", () => {
  const key = "k".repeat(1000);
  assert.deepEqual(meanings(`${key}.${"x".repeat(23)}.y`), [
    `${key}.${"x".repeat(23)} > y`,
    `${key} > ${"x".repeat(23)} > y`,
  ]);
  assert.throws(() => candidates(parseKeyPath("k".repeat(1025))), { code: "KEY_TOO_LARGE" });
  assert.throws(() => candidates(parseKeyPath('"".a')), { code: "KEY_EMPTY" });
});

test("half of a character is no key, and never means the key that its UTF-8 would be", () => {
  const message = "the key holds half of a surrogate pair, which UTF-8 cannot";
  for (const path of ['"\\ud800"', '"\\udc00x".a', "\ud800"]) {
    assert.throws(() => candidates(parseKeyPath(path)), { code: "BAD_REQUEST", message }, path);
  }
  assert.deepEqual(meanings("a.\ud800"), ["a > \ud800"]);
  assert.deepEqual(meanings('"\\ud83d\\ude00".a'), ["😀 > a"]);
});

test("a key and a way into its document, written down, are read as the same", () => {
  const key = anyName.filter((name) => name !== "" && !/\p{Surrogate}/u.test(name));
  fc.assert(
    fc.property(key, fc.array(anyName, { maxLength: 5 }), (keyText, path) => {
      const text = formatKeyPath(keyFromText(keyText), path);
      const read = candidates(parseKeyPath(text));
      assert.ok(
        read.some((candidate) => keyToText(candidate.key) === keyText && isEqual(candidate.path, path)),
        text,
      );
    }),
    { numRuns: 2000 },
  );
});

const isEqual = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((segment, i) => segment === b[i]);

test("what is missing is named", () => {
  const missing = (depth: number, at: JsonKind, elements = 0) =>
    ({ kind: "missing", depth, at, elements }) as const;
  const person = ["address", "nr"];
  const texts: [string, string][] = [
    [noSuchKey("person9").message, "no such key: person9"],
    [noSuchKey("a.b").message, 'no such key: "a.b"'],
    [noSuchPart("person2", person, missing(1, "object")).message, 'person2.address has no field "nr"'],
    [noSuchPart("person2", person, missing(0, "object")).message, 'person2 has no field "address"'],
    [
      noSuchPart("person1", ["age", "x"], missing(1, "number")).message,
      'person1.age is a number and has no field "x"',
    ],
    [noSuchPart("k", ["x"], missing(0, "null")).message, 'k is null and has no field "x"'],
    [noSuchPart("tags", ["7"], missing(0, "array", 3)).message, "tags has 3 elements: no position 7"],
    [noSuchPart("tags", ["1"], missing(0, "array", 1)).message, "tags has 1 element: no position 1"],
    [noSuchPart("tags", ["x"], missing(0, "array", 3)).message, 'tags is a list and has no field "x"'],
    [noSuchPart("hello", ["x"], missing(0, "text")).message, 'hello is text and has no field "x"'],
  ];
  for (const [text, expected] of texts) assert.equal(text, expected);
  assert.equal(noSuchKey("a").toRespText(), "NOTFOUND no such key: a");
});
