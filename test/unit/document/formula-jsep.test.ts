import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import jsep from "jsep";
import { compileFormula } from "../../../src/document/formula.js";
import { Jsep, type JsepConfiguration } from "../../../src/document/jsep-class.js";

const evaluate = (text: string): number => compileFormula(text).evaluate([5, 7], "radians");

/** The fields of jsep's class that hold configuration, as they are. */
const configuration = (): Record<string, unknown> =>
  Object.fromEntries(Object.entries(Jsep).filter(([, value]) => typeof value !== "function"));

describe("formulas and other users of jsep in the same process", () => {
  let before: JsepConfiguration;
  beforeEach(() => {
    before = { ...(configuration() as unknown as JsepConfiguration) };
  });
  afterEach(() => {
    Object.assign(Jsep, before);
  });

  it("leave each other's configuration alone", () => {
    const seen = configuration();
    const theirs = { ...seen, binary_ops: { ...(seen.binary_ops as object) } };
    evaluate("-x^2 + y_1");
    assert.throws(() => evaluate("x +"));
    assert.throws(() => evaluate("((("));
    for (const [name, value] of Object.entries(configuration())) assert.equal(value, seen[name], name);
    assert.deepEqual(configuration().binary_ops, theirs.binary_ops);
    assert.equal(jsep("a ^ b && c").type, "BinaryExpression");
    assert.equal(jsep("a ? b : c").type, "ConditionalExpression");
    assert.equal(jsep("this").type, "ThisExpression");
    assert.equal(jsep("$a.b['c']").type, "MemberExpression");
  });

  it("do not notice operators, literals, names and hooks that another user adds or takes away", () => {
    Object.assign(Jsep, {
      unary_ops: { "@": 1 },
      binary_ops: { "+": 10, "*": 1, "^": 1, plus: 5 },
      right_associative: new Set(["-", "+"]),
      additional_identifier_chars: new Set(["%"]),
      literals: { x: 99, sin: 1 },
      this_str: "y_1",
      max_unop_len: 0,
      max_binop_len: 0,
    });
    const text = "2+3*-x^2 - y_1 - 1";
    jsep.hooks.add("gobble-token", () => assert.fail("a hook was called"));
    jsep.hooks.add("after-expression", (env) => {
      env.node = { type: "Literal", value: 1, raw: "1" };
    });
    try {
      assert.equal(evaluate(text), 2 - 3 * 25 - 7 - 1);
      assert.equal(evaluate("sin(x-x)+y_1-y_1"), 0);
      assert.throws(() => evaluate("@x"), /unexpected "@"/);
      assert.throws(() => evaluate("x plus 1"), /unexpected "p"/);
    } finally {
      for (const name of ["gobble-token", "after-expression"] as const)
        (jsep.hooks[name] as unknown as unknown[]).pop();
    }
  });
});
