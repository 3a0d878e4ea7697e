/**
 * Clients that send a write again, with its session and number, until they hear what became of it, and
 * sometimes once more: each is applied once, and each repeat gets the first reply.
 */
import assert from "node:assert/strict";
import { isKnown } from "../cluster/client.js";
import { finalValue } from "./final-read.js";
import { type Load, repeat, type Workload } from "./workload.js";

interface Session {
  readonly name: string;
  readonly key: string;
  sent: number;
  readonly replies: Map<number, unknown>;
}

/** A client tries no longer than partitions remember. */
const TRIES_MAX = 12;

export class Repeats implements Workload {
  readonly name = "repeats";
  readonly property = "a session applies once";
  readonly #sessions: Session[] = [];

  start(load: Load): void {
    for (let i = 0; i < 3; i += 1) {
      const session: Session = { name: `session-${i}`, key: `o${i}`, sent: 0, replies: new Map() };
      this.#sessions.push(session);
      repeat(load, (next) => {
        session.sent += 1;
        this.#write(load, session, session.sent, TRIES_MAX, next);
      });
    }
  }

  #write(load: Load, session: Session, number: number, triesLeft: number, next: () => void): void {
    const { world } = load;
    const client = load.newClient({}, 1);
    const words = ["ONCE", session.name, `${number}`, "APPEND", session.key, `${number},`];
    client.send(words, (answer) => {
      if (isKnown(answer)) {
        const first = session.replies.get(number);
        const isSame = first === undefined || first === answer;
        load.expect(isSame, `${session.key}: ${number} got ${String(first)}, and again ${String(answer)}`);
        session.replies.set(number, answer);
        if (world.random.chance(0.3)) this.#write(load, session, number, 0, () => undefined);
        next();
      } else if (triesLeft > 0) {
        world.schedule(50, () => this.#write(load, session, number, triesLeft - 1, next));
      } else if (session.replies.get(number) === undefined) next();
    });
    // Two of the same at the same moment, at different nodes.
    if (triesLeft === TRIES_MAX && world.random.chance(0.1)) {
      this.#write(load, session, number, TRIES_MAX - 1, () => undefined);
    }
  }

  async check(load: Load): Promise<void> {
    const client = load.newClient();
    for (const session of this.#sessions) {
      // What is sent again may still be on its way, and be answered while this is read.
      const acknowledged = [...session.replies.keys()];
      const text = (await finalValue(load, client, session.key)) ?? "";
      const numbers = text.split(",").slice(0, -1).map(Number);
      assert.equal(new Set(numbers).size, numbers.length, `${session.key}: applied twice: ${text}`);
      for (const number of acknowledged) {
        assert(numbers.includes(number), `${session.key}: ${number} was acknowledged and is lost: ${text}`);
      }
    }
  }
}
