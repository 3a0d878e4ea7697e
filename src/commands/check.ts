/**
 * What can be checked of a command before it goes anywhere: its number of arguments, the sizes of keys and
 * values, and its own rules. Done once, by the node that received it; nothing refused here is replicated.
 */
import { KEY_BYTES_MAX } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { valueTooLarge, wrongArity } from "./errors.js";
import type { Args, CommandSpec } from "./types.js";

export const DEFAULT_VALUE_BYTES_MAX = 8 * 1024 * 1024;

export interface Limits {
  /** The longest value, and the longest argument of any kind. */
  readonly valueBytesMax: number;
}

/**
 * The command as it is carried out: the same `args`, unless the command has another form for that. Throws
 * `MinikeyError`, with Redis's text where Redis has one.
 */
export function checkCommand(spec: CommandSpec, args: Args, limits: Limits): Args {
  if (!hasArity(spec, args.count)) throw wrongArity(spec.name.toLowerCase());
  checkKeySizes(spec, args);
  const valueBytesMax = limits.valueBytesMax;
  for (let i = 1; i < args.count; i += 1) {
    const sizeBytes = args.lengthBytes(i);
    if (sizeBytes > valueBytesMax) throw valueTooLarge(sizeBytes, valueBytesMax);
  }
  if (spec.prepare !== undefined) return spec.prepare(args);
  spec.check?.(args);
  return args;
}

/** As {@link checkCommand}, of a command that another node has checked: it has its form, and any size. */
export function checkPassedOn(spec: CommandSpec, args: Args): void {
  if (checkCommand(spec, args, NO_LIMITS) === args) return;
  throw new MinikeyError(
    "PROTOCOL",
    `${spec.name} was passed on, but not in the form in which it is carried out`,
  );
}

/** The rule for values is for the node that a client asked. */
const NO_LIMITS: Limits = { valueBytesMax: Number.POSITIVE_INFINITY };

/** `count` includes the name. */
export function hasArity(spec: CommandSpec, count: number): boolean {
  return spec.arity >= 0 ? count === spec.arity : count >= -spec.arity;
}

function checkKeySizes(spec: CommandSpec, args: Args): void {
  const { first, last, step } = spec.keys;
  if (first === 0) return;
  const end = last < 0 ? args.count + last : last;
  for (let i = first; i <= end; i += step) checkKeySize(args.lengthBytes(i));
}

/** Throws `KEY_EMPTY` or `KEY_TOO_LARGE`. */
export function checkKeySize(sizeBytes: number): void {
  if (sizeBytes === 0) throw new MinikeyError("KEY_EMPTY", "key is empty: keys have 1 to 1,024 bytes");
  if (sizeBytes > KEY_BYTES_MAX) throw keyTooLarge(sizeBytes);
}

function keyTooLarge(sizeBytes: number): MinikeyError {
  return new MinikeyError(
    "KEY_TOO_LARGE",
    `key of ${sizeBytes} bytes is larger than the limit of 1024 bytes`,
  );
}
