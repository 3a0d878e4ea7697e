/** All replicas of eventual partitions on a node: wakes those with something to do, once a turn, and keeps them small. */
import { ENDKEY } from "../../commands/internal.js";
import { HybridClock } from "../../core/hybrid-clock.js";
import type { GroupId, ReplicaId } from "../../core/ids.js";
import type { WriteAheadLog } from "../../storage/log/types.js";
import type { StorageLag } from "../checkpoints.js";
import { makeArgs } from "../node-commands.js";
import { EventualReplica, type OpenOptions, type ReplicaEvents, type ReplicaHost } from "./replica.js";

export interface ReplicasParts {
  readonly log: WriteAheadLog;
  readonly events: ReplicaEvents;
  /** Own writes that a replica remembers for those that are away. */
  readonly hintsMax: number;
  /** The cluster's time, in milliseconds since 1970. */
  nowMs(): number;
  /** A majority of the cluster's clocks is in it. */
  isTimeSure(): boolean;
  /** Whether the group is still to have this replica. */
  isCurrent(group: GroupId, replica: ReplicaId): boolean;
  storageLag(): StorageLag;
  /** Something is to be done at the end of this turn. */
  scheduleTurn(): void;
}

/** Values that expire in one round of one partition. */
const EXPIRED_AT_ONCE = 1_000;

/** What cannot be written now is asked for again in the next round. */
const ignore = (): void => undefined;

export class EventualReplicas implements ReplicaHost {
  readonly log: WriteAheadLog;
  readonly stamps = new HybridClock();
  readonly events: ReplicaEvents;
  readonly hintsMax: number;
  readonly #parts: ReplicasParts;
  readonly #replicas = new Map<GroupId, EventualReplica>();
  #awake: EventualReplica[] = [];

  constructor(parts: ReplicasParts) {
    this.#parts = parts;
    this.log = parts.log;
    this.events = parts.events;
    this.hintsMax = parts.hintsMax;
  }

  get(group: GroupId): EventualReplica | undefined {
    return this.#replicas.get(group);
  }

  all(): IterableIterator<EventualReplica> {
    return this.#replicas.values();
  }

  /** No command waits, and nothing is on its way to the disk. */
  get isIdle(): boolean {
    for (const replica of this.#replicas.values()) if (!replica.isIdle) return false;
    return true;
  }

  open(options: OpenOptions): EventualReplica {
    const replica = new EventualReplica(options, this);
    this.#replicas.set(replica.group, replica);
    return replica;
  }

  /** The keyspace was dropped. */
  async remove(replica: EventualReplica): Promise<void> {
    this.#replicas.delete(replica.group);
    await replica.close();
  }

  /** At the end of a turn: every replica that has something to do does it; the log is not written yet. */
  flush(): void {
    while (this.#awake.length > 0) {
      const batch = this.#awake;
      this.#awake = [];
      for (const replica of batch) {
        replica.isAwake = false;
        replica.flush();
      }
    }
  }

  /** From time to time: what has expired loses its value, and what nobody needs any more goes. */
  sweep(): void {
    const nowMs = this.#parts.nowMs();
    // A node that has heard of nobody may be hours off: it hides what it takes for expired, and keeps it.
    const isSure = this.#parts.isTimeSure();
    for (const replica of this.#replicas.values()) {
      const { state } = replica;
      if (isSure) state.expire(nowMs, EXPIRED_AT_ONCE);
      for (const key of state.takeUnended()) replica.write(ENDKEY, makeArgs([ENDKEY.name, key]), ignore);
      state.hints.sweep();
    }
  }

  onCheckpointed(): void {
    for (const replica of this.#replicas.values()) replica.onCheckpointed();
  }

  async close(): Promise<void> {
    for (const replica of this.#replicas.values()) await replica.close();
  }

  nowMs(): number {
    return this.#parts.nowMs();
  }

  isCurrent(group: GroupId, replica: ReplicaId): boolean {
    return this.#parts.isCurrent(group, replica);
  }

  storageLag(): StorageLag {
    return this.#parts.storageLag();
  }

  wake(replica: EventualReplica): void {
    if (replica.isAwake) return;
    replica.isAwake = true;
    this.#awake.push(replica);
    this.#parts.scheduleTurn();
  }
}
