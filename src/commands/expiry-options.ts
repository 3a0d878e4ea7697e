/**
 * When a key is to expire, as commands say it: seconds or milliseconds, from now or since 1970. Only the view's
 * time is used, so that every replica computes the same.
 *
 * Expiry times are kept as numbers: beyond 2^53 − 1 milliseconds (the year 287,396) they are refused with the
 * text that Redis uses beyond 2^63 − 1. Source: Redis 7.0, `t_string.c` (`getExpireMillisecondsOrReply`).
 */
import { invalidExpireTime } from "./errors.js";
import { integerArg, isWord } from "./spec.js";
import type { Args } from "./types.js";

export interface ExpiryOption {
  /** The argument that holds the time. */
  readonly valueIndex: number;
  readonly unitMs: 1 | 1000;
  /** Since 1970 rather than from now. */
  readonly absolute: boolean;
}

/** The option `EX`, `PX`, `EXAT` or `PXAT` at argument i with its value behind it; undefined for anything else. */
export function expiryOption(args: Args, i: number): ExpiryOption | undefined {
  const valueIndex = i + 1;
  if (valueIndex >= args.count) return undefined;
  if (isWord(args, i, "EX")) return { valueIndex, unitMs: 1000, absolute: false };
  if (isWord(args, i, "PX")) return { valueIndex, unitMs: 1, absolute: false };
  if (isWord(args, i, "EXAT")) return { valueIndex, unitMs: 1000, absolute: true };
  if (isWord(args, i, "PXAT")) return { valueIndex, unitMs: 1, absolute: true };
  return undefined;
}

/** True for `EX 1` and `EX 2`, false for `EX 1` and `PX 2`. */
export function isSameKind(a: ExpiryOption, b: ExpiryOption): boolean {
  return a.unitMs === b.unitMs && a.absolute === b.absolute;
}

/**
 * The option's moment in milliseconds since 1970; 0 for `nowMs` checks what does not depend on the time. Throws
 * `NOT_AN_INTEGER`, or `OUT_OF_RANGE` unless the time given is positive and the moment representable.
 */
export function resolveExpiry(args: Args, option: ExpiryOption, nowMs: number, commandName: string): number {
  const value = integerArg(args, option.valueIndex);
  if (value <= 0) throw invalidExpireTime(commandName);
  return momentOf(Number(value), option, nowMs, commandName);
}

/** As {@link resolveExpiry}, but the time given may be in the past: EXPIRE and its kin delete the key then. */
export function resolveAnyExpiry(
  args: Args,
  option: ExpiryOption,
  nowMs: number,
  commandName: string,
): number {
  const value = integerArg(args, option.valueIndex);
  if (option.unitMs === 1000 && value < -MOMENT_MAX_SECONDS) throw invalidExpireTime(commandName);
  return momentOf(Number(value), option, nowMs, commandName);
}

/** −2^63 milliseconds in seconds: Redis refuses what is below. */
const MOMENT_MAX_SECONDS = 9_223_372_036_854_775n;

function momentOf(value: number, option: ExpiryOption, nowMs: number, commandName: string): number {
  const momentMs = value * option.unitMs + (option.absolute ? 0 : nowMs);
  if (momentMs > Number.MAX_SAFE_INTEGER) throw invalidExpireTime(commandName);
  return momentMs;
}
