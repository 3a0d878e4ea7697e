import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { utf8ToBytes } from "../../../../src/core/bytes.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { JsonScanner } from "../../../../src/server/http/json-scanner.js";

interface Scanned {
  readonly compact: string;
  readonly members: readonly (readonly [name: string, value: string])[];
}

/** The compact text and the outermost members; undefined when refused. */
function scan(text: string, budgetBytes = Number.MAX_SAFE_INTEGER): Scanned | undefined {
  const bytes = utf8ToBytes(text);
  const scanner = new JsonScanner(bytes);
  try {
    let calls = 0;
    while (!scanner.scan(budgetBytes)) {
      calls += 1;
      assert.ok(calls <= bytes.length, "every slice makes progress");
    }
  } catch (error) {
    assert.ok(error instanceof MinikeyError, String(error));
    assert.match(error.message, /^invalid JSON at line \d+, column \d+: /);
    return undefined;
  }
  const members = scanner.members.map(
    ({ name, value }) =>
      [bytes.utf8Slice(name.start, name.end), bytes.utf8Slice(value.start, value.end)] as const,
  );
  return { compact: bytes.utf8Slice(0, scanner.sizeBytes), members };
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("the JSON scanner", () => {
  const space = fc.string({ unit: fc.constantFrom(" ", "\n", "\t", "\r"), maxLength: 3 });
  const slices = fc.integer({ min: 1, max: 40 });

  it("makes text compact as JSON.stringify would, in slices of any size", () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.integer({ min: 0, max: 4 }),
        space,
        slices,
        (json, indent, around, budget) => {
          const value: unknown = JSON.parse(json);
          const spread = around + JSON.stringify(value, undefined, indent) + around;
          assert.equal(scan(spread, budget)?.compact, JSON.stringify(value));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("finds the outermost members, in order", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), slices, (value, budget) => {
        const expected = Object.entries(value).map(([name, one]) => [
          JSON.stringify(name),
          JSON.stringify(one),
        ]);
        assert.deepEqual(scan(JSON.stringify(value, undefined, 1), budget)?.members, expected);
      }),
      { numRuns: 300 },
    );
  });

  it("accepts exactly what JSON.parse accepts, however text is broken", () => {
    const pieces = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "\\",
      "\\u12",
      "1",
      "-",
      "0",
      ".5",
      "e+",
      "true",
      "nul",
      "\n",
      "é",
      "\u0001",
      "x",
    ];
    const edit = fc.tuple(fc.nat(80), fc.nat(3), fc.constantFrom("", ...pieces));
    let refused = 0;
    fc.assert(
      fc.property(fc.json(), fc.array(edit, { maxLength: 3 }), slices, (json, edits, budget) => {
        let text = json;
        for (const [at, drop, insert] of edits) {
          const place = at % (text.length + 1);
          text = text.slice(0, place) + insert + text.slice(place + drop);
        }
        if (!parses(text)) refused += 1;
        assert.equal(scan(text, budget) !== undefined, parses(text), JSON.stringify(text));
      }),
      { numRuns: 3000 },
    );
    assert.ok(refused > 500, "the edits break text often enough to mean something");
  });

  it("accepts exactly what JSON.parse accepts among the shortest texts", () => {
    const alphabet = ['"', "\\", "0", "1", "-", ".", "e", "{", "}", "[", "]", ":", ",", " ", "u"];
    const walk = (text: string, depth: number): void => {
      assert.equal(scan(text) !== undefined, parses(text), JSON.stringify(text));
      if (depth > 0) for (const one of alphabet) walk(text + one, depth - 1);
    };
    walk("", 4);
  });

  it("refuses every control character in a string, and takes all that come after", () => {
    for (let code = 0; code < 0xa0; code += 1) {
      const text = `["${String.fromCharCode(code)}"]`;
      assert.equal(scan(text) !== undefined, parses(text), `U+${code.toString(16)}`);
    }
  });

  it("stops at 128 levels below the one of the body itself", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    assert.ok(scan(nested(129)));
    assert.equal(scan(nested(130)), undefined);
    assert.equal(scan("[".repeat(1_000_000)), undefined);
  });
});
