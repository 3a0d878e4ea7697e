/**
 * The answers to numbered writes (`ONCE`) of this node's own clients, by partition as in strong keyspaces. In an eventual keyspace a repeat is known as one
 * only by the node that the write came to first, while it runs, and for as long as it remembers: any other would carry
 * it out again.
 */
import { type Reply, Slice } from "../../commands/reply.js";
import { MinikeyError } from "../../core/errors.js";
import type { GroupId } from "../../core/ids.js";
import type { Done } from "../coordinator.js";
import { retainReply } from "../retain-reply.js";

const SESSIONS_MAX = 1024;
const ANSWERS_MAX = 128;
/** Of a longer reply only that there was one is remembered. */
const REPLY_BYTES_MAX = 512;

type Remembered = { readonly reply: Reply } | { readonly waiting: Done[] };

export class OnceMemory {
  /** By partition and session, then by number; the oldest first. */
  readonly #sessions = new Map<string, Map<string, Remembered>>();

  /**
   * Answers a repeat, now or with the first. For a write that is not known, gives what is to be told its answer, and
   * tells `done`.
   */
  begin(group: GroupId, session: string, number: string, done: Done): Done | undefined {
    const id = `${group} ${session}`;
    const answers = this.#sessions.get(id) ?? this.#newSession(id);
    const known = answers.get(number);
    if (known !== undefined) {
      if ("reply" in known) done(known.reply);
      else known.waiting.push(done);
      return undefined;
    }
    const waiting = [done];
    answers.set(number, { waiting });
    forgetOldest(answers, ANSWERS_MAX);
    return (reply) => {
      // What was certainly not done may be tried again under its number.
      if (reply instanceof MinikeyError && reply.retryable && reply.outcome === "not-applied")
        answers.delete(number);
      else if (answers.has(number)) answers.set(number, { reply: memorable(reply) });
      for (const each of waiting) each(reply);
    };
  }

  #newSession(id: string): Map<string, Remembered> {
    const answers = new Map<string, Remembered>();
    this.#sessions.set(id, answers);
    forgetOldest(this.#sessions, SESSIONS_MAX);
    return answers;
  }
}

function forgetOldest<K>(map: Map<K, unknown>, most: number): void {
  if (map.size <= most) return;
  const [oldest] = map.keys();
  map.delete(oldest);
}

function memorable(reply: Reply): Reply {
  if (sizeOf(reply) <= REPLY_BYTES_MAX) return retainReply(reply);
  return new MinikeyError(
    "OUTCOME_UNKNOWN",
    "the write was carried out, and its reply was too long to be kept",
  );
}

/** About the bytes that a reply takes. */
function sizeOf(reply: Reply): number {
  if (reply instanceof Slice) return reply.end - reply.start;
  if (typeof reply === "string") return reply.length;
  if (!Array.isArray(reply)) return 16;
  return (reply as readonly Reply[]).reduce<number>((sum, each) => sum + sizeOf(each), 16);
}
