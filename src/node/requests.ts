/**
 * Carries reads and writes to the partitions, wherever they are led, and answers those that other nodes pass on.
 */
import type { Reply } from "../commands/reply.js";
import type { Args, CommandSpec } from "../commands/types.js";
import { assert } from "../core/assert.js";
import type { Bytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { GroupId, LogIndex, NodeId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Random } from "../ports/random.js";
import { AwaitedByAll } from "./awaited-by-all.js";
import { type BatchLevel, readBatchHeader } from "./batch.js";
import type { ReplySink, RequestContext } from "./database.js";
import { LostGroups } from "./lost-groups.js";
import { makeArgs, type NodeCommandSpec, PURGE } from "./node-commands.js";
import { OwnReads } from "./own-reads.js";
import type { AppliedBatch } from "./partition-machine.js";
import { PartitionReader, type ReaderHost, type ReadGuarantee } from "./partition-reader.js";
import { PartitionWriter, type WriterHost } from "./partition-writer.js";
import { checkPeerBatch, decodePeerReads } from "./peer-commands.js";
import {
  encodeReadFrame,
  encodeReadResultFrame,
  encodeWriteFrame,
  encodeWriteResultFrame,
  type PeerFrame,
} from "./peer-frames.js";
import { answer } from "./pending.js";
import { Proposals, type ProposalsHost } from "./proposals.js";
import { nodeStopping, type Sending } from "./refusal.js";
import type { ReplicaGroup } from "./replica-group.js";
import { retainReply } from "./retain-reply.js";

/** What the requests need of their node. */
export interface RequestsHost extends ProposalsHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly requestTimeoutMs: number;
  /** The longest value that a transaction may write. */
  readonly valueBytesMax: number;
  /** The node that leads the group, as far as this one knows. */
  leaderOf(group: GroupId): NodeId | undefined;
  /** Nodes that hold the group, for stale reads. */
  holdersOf(group: GroupId): readonly NodeId[];
  specOf(opcode: number): CommandSpec | undefined;
  /** The replicas on this node. */
  replicas(): IterableIterator<ReplicaGroup>;
  /** False for a group of a keyspace that is not (or no longer) in the map. */
  exists(group: GroupId): boolean;
  scheduleTurn(): void;
}

/** Sessions of other nodes remembered at most; a forgotten one is learnt again with its next batch. */
const ORIGINS_MAX = 4096;
/** Left of the request's time when a leader gives up waiting for all replicas. */
const ALL_MARGIN_MS = 300;

export class Requests implements WriterHost, ReaderHost {
  readonly requestTimeoutMs: number;
  readonly valueBytesMax: number;
  /** Lookups over partitions that have a replica here, if anybody asks for such. */
  ownReads: OwnReads | undefined;
  readonly #host: RequestsHost;
  readonly #writers = new Map<GroupId, PartitionWriter>();
  /** For what ends transactions: it must not wait behind writes that wait for these transactions. */
  readonly #ownWriters = new Map<GroupId, PartitionWriter>();
  readonly #readers = new Map<GroupId, PartitionReader>();
  readonly #writerOfSession = new Map<number, PartitionWriter>();
  /** Which node a session of another node belongs to: where the results go. */
  readonly #originOfSession = new Map<number, NodeId>();
  readonly #readerOfRequest = new Map<number, PartitionReader>();
  readonly #awaitedByAll: AwaitedByAll;
  readonly #proposals: Proposals;
  readonly #lost = new LostGroups();
  #awakeWriters: PartitionWriter[] = [];
  #awakeReaders: (PartitionReader | OwnReads)[] = [];
  /** Not from 1 on: an answer to what this node asked before it was restarted may come yet. */
  #nextRequest: number;
  #isClosed = false;

  constructor(host: RequestsHost) {
    this.#host = host;
    this.requestTimeoutMs = host.requestTimeoutMs;
    this.#nextRequest = host.random.below(2 ** 47);
    this.valueBytesMax = host.valueBytesMax;
    this.#proposals = new Proposals(host);
    this.#awaitedByAll = new AwaitedByAll(host.clock, host.requestTimeoutMs - ALL_MARGIN_MS, (group, batch) =>
      this.#deliver(group, batch),
    );
  }

  // --- What commands ask for ---

  write(
    group: GroupId,
    opcode: number,
    args: Args,
    level: BatchLevel,
    sink: ReplySink,
    context: RequestContext | undefined,
  ): void {
    const writer = this.#writers.get(group) ?? this.#newWriter(this.#writers, group);
    if (writer === undefined) answer(sink, context, this.#refusal());
    else writer.submit(opcode, args, level, sink, context);
  }

  /** A command of the node itself, which ignores locks. In order with others of its kind, not with `write`. */
  writeOwn(group: GroupId, command: NodeCommandSpec, args: Args, level: BatchLevel, sink: ReplySink): void {
    assert(command.ignoresLocks, "% may meet a lock", command.name);
    const writer = this.#ownWriters.get(group) ?? this.#newWriter(this.#ownWriters, group);
    if (writer === undefined) sink.onReply(this.#refusal());
    else writer.submit(command.opcode, args, level, sink, undefined);
  }

  read(
    group: GroupId,
    spec: CommandSpec,
    args: Args,
    guarantee: ReadGuarantee,
    sink: ReplySink,
    context: RequestContext | undefined,
  ): void {
    const reader = this.#readers.get(group) ?? this.#newReader(group);
    if (reader === undefined) answer(sink, context, this.#refusal());
    else reader.submit(spec, args, guarantee, sink, context);
  }

  /** Writes that this node's replica of the group has applied, all of them committed; undefined without one. */
  appliedRevision(group: GroupId): number | undefined {
    return this.#host.replica(group)?.machine.view.revision;
  }

  /** Keyspaces may have been dropped: whoever waits for their groups is told. */
  closeDropped(): void {
    for (const group of this.#openGroups()) if (!this.#host.exists(group)) this.#closeGroup(group);
  }

  #closeGroup(group: GroupId): void {
    const open = [this.#writers.get(group), this.#ownWriters.get(group), this.#readers.get(group)];
    // Commands that wait for those answered here start now: they must find nothing to wait in.
    this.#writers.delete(group);
    this.#ownWriters.delete(group);
    this.#readers.delete(group);
    this.#awaitedByAll.forget(group);
    this.#lost.forget(group);
    for (const each of open) each?.close(this.#refusal());
  }

  // --- The turn ---

  /** Commands on partitions not answered yet. */
  get pending(): number {
    let pending = 0;
    for (const writer of this.#writers.values()) pending += writer.pending;
    for (const writer of this.#ownWriters.values()) pending += writer.pending;
    for (const reader of this.#readers.values()) pending += reader.pending;
    return pending + (this.ownReads?.pending ?? 0);
  }

  flush(): void {
    const readers = this.#awakeReaders;
    this.#awakeReaders = [];
    for (const reader of readers) {
      reader.isAwake = false;
      reader.flush();
    }
    const writers = this.#awakeWriters;
    this.#awakeWriters = [];
    for (const writer of writers) {
      writer.isAwake = false;
      writer.flush();
    }
  }

  sweep(): void {
    this.#noteLost();
    for (const writer of this.#allWriters()) writer.sweep();
    for (const reader of this.#readers.values()) reader.sweep();
    this.ownReads?.sweep();
    this.#awaitedByAll.sweep();
  }

  /** The group has a leader that it had not, or one can be reached again. */
  onLeaderFound(group: GroupId): void {
    this.#writers.get(group)?.onLeaderFound();
    this.#ownWriters.get(group)?.onLeaderFound();
    this.#readers.get(group)?.onLeaderFound();
  }

  /** A peer can be reached again: with it perhaps a leader, or the majority that one needs. */
  onPeerUp(peer: NodeId): void {
    for (const group of this.#openGroups()) {
      const leader = this.#host.leaderOf(group);
      if (leader === peer || leader === this.#host.self) this.onLeaderFound(group);
    }
  }

  /** The node stops: everything unanswered is answered, and everything asked from now on refused. */
  close(): void {
    this.#isClosed = true;
    for (const group of this.#openGroups()) this.#closeGroup(group);
    this.ownReads?.close();
  }

  /** True when nothing asked of this node is under way. */
  get isIdle(): boolean {
    if (this.pending > 0) return false;
    for (const writer of this.#allWriters()) if (!writer.isIdle) return false;
    return true;
  }

  // --- What a group reports ---

  onApplied(group: ReplicaGroup, batch: AppliedBatch, index: LogIndex): void {
    const hasReplies = batch.status === "applied" || batch.status === "blocked";
    if (batch.level === "majority" || !hasReplies) {
      if (group.isLeader || this.#writerOfSession.has(batch.session)) this.#deliver(group.id, batch);
      return;
    }
    // Only the leader knows how far the others are.
    if (group.isLeader) this.#awaitedByAll.add(group, batch, index);
  }

  /** Followers may have come further. */
  onProgress(group: ReplicaGroup): void {
    this.#awaitedByAll.onProgress(group);
  }

  // --- What other nodes ask and answer ---

  onFrame(from: NodeId, frame: Exclude<PeerFrame, { type: "raft" | "note" | "sync" | "request" }>): void {
    switch (frame.type) {
      case "write":
        this.#onWrite(from, frame.group, frame.batch);
        break;
      case "write-result":
        this.#onWriteResult(frame);
        break;
      case "read":
        this.#onRead(from, frame);
        break;
      case "read-result": {
        const reader = this.#readerOfRequest.get(frame.request);
        this.#readerOfRequest.delete(frame.request);
        reader?.onRemoteResult(frame.request, frame.replies);
        break;
      }
    }
  }

  #onWrite(from: NodeId, group: GroupId, batch: Bytes): void {
    const { session, sequence } = readBatchHeader(batch);
    checkPeerBatch(batch, this.#host.writeSpecOf);
    this.#originOfSession.delete(session);
    this.#originOfSession.set(session, from);
    if (this.#originOfSession.size > ORIGINS_MAX) {
      const [oldest] = this.#originOfSession.keys();
      this.#originOfSession.delete(oldest);
    }
    const status = this.#proposals.propose(group, batch);
    if (status !== "proposed") {
      this.#host.transport.send(from, encodeWriteResultFrame(group, session, sequence, status, []));
    }
  }

  #onWriteResult(frame: Extract<PeerFrame, { type: "write-result" }>): void {
    const { session, sequence, status, replies } = frame;
    const writer = this.#writerOfSession.get(session);
    if (writer === undefined) return;
    if (status === "overloaded") writer.onRefused(session, sequence, status);
    else if (status === "not-leader") writer.onRefused(session, sequence, "unreachable");
    else writer.onResult({ session, sequence, status, replies });
  }

  #onRead(from: NodeId, frame: Extract<PeerFrame, { type: "read" }>): void {
    const { group, request } = frame;
    const send = (replies: readonly Reply[] | undefined) => {
      this.#host.transport.send(from, encodeReadResultFrame(group, request, replies));
    };
    if (this.#host.replica(group) === undefined || this.#isClosed) {
      send(undefined);
      return;
    }
    const commands = decodePeerReads(frame.commands, (opcode) => this.#host.specOf(opcode));
    const replies: Reply[] = Array.from({ length: commands.length }, () => null);
    let open = commands.length;
    commands.forEach(({ spec, args }, i) => {
      const onReply = (reply: Reply) => {
        replies[i] = retainReply(reply);
        open -= 1;
        if (open === 0) send(replies);
      };
      this.read(group, spec, args, frame.guarantee, { onReply }, undefined);
    });
  }

  // --- For writers and readers ---

  monotonicMs(): number {
    return this.#host.clock.monotonicMs();
  }

  wallMs(): number {
    return this.#host.clock.wallMs();
  }

  replica(group: GroupId): ReplicaGroup | undefined {
    return this.#host.replica(group);
  }

  newSession(): number {
    return 1 + this.#host.random.below(2 ** 48 - 1);
  }

  sessionOpened(session: number, writer: PartitionWriter): void {
    this.#writerOfSession.set(session, writer);
  }

  sessionClosed(session: number): void {
    this.#writerOfSession.delete(session);
  }

  isLost(group: GroupId): boolean {
    return this.#lost.isLost(group, this.#host.clock.monotonicMs());
  }

  sendBatch(group: GroupId, batch: Bytes): Sending {
    if (this.#host.replica(group)?.isLeader === true) {
      const status = this.#proposals.propose(group, batch);
      if (status === "proposed") return "sent";
      return status === "overloaded" ? status : "unreachable";
    }
    const leader = this.#host.leaderOf(group);
    return leader === undefined ? "unreachable" : this.#send(leader, encodeWriteFrame(group, batch));
  }

  sendReads(group: GroupId, request: number, guarantee: ReadGuarantee, commands: Bytes): Sending {
    const { transport } = this.#host;
    const leader = this.#host.leaderOf(group);
    const holders = guarantee === "stale" ? this.#host.holdersOf(group) : [];
    const target = [leader, ...holders].find((node) => node !== undefined && transport.isUp(node));
    if (target === undefined) return "unreachable";
    return this.#send(target, encodeReadFrame(group, request, guarantee, commands));
  }

  #send(to: NodeId, frame: readonly Uint8Array[]): Sending {
    const { transport } = this.#host;
    if (transport.send(to, frame)) return "sent";
    return transport.isUp(to) ? "overloaded" : "unreachable";
  }

  newRequest(reader: PartitionReader): number {
    const request = this.#nextRequest;
    this.#nextRequest += 1;
    this.#readerOfRequest.set(request, reader);
    if (this.#readerOfRequest.size > ORIGINS_MAX) {
      const [oldest] = this.#readerOfRequest.keys();
      this.#readerOfRequest.delete(oldest);
    }
    return request;
  }

  purge(group: GroupId, args: Args, keyPosition: number, done: (reply: Reply) => void): void {
    const key = args.key(keyPosition);
    const purge = makeArgs([PURGE.name, key]);
    this.writeOwn(group, PURGE, purge, "majority", { onReply: done });
  }

  wakeWriter(writer: PartitionWriter): void {
    if (writer.isAwake) return;
    writer.isAwake = true;
    this.#awakeWriters.push(writer);
    this.#host.scheduleTurn();
  }

  wakeReader(reader: PartitionReader | OwnReads): void {
    if (reader.isAwake) return;
    reader.isAwake = true;
    this.#awakeReaders.push(reader);
    this.#host.scheduleTurn();
  }

  wakeWriterAfter(writer: PartitionWriter, delayMs: number): void {
    this.#host.clock.after(delayMs, () => writer.flush());
  }

  wakeReaderAfter(reader: PartitionReader, delayMs: number): void {
    this.#host.clock.after(delayMs, () => reader.sweep());
  }

  /** Also of groups that nothing was asked of: the first request is to be refused as soon as the next. */
  #noteLost(): void {
    const nowMs = this.#host.clock.monotonicMs();
    for (const { id } of this.#host.replicas()) this.#lost.note(id, this.#isServed(id), nowMs);
    for (const id of this.#openGroups()) this.#lost.note(id, this.#isServed(id), nowMs);
  }

  /** As far as this node knows. */
  #isServed(group: GroupId): boolean {
    const replica = this.#host.replica(group);
    if (replica?.isLeader === true) return this.#proposals.reachesMajority(replica);
    const leader = this.#host.leaderOf(group);
    return leader !== undefined && this.#host.transport.isUp(leader);
  }

  /** Groups of which something was asked. */
  #openGroups(): ReadonlySet<GroupId> {
    return new Set([...this.#writers.keys(), ...this.#ownWriters.keys(), ...this.#readers.keys()]);
  }

  *#allWriters(): IterableIterator<PartitionWriter> {
    yield* this.#writers.values();
    yield* this.#ownWriters.values();
  }

  /** Undefined when nothing may be asked of the group. */
  #newWriter(writers: Map<GroupId, PartitionWriter>, group: GroupId): PartitionWriter | undefined {
    if (this.#isClosed || !this.#host.exists(group)) return undefined;
    const writer = new PartitionWriter(group, this);
    writers.set(group, writer);
    return writer;
  }

  #newReader(group: GroupId): PartitionReader | undefined {
    if (this.#isClosed || !this.#host.exists(group)) return undefined;
    const reader = new PartitionReader(group, this);
    this.#readers.set(group, reader);
    return reader;
  }

  #refusal(): MinikeyError {
    return this.#isClosed
      ? nodeStopping()
      : new MinikeyError("KEYSPACE_NOT_FOUND", "no such keyspace: it was dropped");
  }

  #deliver(group: GroupId, batch: AppliedBatch): void {
    const writer = this.#writerOfSession.get(batch.session);
    if (writer !== undefined) {
      writer.onResult(batch);
      return;
    }
    const origin = this.#originOfSession.get(batch.session);
    if (origin === undefined) return;
    const { session, sequence, status, replies } = batch;
    this.#host.transport.send(origin, encodeWriteResultFrame(group, session, sequence, status, replies));
  }
}
