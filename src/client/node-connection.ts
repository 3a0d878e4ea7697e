/**
 * One connection to one node: handshake, pipelining, replies matched to commands by order.
 *
 *     connecting ──HELLO 3, SELECT answered──▶ ready ──error, end, destroy──▶ closed
 *
 * Invariants: replies come in the order of commands, so `#inFlight` is a queue; once closed, everything in it
 * is handed back exactly once, and nothing is called after that.
 */
import { Status } from "../commands/reply.js";
import { MinikeyError } from "../core/errors.js";
import type { CancelTimer } from "../ports/clock.js";
import { type Address, formatAddress } from "./address.js";
import type { Outgoing } from "./outgoing.js";
import { Queue } from "./queue.js";
import { ReplyParser } from "./reply-parser.js";
import { RequestWriter } from "./request-writer.js";
import { type KeyspaceEntry, toKeyspaces } from "./values.js";
import type { Argument, WireReply } from "./wire.js";
import type { ClientWorld, Link } from "./world.js";

/** Commands on their way to one node. */
export const IN_FLIGHT_MAX = 1024;

export interface ConnectionSetup {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A keyspace's number or name; absent for the default. */
  readonly keyspace?: string | number | undefined;
  readonly connectTimeoutMs: number;
}

export interface ConnectionListener {
  onReady(): void;
  onReply(outgoing: Outgoing, reply: WireReply): void;
  /** All replies of one chunk have been handed out, or the connection takes more: there is room to send. */
  onRoom(): void;
  /** `refused`: the node answered the connection's own commands with an error, so asking again is no use. */
  onClosed(reason: MinikeyError, unanswered: readonly Outgoing[], refused: boolean): void;
}

/** A command of the connection's own: its reply goes to `onReply`. */
interface Control {
  readonly onControlReply: (reply: WireReply) => void;
}

interface ControlHandlers {
  /** Takes errors too. */
  readonly onReply?: (reply: WireReply) => void;
  readonly onOk?: (reply: WireReply) => void;
}

type InFlight = Outgoing | Control;

export class NodeConnection {
  readonly address: Address;
  readonly #listener: ConnectionListener;
  readonly #setup: ConnectionSetup;
  readonly #clock: ClientWorld["clock"];
  readonly #link: Link;
  readonly #writer = new RequestWriter();
  readonly #inFlight = new Queue<InFlight>();
  readonly #cancelHandshake: CancelTimer;
  #state: "connecting" | "ready" | "closed" = "connecting";
  #isWritable = true;
  readonly #levels = { read: new Level(), write: new Level() };
  #lastProgressMs: number;
  #isEventual = false;

  constructor(address: Address, setup: ConnectionSetup, world: ClientWorld, listener: ConnectionListener) {
    this.address = address;
    this.#setup = setup;
    this.#listener = listener;
    this.#clock = world.clock;
    this.#lastProgressMs = world.clock.monotonicMs();
    const parser = new ReplyParser((reply) => this.#onReply(reply));
    this.#link = world.connect(address, {
      onConnected: () => this.#onConnected(),
      onData: (chunk) => this.#onData(parser, chunk),
      onDrain: () => {
        this.#isWritable = true;
        this.#listener.onRoom();
      },
      onLost: (why) => this.#close(this.#lost(why)),
    });
    this.#cancelHandshake = world.clock.after(setup.connectTimeoutMs, () => {
      this.destroy(this.#lost(`no answer within ${setup.connectTimeoutMs} ms`));
    });
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** The keyspace is an eventual one: the node cannot tell a repeat of a write from another write. */
  get isEventual(): boolean {
    return this.#isEventual;
  }

  get inFlightCount(): number {
    return this.#inFlight.length;
  }

  get hasRoom(): boolean {
    return this.#state === "ready" && this.#isWritable && this.#inFlight.length < IN_FLIGHT_MAX;
  }

  /** How long the node has owed an answer without sending anything; 0 when it owes none. */
  silentMs(nowMs: number): number {
    return this.#inFlight.length === 0 ? 0 : nowMs - this.#lastProgressMs;
  }

  /** Adds a command to what the next `flush` writes. */
  send(outgoing: Outgoing): void {
    const { args, readLevel, writeLevel } = outgoing.request;
    this.#setLevels(readLevel, writeLevel);
    outgoing.wasSent = true;
    this.#enqueue(
      outgoing,
      args,
      outgoing.sequence === 0 ? [] : ["ONCE", outgoing.sessionId, outgoing.sequence],
    );
  }

  flush(): void {
    if (this.#writer.lengthBytes === 0 || this.#state === "closed") return;
    this.#isWritable = this.#link.write(this.#writer.take());
  }

  /** Drops the connection; what is unanswered goes back through `onClosed`. */
  destroy(reason: MinikeyError): void {
    this.#close(reason);
  }

  forEachInFlight(visit: (outgoing: Outgoing) => void): void {
    this.#inFlight.forEach((item) => {
      if (!("onControlReply" in item)) visit(item);
    });
  }

  #enqueue(item: InFlight, args: readonly Argument[], prefix: readonly Argument[] = []): void {
    if (this.#inFlight.length === 0) this.#lastProgressMs = this.#clock.monotonicMs();
    this.#inFlight.push(item);
    this.#writer.write(args, prefix);
  }

  #onConnected(): void {
    const { username, password, keyspace } = this.#setup;
    const auth = password === undefined ? [] : ["AUTH", username ?? "default", password];
    this.#control(["HELLO", "3", ...auth]);
    // A server that has no levels (a plain Redis) refuses this; then nobody can ask for one.
    this.#control(["CONSISTENCY", "READ"], {
      onReply: (reply) => {
        this.#levels.read.start(reply);
      },
    });
    this.#control(["CONSISTENCY", "WRITE"], {
      onReply: (reply) => {
        this.#levels.write.start(reply);
        if (!needsSelect(keyspace)) this.#onHandshakeDone();
      },
    });
    if (needsSelect(keyspace)) this.#selectKeyspace(String(keyspace));
    this.flush();
  }

  /** By number at once; a name's number is looked up first. */
  #selectKeyspace(keyspace: string): void {
    const select = (id: string | number): void => {
      this.#control(["SELECT", id], { onOk: () => this.#onHandshakeDone() });
    };
    if (/^\d+$/.test(keyspace)) {
      // A server that has numbers only (a plain Redis) refuses this, and has no eventual ones.
      this.#control(["KEYSPACE", "LIST"], {
        onReply: (reply) => {
          this.#isEventual = findKeyspace(reply, "id", keyspace)?.consistency === "eventual";
        },
      });
      select(keyspace);
      return;
    }
    this.#control(["KEYSPACE", "LIST"], {
      onOk: (reply) => {
        const found = findKeyspace(reply, "name", keyspace);
        if (found === undefined) {
          this.#close(new MinikeyError("KEYSPACE_NOT_FOUND", `no such keyspace: ${keyspace}`), true);
          return;
        }
        this.#isEventual = found.consistency === "eventual";
        select(found.id);
        this.flush();
      },
    });
  }

  /** A command of the connection's own; unless its reply is handled, an error ends the connection. */
  #control(args: readonly Argument[], handlers: ControlHandlers = {}): void {
    const onControlReply = (reply: WireReply): void => {
      if (handlers.onReply !== undefined) handlers.onReply(reply);
      else if (reply instanceof MinikeyError) this.#close(reply, !reply.retryable);
      else handlers.onOk?.(reply);
    };
    this.#enqueue({ onControlReply }, args);
  }

  #onHandshakeDone(): void {
    this.#cancelHandshake();
    this.#state = "ready";
    this.#listener.onReady();
  }

  #onData(parser: ReplyParser, chunk: Buffer): void {
    this.#lastProgressMs = this.#clock.monotonicMs();
    try {
      parser.push(chunk);
    } catch (error) {
      if (!(error instanceof MinikeyError)) throw error;
      this.#close(error, true);
      return;
    }
    if (this.#state === "ready") this.#listener.onRoom();
  }

  #onReply(reply: WireReply): void {
    if (this.#state === "closed") return;
    const item = this.#inFlight.shift();
    if (item === undefined) {
      throw new MinikeyError("PROTOCOL", "the server does not speak RESP: it sent a reply nobody asked for");
    }
    if ("onControlReply" in item) {
      item.onControlReply(reply);
    } else {
      this.#listener.onReply(item, reply);
    }
  }

  /** Levels belong to the connection: they are changed in front of the command that wants another. */
  #setLevels(readLevel: string | undefined, writeLevel: string | undefined): void {
    const { read, write } = this.#levels;
    // An error ends the connection: what is behind it must not pass for done at that level.
    if (read.change(readLevel)) this.#control(["CONSISTENCY", "READ", read.current]);
    if (write.change(writeLevel)) this.#control(["CONSISTENCY", "WRITE", write.current]);
  }

  #close(reason: MinikeyError, refused = false): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#cancelHandshake();
    this.#link.destroy();
    const unanswered: Outgoing[] = [];
    for (const item of this.#inFlight.takeAll()) if (!("onControlReply" in item)) unanswered.push(item);
    this.#listener.onClosed(reason, unanswered, refused);
  }

  #lost(why: string): MinikeyError {
    return new MinikeyError("CONNECTION_LOST", `${formatAddress(this.address)}: ${why}`);
  }
}

/** A level of consistency that the server keeps for the connection. */
class Level {
  /** What was chosen of the server; empty when it has none to choose from. */
  current = "";
  #initial = "";

  /** The server's answer to `CONSISTENCY READ` or `CONSISTENCY WRITE`: at the start nothing is chosen. */
  start(reply: WireReply): void {
    if (Buffer.isBuffer(reply) || reply instanceof Status) this.#initial = "default";
    this.current = this.#initial;
  }

  /** Whether the server has to be told that this level (the initial one when undefined) is wanted now. */
  change(wanted: string | undefined): boolean {
    const level = wanted ?? this.#initial;
    if (level === this.current) return false;
    this.current = level;
    return true;
  }
}

/** Keyspace 0 is `default`, where every connection starts. */
function needsSelect(keyspace: string | number | undefined): boolean {
  return keyspace !== undefined && keyspace !== "default" && String(keyspace) !== "0";
}

/** In the answer to `KEYSPACE LIST` the keyspace that has this number, or name. */
function findKeyspace(reply: WireReply, field: "id" | "name", value: string): KeyspaceEntry | undefined {
  return toKeyspaces(reply).find((keyspace) => String(keyspace[field]) === value);
}
