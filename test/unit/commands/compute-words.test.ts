import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { parseCompute } from "../../../src/commands/compute-words.js";
import { MinikeyError } from "../../../src/core/errors.js";

/** `formula | name=path, … | unit` */
function words(...parts: readonly string[]): string {
  const { formula, bindings, unit } = parseCompute(parts);
  return [formula, bindings.map(({ name, path }) => `${name}=${path}`).join(", "), unit].join(" | ");
}

const refuses = (parts: readonly string[], message: string): void => {
  assert.throws(() => words(...parts), {
    name: "MinikeyError",
    code: "SYNTAX",
    message: `syntax error: ${message}`,
  });
};

describe("the words of COMPUTE", () => {
  it("may be cut into arguments in any way", () => {
    const expected = "2*x | x=a.b | radians";
    for (const line of [
      "2*x WHERE x = QUERY a.b",
      "2*x where x = query a.b",
      "2*x Where x= Query a.b",
      "2*x WHERE x =QUERY a.b",
      "2*x WHERE x=QUERY a.b",
      "2*x  WHERE\tx=QUERY   a.b RADIANS",
      "2*x radians WHERE x=QUERY a.b",
    ]) {
      assert.equal(words(...line.split(/\s+/)), expected, line);
      assert.equal(words(line), expected, `in one argument: ${line}`);
      const [formula, ...rest] = line.split(/\s+/);
      assert.equal(words(formula, rest.join(" ")), expected, `in two arguments: ${line}`);
    }
  });

  it("take a formula in one argument or in many", () => {
    assert.equal(words("2 * ( x + 3 )"), "2 * ( x + 3 ) |  | radians");
    assert.equal(words("2", "*", "(", "x + 3", ")"), "2 * ( x + 3 ) |  | radians");
    assert.equal(words(" 1+1 "), "1+1 |  | radians");
  });

  it("take any number of bindings", () => {
    const bindings = Array.from({ length: 300 }, (_, i) => [
      i === 0 ? "WHERE" : "and",
      `x${i}`,
      "=",
      "QUERY",
      `k${i}`,
    ]);
    assert.equal(parseCompute(["1", ...bindings.flat()]).bindings.length, 300);
    assert.equal(
      words("x+y", ..."WHERE x = QUERY a AND y=QUERY b DEGREES".split(" ")),
      "x+y | x=a, y=b | degrees",
    );
  });

  it("take a path with blanks, equals signs or keywords in it as one argument", () => {
    assert.equal(words("x", "WHERE", "x", "=", "QUERY", "my key.a field"), "x | x=my key.a field | radians");
    assert.equal(words("x", "WHERE", "x=QUERY", " a=b ", "DEGREES"), "x | x= a=b  | degrees");
    assert.equal(words("x", "WHERE", "x", "=", "QUERY", "degrees"), "x | x=degrees | radians");
    assert.equal(
      words("x", "WHERE", "x", "=", "QUERY", "and", "AND", "y=QUERY", "b"),
      "x | x=and, y=b | radians",
    );
  });

  it("have the unit before WHERE or at the end, and leave variables of these names alone", () => {
    assert.equal(words("sin(30)", "DEGREES"), "sin(30) |  | degrees");
    assert.equal(words("sin(30) degrees"), "sin(30) |  | degrees");
    assert.equal(words("sin(30) Radians"), "sin(30) |  | radians");
    assert.equal(words("degrees", "WHERE", "degrees=QUERY", "a"), "degrees | degrees=a | radians");
    assert.equal(words("2", "*", "degrees"), "2 * degrees |  | radians");
    assert.equal(words("2 - ( degrees )", "degrees"), "2 - ( degrees ) |  | degrees");
    assert.equal(words("2*degrees"), "2*degrees |  | radians");
  });

  it("make a request or are refused, whatever they are", () => {
    const word = fc.constantFrom(
      "x",
      "y=",
      "=",
      "=QUERY",
      "x=QUERY",
      "WHERE",
      "and",
      "QUERY",
      "a.b",
      "degrees",
      "2*",
      " ",
      "",
      "a b",
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 14 }), (parts) => {
        try {
          const { bindings } = parseCompute(parts);
          assert.ok(bindings.every(({ name, path }) => /^\S+$/.test(name) && path.trim() !== ""));
        } catch (error) {
          assert.ok(error instanceof MinikeyError && error.code === "SYNTAX", String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("leave it to the formula to be empty", () => {
    assert.equal(words("WHERE", "x", "=", "QUERY", "a"), " | x=a | radians");
    assert.equal(words(""), " |  | radians");
  });

  it("are refused with what is wrong and where", () => {
    const bound = ["x", "WHERE", "x", "=", "QUERY", "a.b"];
    refuses(["x", "WHERE"], "name = QUERY path must follow WHERE");
    refuses([...bound, "AND"], "name = QUERY path must follow AND");
    refuses(["x", "WHERE", "x"], "expected = after x, got nothing");
    refuses(["x", "WHERE", "x", "QUERY", "a"], "expected = after x, got QUERY");
    refuses(["x", "WHERE", "=", "QUERY", "a"], "expected a variable before =, after WHERE");
    refuses(["x", "WHERE", "x="], "expected QUERY path after x =, got nothing");
    refuses(["x", "WHERE", "x", "=", "a.b"], "expected QUERY path after x =, got a.b");
    refuses(["x", "WHERE", "x=a.b"], "expected QUERY path after x =, got a.b");
    refuses(["x", "WHERE", "x", "==", "QUERY", "a"], "expected QUERY path after x =, got =");
    refuses(["x", "WHERE", "x", "=", "QUERY"], "expected a path after x = QUERY");
    refuses([...bound, "y=QUERY", "b"], "expected AND, DEGREES or RADIANS after x = QUERY a.b, got y=QUERY");
    refuses([...bound, "c"], "expected AND, DEGREES or RADIANS after x = QUERY a.b, got c");
    refuses([...bound, "DEGREES", "RADIANS"], "expected nothing more, got RADIANS");
    refuses(["x", "DEGREES", ...bound.slice(1), "RADIANS"], "DEGREES or RADIANS is given twice");
    refuses([...bound, "DEGREES", "AND", "y", "=", "QUERY", "b"], "expected nothing more, got AND");
  });
});
