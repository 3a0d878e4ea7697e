/**
 * Signed 64-bit integers in decimal, exactly: a `number` within ±(2^53 − 1), else a `bigint`, never both for one
 * value. Accepts what Redis's `string2ll` accepts: no spaces, no plus sign, no leading zero, no minus zero.
 */
import type { Bytes } from "./bytes.js";

/** The bounds, which counters and the integers of documents keep to. */
export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);

export type Int64 = number | bigint;

const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** Up to this many digits fit a `number` exactly. */
const SAFE_DIGITS = 15;
/** Digits of 2^63. */
const DIGITS_MAX = 19;

/** The integer that `bytes[start, end)` spells, or undefined when it spells none within 64 bits. */
export function parseInt64(bytes: Bytes, start: number, end: number): Int64 | undefined {
  const negative = start < end && bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  const digits = end - first;
  if (digits <= 0 || digits > DIGITS_MAX) return undefined;
  if (bytes[first] === ZERO) return digits === 1 && !negative ? 0 : undefined;
  let value = 0;
  for (let i = first; i < end; i += 1) {
    const byte = bytes[i];
    if (byte < ZERO || byte > NINE) return undefined;
    value = value * 10 + (byte - ZERO);
  }
  if (digits <= SAFE_DIGITS) return negative ? -value : value;
  return normalize(BigInt(bytes.latin1Slice(start, end)));
}

/** `a + b`, or undefined when it does not fit 64 bits. */
export function addInt64(a: Int64, b: Int64): Int64 | undefined {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return normalize(BigInt(a) + BigInt(b));
}

/** `-value`, or undefined when it does not fit 64 bits. */
export function negateInt64(value: Int64): Int64 | undefined {
  if (typeof value === "number") return value === 0 ? 0 : -value;
  return normalize(-value);
}

function normalize(value: bigint): Int64 | undefined {
  if (value > INT64_MAX || value < INT64_MIN) return undefined;
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
}
