/** What the commands answered without the data may use, and how they are written. */
import type { Reply } from "../../../commands/reply.js";
import type { Args } from "../../../commands/types.js";
import type { Database } from "../../../node/database.js";
import type { Clock } from "../../../ports/clock.js";
import type { Session } from "../session.js";
import type { ServerStats } from "../stats.js";

/** A connection as commands see it. */
export interface Client {
  readonly session: Session;
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Takes no more commands; ends the connection when those taken are answered. */
  finish(): void;
  /** Ends the connection at once. */
  close(): void;
}

export interface LocalServices {
  readonly database: Database;
  readonly clock: Clock;
  readonly stats: ServerStats;
  readonly valueBytesMax: number;
  readonly clientsMax: number;
  readonly host: string;
  port(): number;
  clients(): Iterable<Client>;
}

/** Undefined when the client gets no reply. A promise holds up the connection's later commands. */
export type LocalReply = Reply | undefined | Promise<Reply>;

/** May throw `MinikeyError`, which is the reply then. Its number of arguments has been checked. */
export type LocalHandler = (services: LocalServices, client: Client, args: Args) => LocalReply;
