/**
 * Writes of level `all`: committed and applied, and answered only once every replica has them on disk.
 *
 * Only the leader knows how far the others are. When one of them does not come so far in time, the answer is that
 * the write is on a majority's disks, and not known to be on all.
 */
import { MinikeyError } from "../core/errors.js";
import type { GroupId, LogIndex } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { AppliedBatch } from "./partition-machine.js";
import type { ReplicaGroup } from "./replica-group.js";

interface Awaited {
  readonly batch: AppliedBatch;
  readonly index: LogIndex;
  readonly deadlineMs: number;
}

export class AwaitedByAll {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #deliver: (group: GroupId, batch: AppliedBatch) => void;
  /** In order of their indexes. */
  readonly #awaited = new Map<GroupId, Awaited[]>();

  /** `deliver` gets each batch once: with its replies, or, after `waitMs`, with errors in their place. */
  constructor(clock: Clock, waitMs: number, deliver: (group: GroupId, batch: AppliedBatch) => void) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#deliver = deliver;
  }

  /** `batch` is applied on the leader, `group`, at `index`. */
  add(group: ReplicaGroup, batch: AppliedBatch, index: LogIndex): void {
    let awaited = this.#awaited.get(group.id);
    if (awaited === undefined) {
      awaited = [];
      this.#awaited.set(group.id, awaited);
    }
    awaited.push({ batch, index, deadlineMs: this.#clock.monotonicMs() + this.#waitMs });
    this.onProgress(group);
  }

  /** Followers may have come further. */
  onProgress(group: ReplicaGroup): void {
    const awaited = this.#awaited.get(group.id);
    if (awaited === undefined || awaited.length === 0 || !group.isLeader) return;
    const { voters, votersOutgoing, learners } = group.core.configuration;
    // A learner is a replica, too: one whose disk was lost and that does not have the write yet.
    const replicas = [...voters, ...votersOutgoing, ...learners];
    const everywhere = Math.min(...replicas.map((replica) => group.core.matchOf(replica)));
    while (awaited.length > 0 && awaited[0].index <= everywhere) {
      const done = awaited.shift();
      if (done !== undefined) this.#deliver(group.id, done.batch);
    }
  }

  /** From time to time: what has taken too long. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [group, awaited] of this.#awaited) {
      const late = awaited.filter((waiting) => nowMs >= waiting.deadlineMs);
      if (late.length === 0) continue;
      this.#awaited.set(
        group,
        awaited.filter((waiting) => nowMs < waiting.deadlineMs),
      );
      for (const { batch } of late) this.#deliver(group, notEverywhere(batch));
    }
  }

  forget(group: GroupId): void {
    this.#awaited.delete(group);
  }
}

function notEverywhere(batch: AppliedBatch): AppliedBatch {
  const error = new MinikeyError(
    "OUTCOME_UNKNOWN",
    "the write is on a majority's disks, but not all replicas have confirmed it in time",
  );
  return { ...batch, replies: batch.replies.map((reply) => (reply instanceof MinikeyError ? reply : error)) };
}
