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
/** Of one between replicas of an eventual keyspace. */
const SYNC_FRAME = 7;
const OUT_OF_ORDER_MS = 20;

/** Kinds of events in the digest. */
const SENT = 11;
const DELIVERED = 12;

export function isRaftFrame(frame: Bytes): boolean {
  return frame[0] === RAFT_FRAME;
}

export function isSyncFrame(frame: Bytes): boolean {
  return frame[0] === SYNC_FRAME;
}

/** What two nodes have in common. */
class Link {
  isUp = false;
  /** Counts connections: frames of an older one are lost. */
  generation = 0;
  /** What every frame takes at least, between nodes that are far from each other. */
  distanceMs = 0;
  /** Why the two cannot talk: each cause once. */
  cuts = new Set<symbol>();
}

/** From one node to another. */
class Path {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly link: Link;
  /** For the digest. */
  readonly number: number;
  /** When the last frame arrives that is on its way. */
  lastMs = 0;
  /** Why nothing arrives. */
  stalls = new Set<symbol>();

  constructor(from: NodeId, to: NodeId, link: Link) {
    this.from = from;
    this.to = to;
    this.link = link;
    this.number = from.charCodeAt(from.length - 1) * 256 + to.charCodeAt(to.length - 1);
  }
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
  readonly #paths = new Map<NodeId, Map<NodeId, Path>>();
  /** What waits where nothing arrives. */
  readonly #waiting = new Map<Path, (() => void)[]>();

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
    this.#path(a, b).link.distanceMs = delayMs;
  }

  /** Cuts two nodes off from each other; returns what undoes it. */
  cut(a: NodeId, b: NodeId): Undo {
    const { cuts } = this.#path(a, b).link;
    const cause = Symbol("cut");
    cuts.add(cause);
    this.#disconnect(a, b);
    return () => {
      cuts.delete(cause);
    };
  }

  /** Holds back what `from` sends to `to`; returns what undoes it. */
  stall(from: NodeId, to: NodeId): Undo {
    const path = this.#path(from, to);
    const { stalls } = path;
    const cause = Symbol("stall");
    stalls.add(cause);
    return () => {
      stalls.delete(cause);
      if (path.stalls.size === 0) this.#release(path);
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
    // What was holding them up can be undone later, and undoes nothing then.
    for (const path of this.#allPaths()) {
      path.link.cuts = new Set();
      path.stalls = new Set();
    }
    for (const path of [...this.#waiting.keys()]) this.#release(path);
  }

  #path(from: NodeId, to: NodeId): Path {
    let paths = this.#paths.get(from);
    if (paths === undefined) {
      paths = new Map();
      this.#paths.set(from, paths);
    }
    let path = paths.get(to);
    if (path === undefined) {
      path = new Path(from, to, this.#paths.get(to)?.get(from)?.link ?? new Link());
      paths.set(to, path);
    }
    return path;
  }

  *#allPaths(): Generator<Path> {
    for (const paths of this.#paths.values()) yield* paths.values();
  }

  #release(path: Path): void {
    const waiting = this.#waiting.get(path);
    if (waiting === undefined) return;
    this.#waiting.delete(path);
    const atMs = this.#world.nowMs + this.#random.unit();
    path.lastMs = Math.max(atMs, path.lastMs);
    for (const arrive of waiting) this.#world.scheduleAt(atMs, arrive);
  }

  #isUp(a: NodeId, b: NodeId): boolean {
    return this.#path(a, b).link.isUp;
  }

  #connectSoon(a: NodeId, b: NodeId, from: Endpoint): void {
    const { link } = this.#path(a, b);
    const retry = () => {
      if (this.#endpoints.get(a) !== from || !from.peers.has(b)) return;
      const to = this.#endpoints.get(b);
      const isPossible = link.cuts.size === 0 && to?.peers.has(a) === true && !to.process.isPaused;
      if (!link.isUp && isPossible) {
        link.isUp = true;
        link.generation += 1;
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
    this.#deliver(this.#path(from, to), (events) => events.onGreeting(greeting));
  }

  #send(from: NodeId, to: NodeId, parts: readonly Uint8Array[]): boolean {
    const path = this.#path(from, to);
    if (!path.link.isUp) return false;
    const sent: Bytes = concatBytes(parts);
    const { trace } = this.#world;
    const hash = crc32c(sent);
    trace.note(SENT, path.number, hash);
    if (trace.isWritten) trace.say(`${from} → ${to}`, frameText(sent));
    this.onSent?.(from, sent);
    const frame = this.tamper?.(from, to, sent) ?? sent;
    const hand = (events: TransportEvents) => {
      trace.note(DELIVERED, path.number, hash);
      events.onFrame(from, frame);
    };
    const isRaft = isRaftFrame(sent);
    let isReordered = false;
    for (const { loss, duplicates, reordering } of this.#weather) {
      if (this.#random.chance(loss)) return true;
      if (isRaft && this.#random.chance(duplicates)) this.#deliver(path, hand, true);
      if (isRaft && this.#random.chance(reordering)) isReordered = true;
    }
    this.#deliver(path, hand, isReordered);
    return true;
  }

  #deliver(path: Path, hand: (events: TransportEvents) => void, isOutOfOrder = false): void {
    const { link } = path;
    const { generation } = link;
    const handOver = (events: TransportEvents) => {
      if (link.isUp && link.generation === generation) hand(events);
    };
    const arrive = () => {
      if (path.stalls.size > 0) this.#wait(path, arrive);
      else this.#tell(path.to, handOver);
    };
    let atMs = this.#world.nowMs + this.#delayMs(link);
    if (isOutOfOrder) atMs += OUT_OF_ORDER_MS * this.#random.unit();
    else {
      // Never before the frame in front, and be it by the rounding of a time.
      atMs = Math.max(atMs, path.lastMs);
      path.lastMs = atMs;
    }
    this.#world.scheduleAt(atMs, arrive);
  }

  #wait(path: Path, arrive: () => void): void {
    const waiting = this.#waiting.get(path);
    if (waiting === undefined) this.#waiting.set(path, [arrive]);
    else waiting.push(arrive);
  }

  #delayMs({ distanceMs }: Link): number {
    const random = this.#random;
    let delayMs = distanceMs;
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
    const { link } = this.#path(a, b);
    if (!link.isUp) return;
    link.isUp = false;
    this.#tell(a, (events) => events.onDown(b));
    this.#tell(b, (events) => events.onDown(a));
  }
}
