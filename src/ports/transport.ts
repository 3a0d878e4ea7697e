import type { Bytes } from "../core/bytes.js";
import type { NodeId } from "../core/ids.js";

/** What a node says of itself when a connection opens, before any frame. */
export interface Greeting {
  readonly nodeId: NodeId;
  /** 0 while the node has no place in a cluster yet. */
  readonly incarnation: number;
  /** Empty while the node belongs to no cluster yet. */
  readonly clusterId: string;
  /** `fresh`: an empty data directory. `forming`: knows its cluster, may not vote yet. `formed`: a full member. */
  readonly stage: "fresh" | "forming" | "formed";
  /** Where peers reach this node: `host:port`. */
  readonly address: string;
}

/**
 * Frames between nodes, one connection a peer and direction. A frame arrives whole, at most once, and in the
 * order sent, or not at all; a lost connection loses what was under way and reconnects by itself.
 */
export interface Transport {
  /** Starts listening and connecting. Rejects when the address cannot be had. */
  start(events: TransportEvents): Promise<void>;
  /** Replaces the peers to be connected to. */
  setPeers(addresses: ReadonlyMap<NodeId, string>): void;
  /** Sends this node's greeting again to all peers, after it changed. */
  updateGreeting(greeting: Greeting): void;
  /**
   * Queues one frame; the transport writes all of a turn's frames at once. Keeps `parts` until sent: do not
   * change them. Returns false, and drops the frame, when the peer is down or its queue is full.
   */
  send(peer: NodeId, parts: readonly Uint8Array[]): boolean;
  /**
   * Writes what is queued now. For a node that sends at the end of its turn: what it queues there would otherwise
   * wait for the end of the next.
   */
  flush(): void;
  isUp(peer: NodeId): boolean;
  stop(): Promise<void>;
}

export interface TransportEvents {
  /** `frame` may be kept. */
  onFrame(from: NodeId, frame: Bytes): void;
  /** Both on the first contact and whenever the peer's greeting changes. */
  onGreeting(greeting: Greeting): void;
  onUp(peer: NodeId): void;
  onDown(peer: NodeId): void;
}
