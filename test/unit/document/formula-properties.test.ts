/** Formulas against a reference that knows nothing of them: trees made at random, evaluated by walking over them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MinikeyError } from "../../../src/core/errors.js";
import { compileFormula } from "../../../src/document/formula.js";

type Tree =
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "sign"; readonly sign: "-" | "+"; readonly of: Tree }
  | { readonly kind: "operation"; readonly operator: string; readonly left: Tree; readonly right: Tree }
  | { readonly kind: "call"; readonly name: string; readonly of: readonly Tree[] };

const VALUES: Readonly<Record<string, number>> = { x: 12, y: -1.75, exp1: 0, P_2: 1e-3 };

const number: fc.Arbitrary<Tree> = fc
  .constantFrom("0", "1", "2", "3.5", ".25", "10", "1e2", "2.", "1.5e-1", "pi", "E")
  .map((text) => ({ kind: "number", text }));
const variable: fc.Arbitrary<Tree> = fc
  .constantFrom(...Object.keys(VALUES))
  .map((name) => ({ kind: "variable", name }));

const tree = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    number,
    variable,
    fc.record({ kind: fc.constant("sign"), sign: fc.constantFrom("-", "+"), of: tie("tree") }),
    fc.record({
      kind: fc.constant("operation"),
      operator: fc.constantFrom("+", "-", "*", "/", "^"),
      left: tie("tree"),
      right: tie("tree"),
    }),
    fc.record({
      kind: fc.constant("call"),
      name: fc.constantFrom("sin", "cos", "tan", "atan", "abs", "sqrt", "log", "ln", "exp", "floor", "ceil"),
      of: fc.tuple(tie("tree")),
    }),
    fc.record({
      kind: fc.constant("call"),
      name: fc.constantFrom("min", "max"),
      of: fc.array(tie("tree"), { minLength: 1, maxLength: 3 }),
    }),
  ) as fc.Arbitrary<Tree>,
})).tree;

/** How tightly each kind of tree holds together; what stands in a place that needs more is put in parentheses. */
const SUM = 1;
const PRODUCT = 2;
const SIGN = 3;
const POWER = 4;
const PRIMARY = 5;

function strength(of: Tree): number {
  if (of.kind === "sign") return SIGN;
  if (of.kind !== "operation") return PRIMARY;
  if (of.operator === "^") return POWER;
  return of.operator === "+" || of.operator === "-" ? SUM : PRODUCT;
}

/** `next` gives numbers from 0 to 1: how many blanks and needless parentheses there are, and the letters' case. */
function print(of: Tree, next: () => number, needed = SUM): string {
  const blank = (): string => [" ", "\t", "  ", "\n", "", "", "", ""][Math.floor(next() * 8)];
  const inner = printBare(of, next, blank);
  const isWrapped = strength(of) < needed || next() < 0.1;
  return isWrapped ? `${blank()}(${blank()}${inner}${blank()})${blank()}` : `${blank()}${inner}${blank()}`;
}

function printBare(of: Tree, next: () => number, blank: () => string): string {
  switch (of.kind) {
    case "number":
      return of.text;
    case "variable":
      return of.name;
    case "sign":
      return `${of.sign}${print(of.of, next, SIGN)}`;
    case "call": {
      const name = next() < 0.2 ? of.name.toUpperCase() : of.name;
      return `${name}${blank()}(${of.of.map((one) => print(one, next)).join(",")})`;
    }
    case "operation": {
      const own = strength(of);
      // Of equals, the left one goes first; of powers the right one, which may also be a sign.
      const [left, right] = of.operator === "^" ? [PRIMARY, SIGN] : [own, own + 1];
      return `${print(of.left, next, left)}${of.operator}${print(of.right, next, right)}`;
    }
  }
}

/** NaN when there is no result that is a finite number. */
function reference(of: Tree): number {
  const result = referenceBare(of);
  return Number.isFinite(result) ? result : Number.NaN;
}

function referenceBare(of: Tree): number {
  switch (of.kind) {
    case "number":
      return of.text === "pi" ? Math.PI : of.text === "E" ? Math.E : Number(of.text);
    case "variable":
      return VALUES[of.name];
    case "sign":
      return of.sign === "-" ? -reference(of.of) : reference(of.of);
    case "operation":
      return referenceOperation(of.operator, reference(of.left), reference(of.right));
    case "call": {
      const values = of.of.map(reference);
      if (of.name === "log") return Math.log10(values[0]);
      if (of.name === "ln") return Math.log(values[0]);
      const functions = Math as unknown as Record<string, (...values: number[]) => number>;
      return functions[of.name](...values);
    }
  }
}

function referenceOperation(operator: string, a: number, b: number): number {
  // NaN ** 0 and 1 ** NaN: what has no value has no power either.
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    default:
      return a ** b;
  }
}

function evaluate(text: string): number {
  const formula = compileFormula(text);
  const values = formula.variables.map(({ name }) => VALUES[name]);
  try {
    return formula.evaluate(values, "radians");
  } catch (error) {
    assert.ok(error instanceof MinikeyError && error.code === "COMPUTE_ERROR", String(error));
    return Number.NaN;
  }
}

/** Powers with negative exponents are made in two ways, which may differ in the last digit. */
const isNear = (a: number, b: number): boolean =>
  (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

test("a formula, however it is written, is what its tree is", () => {
  fc.assert(
    fc.property(tree, fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), (of, stream) => {
      const text = print(of, () => stream.next().value as number);
      fc.pre(text.length <= 4096);
      const [result, expected] = [evaluate(text), reference(of)];
      assert.ok(isNear(result, expected), `${text} is ${expected}, not ${result}`);
    }),
    { numRuns: 2000 },
  );
});

/** Text that is nearly a formula, so that it gets far. */
const nearly = fc
  .array(
    fc.constantFrom(
      ...["+", "-", "*", "/", "^", "(", ")", ",", ".", " ", "\t"],
      "1",
      "2.5",
      "1e",
      "x",
      "y",
      "sin",
      "max(",
      "pi",
      "e",
      ".",
      "__proto__",
      "²",
      "[",
      '"',
      "=",
      "\0",
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""));

test("garbage is computed or refused, and never does anything else", () => {
  fc.assert(
    fc.property(fc.oneof(nearly, fc.string({ unit: "binary", maxLength: 60 })), (text) => {
      try {
        const formula = compileFormula(text);
        const result = formula.evaluate(
          formula.variables.map(() => 2),
          "degrees",
        );
        assert.ok(Number.isFinite(result), `${JSON.stringify(text)} is ${result}`);
      } catch (error) {
        assert.ok(error instanceof MinikeyError, `${JSON.stringify(text)}: ${String(error)}`);
        assert.ok(["BAD_REQUEST", "COMPUTE_ERROR"].includes(error.code));
        assert.ok(error.message.length < 300);
      }
    }),
    { numRuns: 5000 },
  );
});
