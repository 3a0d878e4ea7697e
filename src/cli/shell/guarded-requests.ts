/**
 * Commands of the shell, with what their answers are worth.
 *
 * A read is asked for at the level chosen, which is linearizable unless the user chose another: its answer is
 * proven, or it is refused. With a list of servers (`--servers`, `-k`) the shell also watches them. Once k or more
 * replicas of something asked for are down, a read that is refused is asked for again at level `stale`, so that
 * what the servers left have is shown; every answer then carries a warning. Writes are refused from then on, before
 * anything is sent: they could not be done on as many replicas as the user counts on. With fewer down, what is
 * refused is asked for again until its time is over: a majority is up and about to agree on a leader.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type RequestLevels, requestOf } from "../../client/request.js";
import type { Argument, Channel, WireReply } from "../../client/wire.js";
import { MinikeyError } from "../../core/errors.js";
import type { Asked } from "./asked-keys.js";
import type { Doubt } from "./guarantee.js";
import type { ServerWatch } from "./server-watch.js";

/** To the letter what users of the store that the shell takes over from know. */
const DOUBT_WARNING = "k or more servers are down and therefore the correct output cannot be guaranteed";

const RETRY_EVERY_MS = 100;

/** `reply` may be an error. */
export interface GuardedReply {
  readonly reply: WireReply;
  readonly warning: string | undefined;
}

/** @param watch undefined when no servers are watched: then no answer is in doubt */
export async function guardedRequest(
  channel: Channel,
  watch: ServerWatch | undefined,
  words: readonly Argument[],
  asked: Asked,
  levels: RequestLevels & { readonly timeoutMs: number },
): Promise<GuardedReply> {
  if (watch === undefined || asked.keys.length === 0) {
    return { reply: await replyOf(channel, words, levels), warning: undefined };
  }
  const deadlineMs = performance.now() + levels.timeoutMs;
  await watch.freshen();
  const strange = watch.strangers();
  if (strange !== undefined) return { reply: strange, warning: undefined };
  for (;;) {
    const doubt = watch.doubt(asked.keys);
    if (doubt !== undefined && asked.access === "write") {
      return { reply: refusedWrite(String(words[0]), doubt, watch), warning: DOUBT_WARNING };
    }
    const reply = await replyOf(channel, words, levels);
    if (!isRefused(reply)) return { reply, warning: warningOf(doubt) };
    // What was known before may be older than what the cluster has just said.
    await watch.refresh();
    if (watch.doubt(asked.keys) !== undefined) {
      if (asked.access === "write") return { reply, warning: DOUBT_WARNING };
      const stale = await replyOf(channel, words, { ...levels, readLevel: "stale" });
      return { reply: stale, warning: DOUBT_WARNING };
    }
    // Enough servers are up: they are electing a leader, or one of them has just started.
    if (performance.now() + RETRY_EVERY_MS >= deadlineMs) return { reply, warning: undefined };
    await sleep(RETRY_EVERY_MS);
  }
}

/** For want of a majority, and certainly not carried out. */
const isRefused = (reply: WireReply): boolean =>
  reply instanceof MinikeyError && reply.retryable && reply.outcome !== "unknown";

const warningOf = (doubt: Doubt | undefined): string | undefined =>
  doubt === undefined ? undefined : DOUBT_WARNING;

/** The reply, also when it is an error. */
export async function replyOf(
  channel: Channel,
  words: readonly Argument[],
  levels: RequestLevels,
): Promise<WireReply> {
  try {
    return await requestOf(channel, words, levels);
  } catch (error) {
    if (error instanceof MinikeyError) return error;
    throw error;
  }
}

function refusedWrite(name: string, { down, holders }: Doubt, watch: ServerWatch): MinikeyError {
  const names = down.map((id) => watch.nameOf(id)).sort();
  const are = down.length === 1 ? "is" : "are";
  return new MinikeyError(
    "NO_QUORUM",
    `${name.toUpperCase()} is refused and nothing is changed: ${names.join(", ")} ${are} down, ` +
      `of ${holders} servers that may hold what it writes`,
  );
}
