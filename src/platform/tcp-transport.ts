/**
 * The `Transport` port over TCP: one outgoing connection to each peer for this node's frames (`OutgoingLink`), and
 * one incoming connection from each for theirs (`IncomingConnection`).
 *
 * - A peer is up while the outgoing connection is greeted. It goes down the moment either connection breaks: then
 *   both are closed, and after `onDown` nothing of that peer is heard before it has greeted again. Closing one
 *   connection for the loss of the other cannot go round in circles: a side only does so while it is up, and it is
 *   not up again before a delay and a round trip, by when the news of the close has reached the other side.
 * - When a peer dials again before its old connection is known to be gone, the newest counts and the old one is
 *   closed without a word: its frames are lost, as frames under way are.
 * - The process that answers at a peer's address is the peer. While it is up, others that claim its name are
 *   refused: a node that was started twice does no harm to the right one.
 * - Nodes that nobody announced by `setPeers` may dial and send too: whether to listen to them is for the node.
 */

import { randomBytes } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { assert } from "../core/assert.js";
import type { Bytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { NodeId } from "../core/ids.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { LogFields, Logger } from "../ports/logger.js";
import type { Greeting, Transport, TransportEvents } from "../ports/transport.js";
import { IncomingConnection, type IncomingOwner } from "./tcp-transport-incoming.js";
import { type LinkOwner, OutgoingLink } from "./tcp-transport-link.js";
import { type Hello, sameGreeting } from "./tcp-transport-opening.js";

const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
const KEEP_ALIVE_MS = 1_000;
/** Incoming connections that have not greeted: more are refused, whoever dials. */
const UNGREETED_MAX = 256;
/** Complaints about strangers: in this time each once, and no more than so many. */
const COMPLAINT_PERIOD_MS = 10_000;
const COMPLAINTS_MAX = 10;

export interface TcpTransportOptions {
  readonly greeting: Greeting;
  /** Port 0 takes any free one; see `port`. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes waiting for one peer at most. Default: 64 MiB. */
  readonly queueBytesMax?: number;
}

export class TcpTransport implements Transport, LinkOwner, IncomingOwner {
  readonly clock: Clock;
  readonly queueBytesMax: number;
  hello: Hello;
  readonly #listen: TcpTransportOptions["listen"];
  readonly #logger: Logger;
  readonly #server: Server;
  #state: "new" | "running" | "stopped" = "new";
  #events: TransportEvents | undefined;
  #listening: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #cancelTick: CancelTimer | undefined;
  readonly #links = new Map<NodeId, OutgoingLink>();
  /** The newest incoming connection of each peer that greeted. */
  readonly #incoming = new Map<NodeId, IncomingConnection>();
  readonly #ungreeted = new Set<IncomingConnection>();
  /** What each peer said last, since the last time that a connection with it broke. */
  readonly #hellos = new Map<NodeId, Hello>();
  #flushing: OutgoingLink[] = [];
  #flushScheduled = false;
  readonly #onTurnEnd = (): void => {
    this.#flushScheduled = false;
    this.flush();
  };
  /** What was said of a peer's address since it was last up. */
  readonly #dialProblems = new Map<NodeId, Set<string>>();
  readonly #complaints = new Set<string>();
  #complaintsSinceMs = Number.NEGATIVE_INFINITY;

  constructor(options: TcpTransportOptions) {
    this.clock = options.clock;
    this.queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX;
    this.#listen = options.listen;
    this.#logger = options.logger;
    const instance = randomBytes(6).readUIntLE(0, 6);
    this.hello = { greeting: options.greeting, instance, sequence: 1, to: "" };
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#onConnection(socket));
  }

  /** The port that is listened on; the real one for port 0. Only after `start`. */
  get port(): number {
    const address = this.#server.address();
    assert(address !== null && typeof address === "object", "the transport does not listen");
    return address.port;
  }

  async start(events: TransportEvents): Promise<void> {
    assert(this.#state === "new", "a transport starts once");
    this.#events = events;
    this.#state = "running";
    this.#listening = this.#startListening();
    await this.#listening;
    if (!this.#isRunning()) return;
    this.#cancelTick = this.clock.every(KEEP_ALIVE_MS, () => this.#tick());
    for (const link of this.#links.values()) link.dial();
  }

  setPeers(addresses: ReadonlyMap<NodeId, string>): void {
    for (const [peer, link] of this.#links) {
      if (addresses.get(peer) !== link.address) this.#removeLink(link);
      if (!addresses.has(peer)) this.#dialProblems.delete(peer);
    }
    for (const [peer, address] of addresses) {
      if (peer === this.hello.greeting.nodeId || this.#links.has(peer)) continue;
      const link = new OutgoingLink(peer, address, this);
      this.#links.set(peer, link);
      if (this.#cancelTick !== undefined) link.dial();
    }
  }

  updateGreeting(greeting: Greeting): void {
    assert(greeting.nodeId === this.hello.greeting.nodeId, "a node keeps its name");
    if (sameGreeting(greeting, this.hello.greeting)) return;
    this.hello = { ...this.hello, greeting, sequence: this.hello.sequence + 1 };
    for (const link of this.#links.values()) link.greet();
    for (const connection of this.#incoming.values()) connection.greet();
  }

  send(peer: NodeId, parts: readonly Uint8Array[]): boolean {
    const link = this.#links.get(peer);
    return link !== undefined && link.send(parts);
  }

  flush(): void {
    const links = this.#flushing;
    if (links.length === 0) return;
    this.#flushing = [];
    for (const link of links) link.flush();
  }

  isUp(peer: NodeId): boolean {
    return this.#links.get(peer)?.isUp ?? false;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  // What the links tell.

  scheduleFlush(link: OutgoingLink): void {
    this.#flushing.push(link);
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.clock.atTurnEnd(this.#onTurnEnd);
  }

  /** Reports a greeting, unless it is known or older than what is known. */
  onHello(hello: Hello): void {
    const { nodeId } = hello.greeting;
    const known = this.#hellos.get(nodeId);
    if (known?.instance === hello.instance && hello.sequence <= known.sequence) return;
    this.#hellos.set(nodeId, hello);
    this.#events!.onGreeting(hello.greeting);
  }

  onLinkUp(link: OutgoingLink): void {
    const incoming = this.#incoming.get(link.peer);
    if (incoming !== undefined && incoming.hello?.instance !== link.instance) {
      incoming.close();
      this.#incoming.delete(link.peer);
    }
    this.#dialProblems.delete(link.peer);
    this.#logger.info("connected to a peer", { peer: link.peer, address: link.address });
    this.#events!.onUp(link.peer);
  }

  onLinkDown(link: OutgoingLink, reason: string): void {
    this.#forgetPeer(link.peer);
    this.#logger.warn("lost the connection to a peer", { peer: link.peer, address: link.address, reason });
    this.#events!.onDown(link.peer);
  }

  onDialFailed(link: OutgoingLink, reason: string, lasting: boolean): void {
    let known = this.#dialProblems.get(link.peer);
    if (known === undefined) this.#dialProblems.set(link.peer, (known = new Set()));
    if (known.has(reason)) return;
    known.add(reason);
    const fields = { peer: link.peer, address: link.address, reason };
    if (lasting) this.#logger.error("cannot connect to a peer; the set-up looks wrong", fields);
    else this.#logger.info("a peer is not reachable; trying on", fields);
  }

  // What the incoming connections tell.

  refusalOf({ greeting, instance }: Hello): string | undefined {
    if (greeting.nodeId === this.hello.greeting.nodeId) return "another node has this node's name";
    const reached = this.#links.get(greeting.nodeId)?.instance;
    if (reached === undefined || reached === instance) return undefined;
    return `it is not the ${greeting.nodeId} that is connected: two nodes have one name`;
  }

  onIncomingOpened(connection: IncomingConnection, hello: Hello): void {
    this.#ungreeted.delete(connection);
    const peer = hello.greeting.nodeId;
    this.#incoming.get(peer)?.close();
    this.#incoming.set(peer, connection);
    this.onHello(hello);
    // Who dials us is there: no need to wait out the delay.
    this.#links.get(peer)?.dial();
  }

  onIncomingFrame(from: NodeId, frame: Bytes): void {
    this.#events!.onFrame(from, frame);
  }

  onIncomingClosed(connection: IncomingConnection, reason: string): void {
    const { peer } = connection;
    if (peer === undefined) {
      this.#ungreeted.delete(connection);
      this.#complain("refused a connection to the peer port", { remote: connection.remote, reason });
      return;
    }
    this.#logger.debug("a peer's connection to this node ended", { peer, reason });
    const link = this.#links.get(peer);
    if (link?.isUp) link.fail(reason);
    else this.#forgetPeer(peer);
  }

  async #startListening(): Promise<void> {
    const { host, port } = this.#listen;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const inUse = error.code === "EADDRINUSE";
        const message = inUse
          ? `the peer port ${host}:${port} is in use`
          : `cannot listen for peers on ${host}:${port}: ${error.message}`;
        reject(new MinikeyError(inUse ? "PORT_IN_USE" : "BAD_CONFIG", message, { cause: error }));
      });
      this.#server.listen({ host, port }, resolve);
    });
    this.#server.removeAllListeners("error");
    this.#server.on("error", (error) =>
      this.#complain("cannot accept a connection", { reason: error.message }),
    );
  }

  async #stop(): Promise<void> {
    this.#state = "stopped";
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    for (const link of this.#links.values()) link.close();
    for (const connection of this.#incoming.values()) connection.close();
    for (const connection of this.#ungreeted) connection.close();
    this.#links.clear();
    this.#incoming.clear();
    this.#ungreeted.clear();
    this.#hellos.clear();
    // A start under way has to come to its end before it can be undone.
    await Promise.allSettled([this.#listening]);
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #isRunning(): boolean {
    return this.#state === "running";
  }

  #onConnection(socket: Socket): void {
    if (this.#ungreeted.size >= UNGREETED_MAX) {
      socket.destroy();
      this.#complain("too many connections to the peer port that do not greet", {});
      return;
    }
    this.#ungreeted.add(new IncomingConnection(socket, this));
  }

  /** Closes what the peer has dialled; its next greeting is a first contact again. */
  #forgetPeer(peer: NodeId): void {
    this.#incoming.get(peer)?.close();
    this.#incoming.delete(peer);
    this.#hellos.delete(peer);
  }

  #removeLink(link: OutgoingLink): void {
    const wasUp = link.isUp;
    link.close();
    this.#links.delete(link.peer);
    if (!wasUp) return;
    this.#forgetPeer(link.peer);
    this.#events!.onDown(link.peer);
  }

  #tick(): void {
    for (const link of this.#links.values()) link.tick();
    for (const connection of this.#incoming.values()) connection.tick();
  }

  #complain(message: string, fields: LogFields): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#complaintsSinceMs >= COMPLAINT_PERIOD_MS) {
      this.#complaints.clear();
      this.#complaintsSinceMs = nowMs;
    }
    const complaint = `${message}: ${String(fields["reason"])}`;
    if (this.#complaints.has(complaint) || this.#complaints.size >= COMPLAINTS_MAX) return;
    this.#complaints.add(complaint);
    this.#logger.warn(message, fields);
  }
}
