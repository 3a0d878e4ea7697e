/** The promises that the driver can be asked to watch: which keyspace, which level of reads, what must not happen. */
import type { ReadLevel } from "../../client/wire.js";

export type ModeName = "eventual" | "sequential" | "linearizable";

export interface Mode {
  readonly name: ModeName;
  /** Of its keyspace. */
  readonly consistency: "strong" | "eventual";
  /** Of the clients' reads, at each node. */
  readonly readLevel: ReadLevel;
  /** What the node has itself, at once: for the comparison at the end of a round. */
  readonly ownLevel: ReadLevel;
  /** A stale read breaks the promise. */
  readonly forbidsStale: boolean;
  /** No node goes back to what it had shown before, and a version is the same value everywhere. */
  readonly isOrdered: boolean;
}

export const MODES: Readonly<Record<ModeName, Mode>> = {
  eventual: {
    name: "eventual",
    consistency: "eventual",
    readLevel: "one",
    ownLevel: "one",
    forbidsStale: false,
    isOrdered: false,
  },
  sequential: {
    name: "sequential",
    consistency: "strong",
    readLevel: "stale",
    ownLevel: "stale",
    forbidsStale: false,
    isOrdered: true,
  },
  linearizable: {
    name: "linearizable",
    consistency: "strong",
    readLevel: "linearizable",
    ownLevel: "stale",
    forbidsStale: true,
    isOrdered: true,
  },
};

export const MODE_NAMES = Object.keys(MODES) as ModeName[];
