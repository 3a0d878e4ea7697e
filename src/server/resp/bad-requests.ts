/** Requests that no command of the table answers. Source: Redis 7.0, `server.c` (`processCommand`). */
import type { Args } from "../../commands/types.js";
import { MinikeyError } from "../../core/errors.js";

/** Redis names the command up to here, and as much of its arguments. */
const SHOWN_MAX = 128;

/** Names what was sent, like Redis. */
export function unknownCommand(args: Args): MinikeyError {
  let shown = "";
  for (let i = 1; i < args.count && shown.length < SHOWN_MAX; i += 1) {
    shown += `'${shownArg(args, i, SHOWN_MAX - shown.length)}' `;
  }
  const name = shownArg(args, 0, SHOWN_MAX);
  return new MinikeyError("UNKNOWN_COMMAND", `unknown command '${name}', with args beginning with: ${shown}`);
}

/** Up to the first zero byte, as C prints it. */
function shownArg(args: Args, i: number, lengthMax: number): string {
  const start = args.start(i);
  const text = args.bytes.utf8Slice(start, Math.min(args.end(i), start + lengthMax));
  const zero = text.indexOf("\0");
  return zero === -1 ? text : text.slice(0, zero);
}

/** The subcommand `word` of `container` does not exist. */
export function unknownSubcommand(container: string, word: string): MinikeyError {
  const shown = word.slice(0, SHOWN_MAX);
  return new MinikeyError("UNKNOWN_COMMAND", `unknown subcommand '${shown}'. Try ${container} HELP.`);
}

/**
 * A web page can make a browser send an HTTP request here, with commands in its body. Its first words are no
 * commands, and the connection is closed before it comes to the others.
 */
export function isCrossProtocolRequest(args: Args): boolean {
  const length = args.lengthBytes(0);
  if (length !== 4 && length !== 5) return false;
  const word = args.key(0).toLowerCase();
  return word === "post" || word === "host:";
}
