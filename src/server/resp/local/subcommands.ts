/** Commands that contain others: `CLIENT LIST`, `CONFIG GET` … */
import { wrongArity } from "../../../commands/errors.js";
import { Status } from "../../../commands/reply.js";
import { unknownSubcommand } from "../bad-requests.js";
import type { LocalHandler } from "./services.js";

export interface Subcommand {
  /** As of commands, but the container's name counts too. */
  readonly arity: number;
  /** The line of `HELP`: what it takes and does. */
  readonly help: string;
  readonly run: LocalHandler;
}

/** `container` in upper case. */
export function container(name: string, subcommands: Readonly<Record<string, Subcommand>>): LocalHandler {
  return (services, client, args) => {
    const word = args.text(1);
    const upper = word.toUpperCase();
    if (upper === "HELP" && args.count === 2) return helpOf(name, subcommands);
    if (!Object.hasOwn(subcommands, upper)) throw unknownSubcommand(name, word);
    const { arity, run } = subcommands[upper];
    const fits = arity >= 0 ? args.count === arity : args.count >= -arity;
    if (!fits) throw wrongArity(`${name}|${upper}`.toLowerCase());
    return run(services, client, args);
  };
}

function helpOf(name: string, subcommands: Readonly<Record<string, Subcommand>>): Status[] {
  const lines = [`${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  for (const [word, { help }] of Object.entries(subcommands)) lines.push(`${word} ${help}`);
  lines.push("HELP -- Print this help.");
  return lines.map((line) => new Status(line));
}
