/**
 * The links of all of a node's replicas of eventual partitions to the others of their partitions: frames in and out,
 * who is up, who takes part, and what is bounded for the whole node.
 */
import { ByteReader } from "../../codec/byte-reader.js";
import type { Bytes } from "../../core/bytes.js";
import type { GroupId, NodeId, ReplicaId } from "../../core/ids.js";
import { decodeSync, encodeSync, type SyncMessage } from "../../eventual/sync-message.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Random } from "../../ports/random.js";
import type { Transport } from "../../ports/transport.js";
import { encodeEventualFrame } from "../peer-frames.js";
import { PartitionLinks } from "./partition-links.js";
import type { LinkedReplica, LinkHost } from "./partition-parts.js";
import type { Copies } from "./parts.js";

/** What is bounded or timed for the whole node. */
export interface LinkLimits {
  /** Writes remembered for replicas that are away, of all partitions: how many, and bytes of their keys in stores. */
  readonly hintsMax: number;
  readonly hintBytesMax: number;
  /** Comparisons of trees begun, and answered, at a time. */
  readonly sessionsMax: number;
  /** Each replica compares trees with another so often, though nothing seems to be amiss. */
  readonly repairIntervalMs: number;
}

export const LINK_LIMITS: LinkLimits = {
  hintsMax: 1_000_000,
  hintBytesMax: 64 * 1024 * 1024,
  sessionsMax: 4,
  repairIntervalMs: 10 * 60_000,
};

export interface LinksParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: Transport;
  readonly limits: LinkLimits;
  replica(group: GroupId): LinkedReplica | undefined;
  replicas(): Iterable<LinkedReplica>;
  /** The replicas that are to hold the group, as they are now; none when its keyspace is not there. */
  replicasOf(group: GroupId): readonly ReplicaId[];
  /** Those that were in the place of one of these before. */
  retiredOf(group: GroupId): readonly ReplicaId[];
  /** Of the map that those come from. */
  epoch(): number;
  /** The node of a member, whatever disk it has. */
  nodeOf(replica: ReplicaId): NodeId | undefined;
  /** Something is to be done at the end of this turn. */
  scheduleTurn(): void;
}

export class EventualLinks implements LinkHost, Copies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly repairIntervalMs: number;
  readonly #parts: LinksParts;
  readonly #links = new Map<GroupId, PartitionLinks>();
  #awake: PartitionLinks[] = [];
  /** Woken together, so that what they send travels, and is written, together. */
  readonly #soon = new Set<GroupId>();
  /** Of the map that was followed last. */
  #epoch = -1;

  constructor(parts: LinksParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.random = parts.random;
    this.logger = parts.logger;
    this.repairIntervalMs = parts.limits.repairIntervalMs;
  }

  /** Undefined when this node has no replica of the group. */
  of(group: GroupId): PartitionLinks | undefined {
    const links = this.#links.get(group);
    const replica = this.#parts.replica(group);
    if (links !== undefined && links.replica === replica) return links;
    links?.close();
    this.#links.delete(group);
    return replica === undefined ? undefined : this.#open(replica);
  }

  #open(replica: LinkedReplica): PartitionLinks {
    const links = new PartitionLinks(replica, this);
    this.#links.set(replica.group, links);
    this.#follow(links);
    return links;
  }

  #follow(links: PartitionLinks): void {
    const { group, self } = links.replica;
    const members = this.#parts.replicasOf(group);
    // An old map, or the keyspace has been dropped.
    if (members.includes(self)) links.setMembers(members, this.#parts.retiredOf(group));
  }

  // --- For commands ---

  reachable(group: GroupId): number {
    return this.of(group)?.reachable ?? 0;
  }

  awaitCopies(
    group: GroupId,
    number: number,
    count: number,
    deadlineMs: number,
    done: (copies: number) => void,
  ): void {
    const links = this.of(group);
    if (links === undefined) done(0);
    else links.awaitCopies(number, count, deadlineMs, done);
  }

  // --- What this node's replicas do ---

  onWritten(replica: LinkedReplica, batch: Bytes, after: number, upTo: number): void {
    this.of(replica.group)?.onWritten(batch, after, upTo);
  }

  // --- What comes from others ---

  /** Throws `MinikeyError` `PROTOCOL` for what no replica would send. */
  onFrame(from: NodeId, group: GroupId, body: Bytes): void {
    const frame = decodeSync(new ByteReader(body, "message of a replica"));
    const links = this.of(group);
    // What was meant for an earlier disk of this node is not for this one; and nobody speaks for others.
    if (links === undefined || frame.to !== links.replica.self) return;
    if (this.#parts.nodeOf(frame.from) !== from) return;
    this.#followMap();
    links.onMessage(frame.from, frame.message, body.length);
  }

  onUp(node: NodeId): void {
    for (const links of this.#links.values()) {
      for (const other of links.others) if (this.#parts.nodeOf(other) === node) links.onUp(other);
    }
  }

  onDown(node: NodeId): void {
    for (const links of this.#links.values()) {
      for (const other of links.others) if (this.#parts.nodeOf(other) === node) links.onDown(other);
    }
  }

  // --- From time to time ---

  /** At the end of a turn, before the log is written: what is due leaves. */
  flush(): void {
    const awake = this.#awake;
    this.#awake = [];
    for (const links of awake) {
      links.isAwake = false;
      // Of a keyspace that was dropped in this turn nothing is read any more.
      if (this.#parts.replica(links.replica.group) === links.replica) links.flush();
    }
  }

  sweep(): void {
    for (const replica of this.#parts.replicas()) this.of(replica.group);
    this.#followMap();
    for (const [group, links] of this.#links) {
      if (this.#parts.replica(group) !== links.replica) this.of(group);
      else links.sweep();
    }
    this.#boundHints();
  }

  /** No more is waited for: whoever does hears what is known. */
  close(): void {
    for (const links of this.#links.values()) links.close();
    this.#links.clear();
  }

  #followMap(): void {
    const epoch = this.#parts.epoch();
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    for (const links of this.#links.values()) this.#follow(links);
  }

  /** Where there are most of them, the oldest go. */
  #boundHints(): void {
    const { hintsMax, hintBytesMax } = this.#parts.limits;
    let count = 0;
    let bytes = 0;
    for (const { replica } of this.#links.values()) {
      count += replica.state.hints.count;
      bytes += replica.state.hints.storedBytes;
    }
    // A partition gives up what its share of the excess is.
    const excess = Math.max(1 - hintsMax / Math.max(1, count), 1 - hintBytesMax / Math.max(1, bytes));
    if (excess <= 0) return;
    for (const { replica } of this.#links.values()) {
      const { hints } = replica.state;
      hints.forget(hints.from + Math.ceil(hints.count * excess));
    }
  }

  // --- What the links of a partition ask for ---

  send(group: GroupId, from: ReplicaId, to: ReplicaId, message: SyncMessage): number {
    const node = this.#parts.nodeOf(to);
    if (node === undefined) return 0;
    const frame = encodeEventualFrame("sync", group, ...encodeSync(from, to, message));
    if (!this.#parts.transport.send(node, frame)) return 0;
    return frame.reduce((sum, part) => sum + part.length, 0);
  }

  isUp(replica: ReplicaId): boolean {
    const node = this.#parts.nodeOf(replica);
    return node !== undefined && this.#parts.transport.isUp(node);
  }

  wake(group: GroupId): void {
    const links = this.#links.get(group);
    if (links === undefined || links.isAwake) return;
    links.isAwake = true;
    this.#awake.push(links);
    this.#parts.scheduleTurn();
  }

  wakeSoon(group: GroupId, delayMs: number): void {
    this.#soon.add(group);
    if (this.#soon.size > 1) return;
    this.clock.after(delayMs, () => {
      const groups = [...this.#soon];
      this.#soon.clear();
      for (const each of groups) this.wake(each);
    });
  }

  mayAsk(): boolean {
    return this.#count((links) => links.trees.isAsking) < this.#parts.limits.sessionsMax;
  }

  mayAnswer(): boolean {
    return this.#count((links) => links.trees.isAnswering) < this.#parts.limits.sessionsMax;
  }

  #count(isMeant: (links: PartitionLinks) => boolean): number {
    let count = 0;
    for (const links of this.#links.values()) if (isMeant(links)) count += 1;
    return count;
  }

  // --- For status ---

  all(): IterableIterator<PartitionLinks> {
    return this.#links.values();
  }

  /** As they are: `of` opens them. */
  known(group: GroupId): PartitionLinks | undefined {
    return this.#links.get(group);
  }
}
