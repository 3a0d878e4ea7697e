/**
 * A simulated network: frames between processes arrive in order, delayed, or are lost with their connection.
 *
 * - `cut`: no connection, in either direction, until healed.
 * - `stall`: nothing gets through in one direction, while the connection stands: as when packets are lost one
 *   way. What was sent meanwhile arrives when the direction is healed, or is lost with the connection.
 * - weather: frames are lost one by one, take longer, and Raft's messages come twice or out of order.
 */
import { type Bytes, concatBytes } from "../../src/core/bytes.js";
import { crc32c } from "../../src/core/crc32c.js";
import type { NodeId } from "../../src/core/ids.js";
import type { Greeting, Transport, TransportEvents } from "../../src/ports/transport.js";
import { frameText } from "./frame-text.js";
import type { SeededRandom } from "./random.js";
import type { SimProcess, World } from "./world.js";

interface Endpoint {
  readonly process: SimProcess;
  greeting: Greeting;
  readonly events: TransportEvents;
  peers: ReadonlySet<NodeId>;
}

/** What becomes of frames on their way, beyond the usual. Probabilities are for each frame. */
export interface Weather {
  readonly loss: number;
  /** Of Raft's messages only: for all others the transport promises that each arrives once and in order. */
  readonly duplicates: number;
  readonly reordering: number;
  /** A frame takes up to this much longer. */
  readonly delayMs: number;
}

export type Undo = () => void;

/** The first byte of a frame that carries a message of Raft (node/peer-frames.ts). */
const RAFT_FRAME = 1;
const OUT_OF_ORDER_MS = 20;

/** Kinds of events in the digest. */
const SENT = 11;
const DELIVERED = 12;

export function isRaftFrame(frame: Bytes): boolean {
  return frame[0] === RAFT_FRAME;
}

export class Network {
  /** Told of every frame that is sent. */
  onSent: ((from: NodeId, frame: Bytes) => void) | undefined;
  /** What becomes of each frame on its way; undefined: what was sent. */
  tamper: ((from: NodeId, to: NodeId, frame: Bytes) => Bytes) | undefined;
  readonly #world: World;
  readonly #endpoints = new Map<NodeId, Endpoint>();
  readonly #random: SeededRandom;
  readonly #weather = new Set<Weather>();
  /** Pairs that cannot talk, and how many faults hold them apart. */
  readonly #cut: Holds = new Map();
  /** Directions in which nothing arrives … */
  readonly #stalled: Holds = new Map();
  /** … and what waits there. */
  readonly #waiting = new Map<string, (() => void)[]>();
  /** Counts connections of a pair: frames of an older one are lost. */
  readonly #generation = new Map<string, number>();
  readonly #up = new Set<string>();
  readonly #lastMs = new Map<string, number>();
  /** What every frame takes at least, between nodes that are far from each other. */
  readonly #distanceMs = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork();
  }

  transportFor(node: NodeId, process: SimProcess, greeting: Greeting): Transport {
    let current = greeting;
    return {
      start: async (events) => {
        this.#endpoints.set(node, { process, greeting: current, events, peers: new Set() });
        await Promise.resolve();
      },
      setPeers: (addresses) => {
        const endpoint = this.#endpoints.get(node);
        if (endpoint === undefined) return;
        const before = endpoint.peers;
        endpoint.peers = new Set(addresses.keys());
        for (const peer of endpoint.peers) if (!before.has(peer)) this.#connectSoon(node, peer, endpoint);
      },
      updateGreeting: (next) => {
        current = next;
        const endpoint = this.#endpoints.get(node);
        if (endpoint === undefined) return;
        endpoint.greeting = next;
        for (const peer of endpoint.peers) if (this.#isUp(node, peer)) this.#greet(node, peer);
      },
      send: (peer, parts) => this.#send(node, peer, parts),
      flush: () => undefined,
      isUp: (peer) => this.#isUp(node, peer),
      stop: async () => {
        this.drop(node);
        await Promise.resolve();
      },
    };
  }

  /** The process has died or stopped: its connections break. */
  drop(node: NodeId): void {
    const endpoint = this.#endpoints.get(node);
    if (endpoint === undefined) return;
    for (const peer of endpoint.peers) this.#disconnect(node, peer);
    this.#endpoints.delete(node);
  }

  /** From now on frames between two nodes take this much longer. */
  setDistance(a: NodeId, b: NodeId, delayMs: number): void {
    this.#distanceMs.set(pair(a, b), delayMs);
  }

  /** Cuts two nodes off from each other; returns what undoes it. */
  cut(a: NodeId, b: NodeId): Undo {
    const undo = hold(this.#cut, pair(a, b));
    this.#disconnect(a, b);
    return undo;
  }

  /** Holds back what `from` sends to `to`; returns what undoes it. */
  stall(from: NodeId, to: NodeId): Undo {
    const direction = `${from}>${to}`;
    const undo = hold(this.#stalled, direction);
    return () => {
      undo();
      if (!this.#stalled.has(direction)) this.#release(direction);
    };
  }

  /** Breaks a connection, which comes back by itself. */
  reset(a: NodeId, b: NodeId): void {
    this.#disconnect(a, b);
  }

  /** Changes what becomes of all frames; returns what undoes it. */
  addWeather(weather: Weather): Undo {
    this.#weather.add(weather);
    return () => {
      this.#weather.delete(weather);
    };
  }

  healAll(): void {
    this.#weather.clear();
    this.#cut.clear();
    this.#stalled.clear();
    for (const direction of [...this.#waiting.keys()]) this.#release(direction);
  }

  #release(direction: string): void {
    const waiting = this.#waiting.get(direction);
    if (waiting === undefined) return;
    this.#waiting.delete(direction);
    const atMs = this.#world.nowMs + this.#random.unit();
    this.#lastMs.set(direction, Math.max(atMs, this.#lastMs.get(direction) ?? 0));
    for (const arrive of waiting) this.#world.scheduleAt(atMs, arrive);
  }

  #isUp(a: NodeId, b: NodeId): boolean {
    return this.#up.has(pair(a, b));
  }

  #connectSoon(a: NodeId, b: NodeId, from: Endpoint): void {
    const retry = () => {
      if (this.#endpoints.get(a) !== from || !from.peers.has(b)) return;
      const to = this.#endpoints.get(b);
      const isPossible = !this.#cut.has(pair(a, b)) && to?.peers.has(a) === true && !to.process.isPaused;
      if (!this.#isUp(a, b) && isPossible) {
        this.#up.add(pair(a, b));
        this.#generation.set(pair(a, b), (this.#generation.get(pair(a, b)) ?? 0) + 1);
        for (const [x, y] of [
          [a, b],
          [b, a],
        ]) {
          this.#greet(x, y);
          this.#tell(x, (events) => events.onUp(y));
        }
      }
      from.process.later(20 + this.#random.below(100), retry);
    };
    retry();
  }

  #greet(from: NodeId, to: NodeId): void {
    const sender = this.#endpoints.get(from);
    if (sender === undefined) return;
    const { greeting } = sender;
    this.#deliver(from, to, (events) => events.onGreeting(greeting));
  }

  #send(from: NodeId, to: NodeId, parts: readonly Uint8Array[]): boolean {
    if (!this.#isUp(from, to)) return false;
    const sent: Bytes = concatBytes(parts);
    const { trace } = this.#world;
    const hash = crc32c(sent);
    trace.note(SENT, pathNumber(from, to), hash);
    if (trace.isWritten) trace.say(`${from} → ${to}`, frameText(sent));
    this.onSent?.(from, sent);
    const frame = this.tamper?.(from, to, sent) ?? sent;
    const hand = (events: TransportEvents) => {
      trace.note(DELIVERED, pathNumber(from, to), hash);
      events.onFrame(from, frame);
    };
    const isRaft = isRaftFrame(sent);
    let isReordered = false;
    for (const { loss, duplicates, reordering } of this.#weather) {
      if (this.#random.chance(loss)) return true;
      if (isRaft && this.#random.chance(duplicates)) this.#deliver(from, to, hand, true);
      if (isRaft && this.#random.chance(reordering)) isReordered = true;
    }
    this.#deliver(from, to, hand, isReordered);
    return true;
  }

  #deliver(from: NodeId, to: NodeId, hand: (events: TransportEvents) => void, isOutOfOrder = false): void {
    const { nowMs } = this.#world;
    const direction = `${from}>${to}`;
    const generation = this.#generation.get(pair(from, to));
    const isCurrent = () => this.#generation.get(pair(from, to)) === generation && this.#isUp(from, to);
    const arrive = () => {
      if (this.#stalled.has(direction)) this.#wait(direction, arrive);
      else this.#tell(to, (events) => isCurrent() && hand(events));
    };
    let atMs = nowMs + this.#delayMs(from, to);
    if (isOutOfOrder) atMs += OUT_OF_ORDER_MS * this.#random.unit();
    else {
      // Never before the frame in front, and be it by the rounding of a time.
      atMs = Math.max(atMs, this.#lastMs.get(direction) ?? 0);
      this.#lastMs.set(direction, atMs);
    }
    this.#world.scheduleAt(atMs, arrive);
  }

  #wait(direction: string, arrive: () => void): void {
    const waiting = this.#waiting.get(direction);
    if (waiting === undefined) this.#waiting.set(direction, [arrive]);
    else waiting.push(arrive);
  }

  #delayMs(from: NodeId, to: NodeId): number {
    const random = this.#random;
    let delayMs = this.#distanceMs.get(pair(from, to)) ?? 0;
    delayMs += random.chance(0.02) ? 30 * random.unit() : random.unit();
    for (const weather of this.#weather) delayMs += weather.delayMs * random.unit();
    return delayMs;
  }

  #tell(node: NodeId, tell: (events: TransportEvents) => void): void {
    const endpoint = this.#endpoints.get(node);
    endpoint?.process.deliver(() => {
      if (this.#endpoints.get(node) === endpoint) tell(endpoint.events);
    });
  }

  #disconnect(a: NodeId, b: NodeId): void {
    if (!this.#up.delete(pair(a, b))) return;
    this.#tell(a, (events) => events.onDown(b));
    this.#tell(b, (events) => events.onDown(a));
  }
}

/** Why something is held up: each cause once, by its key. */
type Holds = Map<string, Set<symbol>>;

/** Holds `key` until the result is called, once or more often. */
function hold(holds: Holds, key: string): Undo {
  const cause = Symbol(key);
  const causes = holds.get(key) ?? new Set();
  holds.set(key, causes.add(cause));
  return () => {
    causes.delete(cause);
    if (causes.size === 0 && holds.get(key) === causes) holds.delete(key);
  };
}

function pathNumber(from: NodeId, to: NodeId): number {
  return from.charCodeAt(from.length - 1) * 256 + to.charCodeAt(to.length - 1);
}

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
