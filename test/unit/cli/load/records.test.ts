import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { detectFormat, type RecordFormat } from "../../../../src/cli/load/formats.js";
import type { Line } from "../../../../src/cli/load/line-splitter.js";
import { RecordParser } from "../../../../src/cli/load/records.js";
import { RECORD_JSON } from "../../../../src/codec/record-batch.js";
import { asBytes } from "../../../../src/core/bytes.js";

/** The line in the middle of a chunk, so that nothing may look beyond it. */
function lineOf(text: string | Buffer): Line {
  const line = Buffer.from(text as string);
  const chunk = Buffer.concat([Buffer.from('["'), line, Buffer.from(':"1}')]);
  return { bytes: asBytes(chunk), start: 2, end: 2 + line.length, number: 7, isTooLong: false };
}

interface Found {
  readonly type: "string" | "json";
  readonly key: string;
  readonly value: string;
}

/** The record as text, "blank", or where and why the line is bad. */
function parse(text: string | Buffer, format: RecordFormat): Found | "blank" | [number, string] {
  const parser = new RecordParser();
  const found = parser.parse(lineOf(text), format);
  assert.equal(parser.line, 7);
  if (found === "blank") return found;
  if (found === "bad") return [parser.bad.column, parser.bad.reason];
  return {
    type: parser.type === RECORD_JSON ? "json" : "string",
    key: parser.key.utf8Slice(parser.keyStart, parser.keyEnd),
    value: parser.value.utf8Slice(parser.valueStart, parser.valueEnd),
  };
}

test("the format is told by the content of a line", () => {
  for (const [line, format] of [
    ['{"key":"a","value":1}', "jsonl"],
    ['  { "key": 1 }', "jsonl"],
    ["a:b", "lines"],
    ["{tag}:value", "lines"],
    ['"a":b', "lines"],
    ["a: [x]", "lines"],
    ['a:{"b":1,"c":2}', "lines"],
    ["http://x -> y", "lines"],
    ['"person1" -> [ "name" -> "John" ]', "records"],
    ['"person5" -> "hello"', "records"],
    ["person1->[]", "records"],
    ['  "a \\" b"  ->', "records"],
    ['"k" : { "a" : 1 ; "b" : { } }', "records"],
    ['"k" : { oops', "records"],
    ["k : { a : 1 ; b : { } }", "records"],
    [`k : { a : "${"x".repeat(10_000)}" }`, "records"],
    ["k : { oops", "lines"],
  ] as const) {
    assert.equal(detectFormat(lineOf(line)), format, line);
  }
});

test("a record of the record format is a document", () => {
  const found = parse('"person1" -> [ "name" -> "John" | "age" -> 22 ]', "records");
  assert.deepEqual(found, { type: "json", key: "person1", value: '{"name":"John","age":22}' });
});

test("a JSON line is a record: strings are bytes, the rest documents without whitespace between tokens", () => {
  for (const [line, type, key, value] of [
    ['{"key":"a","value":{"b":[1,2]}}', "json", "a", '{"b":[1,2]}'],
    [' { "value" : { "b c" : [1 , " x\\"y "] } , "key" : "a" } ', "json", "a", '{"b c":[1," x\\"y "]}'],
    ['{"value":"text","key":"a"}', "string", "a", "text"],
    ['{"key":"a","value":""}', "string", "a", ""],
    ['{"key":"a","value":null}', "json", "a", "null"],
    ['{"key":"Sant Juli\\u00e0","value":"\\ud83d\\ude00\\n"}', "string", "Sant Julià", "😀\n"],
    ['{"k\\u0065y":"a","value":1}', "json", "a", "1"],
    ['{"key":1,"value":1,"key":"b","value":2}', "json", "b", "2"],
    ['{"key":"a","value":{"x":1, "y":2.50, "\\u0078":{"z":1,"z":3}}}', "json", "a", '{"x":{"z":3},"y":2.50}'],
  ] as const) {
    assert.deepEqual(parse(line, "jsonl"), { type, key, value }, line);
  }
});

test("a document keeps its numbers as they were written, however long", () => {
  const line = '{"key":"a","value":[12345678901234567890, 2.50, 1e2, -0]}';
  assert.equal((parse(line, "jsonl") as Found).value, "[12345678901234567890,2.50,1e2,-0]");
});

test("every record that JSON.stringify writes is read back", () => {
  const record = fc.record({ key: fc.string({ minLength: 1, maxLength: 40 }), value: fc.jsonValue() });
  fc.assert(
    fc.property(record, fc.nat(2), (fields, space) => {
      const found = parse(JSON.stringify(fields, undefined, space).replaceAll("\n", " "), "jsonl") as Found;
      if (typeof fields.value === "string") {
        assert.deepEqual(found, { type: "string", ...fields });
      } else {
        assert.deepEqual(found, { type: "json", key: fields.key, value: JSON.stringify(fields.value) });
      }
    }),
  );
});

test("the first colon separates; the rest is value, empty or not", () => {
  for (const [line, key, value] of [
    ["a:b:c", "a", "b:c"],
    ["a:", "a", ""],
    [" a : b ", " a ", " b "],
  ]) {
    assert.deepEqual(parse(line, "lines"), { type: "string", key, value });
  }
});

test("blank lines are no records and no errors", () => {
  for (const format of ["records", "jsonl", "lines"] as const) {
    assert.deepEqual(parse("", format), "blank");
    assert.deepEqual(parse(" \t", format), "blank");
  }
});

test("a bad line is named with column and reason", () => {
  const cases: [string | Buffer, RecordFormat, number, string][] = [
    ["no colon", "lines", 9, 'no ":" between key and value'],
    [":v", "lines", 1, "the key is empty"],
    [`${"k".repeat(1025)}:v`, "lines", 1, "the key is 1025 bytes; 1024 are the most"],
    ['{"key":"a","value":1', "jsonl", 21, "the JSON ends too early"],
    ['{"key":"a" "value":1}', "jsonl", 12, "not JSON from here on"],
    ["[1]", "jsonl", 1, 'expected {"key":…,"value":…}'],
    ['{"value":1}', "jsonl", 1, 'no "key" that is a string'],
    ['{"key":1,"value":1}', "jsonl", 1, 'no "key" that is a string'],
    ['{"key":"a"}', "jsonl", 1, 'no "value"'],
    ['{"key":"a","value":1,"ttl":5}', "jsonl", 1, 'unknown field "ttl"'],
    ['{"key":"","value":1}', "jsonl", 1, "the key is empty"],
    [Buffer.from('{"key":"\xff"}', "latin1"), "jsonl", 9, "not UTF-8"],
    ['{"key":"a","key":1,"value":1}', "jsonl", 1, 'no "key" that is a string'],
    ['{"key":"a\\ud800","value":1}', "jsonl", 1, "the key holds half of a surrogate pair"],
    ['{"key":"a","value":"\\udc00"}', "jsonl", 1, "the value holds half of a surrogate pair"],
    [`{"key":"a","value":${"[".repeat(129)}${"]".repeat(129)}}`, "jsonl", 1, "nested more than 128 deep"],
    ['"person5" -> "hello"', "records", 14, "the value of a record is a set: [ … ]"],
    ['"😀é" -> "hello"', "records", 10, "the value of a record is a set: [ … ]"],
    ['"" -> []', "records", 1, "the key is empty"],
    [`${"k".repeat(1025)} -> []`, "records", 1, "the key is 1025 bytes; 1024 are the most"],
    ["no colon here, but in what follows", "lines", 35, 'no ":" between key and value'],
  ];
  for (const [line, format, column, reason] of cases) {
    assert.deepEqual(parse(line, format), [column, reason], String(line));
  }
});

test("the column of a JSON error is where no JSON text can go on", () => {
  for (const [text, column] of [
    ["{", 2],
    ["{]", 2],
    ['{"a"}', 5],
    ['{"a":}', 6],
    ['{"a":1,}', 8],
    ["[1,]", 4],
    ["[1 2]", 4],
    ["tru", 4],
    ["trux", 4],
    ["01", 2],
    ["-", 2],
    ["1.", 3],
    ['"a', 3],
    ['"\\x"', 3],
    ['"a\tb"', 3],
    ["{} x", 4],
    ["nul", 4],
  ] as const) {
    assert.throws(() => JSON.parse(text), SyntaxError, text);
    const reason = column > text.length ? "the JSON ends too early" : "not JSON from here on";
    assert.deepEqual(parse(text, "jsonl"), [column, reason], text);
  }
});

test("a column is found for every text that JSON.parse refuses, within it", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 3 }), (json, at, inserted) => {
      const cut = at % (json.length + 1);
      const text = json.slice(0, cut) + inserted + json.slice(cut + 1);
      try {
        JSON.parse(text);
      } catch {
        const found = parse(text, "jsonl");
        if (found === "blank") return;
        assert.ok(Array.isArray(found), text);
        const [column] = found;
        assert.ok(column >= 1 && column <= text.length + 1, `${text}: ${column}`);
      }
    }),
    { numRuns: 2_000 },
  );
});
