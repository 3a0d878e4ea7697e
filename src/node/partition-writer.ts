/**
 * The origin's side of writes to one partition: cuts batches, sends each to the partition's leader, sends again
 * when leadership moves or an answer is lost, and hands out the replies.
 *
 * Invariants:
 * - Batches of a session are numbered without gaps, and a number always stands for the same commands once a
 *   leader may have proposed it. So sending again is always safe: the state machine applies a number once.
 * - A batch that no leader can have proposed by its deadline is emptied, answered why, and still sent: its number
 *   is needed. So is one of a group that is known to have no leader, at once. One that may have been proposed is
 *   answered `OUTCOME_UNKNOWN` and sent until its fate is known.
 * - When a batch is blocked by a transaction's lock, its session is closed for good; what follows goes on, in
 *   order, in a new one. So does what certainly was not applied in a session that the partition has forgotten.
 */
import { ByteReader } from "../codec/byte-reader.js";
import { ByteWriter } from "../codec/byte-writer.js";
import { decodeCommandFrom, encodeCommand } from "../commands/encoding.js";
import { Args } from "../commands/types.js";
import { assert } from "../core/assert.js";
import { type Bytes, copyBytes, EMPTY_BYTES } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { GroupId } from "../core/ids.js";
import { BATCH_HEADER_BYTES, type BatchLevel, makeBatch, readBatchHeader, tagBatch } from "./batch.js";
import type { ReplySink, RequestContext } from "./database.js";
import type { AppliedBatch } from "./partition-machine.js";
import { answer } from "./pending.js";
import { type Refusal, refusalError, type Sending } from "./refusal.js";

/** What a writer needs of its node. */
export interface WriterHost {
  readonly requestTimeoutMs: number;
  monotonicMs(): number;
  wallMs(): number;
  newSession(): number;
  /** Hands a batch to the leader, here or over the network. */
  sendBatch(group: GroupId, batch: Bytes): Sending;
  /** True while this node knows that the group has no leader, and for longer than a fail-over takes. */
  isLost(group: GroupId): boolean;
  wakeWriter(writer: PartitionWriter): void;
  /** `writer.flush()` again in a moment. */
  wakeWriterAfter(writer: PartitionWriter, delayMs: number): void;
  sessionOpened(session: number, writer: PartitionWriter): void;
  sessionClosed(session: number): void;
}

interface Command {
  readonly sink: ReplySink;
  readonly context: RequestContext | undefined;
}

interface Batch {
  /** What it takes of the window's bytes. */
  windowBytes: number;
  session: number;
  sequence: number;
  data: Bytes;
  readonly level: BatchLevel;
  /** Empty when they have been answered already. */
  commands: readonly Command[];
  readonly deadlineMs: number;
  /** Times sent and not refused since: above 0, a leader may have proposed it. */
  uncertain: number;
  /** Why it was not taken the last time. */
  refusal: Refusal;
  /** The writer's epoch when it was sent last. */
  sentEpoch: number;
  sentMs: number;
  isDone: boolean;
}

const NOBODY: readonly Command[] = [];

/** Batches under way to one partition. */
const WINDOW = 64;
/** A batch is cut when it has grown so large. */
const BATCH_BYTES_MAX = 1024 * 1024;
/** Commands under way and waiting for a place in the window. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** An answer that is so late is not waited for, even if nothing seems to have gone wrong. */
const RESEND_AFTER_MS = 2_000;
/** The pause after meeting a lock; twice as long each time that it is still there. */
const BLOCKED_PAUSE_MS = 5;
const BLOCKED_PAUSE_MS_MAX = 80;
/** As the epoch of a sending: the batch is to be sent again. */
const NEVER_SENT = -1;
/** A session not used for so long is not used again, so that the partitions may forget it. */
const SESSION_IDLE_MS = 60_000;
/** A session goes no further: far below what a batch's header holds. */
const SEQUENCE_MAX = 2 ** 31;

export class PartitionWriter {
  readonly group: GroupId;
  /** Set while the node has this writer in its list of writers to flush. */
  isAwake = false;
  readonly #host: WriterHost;
  readonly #building = new ByteWriter(16 * 1024);
  #buildingLevel: BatchLevel = "majority";
  #buildingCommands: Command[] = [];
  #buildingSinceMs = 0;
  /** Cut, waiting for a place in the window. */
  #cut: Batch[] = [];
  #cutBytes = 0;
  /** Under way, in order of their numbers. */
  #inFlight: Batch[] = [];
  #inFlightBytes = 0;
  /** Applied, not answered yet, in sessions that were closed after them. */
  #lingering: Batch[] = [];
  #session = 0;
  /** When the session was opened, in seconds: after every one that the partition is known to have forgotten. */
  #opened = 0;
  #lastSequence = 0;
  #acked = 0;
  #lastUsedMs = 0;
  #notBeforeMs = 0;
  #blockedInARow = 0;
  /** Counts the times that what was sent before may have been lost: a new leader, a new connection to it. */
  #epoch = 0;
  /** The leader has refused a batch for want of room, and has taken none since: one is tried, not all again. */
  #isPressed = false;
  #pending = 0;

  constructor(group: GroupId, host: WriterHost) {
    this.group = group;
    this.#host = host;
  }

  /** Commands not answered yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Nothing is under way, not even what was given up. */
  get isIdle(): boolean {
    return this.#inFlight.length === 0 && this.#cut.length === 0 && this.#buildingCommands.length === 0;
  }

  submit(
    opcode: number,
    args: Args,
    level: BatchLevel,
    sink: ReplySink,
    context: RequestContext | undefined,
  ): void {
    if (this.#cutBytes + this.#inFlightBytes + this.#building.length > WAITING_BYTES_MAX) {
      answer(sink, context, new MinikeyError("OVERLOADED", "too many writes are waiting for this partition"));
      return;
    }
    const isTooLarge = this.#building.length + args.bytesUsed > BATCH_BYTES_MAX;
    if (this.#buildingCommands.length > 0 && (isTooLarge || level !== this.#buildingLevel)) this.#cutBatch();
    if (this.#buildingCommands.length === 0) {
      this.#buildingLevel = level;
      this.#buildingSinceMs = this.#host.monotonicMs();
      this.#host.wakeWriter(this);
    }
    this.#pending += 1;
    encodeCommand(this.#building, opcode, args);
    this.#buildingCommands.push({ sink, context });
    if (this.#building.length >= BATCH_BYTES_MAX) this.#cutBatch();
  }

  /** At the end of a turn: cuts what has gathered and sends what the window has room for. */
  flush(): void {
    if (this.#inFlight.length >= WINDOW) return;
    if (this.#buildingCommands.length > 0) this.#cutBatch();
    const nowMs = this.#host.monotonicMs();
    if (nowMs < this.#notBeforeMs) return;
    // A session that is used up ends before the next begins.
    if (this.#lastSequence >= SEQUENCE_MAX && this.#inFlight.length > 0) return;
    let count = 0;
    while (count < this.#cut.length && this.#inFlight.length < WINDOW) {
      const batch = this.#cut[count];
      count += 1;
      this.#cutBytes -= batch.data.length;
      this.#number(batch, nowMs);
      this.#inFlight.push(batch);
      batch.windowBytes = batch.data.length;
      this.#inFlightBytes += batch.windowBytes;
      this.#send(batch, nowMs);
    }
    if (count > 0) this.#cut.splice(0, count);
  }

  /** A leader, a new one, or a lost one again can be reached: what is under way goes to it, in order. */
  onLeaderFound(): void {
    this.#epoch += 1;
    this.#isPressed = false;
    this.#resend();
  }

  /** From time to time: deadlines, and answers that never came. */
  sweep(): void {
    const nowMs = this.#host.monotonicMs();
    // While the window is full nothing else cuts it, and what is not cut has no deadline.
    if (this.#buildingCommands.length > 0) this.#cutBatch();
    const isLost = this.#host.isLost(this.group);
    for (const batch of [...this.#lingering, ...this.#inFlight, ...this.#cut]) {
      const isOver = nowMs >= batch.deadlineMs;
      if (isOver || (isLost && batch.uncertain === 0))
        this.#expire(batch, refusalError(this.#refusalOf(batch)));
    }
    this.#forgetExpired();
    this.#resend();
    this.flush();
  }

  /** The leader refused to propose the batch: it is not in its log. */
  onRefused(session: number, sequence: number, refusal: Refusal): void {
    const batch = this.#find(session, sequence);
    if (batch === undefined) return;
    this.#onNotSent(batch, refusal);
    if (batch.uncertain > 0) batch.uncertain -= 1;
  }

  onResult(result: Pick<AppliedBatch, "session" | "sequence" | "status" | "replies">): void {
    const batch = this.#find(result.session, result.sequence);
    if (batch === undefined) return;
    if (result.status === "refused") {
      // An earlier number is missing; that one is sent again, and this one after it. Other copies of this one
      // may lie in a log yet: what is uncertain stays so.
      batch.sentEpoch = NEVER_SENT;
      return;
    }
    this.#isPressed = false;
    if (result.status === "forgotten") {
      this.#onForgotten(batch, Number(result.replies[0]));
      return;
    }
    if (result.status === "acknowledged") {
      // So long ago that the replies are forgotten.
      batch.isDone = true;
      this.#expire(batch, unconfirmed());
      this.#shiftDone();
      return;
    }
    const { commands } = batch;
    this.#requirePossible(batch, result);
    batch.isDone = true;
    if (result.status === "blocked") {
      this.#goOnAfter(batch, result.replies.length);
    } else {
      this.#blockedInARow = 0;
      this.#shiftDone();
    }
    // It may stay in line behind one that is not done, but nobody waits for it any more.
    batch.commands = NOBODY;
    const answered = Math.min(commands.length, result.replies.length);
    this.#pending -= answered;
    for (let i = 0; i < answered; i += 1) answer(commands[i].sink, commands[i].context, result.replies[i]);
    if (this.#cut.length > 0 || this.#buildingCommands.length > 0) this.#host.wakeWriter(this);
  }

  /** Throws `PROTOCOL` for a result that no state machine gives: another node has sent it. */
  #requirePossible(batch: Batch, { status, replies }: Pick<AppliedBatch, "status" | "replies">): void {
    const { commands } = batch;
    const isWhole =
      status === "applied" ? replies.length === commands.length : replies.length <= commands.length;
    // The commands of one that was answered already are forgotten, the replies to it are not.
    const isCounted = commands.length === 0 || isWhole;
    const isLast =
      status !== "blocked" ||
      !this.#inFlight.some((other) => other.isDone && other.sequence > batch.sequence);
    if (isCounted && isLast) return;
    throw new MinikeyError(
      "PROTOCOL",
      `impossible result of a batch: ${status}, ${replies.length} replies to ${commands.length} commands`,
    );
  }

  /** Everything unanswered is answered: by `refusal` what was certainly not applied. */
  close(refusal: MinikeyError): void {
    if (this.#buildingCommands.length > 0) this.#cutBatch();
    for (const batch of [...this.#lingering, ...this.#inFlight, ...this.#cut]) this.#expire(batch, refusal);
    if (this.#session !== 0) this.#host.sessionClosed(this.#session);
    for (const { session } of this.#lingering) this.#host.sessionClosed(session);
    // A flush may be due yet: what was refused must not be sent by it.
    this.#cut = [];
    this.#cutBytes = 0;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
    this.#lingering = [];
  }

  #cutBatch(): void {
    const building = this.#building;
    const deadlineMs = this.#buildingSinceMs + this.#host.requestTimeoutMs;
    this.#enqueue(
      this.#buildingLevel,
      building.bytes,
      0,
      building.length,
      this.#buildingCommands,
      deadlineMs,
    );
    building.clear();
    this.#buildingCommands = [];
  }

  #enqueue(
    level: BatchLevel,
    bytes: Bytes,
    start: number,
    end: number,
    commands: readonly Command[],
    deadlineMs: number,
  ): void {
    const data = makeBatch(level, bytes, start, end);
    this.#cutBytes += data.length;
    this.#cut.push({
      windowBytes: 0,
      session: 0,
      sequence: 0,
      data,
      level,
      commands,
      deadlineMs,
      uncertain: 0,
      refusal: "unreachable",
      sentEpoch: 0,
      sentMs: 0,
      isDone: false,
    });
  }

  #number(batch: Batch, nowMs: number): void {
    const isUsedUp = this.#lastSequence >= SEQUENCE_MAX;
    const isUnused = this.#session === 0 || isUsedUp || nowMs - this.#lastUsedMs > SESSION_IDLE_MS;
    if (isUnused && this.#inFlight.length === 0) this.#openSession();
    this.#lastUsedMs = nowMs;
    this.#lastSequence += 1;
    batch.session = this.#session;
    batch.sequence = this.#lastSequence;
    tagBatch(batch.data, this.#session, batch.sequence, batch.sequence === 1 ? this.#opened : this.#acked);
  }

  #openSession(): void {
    const session = this.#session;
    if (session !== 0 && !this.#lingering.some((batch) => batch.session === session)) {
      this.#host.sessionClosed(session);
    }
    this.#session = this.#host.newSession();
    this.#opened = Math.max(this.#opened, Math.floor(this.#host.wallMs() / 1000));
    this.#lastSequence = 0;
    this.#acked = 0;
    this.#host.sessionOpened(this.#session, this);
  }

  /** Sends again, in order, what was refused or may have been lost. */
  #resend(): void {
    const nowMs = this.#host.monotonicMs();
    if (nowMs < this.#notBeforeMs) return;
    for (const batch of this.#lingering) this.#sendAgain(batch, nowMs);
    for (const batch of this.#inFlight) {
      const isWaiting = !batch.isDone && batch.uncertain === 0;
      this.#sendAgain(batch, nowMs);
      // Where this one finds no room, those behind it would be sent in vain.
      if (isWaiting && this.#isPressed) return;
    }
  }

  #sendAgain(batch: Batch, nowMs: number): void {
    const isUnderWay = batch.uncertain > 0 && batch.sentEpoch === this.#epoch;
    if (batch.isDone || (isUnderWay && nowMs - batch.sentMs < RESEND_AFTER_MS)) return;
    this.#send(batch, nowMs);
  }

  #send(batch: Batch, nowMs: number): void {
    batch.sentMs = nowMs;
    batch.sentEpoch = this.#epoch;
    // The bytes of an earlier sending may still lie in a log or a queue: a leader stamps its own copy.
    if (batch.uncertain > 0) batch.data = copyBytes(batch.data);
    const sending = this.#host.sendBatch(this.group, batch.data);
    if (sending === "sent") batch.uncertain += 1;
    else this.#onNotSent(batch, sending);
  }

  #onNotSent(batch: Batch, refusal: Refusal): void {
    batch.refusal = refusal;
    if (refusal === "overloaded") this.#isPressed = true;
  }

  #find(session: number, sequence: number): Batch | undefined {
    if (session !== this.#session) {
      return this.#lingering.find((batch) => batch.session === session && batch.sequence === sequence);
    }
    if (this.#inFlight.length === 0) return undefined;
    const batch = this.#inFlight[sequence - this.#inFlight[0].sequence];
    return batch === undefined || batch.isDone ? undefined : batch;
  }

  /** Of what was answered for want of time, only what has a number that others wait for is still sent. */
  #forgetExpired(): void {
    if (this.#lingering.length > 0) this.#keepLingering((batch) => batch.commands.length > 0);
    const waiting = this.#cut.filter((batch) => batch.commands.length > 0);
    if (waiting.length === this.#cut.length) return;
    this.#cut = waiting;
    this.#cutBytes = waiting.reduce((sum, batch) => sum + batch.data.length, 0);
  }

  #keepLingering(isKept: (batch: Batch) => boolean): void {
    const before = this.#lingering;
    this.#lingering = before.filter(isKept);
    const kept = new Set(this.#lingering.map((batch) => batch.session));
    for (const { session } of before) if (!kept.has(session)) this.#host.sessionClosed(session);
  }

  #shiftDone(): void {
    if (this.#lingering.length > 0) this.#keepLingering((batch) => !batch.isDone);
    let count = 0;
    while (count < this.#inFlight.length && this.#inFlight[count].isDone) count += 1;
    if (count === 0) return;
    this.#acked = this.#inFlight[count - 1].sequence;
    for (const done of this.#inFlight.splice(0, count)) this.#inFlightBytes -= done.windowBytes;
  }

  /** `batch` met a lock after `answered` commands: the rest and all after it go on in a new session, in order. */
  #goOnAfter(batch: Batch, answered: number): void {
    const at = this.#inFlight.indexOf(batch);
    const later = this.#inFlight.slice(at + 1);
    assert(
      later.every((other) => !other.isDone),
      "group %: a batch was applied in a session that was closed before",
      this.group,
    );
    const rest = restOf(batch, answered);
    this.#lingering.push(...this.#inFlight.slice(0, at).filter((earlier) => !earlier.isDone));
    this.#goOnAnew([rest, ...later]);
    this.#blockedInARow = answered > 0 ? 1 : this.#blockedInARow + 1;
    const pauseMs = Math.min(BLOCKED_PAUSE_MS * 2 ** (this.#blockedInARow - 1), BLOCKED_PAUSE_MS_MAX);
    this.#notBeforeMs = this.#host.monotonicMs() + pauseMs;
    this.#host.wakeWriterAfter(this, pauseMs);
  }

  /**
   * The partition does not know `batch`'s session, and may have forgotten it: what it has carried out of it nobody
   * can say. But where no other copy of number 1 was ever sent, nothing of the session was or will be.
   */
  #onForgotten(batch: Batch, latest: number): void {
    this.#opened = Math.max(this.#opened, latest + 1);
    const isNew = batch.sequence === 1 && batch.uncertain <= 1;
    const open = this.#inFlight.filter((each) => !each.isDone && each.session === batch.session);
    if (open.length === 0) {
      // Of an earlier session.
      batch.isDone = true;
      this.#expire(batch, unconfirmed());
      this.#shiftDone();
      return;
    }
    if (!isNew) for (const each of open) this.#expire(each, unconfirmed());
    this.#goOnAnew(open.filter((each) => each.commands.length > 0));
    this.#host.wakeWriter(this);
  }

  /** What was under way is not any more; `batches` go first in a new session. */
  #goOnAnew(batches: readonly Batch[]): void {
    this.#inFlight = [];
    this.#inFlightBytes = 0;
    this.#openSession();
    for (const again of batches) {
      // The bytes with the old number may still lie in a log or a queue.
      again.data = copyBytes(again.data);
      again.session = 0;
      again.sequence = 0;
      again.uncertain = 0;
      this.#cutBytes += again.data.length;
    }
    this.#cut = [...batches, ...this.#cut];
  }

  /** One without a number waits for the lock that others met, or for those before it. */
  #refusalOf(batch: Batch): Refusal {
    if (batch.sequence !== 0 || this.#host.isLost(this.group)) return batch.refusal;
    if (this.#blockedInARow > 0) return "locked";
    return this.#inFlight.length > 0 ? this.#inFlight[0].refusal : batch.refusal;
  }

  #expire(batch: Batch, refusal: MinikeyError): void {
    const { commands } = batch;
    if (commands.length === 0) return;
    batch.commands = NOBODY;
    const reply = batch.uncertain > 0 ? unconfirmed() : refusal;
    // A number that is given must be used; without one, the batch is dropped.
    if (batch.uncertain === 0 && batch.sequence !== 0) {
      const { acked } = readBatchHeader(batch.data);
      batch.data = makeBatch(batch.level, EMPTY_BYTES, 0, 0);
      tagBatch(batch.data, batch.session, batch.sequence, acked);
    }
    this.#pending -= commands.length;
    for (const { sink, context } of commands) answer(sink, context, reply);
  }
}

function unconfirmed(): MinikeyError {
  return new MinikeyError(
    "OUTCOME_UNKNOWN",
    "no majority has confirmed the write in time: it may or may not be applied",
  );
}

/** A batch of what is left after the first `skipped` commands. */
function restOf(batch: Batch, skipped: number): Batch {
  const args = new Args(EMPTY_BYTES);
  const reader = new ByteReader(batch.data, "batch", "INTERNAL", BATCH_HEADER_BYTES);
  for (let i = 0; i < skipped; i += 1) decodeCommandFrom(reader, args);
  return {
    windowBytes: 0,
    session: 0,
    sequence: 0,
    data: makeBatch(batch.level, batch.data, reader.position, batch.data.length),
    level: batch.level,
    commands: batch.commands.slice(skipped),
    deadlineMs: batch.deadlineMs,
    uncertain: 0,
    refusal: batch.refusal,
    sentEpoch: 0,
    sentMs: 0,
    isDone: false,
  };
}
