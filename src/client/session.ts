/**
 * Retries that apply once (Ongaro's dissertation, §6.3). A session tags each of its writes with a number that
 * grows; the state machine of a partition keeps the answers of a session's recent writes and answers a repeat
 * from memory.
 *
 * "Recent" is a bound that both sides keep. A partition remembers the last 256 answers of a session. A session
 * never sends a number that is `SESSION_WINDOW` or more above one that is unanswered. Were the answer to an
 * unanswered write `u` forgotten, 256 others would have been applied after it or after a write with a higher
 * number; they all lie within one window below and one above `u`, and two windows are not that many.
 *
 * So that more writes than a window can be on their way, a client has several sessions, opened as needed.
 *
 * A partition that may have forgotten a session refuses it (`SESSION_FORGOTTEN`), and names the second that a new one
 * must be opened after. The second is the first part of a session's name; clocks need not agree.
 */
import type { Random } from "../ports/random.js";
import type { Outgoing } from "./outgoing.js";
import { Queue } from "./queue.js";
import type { ClientWorld } from "./world.js";

export const SESSION_WINDOW = 128;
/** Together as many writes as may be in flight on a connection. */
const SESSIONS_MAX = 8;

export class Session {
  /** When it was opened, in seconds, and 64 random bits: `1732100000_0123456789abcdef`. */
  readonly id: string;
  readonly #unanswered = new Queue<Outgoing>();
  #lastSequence = 0;

  constructor(openedSeconds: number, random: Random) {
    this.id = `${openedSeconds}_${hex(random.id48(), 12)}${hex(random.below(2 ** 16), 4)}`;
  }

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
    outgoing.sessionId = this.id;
    outgoing.sequence = this.#lastSequence;
    this.#unanswered.push(outgoing);
  }
}

/** The sessions of one client. */
export class Sessions {
  readonly #world: Pick<ClientWorld, "clock" | "random">;
  readonly #sessions: Session[] = [];
  #current = 0;
  #openedMin = 0;

  constructor(world: Pick<ClientWorld, "clock" | "random">) {
    this.#world = world;
  }

  /** Numbers a write; false when every session waits for an answer first. */
  tryAssign(outgoing: Outgoing): boolean {
    const session = this.#findOpen();
    session?.assign(outgoing);
    return session !== undefined;
  }

  /** Some partition may have forgotten the session, as all that were opened up to `second`. */
  retire(sessionId: string, second: number): void {
    this.#openedMin = Math.max(this.#openedMin, second + 1);
    const at = this.#sessions.findIndex(({ id }) => id === sessionId);
    if (at >= 0) this.#sessions.splice(at, 1);
    this.#current = 0;
  }

  #findOpen(): Session | undefined {
    for (let i = 0; i < this.#sessions.length; i += 1) {
      const session = this.#sessions[this.#current];
      if (session.isOpen) return session;
      this.#current = (this.#current + 1) % this.#sessions.length;
    }
    if (this.#sessions.length === SESSIONS_MAX) return undefined;
    const { clock, random } = this.#world;
    const session = new Session(Math.max(this.#openedMin, Math.floor(clock.wallMs() / 1000)), random);
    this.#current = this.#sessions.push(session) - 1;
    return session;
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
