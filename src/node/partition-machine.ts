/**
 * The replicated state machine of one partition: applies log entries to a storage engine, deterministically.
 *
 * Invariants:
 * - What `apply` does depends on the entries applied so far and on nothing else: no clock, no randomness.
 * - Time never goes back: a batch's time is the larger of its stamp and the time of the batch before.
 * - A batch of a session is applied once and in order: number n + 1 after n. Another number is a repeat (its
 *   replies are remembered until acknowledged) or refused without a change.
 * - A batch is applied up to the first command that meets a key locked by a transaction. The session is then
 *   closed, so that nothing that the origin sent after it can overtake; the origin goes on in a new session.
 */
import { ByteReader } from "../codec/byte-reader.js";
import { ByteWriter } from "../codec/byte-writer.js";
import { readConfiguration, writeConfiguration } from "../codec/raft-entry.js";
import type { Configuration, Entry } from "../codec/raft-types.js";
import { decodeCommandFrom, findFirstArguments } from "../commands/encoding.js";
import { OK, type Reply, Slice } from "../commands/reply.js";
import { runCommand } from "../commands/run.js";
import { Args, type CommandSpec } from "../commands/types.js";
import { assert } from "../core/assert.js";
import { type Bytes, EMPTY_BYTES } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { type LogIndex, logIndex, type Term, term } from "../core/ids.js";
import { type AppliedState, type GroupStore, PREFETCH_KEYS_MAX } from "../ports/storage-engine.js";
import { BATCH_HEADER_BYTES, type BatchLevel, readBatchHeader } from "./batch.js";
import { type NodeCommandSpec, ONCE } from "./node-commands.js";
import { retainReply } from "./retain-reply.js";
import { type OriginSession, Sessions } from "./sessions.js";
import { StoreView } from "./store-view.js";
import { keyArguments, Transactions } from "./transactions.js";

/** 1 and 2 were never released. */
const STATE_FORMAT = 3;

/** Finds a command by the number it has in the log. */
export type OpcodeLookup = (opcode: number) => CommandSpec | NodeCommandSpec | undefined;

/** What became of a batch. */
export interface AppliedBatch {
  readonly session: number;
  readonly sequence: number;
  readonly level: BatchLevel;
  /**
   * `applied`: `replies` has one for each command. `blocked`: for the first commands only, the next met a lock.
   * `refused`: nothing was applied, because a number before this one is missing or the session is closed.
   * `acknowledged`: a repeat of a batch whose replies the origin has had. `forgotten`: nothing was applied, as the
   * session is not known and may be a forgotten one; the reply is the second that a new session must be opened after.
   */
  readonly status: "applied" | "blocked" | "refused" | "acknowledged" | "forgotten";
  readonly replies: readonly Reply[];
}

const NO_REPLIES: readonly Reply[] = [];

/**
 * What the commands of one batch may answer and write in all, however little they say themselves (`GETEX`,
 * `SETRANGE`): replies are kept until they are acknowledged, on every replica. Past it the rest of the batch is
 * not carried out. The same on every replica, as it depends on nothing but the batch and the data.
 */
const BATCH_REPLY_BYTES_MAX = 16 * 1024 * 1024;
const BATCH_WRITTEN_BYTES_MAX = 64 * 1024 * 1024;

export class PartitionMachine {
  readonly view: StoreView;
  readonly transactions = new Transactions();
  readonly sessions = new Sessions();
  readonly #store: GroupStore;
  readonly #lookup: OpcodeLookup;
  readonly #args = new Args(EMPTY_BYTES);
  #appliedIndex: LogIndex = logIndex(0);
  #appliedTerm: Term = term(0);
  #timeMs = 0;
  /** Of the batch being applied, as `findFirstArguments` leaves them. */
  readonly #spans: number[] = [];
  #configuration: Configuration;

  /** Takes up where the store's last durable state is. */
  constructor(store: GroupStore, configuration: Configuration, valueBytesMax: number, lookup: OpcodeLookup) {
    this.#store = store;
    this.#lookup = lookup;
    this.#configuration = configuration;
    this.view = new StoreView(store, valueBytesMax);
    if (store.restored !== undefined) this.restore(store.restored);
  }

  get appliedIndex(): LogIndex {
    return this.#appliedIndex;
  }

  get appliedTerm(): Term {
    return this.#appliedTerm;
  }

  /** The time of the latest batch, in milliseconds since 1970. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** The members as of the applied index. */
  get configuration(): Configuration {
    return this.#configuration;
  }

  /** Notes an entry that is not for the state machine: a new leader's first, or a change of members. */
  skip(entry: Entry, configuration: Configuration | undefined): void {
    this.#advance(entry);
    if (configuration !== undefined) this.#configuration = configuration;
  }

  /** Applies one `command` entry. Throws only for a broken invariant. */
  apply(entry: Entry): AppliedBatch {
    this.#advance(entry);
    const batch = entry.data;
    const header = readBatchHeader(batch);
    const { session: id, sequence, level, acked } = header;
    this.#timeMs = Math.max(this.#timeMs, header.timeMs);
    this.view.nowMs = this.#timeMs;
    let session = this.sessions.origin(id);
    if (session === undefined) {
      const { originsForgotten } = this.sessions;
      // Of number 1 `acked` is when the session was opened. Of others: batches that were applied in it.
      const isForgotten = sequence === 1 ? acked <= originsForgotten : acked > 0;
      if (isForgotten) {
        return { session: id, sequence, level, status: "forgotten", replies: [originsForgotten] };
      }
      if (sequence !== 1) return { session: id, sequence, level, status: "refused", replies: NO_REPLIES };
      session = this.sessions.openOrigin(id, entry.index, acked);
    }
    this.sessions.useOrigin(id, session, entry.index);
    if (sequence <= session.lastSequence) {
      const replies = session.replies.get(sequence);
      if (replies === undefined) {
        return { session: id, sequence, level, status: "acknowledged", replies: NO_REPLIES };
      }
      // The last batch of a closed session is the one that met the lock.
      const status = session.closed && sequence === session.lastSequence ? "blocked" : "applied";
      return { session: id, sequence, level, status, replies };
    }
    if (session.closed || sequence !== session.lastSequence + 1) {
      return { session: id, sequence, level, status: "refused", replies: NO_REPLIES };
    }
    if (sequence > 1) forgetReplies(session, acked);
    session.lastSequence = sequence;
    const replies: Reply[] = [];
    const complete = this.#runCommands(entry, replies);
    session.replies.set(sequence, replies);
    if (!complete) this.sessions.closeOrigin(id, session);
    return { session: id, sequence, level, status: complete ? "applied" : "blocked", replies };
  }

  /** The data as of `nowMs` or the time of the latest batch, whichever is later. */
  viewAt(nowMs: number): StoreView {
    this.view.nowMs = Math.max(this.#timeMs, nowMs);
    return this.view;
  }

  /** A hint: the keys `bytes[spans[2i], spans[2i + 1])`, at most `PREFETCH_KEYS_MAX`, are about to be asked for. */
  prefetch(bytes: Bytes, spans: readonly number[], from: number, to: number): void {
    this.#store.prefetch("data", bytes, spans, from, to);
  }

  /** A read at that time. */
  read(spec: CommandSpec, args: Args, nowMs: number): Reply {
    return runCommand(spec, this.viewAt(nowMs), args);
  }

  /** Everything beside the tables, as of the applied index. */
  capture(): AppliedState {
    const writer = new ByteWriter();
    writer.u8(STATE_FORMAT);
    writer.u48(this.#timeMs);
    writer.u48(this.view.revision);
    writeConfiguration(this.#configuration, writer);
    this.sessions.encode(writer);
    this.transactions.encode(writer);
    return { index: this.#appliedIndex, term: this.#appliedTerm, state: writer.toBytes() };
  }

  restore(applied: AppliedState): void {
    const reader = openState(applied);
    this.#appliedIndex = applied.index;
    this.#appliedTerm = applied.term;
    this.#timeMs = reader.u48();
    this.view.resumeAt(reader.u48());
    this.#configuration = readConfiguration(reader);
    this.sessions.decode(reader);
    this.transactions.decode(reader);
    reader.expectEnd();
  }

  /** True when the command names a key whose time has come, but which is still there. */
  hasOverdue(spec: CommandSpec, args: Args, nowMs: number): boolean {
    return this.#store.count("expiry") > 0 && this.overdueKeys(spec, args, nowMs).length > 0;
  }

  /** The arguments that name such keys. */
  overdueKeys(spec: CommandSpec, args: Args, nowMs: number): number[] {
    this.view.nowMs = Math.max(this.#timeMs, nowMs);
    return keyArguments(spec.keys, args).filter((position) => this.view.isOverdue(args.key(position)));
  }

  #advance(entry: Entry): void {
    assert(
      entry.index === this.#appliedIndex + 1,
      "group %: entry % after % applied",
      this.#store.group,
      entry.index,
      this.#appliedIndex,
    );
    this.#appliedIndex = entry.index;
    this.#appliedTerm = entry.term;
  }

  /** Fills `replies`; false when a command met a lock and it and the rest were left out. */
  #runCommands(entry: Entry, replies: Reply[]): boolean {
    const args = this.#args;
    const reader = commandsOf(entry.data);
    const writtenBefore = this.view.writtenBytes;
    let replyBytes = 0;
    const spans = this.#spans;
    const count = findFirstArguments(commandsOf(entry.data), spans);
    for (let i = 0; i < count; i += 1) {
      if (i % PREFETCH_KEYS_MAX === 0) {
        this.prefetch(entry.data, spans, i, Math.min(i + PREFETCH_KEYS_MAX, count));
      }
      const opcode = decodeCommandFrom(reader, args);
      const spec = this.#lookup(opcode);
      assert(spec !== undefined, "group %: entry % has opcode %", this.#store.group, entry.index, opcode);
      if (this.transactions.blocks(spec, args)) return false;
      const isFull =
        replyBytes > BATCH_REPLY_BYTES_MAX ||
        this.view.writtenBytes - writtenBefore > BATCH_WRITTEN_BYTES_MAX;
      const reply = isFull && isClients(spec) ? tooMuchAtOnce() : this.#run(spec, args);
      replyBytes += replySizeBytes(reply);
      replies.push(reply);
    }
    return true;
  }

  #run(spec: CommandSpec | NodeCommandSpec, args: Args): Reply {
    if ("apply" in spec) return this.#runOwn(spec, args);
    const reply = runCommand(spec, this.view, args);
    // A slice may lie in the engine's memory, which changes; the reply is remembered for longer.
    return reply === OK || typeof reply !== "object" ? reply : retainReply(reply);
  }

  #runOwn(spec: NodeCommandSpec, args: Args): Reply {
    try {
      return spec.apply(this, args);
    } catch (error) {
      if (error instanceof MinikeyError) return error;
      throw error;
    }
  }
}

const commandsOf = (batch: Bytes): ByteReader =>
  new ByteReader(batch, "batch", "DATA_CORRUPT", BATCH_HEADER_BYTES);

/** True for what a client asked for; a node's own steps must be taken. */
function isClients(spec: CommandSpec | NodeCommandSpec): boolean {
  return !("apply" in spec) || spec === ONCE;
}

function tooMuchAtOnce(): MinikeyError {
  return new MinikeyError(
    "OVERLOADED",
    "the commands before this one, sent at the same time, have answered or written too much: send it again",
  );
}

/** Of what a reply holds in bytes. */
function replySizeBytes(reply: Reply): number {
  if (reply instanceof Slice) return reply.end - reply.start;
  if (!Array.isArray(reply)) return 0;
  return (reply as readonly Reply[]).reduce<number>((sum, item) => sum + replySizeBytes(item), 0);
}

/** The members as of a captured state, all of which is read. Throws `MinikeyError` when it is malformed. */
export function checkState(applied: AppliedState): Configuration {
  const reader = openState(applied);
  reader.u48();
  reader.u48();
  const configuration = readConfiguration(reader);
  new Sessions().decode(reader);
  new Transactions().decode(reader);
  reader.expectEnd();
  return configuration;
}

/** The members as of a captured state. */
export function configurationOf(applied: AppliedState): Configuration {
  const reader = openState(applied);
  reader.u48();
  reader.u48();
  return readConfiguration(reader);
}

function openState(applied: AppliedState): ByteReader {
  const reader = new ByteReader(applied.state, "state of a partition", "DATA_CORRUPT");
  const format = reader.u8();
  if (format > STATE_FORMAT) {
    throw new MinikeyError(
      "DATA_NEWER",
      `the data has state format ${format}, newer than ${STATE_FORMAT}, the latest that this version knows`,
    );
  }
  if (format < STATE_FORMAT) {
    throw new MinikeyError(
      "DATA_CORRUPT",
      `the data has state format ${format}, of a version before the first`,
    );
  }
  return reader;
}

function forgetReplies(session: OriginSession, acked: number): void {
  // Kept in the order of their numbers.
  for (const sequence of session.replies.keys()) {
    if (sequence > acked) return;
    session.replies.delete(sequence);
  }
}
