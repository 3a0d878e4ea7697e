/**
 * One client's connection: requests in, replies out, in order. Commands are passed on as they are parsed, so that
 * a pipeline of them is carried out together; replies of a turn are sent with one write.
 *
 * Bounds: no more commands are read while `PENDING_MAX` of them wait for replies or `KEPT_BYTES_PAUSE` of their
 * arguments for their turn, while replies that the client has not taken pile up, or while the node has too much to
 * do. A client that lets `outputBytesMax` pile up is
 * disconnected: before the reply that would exceed it is encoded or copied, as one turn may bring any number of
 * replies. Those that still come for it are discarded.
 */
import { hasArity } from "../../commands/check.js";
import { wrongArity } from "../../commands/errors.js";
import type { Reply } from "../../commands/reply.js";
import { COMMANDS } from "../../commands/table.js";
import type { Args, CommandSpec } from "../../commands/types.js";
import type { Bytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { Database } from "../../node/database.js";
import type { CancelTimer, Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import { isCrossProtocolRequest, unknownCommand } from "./bad-requests.js";
import type { Client, LocalReply } from "./local/services.js";
import { type ParserLimits, type RequestHandler, RequestParser } from "./parser.js";
import { PendingReply, type ReplyQueue } from "./pending-reply.js";
import { estimateReplyBytes } from "./reply-size.js";
import type { RespWriter } from "./resp-writer.js";
import type { Session } from "./session.js";

/** What a connection uses of its socket, which is one of `node:net` or does as they do. */
export interface ClientSocket {
  readonly writable: boolean;
  /** Bytes written that the system has not taken: their memory is in use. */
  readonly writableLength: number;
  write(bytes: Bytes): unknown;
  /** Sends what is written, then the end; then calls `onSent`. */
  end(onSent: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Ends both directions at once. */
  destroy(): unknown;
  on(event: "end" | "drain" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly database: Database;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly scratch: RespWriter;
  /** Carries out a command of spread `local`. */
  runLocal(connection: Connection, spec: CommandSpec, args: Args): LocalReply;
  isOverloaded(): boolean;
  takeWriter(): RespWriter;
  /** Takes back a writer whose content has been sent. */
  giveWriter(writer: RespWriter): void;
  /** Has `flush` called at the end of the turn. */
  flushLater(connection: Connection): void;
  onCommand(): void;
  onSent(sizeBytes: number): void;
  onClosed(connection: Connection): void;
}

export interface ConnectionLimits extends ParserLimits {
  /** Unsent replies, those held for their turn among them, at which the client is disconnected. */
  readonly outputBytesMax: number;
}

const PENDING_MAX = 1024;
/** Unsent replies at which reading stops. */
const OUTPUT_BYTES_PAUSE = 1024 * 1024;
/** Expected size of the replies under way at which reading stops. */
const EXPECTED_BYTES_PAUSE = 4 * 1024 * 1024;
/** Arguments that the node keeps for commands that wait for earlier ones, at which reading stops. */
const KEPT_BYTES_PAUSE = 4 * 1024 * 1024;

/** How long a client may take to close its side. */
const LINGER_MS = 500;

export class Connection implements RequestHandler, ReplyQueue, Client {
  readonly session: Session;
  readonly #host: ConnectionHost;
  readonly #socket: ClientSocket;
  readonly #parser: RequestParser;

  /** Commands without a reply sent, oldest first. */
  #head: PendingReply | undefined = undefined;
  #tail: PendingReply | undefined = undefined;
  #pendingCount = 0;
  /** Copied replies that wait for those before them. */
  #heldBytes = 0;
  /** At least this much more may be written: what the client took since it was last looked at is not in it. */
  #roomBytes: number;

  #output: RespWriter | undefined = undefined;
  #flushIsDue = false;
  /** The size of large replies seen lately, which the next ones are expected to have. */
  #replyBytes = 0;

  #paused = false;
  /** A local command that takes time holds up the ones behind it. */
  #held = false;
  /** Nothing more is read or sent. */
  #closed = false;
  #cancelLinger: CancelTimer | undefined = undefined;

  constructor(host: ConnectionHost, socket: ClientSocket, session: Session) {
    this.#host = host;
    this.#socket = socket;
    this.session = session;
    this.#roomBytes = host.limits.outputBytesMax;
    this.#parser = new RequestParser(this, host.limits);
    socket.on("end", () => this.finish());
    socket.on("drain", () => this.#host.flushLater(this));
    socket.on("error", (error) => this.#onSocketError(error));
    socket.on("close", () => this.#onSocketClosed());
  }

  // --- Input ---

  /** `bytes[start, end)` has arrived; from `roomStart` to `start` the buffer is free. */
  onInput(bytes: Bytes, start: number, end: number, roomStart: number, nowMs: number): void {
    if (this.session.closing) return;
    this.session.lastActiveMs = nowMs;
    this.#parser.feed(bytes, start, end, roomStart);
  }

  onCommand(args: Args): void {
    const session = this.session;
    if (session.closing) return;
    this.#host.onCommand();
    const spec = COMMANDS.lookup(args.bytes, args.start(0), args.end(0));
    if (spec === undefined || spec.internal) this.#refuse(args);
    else {
      session.lastCommand = spec;
      if (spec.spread === "local") this.#runLocal(spec, args);
      else this.#host.database.submit(args, session.context, this.#enqueue());
    }
    if (this.#mustPause()) this.#pause();
  }

  onRefused(problem: MinikeyError): void {
    if (this.session.closing) return;
    this.#host.onCommand();
    this.#reply(problem);
  }

  onProtocolError(problem: string): void {
    if (this.session.closing) return;
    this.#host.logger.info("protocol error from a client", { client: this.session.remoteAddress, problem });
    this.#reply(new MinikeyError("PROTOCOL", `Protocol error: ${problem}`));
    this.finish();
  }

  #refuse(args: Args): void {
    if (isCrossProtocolRequest(args)) {
      this.#host.logger.warn("a web browser may be attacking: closed the connection", {
        client: this.session.remoteAddress,
      });
      this.close();
    } else this.#reply(unknownCommand(args));
  }

  #runLocal(spec: CommandSpec, args: Args): void {
    if (!hasArity(spec, args.count)) {
      this.#reply(wrongArity(spec.name.toLowerCase()));
      return;
    }
    const reply = this.#host.runLocal(this, spec, args);
    if (reply instanceof Promise) this.#holdFor(reply);
    else if (reply !== undefined) this.#reply(reply);
  }

  /** Waits with the next commands until `reply` is there. A broken invariant in it stops the process. */
  #holdFor(reply: Promise<Reply>): void {
    const pending = this.#enqueue();
    this.#held = true;
    const release = (value: Reply): void => {
      this.#held = false;
      pending.onReply(value);
    };
    reply.then(release, throwOutside);
  }

  // --- Replies ---

  #enqueue(): PendingReply {
    const pending = new PendingReply(this, this.#replyProtocol());
    if (this.#tail === undefined) this.#head = pending;
    else this.#tail.next = pending;
    this.#tail = pending;
    this.#pendingCount += 1;
    return pending;
  }

  /** Answers the command at hand, behind those that came before it. */
  #reply(reply: Reply): void {
    if (this.#head !== undefined) {
      this.#enqueue().onReply(reply);
      return;
    }
    const protocol = this.#replyProtocol();
    if (protocol !== 0 && this.#hasRoomFor(reply)) this.#writer().write(reply, protocol);
  }

  #replyProtocol(): 0 | 2 | 3 {
    const session = this.session;
    if (session.replies === "on") return session.protocol;
    if (session.replies === "skip-next") session.replies = "on";
    return 0;
  }

  onReply(pending: PendingReply, reply: Reply): void {
    if (this.#closed || (pending.protocol !== 0 && !this.#hasRoomFor(reply))) return;
    if (pending !== this.#head) {
      this.#heldBytes += pending.hold(reply, this.#host.scratch);
      return;
    }
    const writer = this.#writer();
    const before = writer.length;
    if (pending.protocol !== 0) writer.write(reply, pending.protocol);
    this.#noteReplyBytes(writer.length - before);
    let next = pending.next;
    this.#pendingCount -= 1;
    while (next?.isHeld === true) {
      this.#heldBytes -= next.release(writer);
      next = next.next;
      this.#pendingCount -= 1;
    }
    this.#head = next;
    if (next === undefined) this.#tail = undefined;
  }

  /** Disconnects the client where there is none. */
  #hasRoomFor(reply: Reply): boolean {
    if (this.#closed) return false;
    const sizeBytes = estimateReplyBytes(reply);
    this.#roomBytes -= sizeBytes;
    if (this.#roomBytes >= 0) return true;
    const unsentBytes = this.outputBytes + sizeBytes;
    this.#roomBytes = this.#host.limits.outputBytesMax - unsentBytes;
    if (this.#roomBytes >= 0) return true;
    this.#dropForReplies(unsentBytes);
    return false;
  }

  /** Where to write to; it will be flushed. */
  #writer(): RespWriter {
    if (!this.#flushIsDue) {
      this.#flushIsDue = true;
      this.#host.flushLater(this);
    }
    this.#output ??= this.#host.takeWriter();
    return this.#output;
  }

  /** Rises at once, falls by and by. */
  #noteReplyBytes(sizeBytes: number): void {
    this.#replyBytes = Math.max(sizeBytes, this.#replyBytes - (this.#replyBytes >> 3));
  }

  /** Sends what has been written, and goes on reading or ends the connection where that was waited for. */
  flush(): void {
    this.#flushIsDue = false;
    if (this.#closed) return;
    this.#send();
    const unsentBytes = this.outputBytes;
    if (unsentBytes > this.#host.limits.outputBytesMax) this.#dropForReplies(unsentBytes);
    else if (this.session.closing) this.#endWhenDone();
    else if (this.#paused && !this.#mustPause()) this.#resume();
  }

  #send(): void {
    const output = this.#output;
    if (output === undefined || output.length === 0) return;
    const { bytes, length } = output;
    this.#output = undefined;
    this.#host.onSent(length);
    this.#socket.write(length === bytes.length ? bytes : bytes.subarray(0, length));
    // What the kernel has not taken at once still refers to the writer's memory.
    if (this.#socket.writableLength === 0) this.#host.giveWriter(output);
  }

  // --- Flow ---

  #mustPause(): boolean {
    return (
      this.#held ||
      this.#pendingCount >= PENDING_MAX ||
      this.#pendingCount * this.#replyBytes >= EXPECTED_BYTES_PAUSE ||
      (this.session.context.order?.keptBytes ?? 0) >= KEPT_BYTES_PAUSE ||
      this.outputBytes >= OUTPUT_BYTES_PAUSE ||
      this.#host.isOverloaded()
    );
  }

  #pause(): void {
    this.#parser.pause();
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #resume(): void {
    this.#paused = false;
    this.#parser.resume();
    // The commands held back may have been too many again.
    if (!this.#paused && !this.#closed) this.#socket.resume();
  }

  /** Replies not taken by the client yet, in bytes. */
  get outputBytes(): number {
    return this.#socket.writableLength + (this.#output?.length ?? 0) + this.#heldBytes;
  }

  get inputBytes(): number {
    return this.#parser.bufferedBytes;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  // --- The end ---

  /** Takes no more commands; ends the connection when those taken are answered. */
  finish(): void {
    this.session.closing = true;
    this.#host.flushLater(this);
  }

  /** Ends the connection at once. */
  close(): void {
    this.session.closing = true;
    this.#discardReplies();
    this.#socket.destroy();
  }

  /** The node may refer to a command for long; the replies held behind it are not kept that long. */
  #discardReplies(): void {
    this.#closed = true;
    let pending = this.#head;
    while (pending !== undefined) {
      const next: PendingReply | undefined = pending.next;
      pending.next = undefined;
      pending = next;
    }
    this.#head = undefined;
    this.#tail = undefined;
    this.#pendingCount = 0;
    this.#heldBytes = 0;
    this.#output = undefined;
  }

  /** What the client still sends is read and thrown away for a while: else it might not get the last reply. */
  #endWhenDone(): void {
    if (this.#head !== undefined || !this.#socket.writable) return;
    this.#socket.resume();
    this.#socket.end(() => {
      this.#cancelLinger = this.#host.clock.after(LINGER_MS, () => this.close());
    });
  }

  /** Who leaves untaken what makes reading pause does not read; else what was asked for is the matter. */
  #dropForReplies(unsentBytes: number): void {
    const isSlow = this.#socket.writableLength >= OUTPUT_BYTES_PAUSE;
    const problem = isSlow
      ? "disconnected a client that does not read its replies"
      : "disconnected a client that asked for more at once than may wait to be sent";
    this.#host.logger.warn(problem, {
      client: this.session.remoteAddress,
      unsentBytes,
      unsentBytesMax: this.#host.limits.outputBytesMax,
    });
    this.close();
  }

  #onSocketError(error: Error): void {
    this.#host.logger.debug("client connection failed", {
      client: this.session.remoteAddress,
      error: error.message,
    });
  }

  #onSocketClosed(): void {
    this.#discardReplies();
    this.#cancelLinger?.();
    this.#parser.close();
    this.session.closing = true;
    this.#host.onClosed(this);
  }
}

/** Where no promise catches it. */
function throwOutside(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
