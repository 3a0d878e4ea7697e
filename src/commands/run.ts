/** Carrying a command out on one partition: the caller's mistakes become replies, broken invariants do not. */
import { assert } from "../core/assert.js";
import { MinikeyError } from "../core/errors.js";
import type { Reply } from "./reply.js";
import type { Args, CommandSpec, KeyValueView } from "./types.js";

/** The command's reply; what it throws as `MinikeyError` is its reply too, and it has then changed nothing. */
export function runCommand(spec: CommandSpec, view: KeyValueView, args: Args): Reply {
  const run = spec.run;
  assert(run !== undefined, "% is not carried out on a partition", spec.name);
  try {
    return run(view, args);
  } catch (error) {
    if (error instanceof MinikeyError) return error;
    throw error;
  }
}
