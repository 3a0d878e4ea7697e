/**
 * With which of the partition's replicas this one has compared trees since it has known who they are. Says two things:
 *
 * - *Complete.* A replica with an empty disk may answer once it has everything that was ever answered at `quorum`. Such
 *   a write was on m of n disks, one of which may be the lost one: m − 1 of the n − 1 others have it, and of any
 *   n − m + 1 of those at least one does. Others that are incomplete themselves prove nothing, unless all others have
 *   been compared with: then there is nothing more to be had.
 * - *Whatever is left of replicas that are gone is here.* All others have been compared with, each of them after it knew
 *   (and had merged what it had taken from them before) that they are gone. From then on it takes nothing of theirs but
 *   from replicas that are there, so nothing of theirs is new to the partition, and all of it is here. This replica's
 *   vector may say so: it has everything of them (`LAST_NUMBER`).
 */

import { allocBytes } from "../core/bytes.js";
import { crc32c } from "../core/crc32c.js";
import type { ReplicaId } from "../core/ids.js";

/** A number that stands for a partition's replicas: equal for equal ones. */
export function membersMark(members: readonly ReplicaId[]): number {
  const sorted = [...members].sort((a, b) => a - b);
  const bytes = allocBytes(4 * sorted.length);
  for (const [i, member] of sorted.entries()) bytes.writeUInt32LE(member, 4 * i);
  return crc32c(bytes, 0);
}

export class Comparisons {
  #others: readonly ReplicaId[] = [];
  #majority = 1;
  /** Whether those were complete. */
  readonly #compared = new Map<ReplicaId, boolean>();

  /** The partition's other replicas are (or have become) these: what was compared before counts no more. */
  begin(others: readonly ReplicaId[]): void {
    this.#others = others;
    this.#majority = Math.floor((others.length + 1) / 2) + 1;
    this.#compared.clear();
  }

  /** Both had the same mark of the replicas when they began, and it is the present one. */
  onCompared(other: ReplicaId, wasComplete: boolean): void {
    if (!this.#others.includes(other)) return;
    this.#compared.set(other, wasComplete || this.#compared.get(other) === true);
  }

  has(other: ReplicaId): boolean {
    return this.#compared.has(other);
  }

  /** With every other replica. */
  get isExhaustive(): boolean {
    return this.#compared.size === this.#others.length;
  }

  /** Enough for a replica that began with an empty disk. */
  get isEnough(): boolean {
    const needed = this.#others.length + 1 - this.#majority + 1;
    let complete = 0;
    for (const wasComplete of this.#compared.values()) if (wasComplete) complete += 1;
    return complete >= needed || this.isExhaustive;
  }
}
