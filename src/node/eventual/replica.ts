/**
 * One replica of one partition of an eventual keyspace: takes writes, keeps them, and shows what it has.
 *
 * ```
 *   write ─▶ queue ─▶ own batch ─┐                        ┌▶ merged into the state ─▶ sent to the others
 *                                ├▶ entries of the log ───┤  (in the order of the log) ▶ commands answered
 *   take ──▶ others' batches ────┘   on this disk         └▶ acknowledged
 * ```
 * Invariants, on which safety rests:
 * - Nothing is shown, sent, acknowledged or answered that this disk does not have: the state is as of what is durable.
 * - Entries are merged in the order of the log, so that a restart comes to the same.
 * - One own batch is under way at a time, and its commands see the state and each other: a write is stamped later
 *   than all that its replica has shown of the key, and no number is given to two writes that anybody hears of.
 * - What one command writes is in one batch: it is there as a whole after a crash, or not at all.
 */

import { ByteReader } from "../../codec/byte-reader.js";
import { ByteWriter } from "../../codec/byte-writer.js";
import type { Configuration, Entry, EntryKind } from "../../codec/raft-types.js";
import { decodeCommandFrom, encodeCommand } from "../../commands/encoding.js";
import type { Reply } from "../../commands/reply.js";
import { runCommand } from "../../commands/run.js";
import { Args, type CommandSpec, type KeyValueView } from "../../commands/types.js";
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
import { EventualView } from "./view.js";

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
  specOf(opcode: number): CommandSpec | undefined;
  /** The replica has something to do at the end of this turn. */
  wake(replica: EventualReplica): void;
}

/** Commands that wait, in bytes; and batches of others on their way to the disk. Beyond, no more are taken. */
const QUEUED_BYTES_MAX = 64 * 1024 * 1024;
/** An own batch takes no further command past so many bytes of records and replies. */
const BATCH_BYTES_MAX = 8 * 1024 * 1024;

/** Commands in the order in which they came, as bytes (commands/encoding.ts), and who waits for each. */
class CommandQueue {
  readonly writer = new ByteWriter();
  dones: WriteDone[] = [];
  /** While they are carried out: where the next command begins, and which it is. */
  reader = new ByteReader(EMPTY_BYTES, "commands");
  next = 0;

  get isEmpty(): boolean {
    return this.next === this.dones.length;
  }

  reset(): void {
    this.writer.clear();
    this.dones = [];
    this.next = 0;
  }
}

/** The commands of the batch under way and what they answer once it is on disk. */
interface OwnBatch {
  readonly dones: readonly WriteDone[];
  readonly replies: readonly Reply[];
  /** The write that covers the command; 0 when it wrote nothing. */
  readonly numbers: readonly number[];
  readonly after: number;
  readonly upTo: number;
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
  readonly #args = new Args(EMPTY_BYTES);
  /** Commands gather in `filling` while those of `running` are carried out and under way. */
  #filling = new CommandQueue();
  #running = new CommandQueue();
  #hasOwnUnderway = false;
  /** Batches of others for the next append. */
  #taken: Underway[] = [];
  #takenBytes = 0;
  #underway: Underway[] = [];
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

  /** May answer, and counts for levels. */
  get isComplete(): boolean {
    return this.state.isComplete;
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return (
      this.#filling.isEmpty &&
      this.#running.isEmpty &&
      this.#underway.length === 0 &&
      this.#taken.length === 0
    );
  }

  /**
   * Carries one write out with the turn's others, when no batch is under way; `args` may be reused at once. `done` is
   * called once the outcome is on this disk, or with a `MinikeyError`, when nothing was changed.
   */
  write(spec: CommandSpec, args: Args, done: WriteDone): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      done(refusal, 0);
      return;
    }
    encodeCommand(this.#filling.writer, spec.opcode, args);
    this.#filling.dones.push(done);
    this.#host.wake(this);
  }

  /**
   * Records and vectors of other replicas (eventual/batch.ts, checked by whoever received them): on disk with the
   * turn's others, then merged, then `onMerged`, all in the order in which they were taken. False: nothing was taken,
   * for this disk is too far behind.
   */
  take(batch: Bytes, onMerged: () => void): boolean {
    if (this.#isClosed || this.#takenBytes > QUEUED_BYTES_MAX || this.#host.storageLag() === "far")
      return false;
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

  /** At the end of a turn: carries out what waits, and hands it to the log. */
  flush(): void {
    if (this.#isClosed) return;
    if (!this.#hasOwnUnderway) this.#runCommands();
    const added = this.#taken;
    if (added.length === 0) return;
    this.#taken = [];
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

  /** Nothing is taken any more. What waits is refused, what is under way is answered as unknown. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { own } of [...this.#underway, ...this.#taken]) {
      own?.dones.forEach((done) => done(outcomeUnknown(), 0));
    }
    this.#underway = [];
    this.#taken = [];
    for (const queue of [this.#running, this.#filling]) {
      const waiting = queue.dones.slice(queue.next);
      queue.reset();
      for (const done of waiting) done(nodeStopping(), 0);
    }
    await this.store.close();
  }

  #refusal(): MinikeyError | undefined {
    if (this.#isClosed) return nodeStopping();
    const isFull = this.#filling.writer.length > QUEUED_BYTES_MAX || this.#host.storageLag() !== "none";
    if (!isFull) return undefined;
    return new MinikeyError("OVERLOADED", "the replica of the key's partition has too much to do");
  }

  /** Carries out the commands that wait; what they wrote becomes an entry. */
  #runCommands(): void {
    if (this.#running.isEmpty) this.#startRunning();
    const queue = this.#running;
    if (queue.isEmpty) return;
    const first = queue.next;
    const replies: Reply[] = [];
    const numbers: number[] = [];
    const view = this.#writeView;
    view.begin(this.#host.nowMs());
    while (!queue.isEmpty && view.stagedBytes < BATCH_BYTES_MAX) {
      const before = view.number;
      const opcode = decodeCommandFrom(queue.reader, this.#args);
      const spec = this.#host.specOf(opcode);
      assert(spec !== undefined, "opcode % is no command", opcode);
      replies.push(retainReply(runCommand(spec, view, this.#args)));
      numbers.push(view.number === before ? 0 : view.number);
      queue.next += 1;
    }
    const dones = queue.dones.slice(first, queue.next);
    const own: OwnBatch = { dones, replies, numbers, after: view.numberBefore, upTo: view.number };
    const batch = view.finish();
    if (queue.isEmpty) queue.reset();
    if (batch === undefined) {
      // Nothing was written: what they say is as of what is durable.
      answerAll(own);
      if (!this.#running.isEmpty || !this.#filling.isEmpty) this.#host.wake(this);
      return;
    }
    this.#hasOwnUnderway = true;
    this.#append("command", batch, own, undefined);
  }

  #startRunning(): void {
    const queue = this.#filling;
    this.#filling = this.#running;
    this.#running = queue;
    queue.reader = new ByteReader(queue.writer.bytes, "commands", "INTERNAL", 0, queue.writer.length);
  }

  #append(kind: EntryKind, data: Bytes, own: OwnBatch | undefined, onMerged: (() => void) | undefined): void {
    this.#lastIndex = logIndex(this.#lastIndex + 1);
    this.#taken.push({ entry: { index: this.#lastIndex, term: TERM, kind, data }, own, onMerged });
    this.#takenBytes += data.length;
    this.#host.wake(this);
  }

  /** The next `count` entries under way are on disk. Of a closed replica none are. */
  #onDurable(count: number): void {
    for (const { entry, own, onMerged } of this.#underway.splice(0, count)) {
      this.#takenBytes -= entry.data.length;
      this.state.apply(entry);
      if (own !== undefined) this.#onOwnMerged(entry.data, own);
      onMerged?.();
    }
  }

  #onOwnMerged(batch: Bytes, own: OwnBatch): void {
    this.#hasOwnUnderway = false;
    if (!this.#running.isEmpty || !this.#filling.isEmpty) this.#host.wake(this);
    this.#host.events.onWritten(this, batch, own.after, own.upTo);
    answerAll(own);
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

function answerAll({ dones, replies, numbers }: OwnBatch): void {
  for (let i = 0; i < dones.length; i += 1) dones[i](replies[i], numbers[i]);
}

function outcomeUnknown(): MinikeyError {
  return new MinikeyError(
    "OUTCOME_UNKNOWN",
    "the replica was closed before it knew that the write is on its disk",
  );
}
