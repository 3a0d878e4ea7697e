import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ERROR_CLASSES, MinikeyError } from "../../../src/core/errors.js";
import { checkVariableName, compileFormula } from "../../../src/document/formula.js";
import { type AngleUnit, numberText } from "../../../src/document/formula-functions.js";

type Values = Readonly<Record<string, number>>;

/** The formula's result with variables by name. */
function compute(text: string, values: Values = {}, unit: AngleUnit = "radians"): number {
  const formula = compileFormula(text);
  return formula.evaluate(
    formula.variables.map(({ name }) => values[name]),
    unit,
  );
}

function refuses(text: string, message: RegExp | string): void {
  assert.throws(
    () => compileFormula(text),
    (error) => {
      assert.ok(error instanceof MinikeyError, `${text}: ${String(error)}`);
      assert.equal(error.code, "BAD_REQUEST");
      if (typeof message === "string") assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    },
    text,
  );
}

function fails(text: string, message: string, unit: AngleUnit = "radians", values: Values = {}): void {
  assert.throws(() => compute(text, values, unit), { name: "MinikeyError", code: "COMPUTE_ERROR", message });
}

describe("a formula", () => {
  it("has the operators of mathematics, with their precedence", () => {
    const results: [string, number][] = [
      ["1+1", 2],
      ["2+3*4", 14],
      ["2*3+4", 10],
      ["(2+3)*4", 20],
      ["2-3-4", -5],
      ["16/4/2", 2],
      ["2*3^2", 18],
      ["2^3^2", 512],
      ["(2^3)^2", 64],
      ["-2^2", -4],
      ["(-2)^2", 4],
      ["-2^-2", -0.25],
      ["2^-1", 0.5],
      ["2^-2^2", 1 / 16],
      ["2*-3", -6],
      ["2--3", 5],
      ["2+-+-3", 5],
      ["--3", 3],
      ["+3", 3],
      ["-(2+3)", -5],
      ["-sin(0)", 0],
      ["-2*3", -6],
      ["1-2^2*3", -11],
      ["((((7))))", 7],
      [" \t1\r\n+ 1 ", 2],
    ];
    for (const [text, result] of results) assert.equal(compute(text), result, text);
  });

  it("reads numbers as people and programs write them", () => {
    const results: [string, number][] = [
      ["1e3", 1000],
      ["1E+3", 1000],
      ["1.5e-3", 0.0015],
      [".5", 0.5],
      ["2.", 2],
      ["5.e1", 50],
      ["007", 7],
      ["0.1+0.2", 0.1 + 0.2],
      ["9007199254740992", 2 ** 53],
      ["9007199254740994", 2 ** 53 + 2],
      ["1e300", 1e300],
    ];
    for (const [text, result] of results) assert.equal(compute(text), result, text);
  });

  it("has functions and constants in any case, and variables as they are written", () => {
    const results: [string, number][] = [
      ["log(1000)", 3],
      ["ln(e)", 1],
      ["exp(0)", 1],
      ["sqrt(16)", 4],
      ["abs(-3)", 3],
      ["min(3,1,2)", 1],
      ["max(3, 1 ,2)", 3],
      ["max(5)", 5],
      ["floor(-1.5)", -2],
      ["ceil(1.2)", 2],
      ["SQRT(Abs(-16))", 4],
      ["Pi", Math.PI],
      ["E", Math.E],
      ["sin (0)", 0],
      ["asin(1)", Math.PI / 2],
      ["acos(1)", 0],
      ["atan(1)", Math.PI / 4],
      ["x*X", 6],
      ["x*_1+exponent", 9],
    ];
    const values = { x: 2, X: 3, _1: 4, exponent: 1 };
    for (const [text, result] of results) assert.equal(compute(text, values), result, text);
  });

  it("names its variables once, with the column where each first comes", () => {
    assert.deepEqual(compileFormula("b + a*b - sin(pi*c1)").variables, [
      { name: "b", column: 1 },
      { name: "a", column: 5 },
      { name: "c1", column: 18 },
    ]);
  });

  it("takes a variable for its value and never for text: x is not in exp, and -x^2 is -(x^2) for any x", () => {
    assert.equal(compute("exp(x)", { x: 0 }), 1);
    assert.equal(compute("x^2", { x: -3 }), 9);
    assert.equal(compute("-x^2", { x: -3 }), -9);
    assert.equal(compute("2-x", { x: -3 }), 5);
    assert.equal(compute("x1+x", { x: 1, x1: 10 }), 11);
  });

  it("rounds halves away from zero", () => {
    for (const [value, rounded] of [
      [2.5, 3],
      [-2.5, -3],
      [0.5, 1],
      [-0.5, -1],
      [0.49999999999999994, 0],
      [-1.4, -1],
      [2 ** 53 - 1, 2 ** 53 - 1],
    ]) {
      assert.equal(compute("round(x)", { x: value }), rounded, String(value));
    }
  });

  it("is exact for whole numbers up to 2^53, and for powers of ten that have an exact inverse", () => {
    assert.equal(compute("3^33"), 5559060566555523);
    assert.equal(compute("94906265*94906265"), 94906265 ** 2);
    for (let power = 0; power <= 22; power += 1) {
      assert.equal(compute(`10^${power}`), Number(`1e${power}`));
      assert.equal(compute(`10^-${power}`), Number(`1e-${power}`));
      assert.equal(compute(`log(1e${power})`), power);
    }
  });

  it("prints as JavaScript does, and zero without a sign", () => {
    assert.equal(numberText(compute("-0")), "0");
    assert.equal(numberText(compute("0*-1")), "0");
    assert.equal(numberText(-0), "0");
    assert.equal(numberText(compute("1/3")), "0.3333333333333333");
    assert.equal(numberText(compute("10^21")), "1e+21");
  });

  it("is 1 for zero to the power of zero", () => {
    assert.equal(compute("0^0"), 1);
  });
});

describe("angles in degrees", () => {
  it("are exact where they are so on paper", () => {
    const results: [string, number][] = [
      ["sin(0)", 0],
      ["sin(30)", 0.5],
      ["sin(90)", 1],
      ["sin(150)", 0.5],
      ["sin(180)", 0],
      ["sin(210)", -0.5],
      ["sin(270)", -1],
      ["sin(-30)", -0.5],
      ["sin(360e9)", 0],
      ["cos(0)", 1],
      ["cos(60)", 0.5],
      ["cos(90)", 0],
      ["cos(120)", -0.5],
      ["cos(180)", -1],
      ["cos(270)", 0],
      ["cos(-60)", 0.5],
      ["tan(0)", 0],
      ["tan(45)", 1],
      ["tan(135)", -1],
      ["tan(180)", 0],
      ["tan(-45)", -1],
      ["asin(0.5)", 30],
      ["asin(-1)", -90],
      ["acos(0.5)", 60],
      ["acos(-1)", 180],
      ["atan(1)", 45],
      ["atan(-1)", -45],
      ["atan(1e300)", 90],
    ];
    for (const [text, result] of results) assert.equal(compute(text, {}, "degrees"), result, text);
  });

  it("agree with radians everywhere else", () => {
    for (let degrees = -720; degrees <= 720; degrees += 7.3) {
      const radians = (degrees * Math.PI) / 180;
      for (const name of ["sin", "cos", "tan"] as const) {
        const difference = compute(`${name}(x)`, { x: degrees }, "degrees") - Math[name](radians);
        assert.ok(Math.abs(difference) < 1e-12 * (1 + Math.tan(radians) ** 2), `${name}(${degrees})`);
      }
    }
    for (let value = -1; value <= 1; value += 0.0371) {
      for (const name of ["asin", "acos", "atan"] as const) {
        const expected = (Math[name](value) * 180) / Math.PI;
        assert.ok(Math.abs(compute(`${name}(x)`, { x: value }, "degrees") - expected) < 1e-12);
      }
    }
  });
});

describe("what cannot be computed is an error that names operation and operands", () => {
  it("division by zero, overflow and values that a function does not take", () => {
    fails("1/0", "1 / 0: division by zero");
    fails("(1-5)/(x-2)", "(-4) / 0: division by zero", "radians", { x: 2 });
    fails("0^-2", "0 ^ (-2): division by zero");
    fails("2^5000", "2 ^ 5000: the result is too large");
    fails("2^-5000/0", "0 / 0: division by zero");
    fails("(-1e200)^3", "(-1e+200) ^ 3: the result is too large");
    fails("1e308+1e308", "1e+308 + 1e+308: the result is too large");
    fails("-1e308-1e308", "(-1e+308) - 1e+308: the result is too large");
    fails("1e308*10", "1e+308 * 10: the result is too large");
    fails("1/1e-320", "1 / 1e-320: the result is too large");
    fails("exp(710)", "exp(710): the result is too large");
    fails("(-8)^(1/2)", "(-8) ^ 0.5: a negative number has whole powers only");
    fails("log(0)", "log(0): log takes numbers above 0");
    fails("ln(-1)", "ln(-1): ln takes numbers above 0");
    fails("sqrt(-4)", "sqrt(-4): sqrt takes numbers from 0 on");
    fails("asin(1.5)", "asin(1.5): asin takes numbers from -1 to 1");
    fails("acos(-2)", "acos(-2): acos takes numbers from -1 to 1");
    for (const degrees of [90, -90, 270, 450]) {
      fails(`tan(x)`, `tan(${degrees}): no tangent at ${degrees} degrees`, "degrees", { x: degrees });
    }
  });

  it("which HTTP answers with 422", () => {
    assert.equal(ERROR_CLASSES.COMPUTE_ERROR.http, 422);
  });

  it("while what is too small becomes zero", () => {
    assert.equal(compute("1e-300*1e-300"), 0);
    assert.equal(compute("2^-5000"), 0);
    assert.equal(compute("exp(-1000)"), 0);
  });
});

describe("what is no formula is refused, with what is wrong and where", () => {
  it("mistakes of people who calculate", () => {
    const anything = 'expected a number, a name or "("';
    refuses("", "formula: it is empty");
    refuses(" \t ", "formula: it is empty");
    refuses("1+", `formula: unexpected end of the formula: ${anything}`);
    refuses("(", `formula: unexpected end of the formula: ${anything}`);
    refuses("(1+2", 'formula: the "(" at column 1 is not closed');
    refuses("2*max(1,2", 'formula: the "(" at column 6 is not closed');
    refuses("1)", 'formula: unexpected ")" at column 2: expected an operator');
    refuses("()", `formula: unexpected ")" at column 2: ${anything}`);
    refuses("*2", `formula: unexpected "*" at column 1: ${anything}`);
    refuses("1 2", 'formula: unexpected "2" at column 3: expected an operator');
    refuses("2x", 'formula: unexpected "x" at column 2: expected an operator: write * to multiply');
    refuses("2(3)", 'formula: unexpected "(" at column 2: expected an operator: write * to multiply');
    refuses("(2)(3)", "formula: (2)(3) at column 1 calls no function: write * to multiply");
    refuses("2**3", 'formula: unexpected "*" at column 3: write ^ for a power');
    refuses("2×3", 'formula: unexpected "×" (U+00D7) at column 2: write *');
    refuses("1−1", 'formula: unexpected "−" (U+2212) at column 2: write -');
    refuses("7%2", 'formula: unexpected "%" at column 2');
    refuses("1,2", 'formula: unexpected "," at column 2: expected an operator');
    refuses("1,", 'formula: unexpected "," at column 2: expected an operator');
    refuses("(1,2)", 'formula: unexpected "," at column 3: expected an operator or ")"');
    refuses("max(1 2)", 'formula: unexpected "2" at column 7: expected an operator or ")"');
    refuses("max(1,)", `formula: unexpected ")" at column 7: ${anything}`);
    refuses("max(,1)", `formula: unexpected "," at column 5: ${anything}`);
    refuses("max()", "formula: max() at column 1 does not fit: max takes numbers");
    refuses("1+sin(1,2)", "formula: sin(1,2) at column 3 does not fit: sin takes one number");
    refuses("1+sin", 'formula: sin at column 3 is a function: "(" must follow');
    refuses("2*sinh(1)", /^formula: sinh\(1\) at column 3 calls no function: there are sin cos /);
    refuses("1e", "formula: expected exponent (1e) at column 3");
    refuses("1.2.3", "formula: unexpected period at column 4");
    refuses("1e999", "formula: 1e999 at column 1 is too large for a number");
    refuses(
      "1+9007199254740993",
      "formula: 9007199254740993 at column 3 is beyond 2^53 and would lose digits",
    );
  });

  it("everything that jsep or JavaScript would take besides", () => {
    const escapes: [string, RegExp][] = [
      ["x.y", /x\.y at column 1 has no place/],
      ["1+x . constructor", /x \. constructor at column 3/],
      ["x.__proto__.y", /x\.__proto__\.y at column 1/],
      ["sin.call(1)", /sin\.call\(1\) at column 1 calls no function/],
      ["x.constructor(1)(2)", /at column 1 calls no function/],
      ["sin(1)(2)", /sin\(1\)\(2\) at column 1 calls no function/],
      ["constructor(1)", /constructor\(1\) at column 1 calls no function/],
      ["__proto__(1)", /__proto__\(1\) at column 1 calls no function/],
      ["toString()", /toString\(\) at column 1/],
      ["hasOwnProperty(1)", /hasOwnProperty\(1\) at column 1/],
      ["x[0]", /unexpected "\[" at column 2/],
      ["[1,2]", /unexpected "\[" at column 1/],
      ["{}", /unexpected "{" at column 1/],
      ['"a"', /unexpected "\\"" at column 1/],
      ["'a'", /unexpected "'" at column 1/],
      ["`a`", /unexpected "`" at column 1/],
      ["/a/", /unexpected "\/" at column 1/],
      ["x=1", /unexpected "=" at column 2/],
      ["x==1", /unexpected "=" at column 2/],
      ["x<1", /unexpected "<" at column 2/],
      ["x&&y", /unexpected "&" at column 2/],
      ["x|y", /unexpected "\|" at column 2/],
      ["!x", /unexpected "!" at column 1/],
      ["~x", /unexpected "~" at column 1/],
      ["x?1:2", /unexpected "\?" at column 2/],
      ["x?.y", /unexpected "\?" at column 2/],
      ["1;2", /unexpected ";" at column 2/],
      ["$x", /unexpected "\$" at column 1/],
      ["@x", /unexpected "@" at column 1/],
      ["#x", /unexpected "#" at column 1/],
      ["x\\u0061", /unexpected "\\\\" at column 2/],
      ["x\0", /unexpected U\+0000 at column 2/],
      ["x\u00a0+1", /unexpected U\+00A0 at column 2/],
      ["x\u200b", /unexpected U\+200B at column 2/],
      ["\u202ex", /unexpected U\+202E at column 1/],
      ["ⅹ+1", /unexpected "ⅹ" \(U\+2179\) at column 1/],
      ["１+1", /unexpected "１" \(U\+FF11\) at column 1/],
      ["x+😀", /unexpected "😀" \(U\+1F600\) at column 3/],
      ["\ud800", /unexpected U\+D800 at column 1/],
    ];
    for (const [text, message] of escapes) refuses(text, message);
  });

  it("takes names of JavaScript's objects for variables like any other", () => {
    for (const name of [
      "constructor",
      "__proto__",
      "toString",
      "this",
      "undefined",
      "NaN",
      "Infinity",
      "true",
    ]) {
      assert.deepEqual(compileFormula(`1+${name}`).variables, [{ name, column: 3 }]);
      assert.equal(compute(`1+${name}`, Object.fromEntries([[name, 2]])), 3, name);
    }
  });

  it("names of variables that formulas cannot have", () => {
    for (const name of ["x", "_", "a1", "Person_2"]) checkVariableName(name);
    for (const name of ["e", "E", "pi", "PI", "sin", "Max"]) {
      assert.throws(
        () => checkVariableName(name),
        /is a (constant|function): give the variable another name/,
      );
    }
    for (const name of ["", "1a", "a.b", "a b", "é", "a-b", "x\n"]) {
      assert.throws(() => checkVariableName(name), /is no name of a variable/);
    }
  });
});

describe("a formula that is very long or deep", () => {
  /** Refused or computed well within the time that a stalled event loop would be noticed. */
  function within(text: string, expected: RegExp | number): void {
    const start = performance.now();
    if (expected instanceof RegExp) refuses(text, expected);
    else assert.equal(compute(text), expected);
    const tookMs = performance.now() - start;
    assert.ok(tookMs < 500, `${text.slice(0, 20)}… took ${tookMs} ms`);
  }

  const tooDeep = /^formula: nested more than 100 deep at column \d+$/;

  it("is refused past 100 levels, whatever the levels are", () => {
    const levels: [open: string, close: string][] = [
      ["(", ")"],
      ["-", ""],
      ["+", ""],
      ["2^", ""],
      ["2^-", ""],
      ["abs(", ")"],
      ["max(1,", ")"],
      ["(1+", ")"],
      ["1+(", ")"],
      ["2*-(", ")"],
    ];
    for (const [open, close] of levels) {
      const most = Math.floor(4095 / (open.length + close.length));
      within(`${open.repeat(most)}1${close.repeat(most)}`, tooDeep);
      within(open.repeat(Math.floor(4096 / open.length)), tooDeep);
    }
    within(`${"(".repeat(101)}1${")".repeat(101)}`, tooDeep);
    within(`${"(".repeat(100)}7${")".repeat(100)}`, 7);
    within(`${"-".repeat(100)}7`, 7);
    within(`${"1^".repeat(100)}7`, 1);
    within(`${"abs(".repeat(100)}7${")".repeat(100)}`, 7);
  });

  it("is computed when it is long and flat", () => {
    within(`1${"+1".repeat(2047)}`, 2048);
    within(`1${"-1".repeat(2047)}`, -2046);
    within(`1${"*1".repeat(2047)}`, 1);
    within(`1${"+1*1".repeat(1023)}`, 1024);
    within(`1${"+(1)".repeat(1023)}`, 1024);
    within(`max(1${",2".repeat(2045)})`, 2);
    within(`1${" ".repeat(4094)}`, 1);
    within("1".repeat(300), /would lose digits/);
    within("1".repeat(4096), /is too large for a number/);
    within(`0.${"1".repeat(4000)}`, 0.1111111111111111);
  });

  it("is refused past 4,096 bytes", () => {
    within(`1${" ".repeat(4096)}`, /^formula: 4097 bytes are more than the limit of 4096$/);
    within("é".repeat(2049), /^formula: 4098 bytes/);
    within("(".repeat(1_000_000), /^formula: 1000000 bytes/);
    within("1+".repeat(4_000_000), /^formula: 8000000 bytes/);
  });
});
