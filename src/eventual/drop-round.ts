/**
 * When may a replica drop its tombstones? A round (docs/adr/0014, "Deletes"):
 *
 *   idle ──begin──▶ gathering ──every replica told ≥ V0, and own ≥ what each told──▶ settled ──▶ drop, idle
 *                       └── the partition's replicas changed: begin anew
 *
 * The replica notes its vector, V0, a mark in its list of tombstones, and the number that it has given last. Of each
 * other replica a standing is kept that has all of V0, is complete, and knows the same replicas of the partition. When
 * the own vector has all of each of those, and all numbers that were given until then, there and here, what was marked
 * may go, of it what has all its dots in V0.
 *
 * Why nothing older than a dropped tombstone T ever comes back, on any replica. Let M be the replicas of the round.
 *
 * - *No replica of M has anything older.* Each has told a vector with T's dots (they are in V0, and the vectors are
 *   at least V0), so it has merged T or something later. (A tombstone that came beside the vector proves nothing: it
 *   stays.)
 * - *Nothing older of a replica of M can come here as news.* Let d be a dot of replica X of M which T followed. X wrote
 *   d before it had T (what it writes later is stamped later than T, or than its floor). So X had given d its number
 *   when it told that it has T, though d may not have been on its disk yet, and the own vector has all such numbers. So
 *   it is with what this replica writes itself. A record with nothing but covered dots is not taken (merge.ts). One that has a new
 *   dot, too, was written to by a replica that had T by then: it is not older than T.
 * - *Nor anything older of a replica that is gone.* Such a dot may be in nobody's vector, if it came by a repair of a
 *   read or by half a comparison of trees. Here it can come in three ways. In a range of X's writes: the range was
 *   read before X had T, so it ends before what X told, the own vector has that, and a range that is known is not
 *   taken (peer-progress.ts). What was taken already is merged before the drop (the host waits for it). In a comparison
 *   of trees: none is under way at a drop, and the messages of earlier ones are known by their session and not taken.
 *   By the repair of a read: it must not bring parts of replicas that are gone (the host).
 * - *A replica that comes later* (a lost disk comes back under another id) has everything from the replicas that
 *   know it. Whoever told its vector here knew M, not the newcomer, so it served the newcomer only after it had T.
 *   A round begins anew when this replica learns of it. An incomplete replica's standing does not count: what it has
 *   adopted is true, but it may still be comparing.
 * - *Hints that were dropped* matter not: what they would have told comes by trees, and the vector waits for that.
 */
import { type ReplicaId, replicaId } from "../core/ids.js";
import type { Standing } from "./sync-message.js";
import type { Dot } from "./types.js";
import type { VersionVector } from "./version-vector.js";

const NO_WRITE: Dot = { origin: replicaId(0), number: 0 };

export class DropRound {
  #noted: VersionVector | undefined;
  #members = 0;
  readonly #others: ReplicaId[] = [];
  #own: Dot = NO_WRITE;
  /** What each of the others told that has all of the noted vector. */
  readonly #told = new Map<ReplicaId, Standing>();

  /** The vector noted; undefined when no round is under way. */
  get noted(): VersionVector | undefined {
    return this.#noted;
  }

  /**
   * `own` is the write of this replica that got a number last, on the disk or not; `members` is the mark of the
   * partition's replicas, `others` are those beside this one.
   */
  begin(vector: VersionVector, own: Dot, members: number, others: readonly ReplicaId[]): void {
    this.end();
    this.#noted = vector.copy();
    this.#own = own;
    this.#members = members;
    this.#others.push(...others);
  }

  /** Done, or broken off. */
  end(): void {
    this.#noted = undefined;
    this.#others.length = 0;
    this.#told.clear();
  }

  /**
   * What another replica says of itself, in any order. The fewest numbers count: what one that has crashed had given,
   * and not on its disk, is given anew, and later than everything that it has.
   */
  onStanding(from: ReplicaId, standing: Standing): void {
    if (this.#noted === undefined) return;
    const counts =
      standing.isComplete &&
      standing.members === this.#members &&
      this.#others.includes(from) &&
      standing.vector.covers(this.#noted);
    const before = this.#told.get(from);
    if (counts && (before === undefined || standing.given < before.given)) this.#told.set(from, standing);
  }

  /** Whether every replica has what was noted, and this one, with `vector`, what each of them told and had given. */
  isSettled(vector: VersionVector): boolean {
    if (this.#noted === undefined || !vector.has(this.#own)) return false;
    return this.#others.every((other) => {
      const told = this.#told.get(other);
      return told !== undefined && vector.covers(told.vector) && vector.get(other) >= told.given;
    });
  }
}
