/**
 * A simulated network: frames between processes arrive in order, delayed, or are lost with their connection.
 *
 * - `cut`: no connection, in either direction, until healed.
 * - `stall`: nothing gets through in one direction, while the connection stands: as when packets are lost one
 *   way. What was sent meanwhile arrives when the direction is healed, or is lost with the connection.
 */
import { type Bytes, concatBytes } from "../../src/core/bytes.js";
import type { NodeId } from "../../src/core/ids.js";
import type { Greeting, Transport, TransportEvents } from "../../src/ports/transport.js";
import type { SimProcess, World } from "./world.js";

interface Endpoint {
  readonly process: SimProcess;
  greeting: Greeting;
  readonly events: TransportEvents;
  peers: ReadonlySet<NodeId>;
}

export class Network {
  /** What becomes of each frame on its way; undefined: what was sent. */
  tamper: ((from: NodeId, to: NodeId, frame: Bytes) => Bytes) | undefined;
  readonly #world: World;
  readonly #endpoints = new Map<NodeId, Endpoint>();
  /** Pairs that cannot talk. */
  readonly #cut = new Set<string>();
  /** Directions in which nothing arrives, and what waits there. */
  readonly #stalled = new Map<string, (() => void)[]>();
  /** Counts connections of a pair: frames of an older one are lost. */
  readonly #generation = new Map<string, number>();
  readonly #up = new Set<string>();
  readonly #lastMs = new Map<string, number>();
  /** What every frame takes at least, between nodes that are far from each other. */
  readonly #distanceMs = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
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

  /** Cuts two nodes off from each other. */
  cut(a: NodeId, b: NodeId): void {
    this.#cut.add(pair(a, b));
    this.#disconnect(a, b);
  }

  /** Holds back what `from` sends to `to`. */
  stall(from: NodeId, to: NodeId): void {
    const direction = `${from}>${to}`;
    if (!this.#stalled.has(direction)) this.#stalled.set(direction, []);
  }

  /** Breaks a connection, which comes back by itself. */
  reset(a: NodeId, b: NodeId): void {
    this.#disconnect(a, b);
  }

  healAll(): void {
    this.#cut.clear();
    const stalled = [...this.#stalled];
    this.#stalled.clear();
    for (const [direction, waiting] of stalled) {
      const delayMs = this.#world.random.unit();
      this.#lastMs.set(direction, Math.max(this.#world.nowMs + delayMs, this.#lastMs.get(direction) ?? 0));
      for (const arrive of waiting) this.#world.schedule(delayMs, arrive);
    }
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
      from.process.later(20 + this.#world.random.below(100), retry);
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
    const frame = this.tamper?.(from, to, sent) ?? sent;
    this.#deliver(from, to, (events) => events.onFrame(from, frame));
    return true;
  }

  #deliver(from: NodeId, to: NodeId, hand: (events: TransportEvents) => void): void {
    const { random, nowMs } = this.#world;
    const direction = `${from}>${to}`;
    const generation = this.#generation.get(pair(from, to));
    const isCurrent = () => this.#generation.get(pair(from, to)) === generation && this.#isUp(from, to);
    const arrive = () => {
      const held = this.#stalled.get(direction);
      if (held !== undefined) held.push(arrive);
      else this.#tell(to, (events) => isCurrent() && hand(events));
    };
    const distanceMs = this.#distanceMs.get(pair(from, to)) ?? 0;
    const delayMs = distanceMs + (random.chance(0.02) ? 30 * random.unit() : random.unit());
    // In order: never before the frame in front.
    const atMs = Math.max(nowMs + delayMs, this.#lastMs.get(direction) ?? 0);
    this.#lastMs.set(direction, atMs);
    this.#world.schedule(atMs - nowMs, arrive);
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

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
