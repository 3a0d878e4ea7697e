/** One command over a channel, as a promise. */
import { MinikeyError } from "../core/errors.js";
import { kindOf } from "./command-kinds.js";
import type { Argument, Channel, ReadLevel, WireReply, WriteLevel } from "./wire.js";

export interface RequestLevels {
  readonly readLevel?: ReadLevel | undefined;
  readonly writeLevel?: WriteLevel | undefined;
  readonly timeoutMs?: number | undefined;
}

/**
 * Resolves with the reply as the wire gave it; rejects with the `MinikeyError` when that is the reply, and with
 * `BAD_REQUEST` for a text that UTF-8 cannot hold: another would be sent in its place.
 */
export function requestOf(
  channel: Channel,
  args: readonly Argument[],
  levels: RequestLevels = {},
): Promise<WireReply> {
  return new Promise((resolve, reject) => {
    checkTexts(args);
    channel.submit({
      args,
      kind: kindOf(args),
      readLevel: levels.readLevel,
      writeLevel: levels.writeLevel,
      timeoutMs: levels.timeoutMs,
      onReply: (reply) => {
        if (reply instanceof MinikeyError) reject(reply);
        else resolve(reply);
      },
    });
  });
}

/** What arguments of the library's own calls are to those who make them. */
const ROLES: Readonly<Record<string, readonly string[]>> = {
  SET: ["", "the key", "the value"],
  "KV.PUT": ["", "the key"],
  "KV.GET": ["", "the key"],
  GET: ["", "the key"],
  "KV.QUERY": ["", "the path"],
  "KV.COMPUTE": ["", "", "the formula"],
};

/** Halves of surrogate pairs, also those in pairs: told at once of a text without characters beyond U+00FF. */
const MAY_HAVE_HALVES = /[\ud800-\udfff]/;
/** Those that are in no pair. */
const HALF = /\p{Surrogate}/u;

function checkTexts(args: readonly Argument[]): void {
  for (let i = 0; i < args.length; i += 1) {
    const argument = args[i];
    if (typeof argument !== "string" || !MAY_HAVE_HALVES.test(argument) || !HALF.test(argument)) continue;
    const name = String(args[0]);
    const role = ROLES[name]?.[i] || (i === 0 ? "the command" : `argument ${i} of ${name}`);
    const at = argument.search(HALF);
    const shown = JSON.stringify(argument.slice(Math.max(0, at - SHOWN_BEFORE), at + 1));
    throw new MinikeyError(
      "BAD_REQUEST",
      `${role} holds half of a surrogate pair at position ${at} (${shown}): UTF-8 has no bytes for it`,
    );
  }
}

/** Characters before the bad one that an error repeats. */
const SHOWN_BEFORE = 20;
