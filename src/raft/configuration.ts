/**
 * Who takes part, as pure functions, and the history of configurations that the log holds.
 *
 * A configuration takes effect when its entry is appended, committed or not (§4.1), and ends when that entry
 * is truncated. A change of one voter goes directly (§4.1: any two majorities overlap); a larger one goes
 * through a joint configuration in which both majorities decide (§4.3).
 */
import type { Configuration } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import { MinikeyError } from "../core/errors.js";
import { type LogIndex, type ReplicaId, replicaId } from "../core/ids.js";

/** The id of no replica: no vote given, no leader known. */
export const NOBODY: ReplicaId = replicaId(0);

const NO_VOTERS: readonly ReplicaId[] = [];

export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** A voter of either half of a joint configuration is one. */
export function isVoter(configuration: Configuration, id: ReplicaId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id);
}

/** Every member once, in ascending order: decisions never depend on the order that a caller listed them in. */
export function membersOf(configuration: Configuration): ReplicaId[] {
  const { voters, votersOutgoing, learners } = configuration;
  return [...new Set([...voters, ...votersOutgoing, ...learners])].sort((a, b) => a - b);
}

/** Throws `MinikeyError` `BAD_REQUEST` for a configuration that nobody could want. */
export function checkTarget(target: Configuration): void {
  const { voters, votersOutgoing, learners } = target;
  if (voters.length === 0) throw new MinikeyError("BAD_REQUEST", "a configuration needs a voter");
  if (votersOutgoing.length > 0) {
    throw new MinikeyError("BAD_REQUEST", "a configuration to be reached cannot be a joint one");
  }
  if (membersOf(target).length !== voters.length + learners.length) {
    throw new MinikeyError("BAD_REQUEST", "a member is listed twice in the configuration");
  }
}

/** The first step from `current` to `target`: `target` itself, or the joint configuration of both. */
export function firstStep(current: Configuration, target: Configuration): Configuration {
  const added = target.voters.filter((id) => !current.voters.includes(id)).length;
  const removed = current.voters.filter((id) => !target.voters.includes(id)).length;
  if (added + removed <= 1) return target;
  return { voters: target.voters, votersOutgoing: current.voters, learners: target.learners };
}

/** The second step, out of a joint configuration. */
export function lastStep(joint: Configuration): Configuration {
  return { voters: joint.voters, votersOutgoing: NO_VOTERS, learners: joint.learners };
}

interface Recorded {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/** The configurations in the log, oldest first; the first is as of the log's start or before. */
export class ConfigurationHistory {
  readonly #recorded: Recorded[];

  constructor(startIndex: LogIndex, configuration: Configuration) {
    this.#recorded = [{ index: startIndex, configuration }];
  }

  get current(): Configuration {
    return this.#recorded[this.#recorded.length - 1].configuration;
  }

  /** Where the current configuration was appended. */
  get currentIndex(): LogIndex {
    return this.#recorded[this.#recorded.length - 1].index;
  }

  /** The configuration in effect when the log ended at `index`. */
  at(index: LogIndex): Configuration {
    const position = this.#recorded.findLastIndex((recorded) => recorded.index <= index);
    assert(position >= 0, "no configuration is known at %", index);
    return this.#recorded[position].configuration;
  }

  push(index: LogIndex, configuration: Configuration): void {
    assert(index > this.currentIndex, "configuration at % after one at %", index, this.currentIndex);
    this.#recorded.push({ index, configuration });
  }

  /** Forgets what was appended at `index` or later. Returns true when the current configuration changed. */
  truncateFrom(index: LogIndex): boolean {
    const before = this.#recorded.length;
    while (this.#recorded.length > 1 && this.currentIndex >= index) this.#recorded.pop();
    return this.#recorded.length !== before;
  }

  /** Forgets what is no longer needed when the log starts after `index`. */
  compact(index: LogIndex): void {
    while (this.#recorded.length > 1 && this.#recorded[1].index <= index) this.#recorded.shift();
  }

  /** Replaces everything by a snapshot's configuration. */
  restore(index: LogIndex, configuration: Configuration): void {
    this.#recorded.length = 0;
    this.#recorded.push({ index, configuration });
  }
}
