import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { canonicalJson } from "../../../src/codec/json-canonical.js";
import { asBytes } from "../../../src/core/bytes.js";
import { RecordTextParser } from "../../../src/document/record-parser.js";
import { printEntry } from "../../../src/document/record-printer.js";

const parser = new RecordTextParser();

type Parsed = [key: string, json: string] | [column: number, reason: string];

/** Key and JSON of the record, or the column and the reason why it is none; the same whatever comes behind the line. */
function parse(line: string | Buffer): Parsed {
  const own = Buffer.from(line as string);
  const parsed = parseBefore(own, '] | "x" -> 1');
  assert.deepEqual(parseBefore(own, '3"abc'), parsed);
  return parsed;
}

function parseBefore(line: Buffer, rest: string): Parsed {
  const bytes = asBytes(Buffer.concat([Buffer.from('"0'), line, Buffer.from(rest)]));
  if (!parser.parse(bytes, 2, 2 + line.length)) {
    return [bytes.utf8Slice(2, parser.errorAt).length + 1, parser.reason];
  }
  const { key, keyStart, keyEnd, value, valueEnd } = parser;
  return [key.utf8Slice(keyStart, keyEnd), value.utf8Slice(0, valueEnd)];
}

test("a record is a key and a set of pairs, in sets of sets", () => {
  for (const [line, key, json] of [
    ['"person1" -> [ "name" -> "John" | "age" -> 22 ]', "person1", '{"name":"John","age":22}'],
    ['"p2" -> [ "a" -> [ "s" -> "x" | "n" -> 12 ] ]', "p2", '{"a":{"s":"x","n":12}}'],
    ['"person3" -> [ "height" -> 1.75 ]', "person3", '{"height":1.75}'],
    ['"person4" -> []', "person4", "{}"],
    ['"k" -> [ "a" -> [ ] | "b" -> [] ]', "k", '{"a":{},"b":{}}'],
    ['"k" -> [ "a" -> true | "b" -> false | "c" -> null ]', "k", '{"a":true,"b":false,"c":null}'],
  ]) {
    assert.deepEqual(parse(line), [key, json]);
  }
});

test("white space may stand between any two parts, or not at all", () => {
  const json = '{"a":1,"b":{"c":"d e"}}';
  assert.deepEqual(parse('"k"->["a"->1|"b"->["c"->"d e"]]'), ["k", json]);
  assert.deepEqual(parse(' \t"k"\t->  [ "a"  ->\t1 | "b"->[\t"c" -> "d e" ] ]\t \r'), ["k", json]);
});

test("the older notation is read, and names without quotes, also mixed", () => {
  for (const [line, key, json] of [
    ['"k" : { "a" : 1 ; "b" : { } }', "k", '{"a":1,"b":{}}'],
    ["k : { a : 1 ; b : { } }", "k", '{"a":1,"b":{}}'],
    ["k:{a:1;b:{}}", "k", '{"a":1,"b":{}}'],
    ["key -> [ a->1 | b-c -> { d : [] } ]", "key", '{"a":1,"b-c":{"d":{}}}'],
    ["k1 -> [ 12 -> 1 | é😀 -> 2 | true -> 3 | - -> 4 ]", "k1", '{"12":1,"é😀":2,"true":3,"-":4}'],
  ]) {
    assert.deepEqual(parse(line), [key, json]);
  }
});

test("numbers stay as they are written", () => {
  const numbers = ["0", "-0", "12345678901234567890", "1.50", "-2.5e-7", "1E+3"];
  const record = `k -> [ ${numbers.map((number, i) => `n${i} -> ${number}`).join("|")} ]`;
  assert.deepEqual(parse(record), ["k", `{${numbers.map((number, i) => `"n${i}":${number}`).join(",")}}`]);
  for (const word of ["+5", ".5", "1.", "007", "-", "1e", "0x10", "12abc", "--1", "-.5"]) {
    assert.deepEqual(parse(`k -> [a ->${word}]`), [11, `${word} is no number: they are written as in JSON`]);
  }
});

test("escapes are JSON's, and equal texts become equal bytes", () => {
  for (const [line, key, json] of [
    ['"caf\\u00e9" -> [ "\\u0061" -> "\\/\\u00e9\\ud83d\\ude00" ]', "café", '{"a":"/é😀"}'],
    [
      'k -> [ a -> "\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001F" ]',
      "k",
      '{"a":"\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f"}',
    ],
    ['k -> [ a -> "\\ud800" | "" -> "Ω" ]', "k", '{"a":"\\ud800","":"Ω"}'],
    ['"a\\u0000b" -> []', "a\0b", "{}"],
  ]) {
    assert.deepEqual(parse(line), [key, json]);
  }
});

test("what is no record is named, with the column where it stops to be one", () => {
  const cases: [string | Buffer, number, string][] = [
    ['"person5" -> "hello"', 14, "the value of a record is a set: [ … ]"],
    ['"person6" -> [ "address" -> [ "there" ] ]', 39, 'expected "->" here'],
    ["k -> 12", 6, "the value of a record is a set: [ … ]"],
    ["k ->", 5, "the value of a record is a set: [ … ]"],
    ["k", 2, 'the record ends before "->"'],
    ["", 1, "the record ends before a key"],
    ["-> []", 1, "expected a key here"],
    ["k - > []", 3, 'expected "->" here'],
    ["k x -> []", 3, 'expected "->" here'],
    ["k -> [", 7, "the record ends before a name"],
    ["k -> [ a", 9, 'the record ends before "->"'],
    ["k -> [ a ->", 12, "the record ends before the value"],
    ["k -> [ a -> 1", 14, 'the record ends before "|" or "]"'],
    ["k : { a : 1", 12, 'the record ends before ";" or "}"'],
    ["k -> [ a -> 1 | ]", 17, "expected a name here"],
    ["k -> [ a -> 1 ; b -> 2 ]", 15, 'expected "|" or "]" here'],
    ["k : { a : 1 | b : 2 }", 13, 'expected ";" or "}" here'],
    ["k -> [ a -> 1 }", 15, 'expected "|" or "]" here'],
    ["k -> [ a -> ]", 13, "expected a value here"],
    ["k -> [ a -> there ]", 13, "there is no value: text stands in quotes"],
    ["k -> [ a -> truex ]", 13, "truex is no value: text stands in quotes"],
    ["k -> [ a -> 1 ] x", 17, "nothing may follow the record"],
    ["k -> [] # comment", 9, "nothing may follow the record"],
    ['k -> [ a -> "x', 15, "the record ends inside a string"],
    ['k -> [ a -> "x\\', 16, "the record ends inside a string"],
    ['k -> [ a -> "x\ty" ]', 15, "a control character in a string is written as an escape"],
    ['k -> [ a -> "\0" ]', 14, "a control character in a string is written as an escape"],
    ['k -> [ a -> "\\x" ]', 15, "no such escape"],
    ["k\0 -> []", 2, 'expected "->" here'],
    ['"\\ud800" -> []', 1, "the key holds half of a surrogate pair"],
    ["é😀 -> x", 8, "the value of a record is a set: [ … ]"],
    [Buffer.from('k -> [ é -> "\xff" ]', "latin1"), 8, "not UTF-8"],
    [Buffer.from('k -> [ a -> "\xc0\x80" ]', "latin1"), 14, "not UTF-8"],
    ["k -> [ a -> 1 | b -> 2 | a -> 3 ]", 26, '"a" is there twice in one set'],
    ['k -> [ a -> 1 | "\\u0061" -> 3 ]', 17, '"a" is there twice in one set'],
    [`k -> [ a -> ${"x".repeat(99)} ]`, 13, `${"x".repeat(39)}… is no value: text stands in quotes`],
  ];
  for (const [line, column, reason] of cases) assert.deepEqual(parse(line), [column, reason], String(line));
});

test("one name may stand in several sets of a record, but not twice in one, however many it has", () => {
  const names = Array.from({ length: 100 }, (_, i) => `n${i} -> [ n${i} -> [] | x -> ${i} ]`);
  assert.equal(parse(`k -> [ ${names.join(" | ")} ]`)[0], "k");
  for (const twice of [0, 15, 16, 17, 99]) {
    const [column, reason] = parse(`k -> [ ${names.join("|")} | "n${twice}" -> 1 ]`);
    assert.deepEqual([typeof column, reason], ["number", `"n${twice}" is there twice in one set`]);
  }
  assert.equal(parse(`k -> [ ${names.join(" | ")} ]`)[0], "k", "nothing is left of the line before");
});

test("a set of very many names takes no time beyond its length", () => {
  const names = Array.from({ length: 200_000 }, (_, i) => `n${i}:1`);
  const before = process.cpuUsage();
  assert.equal(parse(`k:{${names.join(";")}}`)[0], "k");
  const tookMs = process.cpuUsage(before).user / 1_000;
  assert.ok(tookMs < 2_000, "comparing each with each would take minutes");
});

test("sets are nested 128 deep at most", () => {
  const nested = (depth: number): string => `${"k -> [ ".repeat(depth)}${"] ".repeat(depth)}`;
  assert.deepEqual(parse(nested(128)), ["k", `${'{"k":'.repeat(127)}{}${"}".repeat(127)}`]);
  assert.deepEqual(parse(nested(129)), [128 * 7 + 6, "nested more than 128 deep"]);
});

test("the shortest pairs fit, though JSON takes more room than they do", () => {
  const names = Array.from({ length: 90 }, (_, i) => String.fromCharCode(33 + i)).filter((c) =>
    /[a-zA-Z0-9]/.test(c),
  );
  for (let sets = 0; sets < 300; sets += 1) {
    const inner = `{${names.map((name) => `${name}:1`).join(";")}}`;
    const record = `k:{${Array.from({ length: sets }, (_, i) => `${i}:${inner}`).join(";")}}`;
    const [, json] = parse(record);
    assert.equal(Object.keys(JSON.parse(json) as object).length, sets);
  }
});

// --- Properties ---

type Value = number | string | boolean | null | { [name: string]: Value };

const texts = fc.oneof(fc.string({ unit: "binary", maxLength: 8 }), fc.string({ maxLength: 8 }));
const numbers = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
const { set } = fc.letrec<{ set: { [name: string]: Value }; value: Value }>((tie) => ({
  set: fc.dictionary(texts, tie("value"), { maxKeys: 20 }),
  value: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    numbers,
    texts,
    fc.constantFrom(true, false, null),
    tie("set"),
  ),
}));

const printed = (key: string, json: string): string => {
  const bytes = asBytes(Buffer.from(json));
  return printEntry(key, bytes, 0, bytes.length, "record");
};

test("what is printed as a record is read back as the same document", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), set, (key, document) => {
      const json = JSON.stringify(document);
      assert.deepEqual(parse(printed(key, json)), [key, json]);
    }),
  );
});

test("a record that was changed anywhere is read as a document, or refused in the line: nothing else happens", () => {
  const change = fc.tuple(
    fc.nat(),
    fc.nat(3),
    fc.constantFrom(...Array.from('[]{}|;:->"\\ \t,+.0e\u00e9\0x')),
  );
  fc.assert(
    fc.property(set, fc.array(change, { minLength: 1, maxLength: 4 }), (document, changes) => {
      let line = printed("key", JSON.stringify(document));
      for (const [at, removed, inserted] of changes) {
        const cut = at % (line.length + 1);
        line = line.slice(0, cut) + inserted + line.slice(cut + removed);
      }
      const [key, json] = parse(line);
      if (typeof key === "number") {
        assert.ok(key >= 1 && key <= line.length + 1, line);
        return;
      }
      const value = JSON.parse(json) as unknown;
      assert.equal(typeof value, "object");
      assert.deepEqual(parse(printed(key, json)), [key, json]);
      // What nodes take: compact, and each name once.
      const bytes = asBytes(Buffer.from(json));
      assert.equal((canonicalJson(bytes, 0, bytes.length) as { bytes?: unknown }).bytes, bytes);
    }),
    { numRuns: 2_000 },
  );
});
