/**
 * x86's 80-bit `long double`, in which Redis computes INCRBYFLOAT: a 64-bit significand, so that 10.5 + 0.1 is
 * printed as 10.6. Done here in exact integers, hence the same on every machine and in every replica.
 *
 * A finite number is ± significand × 2^exponent, rounded to nearest, ties to even. Reading follows C's `strtold`
 * and Redis's `string2ld`, writing follows `ld2string` with `LD_STR_HUMAN`: `%.17Lf` without trailing zeros.
 */
import type { Bytes } from "../core/bytes.js";

export interface LongDouble {
  readonly finite: boolean;
  readonly negative: boolean;
  /** Below 2^64. */
  readonly significand: bigint;
  readonly exponent: number;
}

const SIGNIFICAND_BITS = 64;
/** 2^EXPONENT_MIN is the smallest positive number. */
const EXPONENT_MIN = -16_445;
/** The largest number is just below 2^(EXPONENT_MAX + SIGNIFICAND_BITS). */
const EXPONENT_MAX = 16_320;

/** Beyond these powers of ten every number is too large, or rounds to nothing. */
const DECIMAL_EXPONENT_MAX = 5_000;
const DECIMAL_EXPONENT_MIN = -5_000;

/** Redis's buffer (`MAX_LONG_DOUBLE_CHARS`), with the terminating zero. */
const TEXT_BYTES_MAX = 5 * 1024 - 1;

const FRACTION_DIGITS = 17;
const FRACTION_SCALE = 10n ** BigInt(FRACTION_DIGITS);

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?(?:[pP]([+-]?\d+))?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** The number that `bytes[start, end)` spells; undefined for none, NaN, and what is too large or too small. */
export function parseLongDouble(bytes: Bytes, start: number, end: number): LongDouble | undefined {
  if (end - start > TEXT_BYTES_MAX) return undefined;
  const text = bytes.latin1Slice(start, end);
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinity(infinite[1] === "-");
  const hexadecimal = HEXADECIMAL.exec(text);
  if (hexadecimal !== null) return scale(hexadecimal, 16, 2, 4);
  const decimal = DECIMAL.exec(text);
  return decimal === null ? undefined : scale(decimal, 10, 10, 1);
}

/** `a + b`; infinite when it is too large or either is infinite. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble {
  if (!a.finite) return a;
  if (!b.finite) return b;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = signed(a, exponent) + signed(b, exponent);
  const negative = sum < 0n;
  const scaled = negative ? -sum : sum;
  if (exponent >= 0) return round(negative, scaled << BigInt(exponent), 1n);
  return round(negative, scaled, 1n << BigInt(-exponent));
}

/** In decimal, with up to 17 digits after the point. `value` is finite. */
export function formatLongDouble(value: LongDouble): string {
  const scaled = value.significand * FRACTION_SCALE;
  const units =
    value.exponent >= 0
      ? scaled << BigInt(value.exponent)
      : divideToEven(scaled, 1n << BigInt(-value.exponent));
  const digits = units.toString().padStart(FRACTION_DIGITS + 1, "0");
  const whole = digits.slice(0, -FRACTION_DIGITS);
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, "");
  const text = fraction === "" ? whole : `${whole}.${fraction}`;
  return value.negative && text !== "0" ? `-${text}` : text;
}

function infinity(negative: boolean): LongDouble {
  return { finite: false, negative, significand: 0n, exponent: 0 };
}

function signed(value: LongDouble, exponent: number): bigint {
  const shifted = value.significand << BigInt(value.exponent - exponent);
  return value.negative ? -shifted : shifted;
}

/**
 * The number that a match of sign, whole digits, fraction digits and exponent stands for. Digits are of base
 * `radix`; the exponent counts powers of `base`, `perDigit` of which make a digit.
 */
function scale(
  match: RegExpExecArray,
  radix: 10 | 16,
  base: 2 | 10,
  perDigit: number,
): LongDouble | undefined {
  const negative = match[1] === "-";
  const fraction = match[3] ?? "";
  const digits = `${match[2]}${fraction}`;
  if (digits === "") return undefined;
  const coefficient = BigInt(radix === 16 ? `0x${digits}` : digits);
  if (coefficient === 0n) return { finite: true, negative, significand: 0n, exponent: EXPONENT_MIN };
  const power = Number(match[4] ?? "0") - fraction.length * perDigit;
  const magnitude = (bitLength(coefficient) + power * Math.log2(base)) / Math.log2(10);
  if (magnitude > DECIMAL_EXPONENT_MAX || magnitude < DECIMAL_EXPONENT_MIN) return undefined;
  const factor = BigInt(base) ** BigInt(Math.abs(power));
  const value = power >= 0 ? round(negative, coefficient * factor, 1n) : round(negative, coefficient, factor);
  return value.finite && value.significand !== 0n ? value : undefined;
}

/** `± numerator / denominator`, rounded. */
function round(negative: boolean, numerator: bigint, denominator: bigint): LongDouble {
  if (numerator === 0n) return { finite: true, negative: false, significand: 0n, exponent: EXPONENT_MIN };
  let exponent = bitLength(numerator) - bitLength(denominator) - SIGNIFICAND_BITS;
  // The estimate is at most one too low.
  if (quotient(numerator, denominator, exponent) >> BigInt(SIGNIFICAND_BITS) !== 0n) exponent += 1;
  exponent = Math.max(exponent, EXPONENT_MIN);
  if (exponent > EXPONENT_MAX) return infinity(negative);
  const significand = quotient(numerator, denominator, exponent);
  return { finite: true, negative, significand, exponent };
}

/** `numerator / denominator / 2^exponent`, rounded to an integer. */
function quotient(numerator: bigint, denominator: bigint, exponent: number): bigint {
  return exponent >= 0
    ? divideToEven(numerator, denominator << BigInt(exponent))
    : divideToEven(numerator << BigInt(-exponent), denominator);
}

function divideToEven(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator;
  const twiceRest = 2n * (numerator % denominator);
  if (twiceRest < denominator) return whole;
  if (twiceRest > denominator || (whole & 1n) === 1n) return whole + 1n;
  return whole;
}

function bitLength(value: bigint): number {
  const hexadecimal = value.toString(16);
  return 4 * (hexadecimal.length - 1) + (32 - Math.clz32(Number.parseInt(hexadecimal[0], 16)));
}
