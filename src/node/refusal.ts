/** Why a request waits, so that it can be told when its time is over; and what is refused, in words. */
import { MinikeyError } from "../core/errors.js";
import type { NodeId } from "../core/ids.js";

/**
 * `unreachable`: no leader with a majority. `overloaded`: there is one, but it, or the way to it, takes no more.
 * `locked`: a transaction holds a key.
 */
export type Refusal = "unreachable" | "overloaded" | "locked";

/** What became of a request that was handed to a leader. */
export type Sending = "sent" | Exclude<Refusal, "locked">;

/** Certainly not carried out, and why. */
export function refusalError(refusal: Refusal): MinikeyError {
  switch (refusal) {
    case "unreachable":
      return new MinikeyError("NO_QUORUM", "no majority of the key's replicas can be reached");
    case "overloaded":
      return new MinikeyError("OVERLOADED", "the leader of the key's partition has too much to do");
    case "locked":
      return new MinikeyError("CONFLICT", "the key is held by a transaction that has not ended in time");
  }
}

/** For a read of level `all`. */
export function replicasAway(nodes: readonly NodeId[]): MinikeyError {
  return new MinikeyError(
    "NO_QUORUM",
    `the level 'all' needs every replica, and ${nodes.join(", ")} cannot be reached`,
  );
}

/** Before the node has read the cluster's map. */
export const notJoined = (): MinikeyError =>
  new MinikeyError("NOT_READY", "the node has not joined its cluster yet");

/** For what comes after the node was told to stop. */
export function nodeStopping(): MinikeyError {
  return new MinikeyError("STOPPING", "the node is stopping");
}
