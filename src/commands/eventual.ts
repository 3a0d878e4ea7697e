/**
 * What commands can promise in an eventual keyspace, and why some are refused there (docs/adr/0014).
 *
 * A replica carries a write out on what it has, and of two concurrent outcomes the later wins as a whole. So nothing
 * can be kept there that depends on what other replicas have at the same moment: a condition, two keys at once, a sum
 * that is a value like any other.
 */
import { MinikeyError } from "../core/errors.js";
import { isWord } from "./spec.js";
import type { Args, CommandSpec, EventualRule, NotKept } from "./types.js";

export const BOTH_FIND_NONE = "two replicas may both find the key absent";
export const MAY_BE_GONE = "the key may be there on one replica and gone on another";
export const NOT_BOTH_KEYS = "its keys may be on different replicas, which do not change at one moment";
export const WOULD_LOSE = "of two additions at the same time only the later would count";

/** A command that is refused in every form. */
export const refusedEventually =
  (name: string, why: string): EventualRule =>
  () => ({ what: name, why });

/** A command that is refused with one of these words (in upper case) among its arguments from the i-th on. */
export const refusedWith =
  (name: string, from: number, words: readonly (readonly [word: string, why: string])[]): EventualRule =>
  (args) => {
    for (let i = from; i < args.count; i += 1) {
      for (const [word, why] of words)
        if (isWord(args, i, word)) return { what: `${name} with ${word}`, why };
    }
    return undefined;
  };

/** Why the command, which has passed its check, cannot be carried out in the eventual keyspace of that name. */
export function eventualRefusal(spec: CommandSpec, args: Args, keyspace: string): MinikeyError | undefined {
  const rule = spec.eventual;
  if (typeof rule === "string") return undefined;
  const notKept = rule(args);
  return notKept && refusal(notKept, keyspace);
}

function refusal({ what, why }: NotKept, keyspace: string): MinikeyError {
  const advice = "use a keyspace of consistency strong";
  return new MinikeyError(
    "UNSUPPORTED",
    `${what} cannot be kept in the eventual keyspace '${keyspace}': ${why}; ${advice}`,
  );
}
