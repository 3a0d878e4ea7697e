/**
 * One replica of one consensus group: the Raft core, the state machine and the store, and what runs between
 * them in a turn of the event loop.
 *
 * Order of things, on which safety rests: an `Append` is handed to the write-ahead log before anything later
 * of the same group is; its messages leave, and the core hears of it, only once it is on disk. A leader's own
 * appends to followers leave at once, while its disk writes (dissertation §10.2.1). Entries are applied only
 * when they are committed and on this replica's disk.
 */
import { decodeConfiguration } from "../codec/raft-entry.js";
import type { Message, SnapshotMeta } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import type { Bytes } from "../core/bytes.js";
import { type GroupId, type LogIndex, logIndex, type ReplicaId } from "../core/ids.js";
import type { Logger } from "../ports/logger.js";
import type { AppliedState, GroupStore } from "../ports/storage-engine.js";
import type { Append, ProposeResult, RaftCore, Ready } from "../raft/types.js";
import type { WriteAheadLog } from "../storage/log/types.js";
import { stampBatch } from "./batch.js";
import type { AppliedBatch, PartitionMachine } from "./partition-machine.js";
import { SnapshotReceiver } from "./snapshot-receiver.js";
import { SnapshotSender } from "./snapshot-sender.js";

/** What a group needs of its node. */
export interface GroupHost {
  readonly log: WriteAheadLog;
  readonly logger: Logger;
  wallMs(): number;
  sendMessage(group: ReplicaGroup, message: Message): void;
  /** The group has something to do in this turn. */
  wake(group: ReplicaGroup): void;
  onApplied(group: ReplicaGroup, batch: AppliedBatch, index: LogIndex): void;
  onRoleChange(group: ReplicaGroup): void;
  /** A snapshot has replaced the state: nothing is known of the entries it covers. */
  onInstalled(group: ReplicaGroup): void;
  /** The disk failed: the node must stop. */
  onDiskFailure(error: unknown): void;
}

/** Told once whether a read may be carried out: everything committed before it was asked for is applied here. */
export type ReadReady = (confirmed: boolean) => void;

/** Entry bytes kept in memory for a follower that can be heard but is behind; past it, it gets a snapshot. */
const LOG_BYTES_KEPT = 4 * 1024 * 1024;

export class ReplicaGroup {
  readonly id: GroupId;
  /** Who this replica is in its group. */
  readonly replica: ReplicaId;
  readonly core: RaftCore;
  readonly machine: PartitionMachine;
  readonly store: GroupStore;
  /** Set while the node has this group in its list of groups to process. */
  isAwake = false;
  readonly #host: GroupHost;
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;
  /** What the latest checkpoint was asked to hold. */
  #checkpointed: SnapshotMeta | undefined;
  #trimmedTo: LogIndex = logIndex(0);
  #nextRead = 1;
  /** Wait for the next append to be durable. */
  #recordedWaiters: (() => void)[] = [];
  /** Confirmation asked for, by context. */
  readonly #unconfirmed = new Map<number, ReadReady>();
  /** Confirmed at an index that is not applied yet; in order of index. */
  #waiting: { readonly index: LogIndex; readonly ready: ReadReady }[] = [];

  constructor(id: GroupId, core: RaftCore, machine: PartitionMachine, store: GroupStore, host: GroupHost) {
    this.id = id;
    this.replica = core.status().id;
    this.core = core;
    this.machine = machine;
    this.store = store;
    this.#host = host;
    this.#sender = new SnapshotSender(this, host);
    this.#receiver = new SnapshotReceiver(this, host);
  }

  get isLeader(): boolean {
    return this.core.role === "leader";
  }

  /** True while a snapshot is replacing the state: reads here would wait for long. */
  get isInstalling(): boolean {
    return this.#receiver.isActive;
  }

  step(message: Message): void {
    this.core.step(message);
    this.#host.wake(this);
  }

  tick(): void {
    this.core.tick();
    if (this.core.hasReady()) this.#host.wake(this);
  }

  /** Proposes a batch with this leader's time. */
  propose(batch: Bytes): ProposeResult {
    stampBatch(batch, Math.max(this.#host.wallMs(), this.machine.timeMs));
    const result = this.core.propose(batch);
    this.#host.wake(this);
    return result;
  }

  /** Resolves once the log says what is known here to be committed: a restart applies all of that before anything else. */
  async recordCommitted(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#recordedWaiters.push(resolve);
      this.core.recordCommit();
      this.#host.wake(this);
    });
  }

  /** Calls `ready` once everything that was committed when this was called has been applied here. */
  awaitReadable(ready: ReadReady): void {
    const context = this.#nextRead;
    this.#nextRead += 1;
    this.#unconfirmed.set(context, ready);
    this.core.readIndex(context);
    this.#host.wake(this);
  }

  /** Carries out what the core asks for, until it asks for nothing more in this turn. */
  advance(): void {
    while (this.core.hasReady()) this.#handle(this.core.ready());
  }

  /** Whether followers are on their way here by a snapshot. */
  get sendsSnapshots(): boolean {
    return this.#sender.isNeeded;
  }

  /** A checkpoint has made the store durable: a restart needs nothing that comes before it in the log. */
  onCheckpointed(): void {
    const durable = this.store.durableIndex();
    const covered = this.#checkpointed;
    if (durable === 0 || covered?.index !== durable) return;
    // As in memory: who does not know the members has no snapshot for those who need what was dropped.
    if (covered.configuration.voters.length > 0) this.#host.log.compact(this.id, covered);
  }

  /**
   * Lets go of what was applied, but for the newest `bytesKept` of the log, and what followers will soon need:
   * up to `snapshotBytesMax` for each of those to whom a snapshot is under way.
   */
  trimLog(bytesKept: number, snapshotBytesMax: number): void {
    const upTo = logIndex(Math.min(this.machine.appliedIndex, this.core.indexBefore(bytesKept)));
    if (upTo <= this.#trimmedTo) return;
    this.#trimmedTo = this.isLeader ? this.#keptFrom(upTo, snapshotBytesMax) : upTo;
    this.core.compact(this.#trimmedTo);
  }

  /** Followers that are a little behind get the rest from the log, and so do those with a snapshot under way. */
  #keptFrom(upTo: LogIndex, snapshotBytesMax: number): LogIndex {
    let keptFrom = upTo;
    for (const { id, match, recentlyActive } of this.core.status().progress) {
      const sent = this.#sender.sentTo(id, match, upTo);
      const index = sent ?? match;
      if (index >= upTo || (sent === undefined && !recentlyActive)) continue;
      const lackedBytes = this.core.logBytesAfter(index);
      const bytesMax = sent === undefined ? LOG_BYTES_KEPT : this.#sender.logBytesMax(id, snapshotBytesMax);
      if (lackedBytes <= bytesMax) keptFrom = logIndex(Math.min(keptFrom, index));
      else if (sent !== undefined) this.#sender.giveUp(id, lackedBytes);
    }
    return keptFrom;
  }

  /** Called by the store at the start of a checkpoint. */
  capture(): AppliedState {
    this.#receiver.adoptInstalled();
    const applied = this.machine.capture();
    this.#checkpointed = {
      index: applied.index,
      term: applied.term,
      configuration: this.machine.configuration,
    };
    return applied;
  }

  async close(): Promise<void> {
    this.failReads();
    this.#sender.close();
    await this.#receiver.close();
    await this.store.close();
  }

  /** Gives up all reads under way: whoever asked tries again elsewhere. */
  failReads(): void {
    const unconfirmed = [...this.#unconfirmed.values()];
    const waiting = this.#waiting;
    this.#unconfirmed.clear();
    this.#waiting = [];
    for (const ready of unconfirmed) ready(false);
    for (const { ready } of waiting) ready(false);
  }

  #handle(ready: Ready): void {
    for (const message of ready.messages) this.#host.sendMessage(this, message);
    if (ready.append !== undefined) this.#append(ready.append);
    if (ready.committed.length > 0) this.#apply(ready);
    for (const read of ready.readStates) this.#onReadState(read.context, read.index);
    for (const read of ready.snapshotReads) this.#sender.read(read);
    for (const write of ready.snapshotWrites) this.#receiver.write(write);
    if (ready.roleChange !== undefined) this.#host.onRoleChange(this);
  }

  /** From time to time: snapshots are let go of that nobody waits for any more. */
  sweep(): void {
    this.#sender.sweep();
  }

  #append(append: Append): void {
    const { hardState, entries, snapshot } = append;
    const waiters = this.#recordedWaiters;
    if (waiters.length > 0) this.#recordedWaiters = [];
    this.#host.log.append({ group: this.id, hardState, entries, snapshot }, () => {
      for (const recorded of waiters) recorded();
      for (const message of append.messages) this.#host.sendMessage(this, message);
      this.core.appended(append.number);
      this.#host.wake(this);
    });
  }

  #apply(ready: Ready): void {
    let last = this.machine.appliedIndex;
    for (const entry of ready.committed) {
      if (entry.kind === "command") {
        this.#host.onApplied(this, this.machine.apply(entry), entry.index);
      } else {
        this.machine.skip(entry, entry.kind === "config" ? decodeConfiguration(entry.data) : undefined);
      }
      last = entry.index;
    }
    this.core.applied(last);
    this.#receiver.onApplied();
    this.#releaseReads();
  }

  #onReadState(context: number, index: LogIndex): void {
    const ready = this.#unconfirmed.get(context);
    assert(ready !== undefined, "group %: no read % is under way", this.id, context);
    this.#unconfirmed.delete(context);
    if (index === 0) ready(false);
    else if (index <= this.machine.appliedIndex) ready(true);
    else this.#insertWaiting(index, ready);
  }

  #insertWaiting(index: LogIndex, ready: ReadReady): void {
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1].index > index) at -= 1;
    this.#waiting.splice(at, 0, { index, ready });
  }

  #releaseReads(): void {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count].index <= this.machine.appliedIndex)
      count += 1;
    if (count === 0) return;
    for (const { ready } of this.#waiting.splice(0, count)) ready(true);
  }

  /** After a snapshot was installed. */
  onInstalled(): void {
    this.#releaseReads();
    this.#host.onInstalled(this);
  }

  reportUnreachable(member: ReplicaId): void {
    this.core.reportUnreachable(member);
    this.#host.wake(this);
  }
}
