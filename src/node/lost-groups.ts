/**
 * Which groups this node knows to be without a leader that has a majority and that it can reach.
 *
 * A fail-over is ridden out in silence: requests wait for the next leader. But who has had no leader for longer
 * than a fail-over takes has no majority, and requests are refused at once until there is a leader again.
 */
import type { GroupId } from "../core/ids.js";

/**
 * Longer than an election that fails once, by split votes, and the next one. Measured in the simulator, three nodes,
 * one of them killed, paused or cut off 180 times: of 762 times that a node knew of no leader the median lasted
 * 50 ms, the longest 950 ms.
 */
const LOST_AFTER_MS = 1_500;

export class LostGroups {
  readonly #sinceMs = new Map<GroupId, number>();

  /** To be told often, of each group that requests may go to. */
  note(group: GroupId, isServed: boolean, nowMs: number): void {
    if (isServed) this.#sinceMs.delete(group);
    else if (!this.#sinceMs.has(group)) this.#sinceMs.set(group, nowMs);
  }

  forget(group: GroupId): void {
    this.#sinceMs.delete(group);
  }

  isLost(group: GroupId, nowMs: number): boolean {
    const sinceMs = this.#sinceMs.get(group);
    return sinceMs !== undefined && nowMs - sinceMs >= LOST_AFTER_MS;
  }
}
