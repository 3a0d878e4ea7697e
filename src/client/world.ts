/**
 * What the client uses of the world: connections, time, chance. The real world is below. The simulator has another,
 * in which sessions, retries and changes of node meet every fault.
 */
import { connect } from "node:net";
import { systemClock } from "../platform/clock.js";
import { systemRandom } from "../platform/random.js";
import type { Clock } from "../ports/clock.js";
import type { Random } from "../ports/random.js";
import type { Address } from "./address.js";

/** One connection to one node, as TCP has it: bytes arrive in order, cut anywhere, or the connection is lost. */
export interface Link {
  /** Takes all of it, and keeps it unchanged until it has left. False: better wait for `onDrain` with more. */
  write(bytes: Buffer): boolean;
  /** Ends the connection at once. What has been written may arrive, or not. */
  destroy(): void;
}

/** None of them is called during `ClientWorld.connect`. After `Link.destroy`, only `onLost` may be. */
export interface LinkEvents {
  onConnected(): void;
  /** The chunk is the receiver's own. */
  onData(chunk: Buffer): void;
  onDrain(): void;
  /** The connection has ended, or never came to be: `why`, for people. */
  onLost(why: string): void;
}

export interface ClientWorld {
  readonly clock: Pick<Clock, "wallMs" | "monotonicMs" | "after" | "every">;
  readonly random: Random;
  /** Calls `run` after the caller's turn and the promises that it settles. */
  afterTurn(run: () => void): void;
  /** Begins to connect. */
  connect(address: Address, events: LinkEvents): Link;
}

export function systemWorld(): ClientWorld {
  return {
    clock: systemClock(),
    random: systemRandom(),
    afterTurn: (run) => process.nextTick(run),
    connect: connectTcp,
  };
}

function connectTcp({ host, port }: Address, events: LinkEvents): Link {
  const socket = connect({ host, port, noDelay: true, keepAlive: true });
  socket.on("connect", () => events.onConnected());
  socket.on("data", (chunk: Buffer) => events.onData(chunk));
  socket.on("drain", () => events.onDrain());
  socket.on("error", (error) => events.onLost(reasonOf(error)));
  socket.on("close", () => events.onLost(CLOSED_BY_NODE));
  return socket;
}

const CLOSED_BY_NODE = "it closed the connection";

/** What a person can act on: `connection refused` rather than `connect ECONNREFUSED 127.0.0.1:6380`. */
function reasonOf(error: NodeJS.ErrnoException): string {
  return REASONS[error.code ?? ""] ?? error.message;
}

const REASONS: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "no such host",
  ETIMEDOUT: "timed out",
};
