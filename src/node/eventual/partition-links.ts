/**
 * What one replica says to the other replicas of its partition, and takes from them: its own writes as they are made,
 * what those that were away lack, its vector, and (partition-trees.ts) comparisons. And when its tombstones may go.
 *
 * Invariants:
 * - What is sent of this replica, and what its vector says, is on its disk.
 * - A range of another's writes is taken only if it is the next one (`judgeRange`), or goes on from there; of its
 *   records those are left out in which nothing is new to the vector.
 * - Of who is no replica of the partition any more nothing is taken, from the moment on at which this node knows.
 * - Tombstones go after a round (drop-round.ts) when all is merged that was taken before the round was settled, and no
 *   trees are being compared.
 */

import type { Bytes } from "../../core/bytes.js";
import type { ReplicaId } from "../../core/ids.js";
import { Comparisons, membersMark } from "../../eventual/comparisons.js";
import { DropRound } from "../../eventual/drop-round.js";
import { judgeRange, PeerProgress } from "../../eventual/peer-progress.js";
import type { Standing, SyncMessage } from "../../eventual/sync-message.js";
import { LAST_NUMBER } from "../../eventual/version-vector.js";
import { WriteCopies } from "./copies.js";
import type { LinkedReplica, LinkHost } from "./partition-parts.js";
import { PartitionTrees, type Peers } from "./partition-trees.js";
import { adoptionBatch, ownRange, rangeOf } from "./sync-batches.js";

/** The vector is told when it has changed, or something is behind; and in any case. */
const TELL_CHANGED_MS = 2_000;
const TELL_MS = 10_000;
/** A gap is not complained of again so soon. */
const COMPLAIN_MS = 500;
/** Hand-off: of one range. */
const RANGE_HINTS_MAX = 512;
const RANGE_BYTES = 128 * 1024;
/**
 * After a range, the next one waits so long for more writes to join it, unless somebody waits for copies: what the
 * others are busy with goes by ranges, more than by writes.
 */
const PACE_MS = 10;
/** Tombstones that go in one turn. */
const DROPS_AT_ONCE = 500;

interface Peer {
  readonly id: ReplicaId;
  readonly progress: PeerProgress;
  /** What it said last of itself. */
  standing: Standing | undefined;
  /** Of its writes, up to here was taken, though perhaps not merged yet. */
  taken: number;
  isVectorDue: boolean;
  wantsAnswer: boolean;
  resend: boolean;
  /** When a range was sent to it last. */
  sentMs: number;
  /** When, and about which number, a gap was complained of. */
  complainedMs: number;
  complainedOf: number;
  toldMs: number;
  told: Standing | undefined;
}

export interface PeerLag {
  readonly replica: ReplicaId;
  /** Writes of this replica that the other is not known to have; undefined until it has been heard. */
  readonly lag: number | undefined;
  /** As it said last; undefined until it has been heard. */
  readonly isComplete: boolean | undefined;
}

export class PartitionLinks implements Peers {
  readonly replica: LinkedReplica;
  readonly trees: PartitionTrees;
  readonly comparisons = new Comparisons();
  /** Set while the node has this partition in its list of those with something to send. */
  isAwake = false;
  #isClosed = false;
  readonly #host: LinkHost;
  readonly #copies = new WriteCopies();
  readonly #round = new DropRound();
  #mark = 0;
  /** What was taken before this many takes is to be merged before tombstones go; undefined before it is settled. */
  #dropAfterTakes: number | undefined;
  readonly #peers = new Map<ReplicaId, Peer>();
  #members: readonly ReplicaId[] = [];
  #retired: readonly ReplicaId[] = [];
  /** 0 while what was taken from replicas that are gone is not merged yet. */
  #membersMark = 0;
  #isSettling = false;
  /** Batches handed to the replica, and how many of them are merged. */
  #takes = 0;
  #merged = 0;

  constructor(replica: LinkedReplica, host: LinkHost) {
    this.replica = replica;
    this.#host = host;
    this.trees = new PartitionTrees(this, host);
    this.#updateCopies();
  }

  // --- Who takes part ---

  /**
   * The partition's replicas, this one among them, and those that were and are gone. A replica that has gone is not
   * heard any more; that this one knows is told once all is merged that was taken from it.
   */
  setMembers(members: readonly ReplicaId[], retired: readonly ReplicaId[]): void {
    const sorted = [...members].sort((a, b) => a - b);
    const isSame =
      sorted.length === this.#members.length && sorted.every((member, i) => member === this.#members[i]);
    if (isSame) return;
    const isFirst = this.#members.length === 0;
    this.#members = sorted;
    this.#retired = retired;
    for (const id of [...this.#peers.keys()]) if (!sorted.includes(id)) this.#peers.delete(id);
    const others = this.others;
    for (const id of others) if (!this.#peers.has(id)) this.#addPeer(id);
    this.trees.close();
    this.#endRound();
    this.comparisons.begin(others);
    this.#membersMark = 0;
    // Nothing was taken before.
    if (isFirst) this.#settleMembers(sorted);
    else this.#isSettling = false;
    this.#updateCopies();
  }

  /** All is merged that was taken from those that are gone. */
  #settleMembers(members: readonly ReplicaId[]): void {
    if (this.#members !== members) return;
    this.#membersMark = membersMark(members);
    this.tellAll(false);
  }

  #settleSoon(): void {
    if (this.#membersMark !== 0 || this.#isSettling || this.#members.length === 0) return;
    const members = this.#members;
    this.#isSettling = this.take(adoptionBatch([]), () => this.#settleMembers(members));
  }

  get others(): readonly ReplicaId[] {
    return this.#members.filter((member) => member !== this.replica.self);
  }

  /** That are gone, and of which this replica does not know to have everything that is left. */
  get openRetired(): readonly ReplicaId[] {
    const { vector } = this.replica.state;
    return this.#retired.filter((origin) => vector.get(origin) < LAST_NUMBER);
  }

  isUp(replica: ReplicaId): boolean {
    return this.#host.isUp(replica);
  }

  standingOf(replica: ReplicaId): Standing | undefined {
    return this.#peers.get(replica)?.standing;
  }

  needsTrees(replica: ReplicaId): boolean {
    return this.#peers.get(replica)?.progress.needsTrees(this.replica.state.hints.from) === true;
  }

  onUp(id: ReplicaId): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    peer.progress.onUp();
    this.#tell(peer, true);
  }

  onDown(id: ReplicaId): void {
    this.#peers.get(id)?.progress.onDown();
    this.trees.onDown(id);
  }

  /** The replica is closed: its store is not to be asked any more. */
  close(): void {
    this.#isClosed = true;
    this.trees.close();
    this.#copies.close();
  }

  // --- For commands ---

  /** Complete replicas that can be reached, this one among them. */
  get reachable(): number {
    let count = this.replica.isComplete ? 1 : 0;
    for (const { id, standing } of this.#peers.values()) {
      if (standing?.isComplete === true && this.#host.isUp(id)) count += 1;
    }
    return count;
  }

  awaitCopies(number: number, count: number, deadlineMs: number, done: (copies: number) => void): void {
    this.#copies.await(number, count, deadlineMs, done);
    if (!this.#copies.isIdle) this.wake();
  }

  get isIdle(): boolean {
    return this.#copies.isIdle;
  }

  // --- What this replica has written and taken ---

  /** The own writes after `after` up to `upTo` are on disk: `batch` goes out as it is. */
  onWritten(batch: Bytes, after: number, upTo: number): void {
    const nowMs = this.#host.clock.monotonicMs();
    for (const peer of this.#peers.values()) {
      if (!this.#isDue(peer, nowMs)) this.#host.wakeSoon(this.replica.group, PACE_MS);
      else if (peer.progress.streams(after)) this.#sendRange(peer, batch, upTo, nowMs);
    }
    this.#updateCopies();
  }

  #isDue(peer: Peer, nowMs: number): boolean {
    return nowMs - peer.sentMs >= PACE_MS || !this.#copies.isIdle;
  }

  #sendRange(peer: Peer, batch: Bytes, upTo: number, nowMs: number): boolean {
    const sizeBytes = this.send(peer.id, { type: "records", batch });
    if (sizeBytes === 0) return false;
    peer.progress.onSent(upTo, sizeBytes, nowMs);
    peer.sentMs = nowMs;
    return true;
  }

  /** For messages of trees, too. */
  send(to: ReplicaId, message: SyncMessage): number {
    const { group, self } = this.replica;
    return this.#host.send(group, self, to, message);
  }

  /** As `replica.take`, counted. */
  take(batch: Bytes, onMerged: () => void): boolean {
    const isTaken = this.replica.take(batch, () => {
      this.#merged += 1;
      onMerged();
    });
    if (isTaken) this.#takes += 1;
    return isTaken;
  }

  // --- What others say ---

  /** Throws `MinikeyError` for a batch that no replica would send. */
  onMessage(from: ReplicaId, message: SyncMessage, sizeBytes: number): void {
    const peer = this.#peers.get(from);
    if (peer === undefined) return;
    if (message.type === "records") this.#onRecords(peer, message.batch);
    else if (message.type === "vector") {
      if (message.wantsAnswer) this.#tell(peer, false);
      this.#onStanding(peer, message.standing, message.resend);
    } else {
      if (message.type === "begin" || message.type === "ready")
        this.#onStanding(peer, message.standing, false);
      this.trees.onMessage(from, message, sizeBytes);
    }
  }

  #onRecords(peer: Peer, batch: Bytes): void {
    const { after, upTo } = rangeOf(batch, peer.id);
    const received = Math.max(peer.taken, this.replica.state.vector.get(peer.id));
    const verdict = judgeRange(received, after, upTo);
    if (verdict === "gap") this.#complain(peer, received);
    else if (verdict === "known") this.#tell(peer, false);
    else if (this.take(batch, () => this.#tell(peer, false))) peer.taken = upTo;
  }

  #complain(peer: Peer, received: number): void {
    const nowMs = this.#host.clock.monotonicMs();
    if (peer.complainedOf === received && nowMs - peer.complainedMs < COMPLAIN_MS) return;
    peer.complainedOf = received;
    peer.complainedMs = nowMs;
    peer.resend = true;
    // What is on its way to the disk is acknowledged first: the vector says where the other is to go back to.
    if (received === this.replica.state.vector.get(peer.id)) this.#tell(peer, false);
  }

  #onStanding(peer: Peer, standing: Standing, resend: boolean): void {
    const { state } = this.replica;
    const wasComplete = peer.standing?.isComplete === true;
    state.raiseFloor(standing.floor);
    this.#round.onStanding(peer.id, standing);
    // One that comes late, after a later one, says nothing new.
    if (peer.standing === undefined || standing.vector.covers(peer.standing.vector)) peer.standing = standing;
    const nowMs = this.#host.clock.monotonicMs();
    const isNews = peer.progress.onVector(standing.vector.get(this.replica.self), resend, nowMs);
    if (isNews || wasComplete !== peer.standing.isComplete) this.#updateCopies();
    if (peer.progress.behind(state.vector.get(this.replica.self)) !== undefined) this.wake();
  }

  // --- At the end of a turn ---

  wake(): void {
    this.#host.wake(this.replica.group);
  }

  /** Sends what is due: one range, and one vector, a peer. */
  flush(): void {
    if (this.#isClosed) return;
    const own = this.replica.state.vector.get(this.replica.self);
    const nowMs = this.#host.clock.monotonicMs();
    for (const peer of this.#peers.values()) {
      if (peer.isVectorDue) this.#sendVector(peer);
      const after = peer.progress.behind(own);
      if (after === undefined) continue;
      if (!this.#isDue(peer, nowMs)) this.#host.wakeSoon(this.replica.group, PACE_MS);
      else this.#handOff(peer, after, own);
    }
  }

  /** Sends the next range from the hints, as its keys are now. */
  #handOff(peer: Peer, after: number, own: number): void {
    const { state, self } = this.replica;
    if (after < state.hints.from) return;
    const hints = state.hints.after(after, RANGE_HINTS_MAX);
    const { batch, upTo } = ownRange(state, self, after, hints, RANGE_BYTES);
    if (!this.#sendRange(peer, batch, upTo, this.#host.clock.monotonicMs()) || upTo === own) return;
    // There is more: it does not wait for writes to join it.
    peer.sentMs = Number.NEGATIVE_INFINITY;
    this.wake();
  }

  tellAll(wantsAnswer: boolean): void {
    for (const peer of this.#peers.values()) this.#tell(peer, wantsAnswer);
  }

  #tell(peer: Peer, wantsAnswer: boolean): void {
    peer.isVectorDue = true;
    if (wantsAnswer) peer.wantsAnswer = true;
    this.wake();
  }

  standing(): Standing {
    const { state, isComplete, given } = this.replica;
    return { vector: state.vector.copy(), isComplete, members: this.#membersMark, floor: state.floor, given };
  }

  #sendVector(peer: Peer): void {
    const { wantsAnswer, resend } = peer;
    peer.isVectorDue = false;
    peer.wantsAnswer = false;
    peer.resend = false;
    const standing = this.standing();
    if (this.send(peer.id, { type: "vector", standing, wantsAnswer, resend }) === 0) return;
    peer.told = standing;
    peer.toldMs = this.#host.clock.monotonicMs();
  }

  // --- From time to time ---

  sweep(): void {
    const nowMs = this.#host.clock.monotonicMs();
    const { state, self } = this.replica;
    this.#copies.expire(nowMs);
    this.#settleSoon();
    let everywhere = state.vector.get(self);
    for (const peer of this.#peers.values()) {
      everywhere = Math.min(everywhere, peer.progress.acked);
      peer.progress.tick(nowMs);
      if (this.#host.isUp(peer.id) && this.#isTellingDue(peer, nowMs)) this.#tell(peer, false);
      if (peer.progress.behind(state.vector.get(self)) !== undefined) this.wake();
    }
    if (everywhere > state.hints.from) state.hints.forget(everywhere);
    this.trees.sweep(nowMs);
    this.#dropTombstones();
  }

  #isTellingDue(peer: Peer, nowMs: number): boolean {
    const { told } = peer;
    // Others count on whoever is complete, and wait for it before they drop what is deleted.
    if (told === undefined || told.isComplete !== this.replica.isComplete) return true;
    const silentMs = nowMs - peer.toldMs;
    if (silentMs < TELL_CHANGED_MS) return false;
    if (silentMs >= TELL_MS) return true;
    const { vector } = this.replica.state;
    const isChanged = !vector.equals(told.vector) || told.members !== this.#membersMark;
    return isChanged || peer.standing === undefined || !vector.equals(peer.standing.vector);
  }

  /** Everything that could be compared has been, or enough of it. */
  onCompared(): void {
    if (!this.replica.isComplete && this.comparisons.isEnough) this.replica.becomeComplete();
    const retired = this.openRetired;
    if (retired.length === 0 || !this.comparisons.isExhaustive) return;
    this.take(adoptionBatch(retired.map((origin) => [origin, LAST_NUMBER])), () => this.tellAll(false));
  }

  // --- Tombstones ---

  #endRound(): void {
    this.#round.end();
    this.#dropAfterTakes = undefined;
  }

  #dropTombstones(): void {
    const { state } = this.replica;
    if (this.#round.noted === undefined) {
      if (state.tombstones > 0 && this.replica.isComplete && this.#membersMark !== 0) this.#beginRound();
      return;
    }
    if (this.#dropAfterTakes === undefined) {
      if (!this.#round.isSettled(state.vector)) return;
      this.#dropAfterTakes = this.#takes;
    }
    if (this.#merged < this.#dropAfterTakes || this.trees.isBusy) return;
    if (!state.dropTombstones(this.#mark, this.#round.noted, DROPS_AT_ONCE)) this.#endRound();
  }

  #beginRound(): void {
    const { state, self, given } = this.replica;
    this.#mark = state.markTombstones();
    this.#round.begin(state.vector, { origin: self, number: given }, this.#membersMark, this.others);
    for (const { id, standing } of this.#peers.values()) {
      if (standing !== undefined) this.#round.onStanding(id, standing);
    }
  }

  // --- For status ---

  get lags(): readonly PeerLag[] {
    const own = this.replica.state.vector.get(this.replica.self);
    return [...this.#peers.values()].map(({ id, progress, standing }) => ({
      replica: id,
      lag: standing === undefined ? undefined : own - progress.acked,
      isComplete: standing?.isComplete,
    }));
  }

  #updateCopies(): void {
    const { state, self, isComplete } = this.replica;
    const acked = isComplete ? [state.vector.get(self)] : [];
    for (const { progress, standing } of this.#peers.values()) {
      if (standing?.isComplete === true) acked.push(progress.acked);
    }
    this.#copies.update(acked);
  }

  #addPeer(id: ReplicaId): void {
    const progress = new PeerProgress();
    if (this.#host.isUp(id)) progress.onUp();
    this.#peers.set(id, {
      id,
      progress,
      standing: undefined,
      taken: 0,
      isVectorDue: false,
      wantsAnswer: false,
      resend: false,
      sentMs: Number.NEGATIVE_INFINITY,
      complainedMs: 0,
      complainedOf: -1,
      toldMs: 0,
      told: undefined,
    });
    const peer = this.#peers.get(id);
    if (peer !== undefined) this.#tell(peer, true);
  }
}
