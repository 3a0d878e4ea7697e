/**
 * Retries that apply once (Ongaro's dissertation, §6.3). A session tags each of its writes with a number that
 * grows; the state machine of a partition keeps the answers of a session's recent writes and answers a repeat
 * from memory.
 *
 * "Recent" is a bound that both sides keep: a session never sends a write numbered `s` while one numbered
 * `s − SESSION_WINDOW` or less is unanswered, so a partition may forget what lies that far behind the newest
 * number it has seen.
 */
import { randomBytes } from "node:crypto";
import type { Outgoing } from "./outgoing.js";
import { Queue } from "./queue.js";

export const SESSION_WINDOW = 1024;

export class Session {
  /** 64 random bits as 16 hexadecimal digits. */
  readonly id: string = randomBytes(8).toString("hex");
  readonly #unanswered = new Queue<Outgoing>();
  #lastSequence = 0;

  /** Whether the next write may be numbered now. */
  get isOpen(): boolean {
    let oldest = this.#unanswered.peek();
    while (oldest?.isAnswered === true) {
      this.#unanswered.shift();
      oldest = this.#unanswered.peek();
    }
    return oldest === undefined || this.#lastSequence + 1 - oldest.sequence < SESSION_WINDOW;
  }

  /** Gives a write its number, which it keeps over all retries. */
  assign(outgoing: Outgoing): void {
    this.#lastSequence += 1;
    outgoing.sequence = this.#lastSequence;
    this.#unanswered.push(outgoing);
  }
}
