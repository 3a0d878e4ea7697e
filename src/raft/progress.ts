/**
 * What a leader knows of one member, and how much it may send to it (flow control).
 *
 *              first accepted append              refused append, lost connection
 *   probe ───────────────────────────▶ replicate ────────────────────────────────▶ probe
 *     │ one append at a time: is this where the logs agree?       the entry it needs was compacted away
 *     └──────────────────────────────▶ snapshot ◀──────────────────────────────────┘
 *                                          │ installed, or failed: probe
 *
 * - `match < next`, and `match` never falls in a term: all up to it is durable there.
 * - In `replicate`, appends leave without waiting for answers: up to `inflightMessagesMax` of them.
 * - A candidate counts its votes here, too.
 */
import type { Message, SnapshotMeta } from "../codec/raft-types.js";
import { type LogIndex, logIndex, type ReplicaId } from "../core/ids.js";

/** No log index. */
export const NOT_BEHIND: LogIndex = logIndex(-1);

/** The tick of what has not happened. */
const NEVER = Number.NEGATIVE_INFINITY;

export type ProgressState = "probe" | "replicate" | "snapshot";

/** The last indexes of the appends under way to one member, in the order sent. */
class InflightWindow {
  readonly #capacity: number;
  readonly #lastIndexes: number[] = [];
  #head = 0;
  #size = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get isFull(): boolean {
    return this.#size >= this.#capacity;
  }

  get size(): number {
    return this.#size;
  }

  add(lastIndex: LogIndex): void {
    this.#lastIndexes[(this.#head + this.#size) % this.#capacity] = lastIndex;
    this.#size += 1;
  }

  /** All that ended at or before `index` has arrived. */
  freeTo(index: LogIndex): void {
    while (this.#size > 0 && this.#lastIndexes[this.#head] <= index) {
      this.#head = (this.#head + 1) % this.#capacity;
      this.#size -= 1;
    }
  }

  clear(): void {
    this.#size = 0;
  }
}

/**
 * A snapshot on its way to a member, one piece at a time. `wanted`: to be read once the member is heard of.
 * `reading`: the host reads it. `sent`: under way, kept until acknowledged so that it can be sent again.
 */
export interface OutgoingSnapshot {
  phase: "wanted" | "reading" | "sent";
  /** Where the piece wanted, being read or under way starts. */
  offsetBytes: number;
  piece: Extract<Message, { type: "snapshot" }> | undefined;
  /** When the piece was sent last, `NEVER` when it is known to be lost; when `wanted`, not to be read before. */
  tick: number;
}

export class Progress {
  readonly id: ReplicaId;
  isVoter = false;
  match: LogIndex = logIndex(0);
  next: LogIndex = logIndex(1);
  state: ProgressState = "probe";
  /** In `probe`: an append is under way, or the member is not heard of; nothing is sent until it answers. */
  paused = false;
  /** The highest commit index sent. */
  commitSent: LogIndex = logIndex(0);
  /** `match` at the last heartbeat's answer, if it lacked something then: the same after another heartbeat means loss. */
  matchWhenBehind: LogIndex = NOT_BEHIND;
  readonly inflight: InflightWindow;
  snapshot: OutgoingSnapshot | undefined;
  /** The last read round it confirmed. */
  readRound = 0;
  /** When it was heard of last, and the same unless its connection was reported broken since. */
  heardTick = NEVER;
  activeTick = NEVER;
  vote: "none" | "granted" | "refused" = "none";

  constructor(id: ReplicaId, inflightMessagesMax: number) {
    this.id = id;
    this.inflight = new InflightWindow(inflightMessagesMax);
  }

  /** As a new leader knows it: nothing, except where its own log ended. */
  reset(next: LogIndex, tick: number): void {
    this.match = logIndex(0);
    this.next = next;
    this.#enter("probe");
    this.commitSent = logIndex(0);
    this.matchWhenBehind = NOT_BEHIND;
    this.readRound = 0;
    this.heardTick = tick;
    this.activeTick = NEVER;
  }

  /** Connected, and heard of within an election time-out. */
  isRecentlyActive(tick: number, electionTicks: number): boolean {
    return tick - this.activeTick <= electionTicks;
  }

  hear(tick: number): void {
    this.heardTick = tick;
    this.activeTick = tick;
  }

  /** The connection broke: what was under way is lost, and nothing more is sent until it is heard of again. */
  loseContact(): void {
    this.activeTick = NEVER;
    if (this.snapshot === undefined) {
      this.becomeProbe();
      this.paused = true;
    } else if (this.snapshot.phase === "sent") this.snapshot.tick = NEVER;
  }

  becomeProbe(): void {
    this.next = logIndex(this.match + 1);
    this.#enter("probe");
  }

  becomeReplicate(): void {
    this.next = logIndex(this.match + 1);
    this.#enter("replicate");
  }

  becomeSnapshot(tick: number): void {
    this.#enter("snapshot");
    this.snapshot = { phase: "wanted", offsetBytes: 0, piece: undefined, tick };
  }

  /** An append ending at `lastIndex` was sent in `replicate`. */
  sentTo(lastIndex: LogIndex): void {
    this.next = logIndex(lastIndex + 1);
    this.inflight.add(lastIndex);
  }

  /** It has everything up to `index`. Returns true when that is news. */
  acknowledge(index: LogIndex): boolean {
    const isNews = index > this.match;
    if (isNews) this.match = index;
    if (this.next <= index) this.next = logIndex(index + 1);
    this.inflight.freeTo(index);
    return isNews;
  }

  /**
   * It refused an append after `refusedIndex`; the logs may agree at `agreement`. Returns false when the
   * answer is an old one.
   */
  refuse(refusedIndex: LogIndex, agreement: LogIndex): boolean {
    if (refusedIndex <= this.match || this.state === "snapshot") return false;
    if (this.state === "replicate") {
      this.becomeProbe();
      return true;
    }
    if (this.next - 1 !== refusedIndex) return false;
    this.next = logIndex(Math.max(Math.min(refusedIndex, agreement + 1), this.match + 1));
    this.paused = false;
    return true;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.inflight.clear();
    this.snapshot = undefined;
  }
}

/** What `SnapshotMeta` must be the same for two pieces to belong together. */
export function isSameSnapshot(a: SnapshotMeta, b: SnapshotMeta): boolean {
  return a.index === b.index && a.term === b.term;
}
