/**
 * A write on this node's replica that is answered when so many replicas have it on disk. It is refused before anything
 * is written while too few can be reached; what is written cannot be taken back, and then a level that is not met
 * leaves the outcome unknown.
 */
import type { Reply } from "../../commands/reply.js";
import { type Args, type CommandSpec, copyArgs } from "../../commands/types.js";
import { MinikeyError } from "../../core/errors.js";
import type { GroupId } from "../../core/ids.js";
import type { Done } from "../coordinator.js";
import { nodeStopping } from "../refusal.js";
import { retainReply } from "../retain-reply.js";
import { type EventualLevel, replicasNeeded, tooFewCopies, tooFewReachable } from "./levels.js";
import type { CommandReplica, EventualHost } from "./parts.js";
import type { Patience } from "./patience.js";

export interface LevelWriteParts {
  readonly host: EventualHost;
  readonly patience: Patience;
}

export class LevelWrite {
  readonly #parts: LevelWriteParts;
  readonly #group: GroupId;
  readonly #level: EventualLevel;
  readonly #deadlineMs: number;
  readonly #done: Done;

  constructor(parts: LevelWriteParts, group: GroupId, level: EventualLevel, deadlineMs: number, done: Done) {
    this.#parts = parts;
    this.#group = group;
    this.#level = level;
    this.#deadlineMs = deadlineMs;
    this.#done = done;
  }

  /** `args` may be reused as soon as this returns. */
  start(spec: CommandSpec, args: Args): void {
    const { patience } = this.#parts;
    if (!patience.isWaiting(this.#group)) {
      this.#try(spec, args, false);
      return;
    }
    // In the order in which they came; what others wait for this one may not need.
    const kept = copyArgs(args);
    patience.follow(this.#group, () => this.#try(spec, kept, true));
  }

  #try(spec: CommandSpec, args: Args, isKept: boolean): void {
    const { host, patience } = this.#parts;
    const replica = host.replica(this.#group);
    if (replica?.isComplete === true && this.#reachable() >= this.#needed()) {
      // That there is one replica says nothing to those that need more.
      if (this.#needed() > 1) patience.onMet(this.#group);
      this.#write(replica, spec, args);
    } else {
      this.#wait(spec, isKept ? args : copyArgs(args));
    }
  }

  #wait(spec: CommandSpec, args: Args): void {
    const { host, patience } = this.#parts;
    if (patience.wait(this.#group, this.#deadlineMs, () => this.#try(spec, args, true))) return;
    const replicas = host.holdersOf(this.#group).length;
    this.#done(
      patience.isClosed ? nodeStopping() : tooFewReachable(this.#level, replicas, this.#reachable()),
    );
  }

  #reachable(): number {
    return this.#parts.host.copies.reachable(this.#group);
  }

  #needed(): number {
    return replicasNeeded(this.#level, this.#parts.host.holdersOf(this.#group).length);
  }

  #write(replica: CommandReplica, spec: CommandSpec, args: Args): void {
    const needed = this.#needed();
    const replicas = this.#parts.host.holdersOf(this.#group).length;
    replica.write(spec, args, (reply, number) => {
      if (number === 0 || needed === 1 || reply instanceof MinikeyError) {
        this.#done(reply);
        return;
      }
      const kept: Reply = retainReply(reply);
      this.#parts.host.copies.awaitCopies(this.#group, number, needed, this.#deadlineMs, (copies) =>
        this.#done(copies >= needed ? kept : tooFewCopies(this.#level, replicas, copies)),
      );
    });
  }
}
