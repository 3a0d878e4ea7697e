/** What carrying commands out needs of the replicas on this node, and of the ways to the others. */
import type { Reply } from "../../commands/reply.js";
import type { Args, CommandSpec, KeyValueView } from "../../commands/types.js";
import type { Bytes, Key } from "../../core/bytes.js";
import type { GroupId, NodeId } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";
import type { Random } from "../../ports/random.js";
import type { StoredValue } from "../../ports/storage-engine.js";
import type { Transport } from "../../ports/transport.js";
import type { Route } from "../coordinator.js";

/**
 * `number`: the replica's write that covers the command's; 0 when it wrote nothing. `Slice`s of the reply are valid
 * during the call only.
 */
export type WriteDone = (reply: Reply, number: number) => void;

/** This node's replica of a partition, as far as commands go. */
export interface CommandReplica {
  /** May answer, and counts for levels. */
  readonly isComplete: boolean;
  readonly state: {
    /** The record of a key as it is stored, tombstones too; valid until the next write. */
    stored(key: Key): StoredValue | undefined;
  };
  /** `done` is called once the outcome is on this disk. `args` may be reused as soon as this returns. */
  write(spec: CommandSpec, args: Args, done: WriteDone): void;
  /** Records that a read has found elsewhere (eventual/batch.ts, checked). False: none were taken. */
  repair(batch: Bytes): boolean;
  /** What is durable here, as of `nowMs`; valid until the next write. */
  viewAt(nowMs: number): KeyValueView;
}

/** Which replicas have what this node's replica wrote. */
export interface Copies {
  /** Complete replicas of the group that can be reached, this node's own among them. */
  reachable(group: GroupId): number;
  /**
   * Calls `done` once, with how many replicas have the write of this number on disk, this node's own among them: as
   * soon as they are `count`, or when it is `deadlineMs` on the monotonic clock.
   */
  awaitCopies(
    group: GroupId,
    number: number,
    count: number,
    deadlineMs: number,
    done: (copies: number) => void,
  ): void;
}

export interface EventualHost {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly copies: Copies;
  readonly requestTimeoutMs: number;
  /** This node's replica of the group, complete or not. */
  replica(group: GroupId): CommandReplica | undefined;
  /** The nodes that are to hold the group; empty when its keyspace is not (or no longer) there. */
  holdersOf(group: GroupId): readonly NodeId[];
  /** Where the group's commands go, at the default levels; undefined unless its keyspace is there and eventual. */
  routeOf(group: GroupId): Route | undefined;
  /** The cluster's time, in milliseconds since 1970: for expiry. */
  nowMs(): number;
}
