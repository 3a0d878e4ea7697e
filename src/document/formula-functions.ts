/**
 * What a formula can compute: operations on finite numbers whose results are finite numbers, or an error
 * (`COMPUTE_ERROR`) that names the operation and its operands. Numbers are IEEE 754 doubles: whole ones are exact
 * up to 2^53.
 *
 * In degrees, what is exact on paper is exact here: sin(30) is 0.5, cos(90) is 0, tan(45) is 1 and tan(90) an
 * error. Angles are reduced before they are made radians, which loses nothing (the remainder of doubles is exact).
 */
import { MinikeyError } from "../core/errors.js";

/** What sin, cos and tan take, and asin, acos and atan give. */
export type AngleUnit = "radians" | "degrees";

export interface FormulaFunction {
  readonly name: string;
  /** 1, or any number of at least 1. */
  readonly isVariadic: boolean;
  /** Of the `count` numbers from `values[from]` on. */
  readonly apply: (values: Float64Array, from: number, count: number, unit: AngleUnit) => number;
}

/** A result as people read it: as JavaScript prints it, without the sign of zero. */
export const numberText = (value: number): string => String(value + 0);

// --- Operators ---

export const add = (a: number, b: number): number => finite(a + b, "+", a, b);
export const subtract = (a: number, b: number): number => finite(a - b, "-", a, b);
export const multiply = (a: number, b: number): number => finite(a * b, "*", a, b);

export function divide(a: number, b: number): number {
  if (b === 0) throw failed(operation("/", a, b), "division by zero");
  return finite(a / b, "/", a, b);
}

export function power(a: number, b: number): number {
  if (a === 0 && b < 0) throw failed(operation("^", a, b), "division by zero");
  if (a < 0 && !Number.isInteger(b)) {
    throw failed(operation("^", a, b), "a negative number has whole powers only");
  }
  // 10^-4 by way of 10^4, which is exact.
  const inverse = b < 0 && Number.isInteger(b) ? a ** -b : 0;
  return finite(inverse === 0 || !Number.isFinite(inverse) ? a ** b : 1 / inverse, "^", a, b);
}

function finite(result: number, operator: string, a: number, b: number): number {
  if (!Number.isFinite(result)) throw failed(operation(operator, a, b), "the result is too large");
  return result;
}

const operation = (operator: string, a: number, b: number): string => `${shown(a)} ${operator} ${shown(b)}`;
const shown = (value: number): string => (value < 0 ? `(${value})` : String(value));
const failed = (what: string, why: string): MinikeyError =>
  new MinikeyError("COMPUTE_ERROR", `${what}: ${why}`);

// --- Angles ---

const DEGREE = Math.PI / 180;

const sine = (x: number, unit: AngleUnit): number => (unit === "degrees" ? sineOfDegrees(x) : Math.sin(x));
const cosine = (x: number, unit: AngleUnit): number =>
  unit === "degrees" ? sineOfDegrees(90 - (Math.abs(x) % 360)) : Math.cos(x);

function sineOfDegrees(x: number): number {
  const turn = Math.abs(x % 360);
  const half = turn >= 180 ? turn - 180 : turn;
  const acute = half > 90 ? 180 - half : half;
  const isNegative = x < 0 !== turn >= 180;
  const value = sineOfAcute(acute);
  return isNegative ? -value : value;
}

/** 0 to 90 degrees. */
function sineOfAcute(x: number): number {
  if (x === 30) return 0.5;
  return x <= 45 ? Math.sin(x * DEGREE) : Math.cos((90 - x) * DEGREE);
}

function tangent(x: number, unit: AngleUnit): number {
  if (unit === "radians") return Math.tan(x);
  const below = cosine(x, unit);
  if (below === 0) throw failed(`tan(${x})`, `no tangent at ${x} degrees`);
  return sine(x, unit) / below;
}

/** `radians` of an inverse function in the unit asked for: whole degrees exactly when `isExact` says that they are it. */
function angle(radians: number, unit: AngleUnit, isExact: (degrees: number) => boolean): number {
  if (unit === "radians") return radians;
  const degrees = radians / DEGREE;
  const whole = Math.round(degrees);
  return isExact(whole) ? whole : degrees;
}

function arcSine(x: number, unit: AngleUnit): number {
  if (x < -1 || x > 1) throw failed(`asin(${x})`, "asin takes numbers from -1 to 1");
  return angle(Math.asin(x), unit, (degrees) => sine(degrees, unit) === x);
}

function arcCosine(x: number, unit: AngleUnit): number {
  if (x < -1 || x > 1) throw failed(`acos(${x})`, "acos takes numbers from -1 to 1");
  return angle(Math.acos(x), unit, (degrees) => cosine(degrees, unit) === x);
}

const arcTangent = (x: number, unit: AngleUnit): number =>
  angle(Math.atan(x), unit, (degrees) => Math.abs(degrees) !== 90 && tangent(degrees, unit) === x);

// --- Other functions ---

function positive(name: string, x: number): number {
  if (x <= 0) throw failed(`${name}(${x})`, `${name} takes numbers above 0`);
  return x;
}

function squareRoot(x: number): number {
  if (x < 0) throw failed(`sqrt(${x})`, "sqrt takes numbers from 0 on");
  return Math.sqrt(x);
}

function exponential(x: number): number {
  const result = Math.exp(x);
  if (result === Number.POSITIVE_INFINITY) throw failed(`exp(${x})`, "the result is too large");
  return result;
}

/** To the nearest whole number; halves away from zero, as school and banks' statements have it. */
const roundHalfAway = (x: number): number => (x < 0 ? -Math.round(-x) : Math.round(x));

const unary = (name: string, of: (x: number, unit: AngleUnit) => number): FormulaFunction => ({
  name,
  isVariadic: false,
  apply: (values, from, _count, unit) => of(values[from], unit),
});

const variadic = (name: string, of: (a: number, b: number) => number): FormulaFunction => ({
  name,
  isVariadic: true,
  apply: (values, from, count) => {
    let result = values[from];
    for (let i = from + 1; i < from + count; i += 1) result = of(result, values[i]);
    return result;
  },
});

export const FUNCTIONS: readonly FormulaFunction[] = [
  unary("sin", sine),
  unary("cos", cosine),
  unary("tan", tangent),
  unary("asin", arcSine),
  unary("acos", arcCosine),
  unary("atan", arcTangent),
  unary("log", (x) => Math.log10(positive("log", x))),
  unary("ln", (x) => Math.log(positive("ln", x))),
  unary("exp", exponential),
  unary("sqrt", squareRoot),
  unary("abs", Math.abs),
  unary("floor", Math.floor),
  unary("ceil", Math.ceil),
  unary("round", roundHalfAway),
  variadic("min", Math.min),
  variadic("max", Math.max),
];

export const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ["pi", Math.PI],
  ["e", Math.E],
]);
