/** What the arguments of all commands here have in common, those of `npm run torture` too. */
import { type ParseArgsConfig, parseArgs } from "node:util";

/** Wrong usage: the message is for people; exit status 2. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** By the name of the option. */
export type OptionValues<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: false }>
>["values"];

/** Throws `UsageError`. */
export function parseOptions<T extends Options>(args: readonly string[], options: T): OptionValues<T> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export const SEED_MAX = 2 ** 32 - 1;

/** Throws `UsageError`. */
export function seedOf(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  if (seed > SEED_MAX) throw new UsageError(`"${text}" is no seed: a whole number from 0 to ${SEED_MAX}`);
  return seed;
}

/** Also fractions. Throws `UsageError`, which names the option. */
export function positive(option: string, text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value === 0) throw new UsageError(`${option} takes a number above 0, not "${text}"`);
  return value;
}
