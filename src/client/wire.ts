/**
 * What travels between a client and a node, before it is bytes: arguments of a command, and replies as the
 * protocol gave them. `Client` turns these into plain JavaScript; the shell prints them as they are, because
 * a status `OK` and a stored value "OK" look different there.
 *
 * Replies follow RESP3 (https://redis.io/docs/latest/develop/reference/protocol-spec/): a bulk string is a
 * `Buffer`, which may be a view into a larger one (copy what is kept).
 */
import type { DoubleReply, Status, VerbatimReply } from "../commands/reply.js";
import { MinikeyError } from "../core/errors.js";
import type { ReadLevel, WriteLevel } from "../node/database.js";

export { READ_LEVELS, type ReadLevel, WRITE_LEVELS, type WriteLevel } from "../node/database.js";

/** Text is sent as UTF-8, numbers in decimal. */
export type Argument = string | Uint8Array | number | bigint;

/** A RESP3 map, in the order received. */
export class WireMap {
  readonly entries: readonly (readonly [WireReply, WireReply])[];
  constructor(entries: readonly (readonly [WireReply, WireReply])[]) {
    this.entries = entries;
  }
}

/** A RESP3 set, in the order received. */
export class WireSet {
  readonly items: readonly WireReply[];
  constructor(items: readonly WireReply[]) {
    this.items = items;
  }
}

export type WireReply =
  | Buffer
  | number
  | bigint
  | boolean
  | null
  | Status
  | MinikeyError
  | DoubleReply
  | VerbatimReply
  | WireMap
  | WireSet
  | readonly WireReply[];

/**
 * Whether a command may be sent again when its answer was lost: `read` always; `write-once` (a write of one
 * key) when it carries a session's number; `write` never.
 */
export type CommandKind = "read" | "write-once" | "write";

/** One command on its way. `onReply` is called exactly once; errors are replies too. */
export interface WireRequest {
  readonly args: readonly Argument[];
  readonly kind: CommandKind;
  readonly readLevel?: ReadLevel | undefined;
  readonly writeLevel?: WriteLevel | undefined;
  /** From submission to answer, retries included. The channel's default when absent. */
  readonly timeoutMs?: number | undefined;
  readonly onReply: (reply: WireReply) => void;
}

/** A way to a node: over a socket, or inside the process. Commands are carried out in the order submitted. */
export interface Channel {
  submit(request: WireRequest): void;
  /** The same way, in another keyspace. Closed by its own `close`. */
  forKeyspace(keyspace: string | number): Channel;
  /** Resolves when a node has answered; rejects when every address has been tried and none did. */
  ready(): Promise<void>;
  /** Refuses new commands, waits for those on their way, and closes. */
  close(): Promise<void>;
}

/** The answer to whatever comes after `close`. */
export const clientClosed = (): MinikeyError => new MinikeyError("BAD_REQUEST", "the client is closed");
