/** How many replicas a command of an eventual keyspace asks, and what is said when they are too few. */
import { MinikeyError } from "../../core/errors.js";
import type { ReadLevel, WriteLevel } from "../database.js";

export type EventualLevel = "one" | "quorum" | "all";

/** What a request chose, or the default. */
export interface EventualLevels {
  /** `linearizable` was asked for, and is refused: there is no such read here. */
  readonly read: EventualLevel | "linearizable";
  readonly write: EventualLevel;
}

/** `stale` counts as `one`: what one replica has may be old. */
export function eventualLevels(read: ReadLevel | "default", write: WriteLevel | "default"): EventualLevels {
  return {
    read: read === "default" || read === "stale" ? "one" : read,
    write: write === "default" ? "one" : write,
  };
}

/** Of a partition with so many replicas. */
export function replicasNeeded(level: EventualLevel, replicas: number): number {
  if (level === "one") return 1;
  return level === "all" ? replicas : Math.floor(replicas / 2) + 1;
}

const needs = (level: EventualLevel, replicas: number): string =>
  `${level} needs ${replicasNeeded(level, replicas)} of ${replicas} replicas`;

/** Nothing was asked of anybody. Without replicas there is no such keyspace any more. */
export function tooFewReachable(level: EventualLevel, replicas: number, reachable: number): MinikeyError {
  if (replicas === 0) return new MinikeyError("KEYSPACE_NOT_FOUND", "no such keyspace: it was dropped");
  return new MinikeyError("NO_QUORUM", `${needs(level, replicas)}, and ${reachable} can be reached`);
}

/** For a read. */
export function tooFewAnswered(level: EventualLevel, replicas: number, answered: number): MinikeyError {
  return new MinikeyError("NO_QUORUM", `${needs(level, replicas)}, and ${answered} answered in time`);
}

/** For a write that is on the disks of `copies` replicas, and cannot be taken back. */
export function tooFewCopies(level: EventualLevel, replicas: number, copies: number): MinikeyError {
  const needed = replicasNeeded(level, replicas);
  return new MinikeyError(
    "OUTCOME_UNKNOWN",
    `${copies} of the ${needed} replicas that ${level} needs ${copies === 1 ? "has" : "have"} the write; ` +
      "the others get it later",
  );
}

/** For a read of a level that there is not in an eventual keyspace. */
export function noSuchLevel(keyspace: string): MinikeyError {
  return new MinikeyError(
    "UNSUPPORTED",
    `the eventual keyspace '${keyspace}' has no linearizable reads: read at one, quorum or all, ` +
      "or use a keyspace of consistency strong",
  );
}

/** For a command that is not about certain keys. */
export function noLevelForScans(name: string, level: EventualLevel): MinikeyError {
  return new MinikeyError(
    "UNSUPPORTED",
    `${name} looks at one replica of each partition of an eventual keyspace: it has no level ${level}, only one`,
  );
}
