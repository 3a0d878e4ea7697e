/**
 * When a replica compares trees with another one, and what came of it. One comparison at a time.
 *
 * A comparison is begun
 * - with whoever lacks writes of this replica that no hint tells of any more;
 * - by a replica whose vector stays behind another's for `BEHIND_MS`, when the origin of what it lacks cannot be reached
 *   (or for longer, when it can, but does not bring it);
 * - by a replica with an empty disk, with one after the other until it is complete;
 * - by every replica with every other once another is gone for good, so that all that is left of it is everywhere;
 * - from time to time with one after the other, though nothing seems to be amiss.
 */

import type { Bytes } from "../../core/bytes.js";
import type { ReplicaId } from "../../core/ids.js";
import type { Comparisons } from "../../eventual/comparisons.js";
import type { SessionCounts } from "../../eventual/reconcile.js";
import { AnsweringSession } from "../../eventual/reconcile-answering.js";
import { AskingSession } from "../../eventual/reconcile-asking.js";
import type { Standing, SyncMessage } from "../../eventual/sync-message.js";
import type { LinkedReplica, LinkHost } from "./partition-parts.js";
import { ReplicaTree } from "./replica-tree.js";

/** So long behind, where the origin cannot be reached; and where it can. */
const BEHIND_MS = 1_000;
const BEHIND_REACHED_MS = 5_000;
/** How often it is looked after. */
const LOOK_MS = 200;
/** After a comparison that came to nothing: so long, and up to twice that. */
const AGAIN_MS = 500;

/** What is known of the other replicas. */
export interface Peers {
  readonly replica: LinkedReplica;
  readonly others: readonly ReplicaId[];
  readonly comparisons: Comparisons;
  /** That are gone, and of which something may be left elsewhere. */
  readonly openRetired: readonly ReplicaId[];
  isUp(replica: ReplicaId): boolean;
  standing(): Standing;
  standingOf(replica: ReplicaId): Standing | undefined;
  /** It lacks writes of this replica of which there are no hints. */
  needsTrees(replica: ReplicaId): boolean;
  send(to: ReplicaId, message: SyncMessage): number;
  take(batch: Bytes, onMerged: () => void): boolean;
  tellAll(wantsAnswer: boolean): void;
  onCompared(): void;
}

export interface Repair extends SessionCounts {
  readonly with: ReplicaId;
  readonly finishedWallMs: number;
  readonly durationMs: number;
}

/** Behind in what one origin has written: up to where another was seen to be, and since when. */
interface Behind {
  readonly target: number;
  readonly sinceMs: number;
}

type Session = AskingSession | AnsweringSession;

export class PartitionTrees {
  /** Comparisons finished since the node was started. */
  compared = 0;
  /** Records that they brought here. */
  recordsTaken = 0;
  /** The last of them that moved records. */
  lastRepair: Repair | undefined;
  readonly #peers: Peers;
  readonly #host: LinkHost;
  readonly #tree: ReplicaTree;
  #asking: AskingSession | undefined;
  #answering: AnsweringSession | undefined;
  #startedMs = 0;
  #lookMs = 0;
  #againMs = 0;
  #repairMs: number;
  /** For comparisons without a cause: whose turn it is. */
  #turn = 0;
  readonly #behind = new Map<ReplicaId, Behind>();
  /** Since when hints do not reach back far enough for a replica. */
  readonly #unhinted = new Map<ReplicaId, number>();

  constructor(peers: Peers, host: LinkHost) {
    this.#peers = peers;
    this.#host = host;
    this.#tree = new ReplicaTree(peers, host.random, () => this.#fail());
    this.#repairMs = host.clock.monotonicMs() + host.random.unit() * host.repairIntervalMs;
  }

  get isBusy(): boolean {
    return this.#asking !== undefined || this.#answering !== undefined;
  }

  get isAsking(): boolean {
    return this.#asking !== undefined;
  }

  get isAnswering(): boolean {
    return this.#answering !== undefined;
  }

  onMessage(from: ReplicaId, message: SyncMessage, sizeBytes: number): void {
    if (message.type === "records" || message.type === "vector") return;
    const nowMs = this.#host.clock.monotonicMs();
    if (message.type === "begin") {
      this.#onBegin(from, message, sizeBytes, nowMs);
      return;
    }
    for (const session of [this.#asking, this.#answering]) {
      if (session?.id === message.session && session.partner === from) {
        session.onMessage(message, sizeBytes, nowMs);
        return;
      }
    }
    if (message.type === "ready") {
      this.#peers.send(from, { type: "end", session: message.own, reason: "unknown" });
    }
  }

  onDown(peer: ReplicaId): void {
    for (const session of [this.#asking, this.#answering]) if (session?.partner === peer) session.fail();
  }

  close(): void {
    this.#fail();
    this.#behind.clear();
    this.#unhinted.clear();
  }

  sweep(nowMs: number): void {
    this.#asking?.tick(nowMs);
    this.#answering?.tick(nowMs);
    if (nowMs < this.#lookMs) return;
    this.#lookMs = nowMs + LOOK_MS;
    this.#lookBehind(nowMs);
    if (this.isBusy || nowMs < this.#againMs || !this.#host.mayAsk()) return;
    const partner = this.#nextPartner(nowMs);
    if (partner !== undefined) this.#ask(partner, nowMs);
  }

  // --- Sessions ---

  #ask(partner: ReplicaId, nowMs: number): void {
    this.#startedMs = nowMs;
    this.#asking = new AskingSession(this.#tree, partner, nowMs, (session) => this.#onOver(session));
  }

  #onBegin(
    from: ReplicaId,
    message: Extract<SyncMessage, { type: "begin" }>,
    sizeBytes: number,
    nowMs: number,
  ): void {
    // Both have begun at the same time: the smaller one asks.
    if (this.#asking?.partner === from && this.#asking.isWaiting && from < this.#peers.replica.self)
      this.#asking.fail();
    // Its earlier one is over, on its side.
    if (this.#answering?.partner === from) this.#answering.fail();
    if (this.isBusy || !this.#host.mayAnswer()) {
      this.#peers.send(from, { type: "end", session: message.session, reason: "busy" });
      return;
    }
    this.#startedMs = nowMs;
    this.#answering = new AnsweringSession(this.#tree, from, message, sizeBytes, nowMs, (session) =>
      this.#onOver(session),
    );
  }

  #onOver(session: Session): void {
    if (session === this.#asking) this.#asking = undefined;
    if (session === this.#answering) this.#answering = undefined;
    const { clock, random, repairIntervalMs } = this.#host;
    const nowMs = clock.monotonicMs();
    const { outcome, partner, standing, partnerStanding } = session;
    if (outcome !== "done" || partnerStanding === undefined) {
      this.#againMs = nowMs + AGAIN_MS * (1 + random.unit());
      return;
    }
    this.#repairMs = nowMs + repairIntervalMs;
    this.compared += 1;
    const { counts } = session;
    this.recordsTaken += counts.recordsTaken;
    if (counts.recordsTaken + counts.recordsGiven > 0) {
      const durationMs = nowMs - this.#startedMs;
      this.lastRepair = { ...counts, with: partner, finishedWallMs: clock.wallMs(), durationMs };
    }
    const { comparisons } = this.#peers;
    const { members } = this.#peers.standing();
    if (members !== 0 && standing.members === members && partnerStanding.members === members) {
      comparisons.onCompared(partner, partnerStanding.isComplete);
    }
    this.#peers.tellAll(false);
    this.#peers.onCompared();
  }

  /** Something was not taken, or who takes part has changed. */
  #fail(): void {
    this.#asking?.fail();
    this.#answering?.fail();
  }

  // --- With whom ---

  #nextPartner(nowMs: number): ReplicaId | undefined {
    const { others, replica, comparisons, openRetired } = this.#peers;
    const up = others.filter((id) => this.#peers.isUp(id) && this.#peers.standingOf(id) !== undefined);
    if (up.length === 0) return undefined;
    if (!replica.isComplete || openRetired.length > 0) {
      const fresh = up.filter((id) => !comparisons.has(id));
      const complete = fresh.find((id) => this.#peers.standingOf(id)?.isComplete === true);
      if (fresh.length > 0) return complete ?? fresh[0];
    }
    const unhinted = up.find((id) => nowMs - (this.#unhinted.get(id) ?? nowMs) >= BEHIND_MS);
    return unhinted ?? this.#aheadOfThis(up, nowMs) ?? this.#nextInTurn(up, nowMs);
  }

  /** The one that has most of what this replica lacks and does not get otherwise. */
  #aheadOfThis(up: readonly ReplicaId[], nowMs: number): ReplicaId | undefined {
    for (const [origin, { sinceMs, target }] of this.#behind) {
      const patienceMs = this.#peers.isUp(origin) ? BEHIND_REACHED_MS : BEHIND_MS;
      if (nowMs - sinceMs < patienceMs) continue;
      const ahead = up.filter((id) => (this.#peers.standingOf(id)?.vector.get(origin) ?? 0) >= target);
      if (ahead.length > 0) return ahead[this.#turn++ % ahead.length];
    }
    return undefined;
  }

  #nextInTurn(up: readonly ReplicaId[], nowMs: number): ReplicaId | undefined {
    if (nowMs < this.#repairMs) return undefined;
    this.#turn += 1;
    return up[this.#turn % up.length];
  }

  #lookBehind(nowMs: number): void {
    const { vector } = this.#peers.replica.state;
    const best = new Map<ReplicaId, number>();
    for (const id of this.#peers.others) {
      if (!this.#peers.needsTrees(id)) this.#unhinted.delete(id);
      else if (!this.#unhinted.has(id)) this.#unhinted.set(id, nowMs);
      const standing = this.#peers.standingOf(id);
      if (standing === undefined || !this.#peers.isUp(id)) continue;
      for (const origin of standing.vector.origins) {
        const number = standing.vector.get(origin);
        if (number > vector.get(origin)) best.set(origin, Math.max(number, best.get(origin) ?? 0));
      }
    }
    for (const [origin, { target }] of this.#behind) {
      if (!best.has(origin) || vector.get(origin) >= target) this.#behind.delete(origin);
    }
    for (const [origin, target] of best) {
      if (!this.#behind.has(origin)) this.#behind.set(origin, { target, sinceMs: nowMs });
    }
  }
}
