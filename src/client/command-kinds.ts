/**
 * Which commands may be sent again, and how: from the command table. A command that this version does not
 * know counts as a write that may not.
 */
import { COMMANDS } from "../commands/table.js";
import type { CommandSpec } from "../commands/types.js";
import type { Argument, CommandKind } from "./wire.js";

/** Answered by the node itself, and yet they change something. */
const CHANGING_LOCALS: ReadonlySet<string> = new Set(["KEYSPACE"]);

/** @param args with the command's name first */
export function kindOf(args: readonly Argument[]): CommandKind {
  const spec = COMMANDS.byName(String(args[0]));
  if (spec === undefined) return "write";
  if (spec.access === "read") return "read";
  if (spec.access === "none") return CHANGING_LOCALS.has(spec.name) ? "write" : "read";
  // A caller's own ONCE carries a number already.
  return hasOneKey(spec, args.length) && spec.name !== "ONCE" ? "write-once" : "write";
}

/** Whether the command, with this many arguments (its name included), names exactly one key. */
export function hasOneKey(spec: CommandSpec, count: number): boolean {
  const { first, last, step } = spec.keys;
  if (first === 0) return false;
  const end = last < 0 ? count + last : last;
  return end >= first && end < count && end - first < step;
}
