/**
 * One replica of one partition of an eventual keyspace: takes writes, keeps them, and shows what it has.
 *
 * ```
 *   write ──▶ the turn's batch ──┐                        ┌▶ merged into the state ─▶ sent to the others
 *                                ├▶ entries of the log ───┤  (in the order of the log) ▶ commands answered
 *   take ───▶ others' batches ───┘   on this disk         └▶ acknowledged
 * ```
 * Invariants, on which safety rests:
 * - Nothing is shown, sent, acknowledged or answered that this disk does not have: the state is as of what is durable.
 * - Entries are merged in the order of the log, so that a restart comes to the same.
 * - Commands that write see the state and what was written before them, on disk or on the way there: a write is stamped
 *   later than all that its replica has shown of the key. Since entries come to the disk in their order, no number is
 *   given to two writes that anybody hears of.
 * - What one command writes is in one batch: it is there as a whole after a crash, or not at all.
 */

import type { Configuration, Entry, EntryKind } from "../../codec/raft-types.js";
import { OK, type Reply } from "../../commands/reply.js";
import { runCommand } from "../../commands/run.js";
import type { Args, CommandSpec, KeyValueView } from "../../commands/types.js";
import { assert } from "../../core/assert.js";
import { type Bytes, EMPTY_BYTES } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { HybridClock } from "../../core/hybrid-clock.js";
import { type GroupId, type LogIndex, logIndex, type ReplicaId, term } from "../../core/ids.js";
import { BatchReader, BatchWriter } from "../../eventual/batch.js";
import { writesOf } from "../../eventual/merge.js";
import { readEventual } from "../../eventual/record.js";
import type { Dot } from "../../eventual/types.js";
import type { GroupStore } from "../../ports/storage-engine.js";
import type { RecoveredGroup, WriteAheadLog } from "../../storage/log/types.js";
import type { StorageLag } from "../checkpoints.js";
import { nodeStopping } from "../refusal.js";
import { retainReply } from "../retain-reply.js";
import type { CommandReplica, WriteDone } from "./parts.js";
import { EventualState } from "./state.js";
import { EventualView, type StagedBatch } from "./view.js";

/** What a replica tells the rest of its node. */
export interface ReplicaEvents {
  /** An own batch (eventual/batch.ts) with the writes after `after` up to `upTo` is on disk and merged. */
  onWritten(replica: EventualReplica, batch: Bytes, after: number, upTo: number): void;
}

/** What a replica needs of its node. */
export interface ReplicaHost {
  readonly log: WriteAheadLog;
  /** The node's one clock for stamps. */
  readonly stamps: HybridClock;
  /** Own writes remembered for replicas that are away. */
  readonly hintsMax: number;
  readonly events: ReplicaEvents;
  /** The cluster's time, in milliseconds since 1970. */
  nowMs(): number;
  /** Whether the group is still to have this replica. */
  isCurrent(group: GroupId, replica: ReplicaId): boolean;
  /** How far this node's disk is behind the writes. */
  storageLag(): StorageLag;
  /** The replica has something to do at the end of this turn. */
  wake(replica: EventualReplica): void;
}

/** On the way to the disk. Beyond, nothing more is taken. */
const UNDERWAY_BYTES_MAX = 64 * 1024 * 1024;
/** A batch of so many bytes is closed, and the turn's next one begun. */
const BATCH_BYTES_MAX = 1024 * 1024;

/** Commands that are answered once a batch is on disk. */
class OwnBatch {
  readonly dones: WriteDone[] = [];
  readonly replies: Reply[] = [];
  /** The write that covers the command; 0 when it wrote nothing. */
  readonly numbers: number[] = [];
  staged: StagedBatch | undefined;

  add(done: WriteDone, reply: Reply, number: number): void {
    this.dones.push(done);
    this.replies.push(reply);
    this.numbers.push(number);
  }

  answer(): void {
    const { dones, replies, numbers } = this;
    for (let i = 0; i < dones.length; i += 1) dones[i](replies[i], numbers[i]);
  }

  refuse(error: MinikeyError): void {
    for (const done of this.dones) done(error, 0);
  }
}

/** An entry on its way to the disk. */
interface Underway {
  readonly entry: Entry;
  readonly own: OwnBatch | undefined;
  readonly onMerged: (() => void) | undefined;
}

export interface OpenOptions {
  readonly group: GroupId;
  readonly self: ReplicaId;
  /** Among the replicas that the keyspace began with: an empty disk lacks nothing. */
  readonly isFounder: boolean;
  readonly store: GroupStore;
  readonly recovered: RecoveredGroup | undefined;
  readonly valueBytesMax: number;
}

const TERM = term(1);

export class EventualReplica implements CommandReplica {
  readonly group: GroupId;
  readonly self: ReplicaId;
  readonly store: GroupStore;
  readonly state: EventualState;
  /** Set while the node has this replica in its list of those with something to do. */
  isAwake = false;
  readonly #host: ReplicaHost;
  readonly #readView: EventualView;
  readonly #writeView: EventualView;
  /** Of this turn's commands. */
  #filling = new OwnBatch();
  /** The last one that was handed to the log, until it is on disk. */
  #lastOwn: OwnBatch | undefined;
  /** For the next append. */
  #added: Underway[] = [];
  #underway: Underway[] = [];
  /** Of both. */
  #underwayBytes = 0;
  /** Of the last entry appended. */
  #lastIndex: LogIndex;
  /** The log does not reach as far as the store: the next append makes it begin there. */
  #startsAfter: LogIndex | undefined;
  #isClosed = false;

  /** Takes up where the store's last durable state is, and merges what the log holds after it. */
  constructor(options: OpenOptions, host: ReplicaHost) {
    const { group, self, store, recovered, isFounder, valueBytesMax } = options;
    this.group = group;
    this.self = self;
    this.store = store;
    this.#host = host;
    this.state = new EventualState(store, self, isFounder, host.hintsMax);
    this.#lastIndex = this.#replay(recovered);
    host.stamps.resumeAt(this.state.latestStamp);
    this.#readView = new EventualView(this.state, host.stamps, valueBytesMax);
    this.#writeView = new EventualView(this.state, host.stamps, valueBytesMax);
    store.onCheckpoint(() => this.state.capture(host.stamps.last));
  }

  /** The number that own writes have come to, those included that are not on the disk yet. */
  get given(): number {
    return this.#writeView.number;
  }

  /** May answer, and counts for levels. */
  get isComplete(): boolean {
    return this.state.isComplete;
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return this.#filling.dones.length === 0 && this.#underway.length === 0 && this.#added.length === 0;
  }

  /**
   * Carries one write out; `args` may be reused at once. `done` is called once the outcome is on this disk, or with a
   * `MinikeyError`, when nothing was changed.
   */
  write(spec: CommandSpec, args: Args, done: WriteDone): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      done(refusal, 0);
      return;
    }
    const view = this.#writeView;
    const before = view.number;
    view.nowMs = this.#host.nowMs();
    const reply = runCommand(spec, view, args);
    const { number } = view;
    if (number === before) {
      this.#answerUnwritten(reply, done);
      return;
    }
    // A slice may lie in the engine's memory, which changes.
    const kept = reply === OK || typeof reply !== "object" ? reply : retainReply(reply);
    this.#filling.add(done, kept, number);
    if (view.stagedBytes > BATCH_BYTES_MAX) this.#closeBatch();
    this.#host.wake(this);
  }

  /**
   * Records and vectors of other replicas (eventual/batch.ts, checked by whoever received them): on disk with the
   * turn's others, then merged, then `onMerged`, all in the order in which they were taken. False: nothing was taken,
   * for this disk is too far behind.
   */
  take(batch: Bytes, onMerged: () => void): boolean {
    if (this.#isClosed || this.#isFull || this.#host.storageLag() === "far") return false;
    this.#append("command", batch, undefined, onMerged);
    return true;
  }

  /**
   * Records that a read has found on other replicas. What comes of a replica that is gone may have been deleted, and
   * the deletion dropped: only the others' own ways know. So of such a write nothing is taken that was not here before.
   */
  repair(batch: Bytes): boolean {
    const known = this.#withoutStrangers(batch);
    return known !== undefined && this.take(known, ignore);
  }

  #withoutStrangers(batch: Bytes): Bytes | undefined {
    const { vector } = this.state;
    const isKnown = (dot: Dot) => vector.has(dot) || this.#host.isCurrent(this.group, dot.origin);
    const kept = new BatchWriter();
    const reader = new BatchReader(batch);
    while (reader.next()) if (writesOf(readEventual(reader)).every(isKnown)) kept.stored(reader.key, reader);
    return kept.records === 0 ? undefined : kept.take();
  }

  /** From now on the replica answers: it has all that was ever answered at `quorum`. */
  becomeComplete(): void {
    if (!this.#isClosed) this.#append("noop", EMPTY_BYTES, undefined, undefined);
  }

  /** What is durable here, as of `nowMs`; valid until the next write. */
  viewAt(nowMs: number): KeyValueView {
    this.#readView.nowMs = nowMs;
    return this.#readView;
  }

  /** At the end of a turn: hands to the log what was written and taken in it. */
  flush(): void {
    if (this.#isClosed) return;
    this.#closeBatch();
    const added = this.#added;
    if (added.length === 0) return;
    this.#added = [];
    for (const each of added) this.#underway.push(each);
    const startsAfter = this.#startsAfter;
    this.#startsAfter = undefined;
    this.#host.log.append(
      {
        group: this.group,
        hardState: undefined,
        entries: added.map(({ entry }) => entry),
        snapshot: startsAfter === undefined ? undefined : this.#meta(startsAfter),
      },
      () => this.#onDurable(added.length),
    );
  }

  /** A checkpoint has made the store durable: a restart needs nothing that comes before it in the log. */
  onCheckpointed(): void {
    const durable = this.store.durableIndex();
    if (durable > 0) this.#host.log.compact(this.group, this.#meta(durable));
  }

  /** Nothing is taken any more. What the log has not got is refused, what is under way is answered as unknown. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const [underway, added, filling] = [this.#underway, this.#added, this.#filling];
    this.#underway = [];
    this.#added = [];
    this.#filling = new OwnBatch();
    for (const { own } of underway) own?.refuse(outcomeUnknown());
    for (const { own } of added) own?.refuse(nodeStopping());
    filling.refuse(nodeStopping());
    await this.store.close();
  }

  get #isFull(): boolean {
    return this.#underwayBytes + this.#writeView.stagedBytes > UNDERWAY_BYTES_MAX;
  }

  #refusal(): MinikeyError | undefined {
    if (this.#isClosed) return nodeStopping();
    if (!this.#isFull && this.#host.storageLag() === "none") return undefined;
    return new MinikeyError("OVERLOADED", "the replica of the key's partition has too much to do");
  }

  /** A command wrote nothing: what it says may come of what is not on disk yet, and waits for that. */
  #answerUnwritten(reply: Reply, done: WriteDone): void {
    const last = this.#writeView.stagedBytes > 0 ? this.#filling : this.#lastOwn;
    if (last === undefined) done(reply, 0);
    else last.add(done, retainReply(reply), 0);
  }

  /** What this turn's commands wrote so far becomes an entry. */
  #closeBatch(): void {
    const staged = this.#writeView.take();
    if (staged?.bytes === undefined) return;
    const own = this.#filling;
    own.staged = staged;
    this.#filling = new OwnBatch();
    this.#lastOwn = own;
    this.#append("command", staged.bytes, own, undefined);
  }

  #append(kind: EntryKind, data: Bytes, own: OwnBatch | undefined, onMerged: (() => void) | undefined): void {
    this.#lastIndex = logIndex(this.#lastIndex + 1);
    this.#added.push({ entry: { index: this.#lastIndex, term: TERM, kind, data }, own, onMerged });
    this.#underwayBytes += data.length;
    this.#host.wake(this);
  }

  /** The next `count` entries under way are on disk. Of a closed replica none are. */
  #onDurable(count: number): void {
    for (const { entry, own, onMerged } of this.#underway.splice(0, count)) {
      this.#underwayBytes -= entry.data.length;
      this.state.apply(entry);
      if (own !== undefined) this.#onOwnMerged(entry.data, own);
      else this.#host.stamps.observe(this.state.othersStamp, this.#host.nowMs());
      onMerged?.();
    }
  }

  #onOwnMerged(batch: Bytes, own: OwnBatch): void {
    const { staged } = own;
    assert(staged !== undefined, "group %: an own batch was staged", this.group);
    this.#writeView.onMerged(staged);
    if (this.#lastOwn === own) this.#lastOwn = undefined;
    this.#host.events.onWritten(this, batch, staged.after, staged.upTo);
    own.answer();
  }

  /** Returns the last index. Throws `DATA_CORRUPT` when there is a gap between store and log. */
  #replay(recovered: RecoveredGroup | undefined): LogIndex {
    const restored = this.store.restored?.index ?? logIndex(0);
    const logStart = recovered?.snapshot.index ?? logIndex(0);
    const entries = recovered?.entries ?? [];
    if (restored < logStart) {
      throw new MinikeyError(
        "DATA_CORRUPT",
        `group ${this.group}: the log starts after entry ${logStart}, but the store ends at ${restored}`,
      );
    }
    for (const entry of entries) if (entry.index > restored) this.state.apply(entry);
    const logEnd = logIndex(logStart + entries.length);
    if (logEnd >= restored) return logEnd;
    this.#startsAfter = restored;
    return restored;
  }

  #meta(index: LogIndex): { index: LogIndex; term: typeof TERM; configuration: Configuration } {
    return {
      index,
      term: TERM,
      configuration: { voters: [this.self], votersOutgoing: [], learners: [] },
    };
  }
}

const ignore = (): void => undefined;

function outcomeUnknown(): MinikeyError {
  return new MinikeyError(
    "OUTCOME_UNKNOWN",
    "the replica was closed before it knew that the write is on its disk",
  );
}
