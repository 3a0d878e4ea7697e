/**
 * Arithmetic on numbers as JSON text has them: integers within 64 bits exactly, all else as doubles. A double that is
 * whole keeps its point (`2.0`), so that a number does not change its kind.
 */
import type { Bytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { INT64_MAX, INT64_MIN } from "../core/int64.js";

/** As JSON writes numbers. */
export const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
const INTEGER = /^-?\d+$/;
const UINT64_MAX = 2n ** 64n - 1n;
/** Characters of the longest of them, with its sign. */
const LENGTH_MAX = String(INT64_MIN).length;

export type NumberKind = "integer" | "number";

/** RedisJSON's word for the number: those written as integers within 64 bits, with a sign or without, are integers. */
export function numberKind(bytes: Bytes, start: number, end: number): NumberKind {
  return wholeNumber(bytes.latin1Slice(start, end), UINT64_MAX) === undefined ? "number" : "integer";
}

export type Arithmetic = "add" | "multiply";

/** `left` and `right` are JSON numbers. Throws `OUT_OF_RANGE`, with RedisJSON's text, for a result that is neither. */
export function calculate(by: Arithmetic, left: string, right: string): string {
  const a = integerOf(left);
  const b = integerOf(right);
  if (a !== undefined && b !== undefined) {
    const result = by === "add" ? a + b : a * b;
    if (result < INT64_MIN || result > INT64_MAX) throw new MinikeyError("OUT_OF_RANGE", "numeric overflow");
    return result.toString();
  }
  const result = by === "add" ? Number(left) + Number(right) : Number(left) * Number(right);
  if (!Number.isFinite(result)) throw new MinikeyError("OUT_OF_RANGE", "result is not a number");
  return doubleText(result);
}

/** The integer within 64 bits, with a sign, that the text is. */
export const integerOf = (text: string): bigint | undefined => wholeNumber(text, INT64_MAX);

/** The whole number that the text is, from −2^63 to `max`. */
function wholeNumber(text: string, max: bigint): bigint | undefined {
  if (!INTEGER.test(text) || text.length > LENGTH_MAX) return undefined;
  const value = BigInt(text);
  return value >= INT64_MIN && value <= max ? value : undefined;
}

function doubleText(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return INTEGER.test(text) ? `${text}.0` : text;
}
