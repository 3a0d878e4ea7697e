/**
 * A connection that a peer has dialled: it brings the peer's opening, then its frames. This side answers with its
 * own opening, pongs and changed greetings, never with frames.
 */

import type { Socket } from "node:net";
import { encodeControlFrame, FrameReader, type FrameSink } from "../codec/frame.js";
import type { Bytes } from "../core/bytes.js";
import type { NodeId } from "../core/ids.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import { describeRefusal, OPENING_TIMEOUT_MS } from "./tcp-transport-link.js";
import {
  decodeControlFrame,
  encodeGreetingFrame,
  encodeOpening,
  type Hello,
  OpeningReader,
  type OpeningResult,
  PONG_FRAME,
} from "./tcp-transport-opening.js";

/** Keep-alive ticks (one a second) without a byte from the peer, which pings every second. */
const SILENT_TICKS_MAX = 10;
/** Answers that a peer has not read. More is a peer that never reads. */
const UNREAD_BYTES_MAX = 64 * 1024;

export interface IncomingOwner {
  readonly clock: Clock;
  readonly hello: Hello;
  /** Why this peer may not connect, if so. */
  refusalOf(hello: Hello): string | undefined;
  /** The peer's first greeting. The owner may close the connection. */
  onIncomingOpened(connection: IncomingConnection, hello: Hello): void;
  onHello(hello: Hello): void;
  onIncomingFrame(from: NodeId, frame: Bytes): void;
  /** Once, and not after `close`. `peer` is undefined when it never greeted. */
  onIncomingClosed(connection: IncomingConnection, reason: string): void;
}

export class IncomingConnection implements FrameSink {
  readonly remote: string;
  /** What the peer said first; undefined before. */
  hello: Hello | undefined;
  readonly #owner: IncomingOwner;
  readonly #socket: Socket;
  readonly #opening = new OpeningReader();
  readonly #reader: FrameReader;
  #cancelTimeout: CancelTimer | undefined;
  #silentTicks = 0;
  #closed = false;
  /** Why the peer was turned away; it may still read why. */
  #refusal: string | undefined;
  #peer: NodeId | undefined;

  constructor(socket: Socket, owner: IncomingOwner) {
    this.remote = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`;
    this.#owner = owner;
    this.#socket = socket;
    this.#reader = new FrameReader(this);
    this.#cancelTimeout = owner.clock.after(OPENING_TIMEOUT_MS, () => this.fail("it did not greet in time"));
    socket.on("data", (chunk: Buffer) => this.#onData(chunk as unknown as Bytes));
    socket.on("end", () => this.fail("the peer closed the connection"));
    socket.on("error", (error) => this.fail(error.message));
    socket.on("close", () => this.fail("the connection was closed"));
  }

  get peer(): NodeId | undefined {
    return this.#peer;
  }

  /** Tells the peer of `owner.hello`, which has changed. */
  greet(): void {
    if (this.#peer !== undefined) this.#answer(encodeGreetingFrame(this.#owner.hello));
  }

  /** Once a second. */
  tick(): void {
    this.#silentTicks += 1;
    if (this.#silentTicks > SILENT_TICKS_MAX) this.fail(`no sign of life for ${SILENT_TICKS_MAX} s`);
  }

  fail(reason: string): void {
    if (this.#closed) return;
    this.close();
    this.#owner.onIncomingClosed(this, this.#refusal ?? reason);
  }

  /** Ends the connection and tells nobody. */
  close(): void {
    this.#closed = true;
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    this.#reader.close();
    this.#socket.destroy();
  }

  onFrame(frame: Bytes): void {
    this.#owner.onIncomingFrame(this.#peer!, frame);
  }

  onControlFrame(body: Bytes): void {
    const control = decodeControlFrame(body);
    if (control === undefined) this.fail("it sent a malformed control frame");
    else if (control.kind === "ping") this.#answer(PONG_FRAME);
    else if (control.kind === "greeting") this.#onHello(control.hello);
  }

  #onData(chunk: Bytes): void {
    if (this.#closed || this.#refusal !== undefined) return;
    this.#silentTicks = 0;
    const rest = this.#peer === undefined ? this.#onOpening(this.#opening.push(chunk)) : chunk;
    if (rest === undefined || rest.length === 0 || this.#closed) return;
    if (this.#reader.push(rest) !== undefined) this.fail("it sent a frame beyond the size limit");
  }

  /** Returns what is left to read, or undefined. */
  #onOpening(result: OpeningResult): Bytes | undefined {
    if (result.state === "incomplete") return undefined;
    if (result.state === "refused") {
      this.#refuse(describeRefusal(result), result.reason === "other-version");
      return undefined;
    }
    const { to } = result.hello;
    const isMisdirected = to !== this.#owner.hello.greeting.nodeId;
    const refusal = isMisdirected
      ? `it looks for ${to || "nobody"} here`
      : this.#owner.refusalOf(result.hello);
    if (refusal !== undefined) {
      this.#refuse(refusal, isMisdirected);
      return undefined;
    }
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    this.hello = result.hello;
    this.#peer = result.hello.greeting.nodeId;
    this.#socket.write(encodeOpening(this.#owner.hello));
    this.#owner.onIncomingOpened(this, result.hello);
    return result.rest;
  }

  /** With `answer` the peer is told whom it has reached, and has time to read it and hang up. */
  #refuse(reason: string, answer: boolean): void {
    this.#refusal = reason;
    if (answer) this.#socket.end(encodeOpening(this.#owner.hello));
    else this.fail(reason);
  }

  #onHello(hello: Hello): void {
    if (hello.greeting.nodeId !== this.#peer) this.fail(`it changed its name to ${hello.greeting.nodeId}`);
    else this.#owner.onHello(hello);
  }

  #answer(body: Bytes): void {
    if (this.#closed) return;
    this.#socket.write(encodeControlFrame(body));
    if (this.#socket.writableLength > UNREAD_BYTES_MAX) this.fail("it does not read what it is sent");
  }
}
