/** One command over a channel, as a promise. */
import { MinikeyError } from "../core/errors.js";
import { kindOf } from "./command-kinds.js";
import {
  type Argument,
  type Channel,
  READ_LEVELS,
  type ReadLevel,
  type WireReply,
  WRITE_LEVELS,
  type WriteLevel,
} from "./wire.js";

export interface RequestLevels {
  readonly readLevel?: ReadLevel | undefined;
  readonly writeLevel?: WriteLevel | undefined;
  readonly timeoutMs?: number | undefined;
}

/**
 * Resolves with the reply as the wire gave it; rejects with the `MinikeyError` when that is the reply, and with
 * `BAD_REQUEST` for what its type forbids, since JavaScript does not: an argument that is none (`undefined` would
 * arrive as a text), a level that there is not, and a text that UTF-8 cannot hold.
 */
export function requestOf(
  channel: Channel,
  args: readonly Argument[],
  levels: RequestLevels = {},
): Promise<WireReply> {
  return new Promise((resolve, reject) => {
    checkArguments(args);
    checkLevel(levels.readLevel, READ_LEVELS);
    checkLevel(levels.writeLevel, WRITE_LEVELS);
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
  "KV.PUT": ["", "the key", "", "", "", "", "the value"],
  DEL: ["", "the key"],
  "KV.GET": ["", "the key"],
  GET: ["", "the key"],
  "KV.QUERY": ["", "the path"],
  "KV.COMPUTE": ["", "", "the formula"],
};

/** Halves of surrogate pairs, also those in pairs: told at once of a text without characters beyond U+00FF. */
const MAY_HAVE_HALVES = /[\ud800-\udfff]/;
/** Those that are in no pair. */
const HALF = /\p{Surrogate}/u;

function checkArguments(args: readonly unknown[]): void {
  for (let i = 0; i < args.length; i += 1) {
    const argument = args[i];
    if (typeof argument === "string") checkText(args, i, argument);
    else if (!isArgument(argument)) {
      const got = argument === null ? "null" : `of type ${typeof argument}`;
      throw new MinikeyError("BAD_REQUEST", `${roleOf(args, i)} is ${got}: expected text, bytes or a number`);
    }
  }
}

const isArgument = (value: unknown): boolean =>
  value instanceof Uint8Array || typeof value === "number" || typeof value === "bigint";

function checkText(args: readonly unknown[], i: number, text: string): void {
  if (!MAY_HAVE_HALVES.test(text) || !HALF.test(text)) return;
  const at = text.search(HALF);
  const shown = JSON.stringify(text.slice(Math.max(0, at - SHOWN_BEFORE), at + 1));
  throw new MinikeyError(
    "BAD_REQUEST",
    `${roleOf(args, i)} holds half of a surrogate pair at position ${at} (${shown}): UTF-8 has no bytes for it`,
  );
}

function roleOf(args: readonly unknown[], i: number): string {
  const name = String(args[0]);
  return ROLES[name]?.[i] || (i === 0 ? "the command" : `argument ${i} of ${name}`);
}

/** Characters before the bad one that an error repeats. */
const SHOWN_BEFORE = 20;

function checkLevel(level: string | undefined, levels: readonly string[]): void {
  if (level === undefined || levels.includes(level)) return;
  throw new MinikeyError("BAD_REQUEST", `consistency: expected one of ${levels.join(", ")}, got ${level}`);
}
