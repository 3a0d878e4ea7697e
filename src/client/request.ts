/** One command over a channel, as a promise. */
import { MinikeyError } from "../core/errors.js";
import { kindOf } from "./command-kinds.js";
import type { Argument, Channel, ReadLevel, WireReply, WriteLevel } from "./wire.js";

export interface RequestLevels {
  readonly readLevel?: ReadLevel | undefined;
  readonly writeLevel?: WriteLevel | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Resolves with the reply as the wire gave it; rejects with the `MinikeyError` when that is the reply. */
export function requestOf(
  channel: Channel,
  args: readonly Argument[],
  levels: RequestLevels = {},
): Promise<WireReply> {
  return new Promise((resolve, reject) => {
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
