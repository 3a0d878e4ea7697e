/**
 * A channel to a cluster: one connection to one of several nodes, and the next node when that one is lost.
 *
 * A command waits in `#queue` until a connection has room, then in the connection until it is answered. When
 * the connection is lost, what may be sent again (reads, numbered writes, what never left) goes back to the
 * front of the queue in its old order; the rest is answered "outcome unknown". Nothing waits beyond its
 * deadline, and nothing is answered twice.
 *
 * A node that owes answers and sends nothing for `stallMs` counts as lost: a stopped process keeps its
 * sockets open.
 */
import { MinikeyError } from "../core/errors.js";
import type { CancelTimer } from "../ports/clock.js";
import { type Address, formatAddress } from "./address.js";
import { backoffMs } from "./backoff.js";
import { type ConnectionListener, NodeConnection } from "./node-connection.js";
import { Outgoing } from "./outgoing.js";
import { Queue } from "./queue.js";
import { Sessions } from "./session.js";
import { type Channel, clientClosed, type WireReply, type WireRequest } from "./wire.js";
import type { ClientWorld } from "./world.js";

const SWEEP_EVERY_MS = 25;
/** Before a command whose outcome a node did not know is asked again. */
const RETRY_AFTER_MS = 50;

export interface FailoverOptions {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly keyspace?: string | number | undefined;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly stallMs: number;
  readonly pendingMax: number;
  /** Number writes, so that they can be sent again. */
  readonly session: boolean;
}

export class FailoverChannel implements Channel {
  readonly #addresses: readonly Address[];
  readonly #options: FailoverOptions;
  readonly #world: ClientWorld;
  readonly #sessions: Sessions;
  readonly #queue = new Queue<Outgoing>();
  readonly #readyWaiters: { resolve: () => void; reject: (error: MinikeyError) => void }[] = [];
  readonly #closeWaiters: (() => void)[] = [];
  #connection: NodeConnection | undefined;
  /** The current connection takes nothing new; it is left when its last answer is in. */
  #isRetiring = false;
  #addressIndex = 0;
  /** Addresses that failed since the last one that answered. */
  #failures = 0;
  #failureTexts: string[] = [];
  #cancelBackoff: CancelTimer | undefined;
  #cancelSweep: CancelTimer | undefined;
  #isFlushScheduled = false;
  #pending = 0;
  #isClosing = false;

  constructor(addresses: readonly Address[], options: FailoverOptions, world: ClientWorld) {
    this.#addresses = addresses;
    this.#options = options;
    this.#world = world;
    this.#sessions = new Sessions(world);
  }

  /** The node that commands go to now, for people. */
  get currentAddress(): string | undefined {
    return this.#connection?.isReady === true ? formatAddress(this.#connection.address) : undefined;
  }

  submit(request: WireRequest): void {
    if (this.#isClosing) {
      request.onReply(clientClosed());
      return;
    }
    if (this.#pending >= this.#options.pendingMax) {
      request.onReply(
        new MinikeyError("OVERLOADED", `${this.#pending} commands wait in this client already`),
      );
      return;
    }
    this.#pending += 1;
    const { clock } = this.#world;
    this.#cancelSweep ??= clock.every(SWEEP_EVERY_MS, () => this.#sweep());
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs;
    this.#queue.push(new Outgoing(request, clock.monotonicMs() + timeoutMs, this.#onAnswered));
    this.#scheduleFlush();
  }

  forKeyspace(keyspace: string | number): Channel {
    return new FailoverChannel(this.#addresses, { ...this.#options, keyspace }, this.#world);
  }

  ready(): Promise<void> {
    if (this.#isClosing) return Promise.reject(clientClosed());
    if (this.#connection?.isReady === true) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#readyWaiters.push({ resolve, reject });
      this.#connectIfNeeded();
    });
  }

  close(): Promise<void> {
    this.#isClosing = true;
    return new Promise((resolve) => {
      this.#closeWaiters.push(resolve);
      this.#finishCloseIfIdle();
    });
  }

  /** One for all requests: a closure for each would cost more than the rest of its bookkeeping. */
  readonly #onAnswered = (): void => {
    this.#pending -= 1;
    if (this.#pending === 0) this.#onIdle();
  };

  #onIdle(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    this.#queue.takeAll();
    this.#finishCloseIfIdle();
  }

  #finishCloseIfIdle(): void {
    if (!this.#isClosing || this.#pending > 0) return;
    this.#cancelBackoff?.();
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy(new MinikeyError("CONNECTION_LOST", "the client is closed"));
    this.#rejectReadyWaiters(clientClosed());
    for (const resolve of this.#closeWaiters.splice(0)) resolve();
  }

  // Sending

  /** After the caller's turn and the promises it settles, so that all of it leaves in one write. */
  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#world.afterTurn(() => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#queue.length === 0) return;
    const connection = this.#connection;
    if (connection === undefined || !connection.isReady) {
      this.#connectIfNeeded();
      return;
    }
    while (!this.#isRetiring && connection.hasRoom) {
      const next = this.#queue.peek();
      if (next === undefined || !this.#mayLeave(next, connection)) break;
      this.#queue.shift();
      if (!next.isAnswered) connection.send(next);
    }
    connection.flush();
  }

  /** In an eventual keyspace no number would help: nobody knows a repeat of what another node has carried out. */
  #mayLeave(next: Outgoing, { isEventual }: NodeConnection): boolean {
    const isNumbered = this.#options.session && next.request.kind === "write-once" && !isEventual;
    return !isNumbered || next.sequence !== 0 || this.#sessions.tryAssign(next);
  }

  // Connections

  #connectIfNeeded(): void {
    if (this.#connection !== undefined || this.#cancelBackoff !== undefined) return;
    const address = this.#addresses[this.#addressIndex];
    const { username, password, keyspace, connectTimeoutMs } = this.#options;
    const setup = { username, password, keyspace, connectTimeoutMs };
    const connection: NodeConnection = new NodeConnection(
      address,
      setup,
      this.#world,
      this.#listenerFor(() => connection),
    );
    this.#connection = connection;
  }

  #listenerFor(connection: () => NodeConnection): ConnectionListener {
    return {
      onReady: () => this.#onReady(),
      onReply: (outgoing, reply) => this.#onReply(outgoing, reply),
      onRoom: () => this.#onRoom(),
      onClosed: (reason, unanswered, refused) =>
        this.#onClosed(connection() === this.#connection, reason, unanswered, refused),
    };
  }

  #onReady(): void {
    this.#isRetiring = false;
    for (const waiter of this.#readyWaiters.splice(0)) waiter.resolve();
    this.#scheduleFlush();
  }

  #onRoom(): void {
    const connection = this.#connection;
    if (this.#isRetiring && connection?.inFlightCount === 0) {
      connection.destroy(new MinikeyError("NOT_READY", `${formatAddress(connection.address)} is not ready`));
    } else if (this.#queue.length > 0) {
      this.#scheduleFlush();
    }
  }

  #onClosed(
    isCurrent: boolean,
    reason: MinikeyError,
    unanswered: readonly Outgoing[],
    refused: boolean,
  ): void {
    if (isCurrent) this.#connection = undefined;
    const again: Outgoing[] = [];
    for (const outgoing of unanswered) {
      outgoing.lastError = reason;
      outgoing.isUncertain ||= outgoing.wasSent;
      if (outgoing.isAnswered) continue;
      if (outgoing.mayRetry && !refused) again.push(outgoing);
      else outgoing.fail(`the connection was lost before the answer: ${reason.message}`);
    }
    this.#queue.prepend(again);
    if (!isCurrent) return;
    if (refused) this.#failEverything(reason);
    else this.#tryNextAddress(reason);
  }

  #tryNextAddress(reason: MinikeyError): void {
    this.#failures += 1;
    this.#failureTexts.push(reason.message);
    this.#addressIndex = (this.#addressIndex + 1) % this.#addresses.length;
    const roundIsOver = this.#failures % this.#addresses.length === 0;
    if (roundIsOver) {
      this.#rejectReadyWaiters(this.#unreachable());
      this.#failureTexts = this.#failureTexts.slice(-this.#addresses.length);
    }
    if (this.#queue.length === 0 && this.#readyWaiters.length === 0) return;
    if (!roundIsOver) {
      this.#connectIfNeeded();
      return;
    }
    const waitMs = backoffMs(this.#failures / this.#addresses.length, this.#world.random.unit());
    this.#cancelBackoff = this.#world.clock.after(waitMs, () => {
      this.#cancelBackoff = undefined;
      if (this.#queue.length > 0 || this.#readyWaiters.length > 0) this.#connectIfNeeded();
    });
  }

  #unreachable(): MinikeyError {
    const texts = this.#failureTexts.slice(-this.#addresses.length);
    return new MinikeyError("CONNECTION_LOST", `no node answers (${texts.join("; ")})`, { outcome: "none" });
  }

  #rejectReadyWaiters(error: MinikeyError): void {
    for (const waiter of this.#readyWaiters.splice(0)) waiter.reject(error);
  }

  /** The handshake was refused (password, keyspace): every command would be. */
  #failEverything(reason: MinikeyError): void {
    this.#rejectReadyWaiters(reason);
    for (const outgoing of this.#queue.takeAll()) {
      if (outgoing.wasSent) outgoing.fail(reason.message);
      else outgoing.answer(reason);
    }
  }

  // Answers

  #onReply(outgoing: Outgoing, reply: WireReply): void {
    if (!(reply instanceof MinikeyError) || outgoing.isAnswered) {
      this.#failures = 0;
      outgoing.answer(reply);
    } else if (reply.code === "NOT_READY" || reply.code === "STOPPING") {
      outgoing.lastError = reply;
      // Refused before anything was done; a numbered write may have been sent before this attempt.
      if (outgoing.sequence === 0) outgoing.wasSent = false;
      this.#isRetiring = true;
      this.#queue.prepend([outgoing]);
    } else if (reply.code === "SESSION_FORGOTTEN" && outgoing.sequence !== 0) {
      this.#onForgotten(outgoing, reply);
    } else {
      outgoing.isUncertain ||= reply.outcome === "unknown";
      if (outgoing.mayRetry && this.#isUnsettled(outgoing, reply)) this.#sendLater(outgoing, reply);
      else outgoing.answer(reply);
    }
  }

  /** Asking again may bring a better answer: what was refused now may have been carried out before. */
  #isUnsettled(outgoing: Outgoing, reply: MinikeyError): boolean {
    if (reply.code === "OUTCOME_UNKNOWN" || reply.code === "CONNECTION_LOST") return true;
    return outgoing.sequence !== 0 && outgoing.isUncertain && reply.retryable;
  }

  #sendLater(outgoing: Outgoing, reply: MinikeyError): void {
    outgoing.lastError = reply;
    const { clock } = this.#world;
    if (outgoing.deadlineMs <= clock.monotonicMs() + RETRY_AFTER_MS) {
      if (reply.outcome === "unknown" || !outgoing.isUncertain) outgoing.answer(reply);
      else outgoing.fail(reply.message);
      return;
    }
    clock.after(RETRY_AFTER_MS, () => {
      this.#queue.prepend([outgoing]);
      this.#flush();
    });
  }

  /** It goes on in a new session, unless an attempt in the old one may have been carried out. */
  #onForgotten(outgoing: Outgoing, reply: MinikeyError): void {
    const second = Number(/up to second ([0-9]+)/.exec(reply.message)?.[1] ?? 0);
    this.#sessions.retire(outgoing.sessionId, second);
    if (outgoing.isUncertain) {
      outgoing.fail(reply.message);
    } else {
      outgoing.forgetNumber();
      this.#sendLater(outgoing, reply);
    }
  }

  /** Answers what has waited too long, and leaves a node that has gone silent. */
  #sweep(): void {
    const nowMs = this.#world.clock.monotonicMs();
    const onWaiting = (outgoing: Outgoing): void => {
      if (!outgoing.isAnswered && outgoing.deadlineMs <= nowMs) this.#expire(outgoing);
    };
    this.#queue.forEach(onWaiting);
    this.#connection?.forEachInFlight(onWaiting);
    const connection = this.#connection;
    if (connection?.isReady === true && connection.silentMs(nowMs) > this.#options.stallMs) {
      const where = formatAddress(connection.address);
      connection.destroy(
        new MinikeyError("CONNECTION_LOST", `${where}: silent for ${this.#options.stallMs} ms`),
      );
    }
    this.#flush();
  }

  #expire(outgoing: Outgoing): void {
    const timeoutMs = outgoing.request.timeoutMs ?? this.#options.timeoutMs;
    const why = outgoing.wasSent
      ? `no answer within ${timeoutMs} ms`
      : `not sent within ${timeoutMs} ms: ${
          this.#failureTexts.length > 0 ? this.#unreachable().message : "the node is busy"
        }`;
    outgoing.fail(why);
  }
}
