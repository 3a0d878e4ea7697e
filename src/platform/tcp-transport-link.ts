/**
 * The outgoing connection to one peer: dialled, greeted, watched, and dialled again when it breaks. Only this
 * side sends frames on it; the peer answers with its greeting and with pongs.
 *
 *              dial                opening read
 *     waiting ──────▶ dialling ──────────────────▶ up
 *        ▲               │                          │
 *        └───────────────┴──── any failure ◀────────┘      close(): closed, from everywhere, for good
 *
 * Invariants: a socket that is not `#socket` has no effect any more; `onLinkUp` and `onLinkDown` alternate; frames
 * of one connection never leave on the next.
 */

import { connect, type Socket } from "node:net";
import {
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameBatch,
  FrameReader,
  type FrameSink,
} from "../codec/frame.js";
import type { Bytes } from "../core/bytes.js";
import type { NodeId } from "../core/ids.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import {
  decodeControlFrame,
  encodeGreetingFrame,
  encodeOpening,
  type Hello,
  OpeningReader,
  type OpeningResult,
  PING_FRAME,
  PROTOCOL_VERSION,
} from "./tcp-transport-opening.js";

/** From dialling until the peer's greeting is read. */
export const OPENING_TIMEOUT_MS = 5_000;
/** Keep-alive ticks (one a second) without a sign of life before a connection is given up. */
const SILENT_TICKS_MAX = 5;
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 500;
/** After a mistake that only people can repair. */
const RETRY_SLOW_MS = 5_000;
/** A connection that lasted this long was a good one: the next dial starts with the shortest delay again. */
const STABLE_MS = 1_000;
/** Handed to the system at once at most, so that a slow connection shows its progress. */
const WRITE_BYTES_MAX = 1024 * 1024;

/** What a link needs from, and tells, the transport it belongs to. */
export interface LinkOwner {
  readonly clock: Clock;
  readonly queueBytesMax: number;
  /** What this node says of itself now. */
  readonly hello: Hello;
  /** Calls `link.flush()` at the end of this turn. */
  scheduleFlush(link: OutgoingLink): void;
  /** Any greeting of the peer, before `onLinkUp` when it is the first. The owner may close the link. */
  onHello(hello: Hello): void;
  onLinkUp(link: OutgoingLink): void;
  onLinkDown(link: OutgoingLink, reason: string): void;
  /** A dial that did not come up; `lasting` when only people can repair the cause. */
  onDialFailed(link: OutgoingLink, reason: string, lasting: boolean): void;
}

export class OutgoingLink implements FrameSink {
  readonly peer: NodeId;
  readonly address: string;
  readonly #owner: LinkOwner;
  #state: "waiting" | "dialling" | "up" | "closed" = "waiting";
  #socket: Socket | undefined;
  /** The next dial, or the time-out of this one. */
  #cancelTimer: CancelTimer | undefined;
  #failedDials = 0;
  #upSinceMs = 0;
  #silentTicks = 0;
  #opening = new OpeningReader();
  #reader: FrameReader;
  readonly #batch = new FrameBatch();
  #flushScheduled = false;
  /** Bytes handed to the socket and not yet taken by the system. */
  #writingBytes = 0;
  /** Which of this node's greetings the peer has from this connection. */
  #sequenceSent = 0;
  #instance = 0;
  #onWritten: () => void = ignore;

  constructor(peer: NodeId, address: string, owner: LinkOwner) {
    this.peer = peer;
    this.address = address;
    this.#owner = owner;
    this.#reader = new FrameReader(this);
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Which process was reached, as long as the link is up. */
  get instance(): number | undefined {
    return this.#state === "up" ? this.#instance : undefined;
  }

  /**
   * Queues one frame; false when the link is down or the queue would exceed its bound. Any one frame fits an
   * empty queue: what is in a log must reach the followers.
   */
  send(parts: readonly Uint8Array[]): boolean {
    if (this.#state !== "up") return false;
    let bodyBytes = 0;
    for (const part of parts) bodyBytes += part.length;
    const queuedBytes = this.#batch.sizeBytes + this.#writingBytes;
    if (bodyBytes > FRAME_BYTES_MAX) return false;
    const isTooMuch = queuedBytes + FRAME_HEADER_BYTES + bodyBytes > this.#owner.queueBytesMax;
    if (queuedBytes > 0 && isTooMuch) return false;
    this.#batch.add(parts, bodyBytes);
    if (!this.#flushScheduled) this.#scheduleFlush();
    return true;
  }

  /** Dials now, when it only waits to do so. */
  dial(): void {
    if (this.#state !== "waiting") return;
    this.#cancelTimer?.();
    this.#dial();
  }

  /** Tells the peer of `owner.hello`, when it has an older one. */
  greet(): void {
    if (this.#state !== "up" || this.#sequenceSent === this.#owner.hello.sequence) return;
    this.#sequenceSent = this.#owner.hello.sequence;
    this.#batch.addControl(encodeGreetingFrame(this.#owner.hello));
    if (!this.#flushScheduled) this.#scheduleFlush();
  }

  /** Once a second: sees to it that a peer which vanished without a word is missed. */
  tick(): void {
    if (this.#state !== "up") return;
    this.#silentTicks += 1;
    if (this.#silentTicks > SILENT_TICKS_MAX) {
      this.fail(`no sign of life for ${SILENT_TICKS_MAX} s`);
      return;
    }
    if (this.#silentTicks > 1) return;
    this.#batch.addControl(PING_FRAME);
    if (!this.#flushScheduled) this.#scheduleFlush();
  }

  /** Writes what has gathered, unless the socket is still busy: then it goes when that is done. */
  flush(): void {
    this.#flushScheduled = false;
    const socket = this.#socket;
    if (this.#state !== "up" || socket === undefined) return;
    while (this.#writingBytes === 0 && this.#batch.sizeBytes > 0) {
      this.#write(socket, this.#batch.take(WRITE_BYTES_MAX));
      this.#writingBytes = socket.writableLength;
      if (this.#writingBytes === 0) this.#batch.reuse();
    }
  }

  /** Ends the connection, as broken; it is dialled again. Nothing when there is none. */
  fail(reason: string, lasting = false): void {
    if (this.#state !== "up" && this.#state !== "dialling") return;
    const wasUp = this.#state === "up";
    this.#drop();
    if (wasUp && this.#owner.clock.monotonicMs() - this.#upSinceMs >= STABLE_MS) this.#failedDials = 0;
    this.#retryLater(lasting);
    if (wasUp) this.#owner.onLinkDown(this, reason);
    else this.#owner.onDialFailed(this, reason, lasting);
  }

  /** Ends everything, for good, after a last attempt to send what has gathered. Tells nobody. */
  close(): void {
    this.flush();
    this.#drop();
    this.#state = "closed";
  }

  onFrame(): void {
    this.fail("it sent a frame on a connection that is for this node's frames");
  }

  onControlFrame(body: Bytes): void {
    const control = decodeControlFrame(body);
    if (control === undefined) this.fail("it sent a malformed control frame");
    else if (control.kind === "greeting") this.#onHello(control.hello);
  }

  #scheduleFlush(): void {
    this.#flushScheduled = true;
    this.#owner.scheduleFlush(this);
  }

  #write(socket: Socket, pieces: readonly Uint8Array[]): void {
    const last = pieces.length - 1;
    if (last === 0) {
      socket.write(pieces[0], this.#onWritten);
      return;
    }
    socket.cork();
    for (let i = 0; i < last; i += 1) socket.write(pieces[i]);
    socket.write(pieces[last], this.#onWritten);
    socket.uncork();
  }

  #dial(): void {
    const endpoint = splitAddress(this.address);
    this.#state = "dialling";
    this.#opening = new OpeningReader();
    this.#reader = new FrameReader(this);
    this.#cancelTimer = this.#owner.clock.after(OPENING_TIMEOUT_MS, () => this.fail("it does not answer"));
    if (endpoint === undefined) {
      this.fail("the address is not of the form host:port", true);
      return;
    }
    const socket = connect({ ...endpoint, noDelay: true, keepAlive: true });
    this.#socket = socket;
    const { hello } = this.#owner;
    this.#sequenceSent = hello.sequence;
    socket.write(encodeOpening({ ...hello, to: this.peer }));
    this.#onWritten = () => {
      if (this.#socket === socket) this.#onProgress(socket);
    };
    socket.on("data", (chunk: Buffer) => {
      if (this.#socket === socket) this.#onData(chunk as unknown as Bytes);
    });
    socket.on("end", () => {
      if (this.#socket === socket) this.fail("the peer closed the connection");
    });
    socket.on("error", (error) => {
      if (this.#socket === socket) this.fail(error.message);
    });
    socket.on("close", () => {
      if (this.#socket === socket) this.fail("the connection was closed");
    });
  }

  #onProgress(socket: Socket): void {
    if (this.#writingBytes === 0) return;
    this.#writingBytes = socket.writableLength;
    if (this.#writingBytes > 0) return;
    this.#silentTicks = 0;
    this.#batch.reuse();
    this.flush();
  }

  #onData(chunk: Bytes): void {
    this.#silentTicks = 0;
    const rest = this.#state === "up" ? chunk : this.#onOpening(this.#opening.push(chunk));
    if (rest === undefined || rest.length === 0) return;
    if (this.#reader.push(rest) !== undefined) this.fail("it sent a frame beyond the size limit");
  }

  /** Returns what is left to read, or undefined. */
  #onOpening(result: OpeningResult): Bytes | undefined {
    if (result.state === "incomplete") return undefined;
    if (result.state === "refused") {
      this.fail(describeRefusal(result), true);
      return undefined;
    }
    const { greeting, instance } = result.hello;
    if (instance === this.#owner.hello.instance) {
      this.fail("the address leads back to this node", true);
      return undefined;
    }
    if (greeting.nodeId !== this.peer) {
      this.fail(`the node at this address is ${greeting.nodeId}`, true);
      return undefined;
    }
    const socket = this.#socket;
    this.#owner.onHello(result.hello);
    // The owner may have closed this link meanwhile, here and below.
    if (this.#socket !== socket) return undefined;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#state = "up";
    this.#instance = instance;
    this.#silentTicks = 0;
    this.#upSinceMs = this.#owner.clock.monotonicMs();
    this.#owner.onLinkUp(this);
    this.greet();
    return this.#socket === socket ? result.rest : undefined;
  }

  #onHello(hello: Hello): void {
    if (hello.greeting.nodeId !== this.peer) this.fail(`it changed its name to ${hello.greeting.nodeId}`);
    else this.#owner.onHello(hello);
  }

  #retryLater(lasting: boolean): void {
    this.#state = "waiting";
    const fullMs = lasting ? RETRY_SLOW_MS : Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failedDials);
    this.#failedDials = Math.min(this.#failedDials + 1, 16);
    // Half of it at random, so that nodes which lost each other at one moment do not meet at one moment.
    const delayMs = fullMs * (0.5 + Math.random() / 2);
    this.#cancelTimer = this.#owner.clock.after(delayMs, () => this.#dial());
  }

  #drop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#reader.close();
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#batch.clear();
    this.#writingBytes = 0;
  }
}

/** Why an opening was refused, for people. */
export function describeRefusal(result: OpeningResult & { state: "refused" }): string {
  if (result.reason === "other-version") {
    return `it speaks version ${result.version} of the peer protocol, this node version ${PROTOCOL_VERSION}`;
  }
  return result.reason === "malformed"
    ? "its greeting is malformed"
    : "what speaks there is not MinikeyDB's peer protocol";
}

/** `host:port`, also `[::1]:port`. */
function splitAddress(address: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || !(port >= 1 && port <= 65_535) ? undefined : { host, port };
}

function ignore(): void {}
