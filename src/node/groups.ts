/**
 * All consensus groups of a node, on one log and one connection a peer: wakes those with something to do,
 * once a turn, and writes what they append together.
 */
import type { Message } from "../codec/raft-types.js";
import { type GroupId, type LogIndex, memberNumberOf, type NodeId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Transport } from "../ports/transport.js";
import type { WriteAheadLog } from "../storage/log/types.js";
import type { AppliedBatch } from "./partition-machine.js";
import { encodeRaftFrame } from "./peer-frames.js";
import type { GroupHost, ReplicaGroup } from "./replica-group.js";

export interface GroupEvents {
  onApplied(group: ReplicaGroup, batch: AppliedBatch, index: LogIndex): void;
  onProgress(group: ReplicaGroup): void;
  onRoleChange(group: ReplicaGroup): void;
  onInstalled(group: ReplicaGroup): void;
  onDiskFailure(error: unknown): void;
  /** Something is to be done at the end of this turn. */
  scheduleTurn(): void;
  nodeOfMember(memberNumber: number): NodeId | undefined;
}

export class Groups implements GroupHost {
  readonly log: WriteAheadLog;
  readonly logger: Logger;
  readonly #clock: Clock;
  readonly #transport: Transport;
  readonly #events: GroupEvents;
  readonly #groups = new Map<GroupId, ReplicaGroup>();
  #awake: ReplicaGroup[] = [];
  #advancing: ReplicaGroup[] = [];

  constructor(log: WriteAheadLog, logger: Logger, clock: Clock, transport: Transport, events: GroupEvents) {
    this.log = log;
    this.logger = logger;
    this.#clock = clock;
    this.#transport = transport;
    this.#events = events;
  }

  get(id: GroupId): ReplicaGroup | undefined {
    return this.#groups.get(id);
  }

  all(): IterableIterator<ReplicaGroup> {
    return this.#groups.values();
  }

  add(group: ReplicaGroup): void {
    this.#groups.set(group.id, group);
    this.wake(group);
  }

  remove(id: GroupId): void {
    this.#groups.delete(id);
  }

  tick(): void {
    for (const group of this.#groups.values()) group.tick();
  }

  /** Lets every group that has something to do do it, then writes the log. */
  advance(): void {
    while (this.#awake.length > 0) {
      const batch = this.#awake;
      this.#awake = this.#advancing;
      this.#advancing = batch;
      for (const group of batch) {
        group.isAwake = false;
        if (this.#groups.get(group.id) === group) {
          group.advance();
          this.#events.onProgress(group);
        }
      }
      batch.length = 0;
    }
    this.log.flush();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  wake(group: ReplicaGroup): void {
    if (group.isAwake) return;
    group.isAwake = true;
    this.#awake.push(group);
    this.#events.scheduleTurn();
  }

  sendMessage(group: ReplicaGroup, message: Message): void {
    const node = this.#events.nodeOfMember(memberNumberOf(message.to));
    if (node !== undefined) this.#transport.send(node, encodeRaftFrame(group.id, message));
  }

  onApplied(group: ReplicaGroup, batch: AppliedBatch, index: LogIndex): void {
    this.#events.onApplied(group, batch, index);
  }

  onRoleChange(group: ReplicaGroup): void {
    this.#events.onRoleChange(group);
  }

  onInstalled(group: ReplicaGroup): void {
    this.#events.onInstalled(group);
  }

  onDiskFailure(error: unknown): void {
    this.#events.onDiskFailure(error);
  }
}
