/**
 * Simulated time, randomness and network for whole nodes in one process: every run of a seed is the same.
 * Events run one at a time, in order of their time; between two of them all promises settle.
 */
import type { Bytes } from "../../../src/core/bytes.js";
import { concatBytes } from "../../../src/core/bytes.js";
import type { NodeId } from "../../../src/core/ids.js";
import type { CancelTimer, Clock } from "../../../src/ports/clock.js";
import type { Random } from "../../../src/ports/random.js";
import type { Greeting, Transport, TransportEvents } from "../../../src/ports/transport.js";

/** Mulberry32: small, good enough, and the same everywhere. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  id48(): number {
    return this.below(2 ** 24) * 2 ** 24 + this.below(2 ** 24);
  }
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class World {
  readonly random: SeededRandom;
  readonly network: Network;
  nowMs = 0;
  /** A digest of what happened, to compare two runs of a seed. */
  eventsRun = 0;
  #events: Event[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.network = new Network(this);
  }

  schedule(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, order: this.#order, run };
    this.#order += 1;
    // A binary heap.
    const heap = this.#events;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  /** Runs until `isDone` says so, or until `limitMs` of simulated time have passed; true when done. */
  async run(limitMs: number, isDone: () => boolean): Promise<boolean> {
    const endMs = this.nowMs + limitMs;
    while (!isDone()) {
      const event = this.#events[0];
      if (event === undefined || event.atMs > endMs) return false;
      this.#pop();
      this.nowMs = event.atMs;
      this.eventsRun += 1;
      event.run();
      await settle();
    }
    return true;
  }

  #pop(): void {
    const heap = this.#events;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

async function settle(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}

/** One process: dies with all of its timers. */
export class SimProcess {
  isAlive = true;
  readonly #world: World;
  readonly #skewMs: number;

  constructor(world: World, skewMs: number) {
    this.#world = world;
    this.#skewMs = skewMs;
  }

  /** As `World.schedule`, unless the process is dead by then. */
  later(delayMs: number, run: () => void): CancelTimer {
    let isCancelled = false;
    this.#world.schedule(delayMs, () => {
      if (this.isAlive && !isCancelled) run();
    });
    return () => {
      isCancelled = true;
    };
  }

  readonly clock: Clock = {
    wallMs: () => Math.floor(1_700_000_000_000 + this.#world.nowMs + this.#skewMs),
    monotonicMs: () => this.#world.nowMs,
    after: (delayMs, run) => this.later(delayMs, run),
    every: (periodMs, run) => {
      let cancel: CancelTimer = () => undefined;
      const again = () => {
        cancel = this.later(periodMs, () => {
          again();
          run();
        });
      };
      again();
      return () => cancel();
    },
    atTurnEnd: (run) => {
      this.later(0, run);
    },
  };
}

interface Endpoint {
  readonly process: SimProcess;
  greeting: Greeting;
  readonly events: TransportEvents;
  peers: ReadonlySet<NodeId>;
}

/** Frames between processes: in order, delayed, lost with their connection. */
export class Network {
  readonly #world: World;
  readonly #endpoints = new Map<NodeId, Endpoint>();
  /** Pairs that cannot talk, as `a>b`. */
  readonly #cut = new Set<string>();
  /** Counts connections of a pair: frames of an older one are lost. */
  readonly #generation = new Map<string, number>();
  readonly #up = new Set<string>();
  readonly #lastMs = new Map<string, number>();

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
        endpoint.peers = new Set(addresses.keys());
        for (const peer of endpoint.peers) this.#connectSoon(node, peer);
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

  /** The process has died: its connections break. */
  drop(node: NodeId): void {
    const endpoint = this.#endpoints.get(node);
    if (endpoint === undefined) return;
    for (const peer of endpoint.peers) this.#disconnect(node, peer);
    this.#endpoints.delete(node);
  }

  /** Cuts two nodes off from each other. */
  cut(a: NodeId, b: NodeId): void {
    this.#cut.add(pair(a, b));
    this.#disconnect(a, b);
  }

  healAll(): void {
    this.#cut.clear();
  }

  #isUp(a: NodeId, b: NodeId): boolean {
    return this.#up.has(pair(a, b));
  }

  #connectSoon(a: NodeId, b: NodeId): void {
    const retry = () => {
      const from = this.#endpoints.get(a);
      if (from === undefined || !from.peers.has(b)) return;
      if (!this.#isUp(a, b) && !this.#cut.has(pair(a, b)) && this.#endpoints.get(b)?.peers.has(a) === true) {
        this.#up.add(pair(a, b));
        this.#generation.set(pair(a, b), (this.#generation.get(pair(a, b)) ?? 0) + 1);
        for (const [x, y] of [
          [a, b],
          [b, a],
        ]) {
          this.#greet(x, y);
          this.#endpoints.get(x)?.events.onUp(y);
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
    this.#deliver(from, to, (receiver) => receiver.events.onGreeting(greeting));
  }

  #send(from: NodeId, to: NodeId, parts: readonly Uint8Array[]): boolean {
    if (!this.#isUp(from, to)) return false;
    const frame: Bytes = concatBytes(parts);
    this.#deliver(from, to, (receiver) => receiver.events.onFrame(from, frame));
    return true;
  }

  #deliver(from: NodeId, to: NodeId, hand: (receiver: Endpoint) => void): void {
    const direction = `${from}>${to}`;
    const generation = this.#generation.get(pair(from, to));
    const delayMs =
      this.#world.random.unit() < 0.02 ? 30 * this.#world.random.unit() : this.#world.random.unit();
    // In order: never before the frame in front.
    const atMs = Math.max(this.#world.nowMs + delayMs, this.#lastMs.get(direction) ?? 0);
    this.#lastMs.set(direction, atMs);
    this.#world.schedule(atMs - this.#world.nowMs, () => {
      const receiver = this.#endpoints.get(to);
      const isSame = this.#generation.get(pair(from, to)) === generation && this.#isUp(from, to);
      if (receiver?.process.isAlive === true && isSame) hand(receiver);
    });
  }

  #disconnect(a: NodeId, b: NodeId): void {
    if (!this.#up.delete(pair(a, b))) return;
    this.#endpoints.get(a)?.events.onDown(b);
    this.#endpoints.get(b)?.events.onDown(a);
  }
}

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
