/** What a node does for eventual keyspaces: its replicas, the time that they go by, and what runs between them. */

import { ScanCursors } from "../../commands/scan-cursor.js";
import { ClusterClock } from "../../core/cluster-clock.js";
import type { GroupId, NodeId, ReplicaId } from "../../core/ids.js";
import type { Logger } from "../../ports/logger.js";
import type { WriteAheadLog } from "../../storage/log/types.js";
import type { StorageLag } from "../checkpoints.js";
import type { PeerFrame } from "../peer-frames.js";
import { EventualCoordinator } from "./coordinator.js";
import { EventualLinks, LINK_LIMITS } from "./links.js";
import type { EventualHost } from "./parts.js";
import { EventualReplicas } from "./replicas.js";

export interface EventualNodeParts extends Omit<EventualHost, "copies" | "replica" | "nowMs"> {
  readonly logger: Logger;
  readonly log: WriteAheadLog;
  /** Own writes that a replica remembers for those that are away. */
  readonly hintsMax: number;
  /** Nodes of the cluster. */
  members(): number;
  /** The replicas that are to hold the group, as they are now; none when its keyspace is not there. */
  replicasOf(group: GroupId): readonly ReplicaId[];
  /** Those that were in the place of one of these before. */
  retiredOf(group: GroupId): readonly ReplicaId[];
  /** Of the cluster map. */
  epoch(): number;
  /** The node of a member, whatever disk it has. */
  nodeOf(replica: ReplicaId): NodeId | undefined;
  /** How far this node's disk is behind the writes. */
  storageLag(): StorageLag;
  /** Something is to be done at the end of this turn. */
  scheduleTurn(): void;
}

export class EventualNode {
  readonly replicas: EventualReplicas;
  readonly links: EventualLinks;
  readonly commands: EventualCoordinator;
  readonly #clock: ClusterClock;

  constructor(parts: EventualNodeParts) {
    const { clock, logger } = parts;
    this.#clock = new ClusterClock({
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      onHeld: (aheadMs) =>
        logger.warn("this node's clock is off: eventual keyspaces go by the others'", { aheadMs }),
      onReleased: () => logger.info("this node's clock is right again"),
    });
    this.links = new EventualLinks({
      ...parts,
      limits: LINK_LIMITS,
      replica: (group) => this.replicas.get(group),
      replicas: () => this.replicas.all(),
    });
    this.replicas = new EventualReplicas({
      log: parts.log,
      hintsMax: parts.hintsMax,
      events: {
        onWritten: (replica, batch, after, upTo) => this.links.onWritten(replica, batch, after, upTo),
      },
      nowMs: () => this.nowMs(),
      isTimeSure: () => 2 * (this.#clock.others + 1) > parts.members(),
      isCurrent: (group, replica) => parts.replicasOf(group).includes(replica),
      storageLag: () => parts.storageLag(),
      scheduleTurn: () => parts.scheduleTurn(),
    });
    const { self, random, transport, requestTimeoutMs, holdersOf, routeOf } = parts;
    this.commands = new EventualCoordinator(
      {
        self,
        clock,
        random,
        transport,
        requestTimeoutMs,
        holdersOf,
        routeOf,
        copies: this.links,
        replica: (group) => this.replicas.get(group),
        nowMs: () => this.nowMs(),
      },
      new ScanCursors(),
    );
  }

  /** The cluster's time, in milliseconds since 1970. */
  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** No command waits, and nothing is on its way to the disk. */
  get isIdle(): boolean {
    return this.commands.pending === 0 && this.replicas.isIdle;
  }

  /** What another node says. Throws `MinikeyError` for what it cannot mean. */
  onFrame(from: NodeId, frame: Extract<PeerFrame, { type: "request" | "sync" }>): void {
    if (frame.type === "request") this.commands.onFrame(from, frame.group, frame.body);
    else this.links.onFrame(from, frame.group, frame.body);
  }

  onUp(peer: NodeId): void {
    this.links.onUp(peer);
  }

  onDown(peer: NodeId): void {
    this.commands.onPeerDown(peer);
    this.links.onDown(peer);
  }

  /** Another node has said what its wall clock shows. */
  onTime(from: NodeId, wallMs: number): void {
    this.#clock.onHeard(from, wallMs);
  }

  /** At the end of a turn, before the log is written. */
  flush(): void {
    this.replicas.flush();
    this.links.flush();
  }

  /** From time to time. */
  sweep(): void {
    this.commands.sweep();
    this.replicas.sweep();
    this.links.sweep();
  }

  /** The node stops: nothing is asked of others any more. */
  stop(): void {
    this.commands.close();
  }

  async close(): Promise<void> {
    this.links.close();
    await this.replicas.close();
  }
}
