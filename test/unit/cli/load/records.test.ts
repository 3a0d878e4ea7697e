import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { jsonErrorColumn } from "../../../../src/cli/load/json-column.js";
import {
  detectFormat,
  type ParsedLine,
  parseLine,
  type RecordFormat,
} from "../../../../src/cli/load/records.js";

const parse = (text: string | Buffer, format: RecordFormat): ParsedLine =>
  parseLine({ bytes: Buffer.from(text as string), number: 7, isTooLong: false }, format);

test("the format is told by the content of a line", () => {
  assert.equal(detectFormat(Buffer.from('{"key":"a","value":1}')), "jsonl");
  assert.equal(detectFormat(Buffer.from('  { "key": 1 }')), "jsonl");
  assert.equal(detectFormat(Buffer.from("a:b")), "lines");
  assert.equal(detectFormat(Buffer.from("{tag}:value")), "lines");
});

test("a JSON line is a record: strings are bytes, the rest documents in compact JSON", () => {
  assert.deepEqual(parse('{"key":"a","value":{ "b" : [1, 2.50] }}', "jsonl"), {
    kind: "record",
    line: 7,
    key: "a",
    type: "json",
    value: '{"b":[1,2.5]}',
  });
  assert.deepEqual(parse('{"value":"text","key":"a"}', "jsonl"), {
    kind: "record",
    line: 7,
    key: "a",
    type: "string",
    value: "text",
  });
  assert.equal((parse('{"key":"a","value":null}', "jsonl") as { value: string }).value, "null");
});

test("the first colon separates; the rest is value, empty or not", () => {
  for (const [line, key, value] of [
    ["a:b:c", "a", "b:c"],
    ["a:", "a", ""],
    [" a : b ", " a ", " b "],
  ]) {
    const record = parse(line, "lines");
    assert.deepEqual(record, {
      kind: "record",
      line: 7,
      key: Buffer.from(key),
      type: "string",
      value: Buffer.from(value),
    });
  }
});

test("blank lines are no records and no errors", () => {
  for (const format of ["jsonl", "lines"] as const) {
    assert.deepEqual(parse("", format), { kind: "blank" });
    assert.deepEqual(parse(" \t", format), { kind: "blank" });
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
  ];
  for (const [line, format, column, reason] of cases) {
    assert.deepEqual(parse(line, format), { kind: "bad", line: 7, column, reason }, String(line));
  }
});

test("the column of a JSON error is where no JSON text can go on", () => {
  for (const [text, column] of [
    ["", 1],
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
    ["-", 1],
    ["1.", 2],
    ['"a', 3],
    ['"\\x"', 3],
    ['"a\tb"', 3],
    ["{} x", 4],
    ["nul", 4],
  ] as const) {
    assert.throws(() => JSON.parse(text), SyntaxError, text);
    assert.equal(jsonErrorColumn(text), column, text);
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
        const column = jsonErrorColumn(text);
        assert.ok(column >= 1 && column <= text.length + 1, `${text}: ${column}`);
      }
    }),
    { numRuns: 2_000 },
  );
});
