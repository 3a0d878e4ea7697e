import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import * as fc from "fast-check";
import { compactJson, isJsonText, JSON_DEPTH_MAX, JsonTextScanner } from "../../../src/codec/json-text.js";
import { asBytes, utf8ToBytes } from "../../../src/core/bytes.js";

const scanner = new JsonTextScanner();

/** What may follow a text in memory, and must not matter. */
const FOLLOWING = ['"]}', "0e5", "afaf", "}]:1", "ue,1", "\u0080\u00bf"];

function accepts(text: Uint8Array): boolean {
  const answers = FOLLOWING.map((after) => {
    const around = asBytes(Buffer.concat([Buffer.from('1"'), text, Buffer.from(after, "latin1")]));
    return isJsonText(scanner, around, 2, 2 + text.length);
  });
  assert.equal(new Set(answers).size, 1, "only the text itself counts");
  return answers[0];
}

function isParsable(text: Buffer): boolean {
  if (!isUtf8(text)) return false;
  try {
    JSON.parse(text.toString());
    return true;
  } catch {
    return false;
  }
}

test("what JSON.parse takes is accepted, and nothing else, for text of JSON's own characters", () => {
  const token = fc.constantFrom(
    ...'{}[],:"\\-+.eE0123456789 \t\n\r/bfnrtux'.split(""),
    ...[
      "true",
      "false",
      "null",
      '"a"',
      '"k":',
      "1.5",
      "-0",
      "1e+9",
      "\\u00e9",
      "\\ud800",
      "é",
      "😀",
      "\u2028",
    ],
    ...["\u0000", "\u001f", "\u00a0", "\ufeff", "01", "1.", ".5", "nul", "TRUE", "[]", "{}", '{"a":1}'],
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
      const text = Buffer.from(tokens.join(""));
      assert.equal(accepts(text), isParsable(text), text.toString());
    }),
    { numRuns: 20_000 },
  );
});

test("a byte changed, put in or left out anywhere decides as JSON.parse does over strict UTF-8", () => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}[],:"\\\\0e.-+ ut')));
  fc.assert(
    fc.property(fc.json(), fc.nat(), byte, fc.nat(2), (json, position, byte, change) => {
      const bytes = Buffer.from(json);
      const at = position % bytes.length;
      const inserted = change === 2 ? [] : [byte];
      const rest = bytes.subarray(change === 0 ? at : at + 1);
      const text = Buffer.concat([bytes.subarray(0, at), Buffer.from(inserted), rest]);
      assert.equal(accepts(text), isParsable(text), text.toString("latin1"));
    }),
    { numRuns: 10_000 },
  );
});

test("strings hold exactly the well-formed UTF-8", () => {
  const piece = fc.oneof(
    fc.constantFrom(0x61, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf),
    fc.constantFrom(0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), (bytes) => {
      const text = Buffer.concat([Buffer.from('"'), Buffer.from(bytes), Buffer.from('"')]);
      assert.equal(accepts(text), isUtf8(text), text.toString("latin1"));
    }),
    { numRuns: 20_000 },
  );
});

test("text is accepted down to a depth, and refused below it", () => {
  const nested = (depth: number): Buffer =>
    Buffer.from(`${'{"a":['.repeat(depth / 2)}${"]}".repeat(depth / 2)}`);
  assert.ok(accepts(nested(JSON_DEPTH_MAX)));
  assert.ok(!accepts(nested(JSON_DEPTH_MAX + 2)));
});

test("compact text is the same document without whitespace between tokens", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 1, 3, "\t\r\n"), (value, space) => {
      const text = utf8ToBytes(JSON.stringify(value, undefined, space));
      assert.equal(scanner.value(text, 0, text.length), text.length);
      const compact = JSON.stringify(value);
      assert.equal(scanner.isCompact, text.utf8Slice() === compact);
      const end = compactJson(text, 0, text.length, text, 0);
      assert.equal(text.utf8Slice(0, end), compact);
    }),
  );
});

test("a refusal tells the first byte that no JSON text could have there", () => {
  for (const [text, position] of [
    ["", 0],
    ["[1,]", 3],
    ["[1}", 2],
    ['{"a":[1]]', 8],
    ['{"a" 1}', 5],
    ['{"a":1,}', 7],
    ['"a\\x"', 3],
    ['"\\u12g4"', 5],
    ["tru", 3],
    ['"a\nb"', 2],
    ["-", 1],
    ["1.e", 2],
    ['"abc', 4],
  ] as const) {
    const bytes = utf8ToBytes(text);
    assert.equal(~scanner.value(bytes, 0, bytes.length), position, text);
  }
});
