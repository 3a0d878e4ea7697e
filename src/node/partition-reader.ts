/**
 * Reads from one partition: gathered for a turn, confirmed together by one ReadIndex, carried out together.
 *
 * A linearizable read is carried out on this node's own replica when it has one, and on the leader's otherwise.
 * A read that meets a transaction's lock waits for its end. One that meets a key whose time has come by this
 * node's clock has it purged first: else another replica, with another clock, could still show what was already
 * gone. By the leader's clock it may not be time yet; then the read goes by the partition's time, which that of
 * the purge is a part of, and shows the key.
 */
import { ByteWriter } from "../codec/byte-writer.js";
import { encodeCommand } from "../commands/encoding.js";
import type { Reply } from "../commands/reply.js";
import { type Args, Args as ArgsClass, type CommandSpec } from "../commands/types.js";
import { type Bytes, EMPTY_BYTES } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { GroupId } from "../core/ids.js";
import { PREFETCH_KEYS_MAX } from "../ports/storage-engine.js";
import type { ReplySink, RequestContext } from "./database.js";
import type { PartitionMachine } from "./partition-machine.js";
import { answer } from "./pending.js";
import { type Refusal, refusalError, type Sending } from "./refusal.js";
import type { ReplicaGroup } from "./replica-group.js";

export type ReadGuarantee = "linearizable" | "stale";

/** What a reader needs of its node. */
export interface ReaderHost {
  readonly requestTimeoutMs: number;
  monotonicMs(): number;
  wallMs(): number;
  replica(group: GroupId): ReplicaGroup | undefined;
  wakeReader(reader: PartitionReader): void;
  wakeReaderAfter(reader: PartitionReader, delayMs: number): void;
  /** Asks another node to read. */
  sendReads(group: GroupId, request: number, guarantee: ReadGuarantee, commands: Bytes): Sending;
  /** True while this node knows that the group has no leader, and for longer than a fail-over takes. */
  isLost(group: GroupId): boolean;
  newRequest(reader: PartitionReader): number;
  /** Has the leader purge a key if its time has come by its clock, then calls `done`. */
  purge(group: GroupId, args: Args, keyPosition: number, done: (reply: Reply) => void): void;
}

/** The reads of one turn. Arguments lie one after the other in one buffer. */
class ReadBatch {
  readonly guarantee: ReadGuarantee;
  readonly deadlineMs: number;
  readonly bytes = new ByteWriter(1024);
  readonly offsets: number[] = [];
  readonly specs: CommandSpec[] = [];
  /** Where in `offsets` each command's arguments start; one more at the end. */
  readonly firsts: number[] = [0];
  readonly sinks: (ReplySink | undefined)[] = [];
  readonly contexts: (RequestContext | undefined)[] = [];
  /** Reads not answered yet. */
  open = 0;
  /** Why it was not carried out the last time. */
  refusal: Refusal = "unreachable";
  askedMs = 0;
  request = 0;
  /** The reads that `request` asks for, in order; some may have been answered since. */
  requested: number[] = [];
  /** Purges under way, and whether one has been answered since the last try. */
  purging = 0;
  isPurged = false;

  constructor(guarantee: ReadGuarantee, deadlineMs: number) {
    this.guarantee = guarantee;
    this.deadlineMs = deadlineMs;
  }

  add(spec: CommandSpec, args: Args, sink: ReplySink, context: RequestContext | undefined): void {
    for (let i = 0; i < args.count; i += 1) {
      const at = this.bytes.length;
      this.bytes.raw(args.bytes, args.start(i), args.end(i));
      this.offsets.push(at, this.bytes.length);
    }
    this.firsts.push(this.offsets.length);
    this.specs.push(spec);
    this.sinks.push(sink);
    this.contexts.push(context);
    this.open += 1;
  }

  /** Points `args` at command i. */
  load(i: number, args: Args): void {
    args.reset(this.bytes.bytes);
    for (let at = this.firsts[i]; at < this.firsts[i + 1]; at += 2) {
      args.push(this.offsets[at], this.offsets[at + 1]);
    }
  }

  take(i: number): { sink: ReplySink; context: RequestContext | undefined } | undefined {
    const sink = this.sinks[i];
    if (sink === undefined) return undefined;
    this.sinks[i] = undefined;
    this.open -= 1;
    return { sink, context: this.contexts[i] };
  }
}

const RETRY_MS = 10;
/** A confirmation that takes longer is asked for again. */
const ASK_AGAIN_MS = 400;
/** Reads gathered and under way at most. */
const OPEN_READS_MAX = 65_536;

export class PartitionReader {
  readonly group: GroupId;
  isAwake = false;
  readonly #host: ReaderHost;
  readonly #args = new ArgsClass(EMPTY_BYTES);
  /** Of keys that are about to be read. */
  readonly #spans: number[] = [];
  #gathering: ReadBatch | undefined;
  /** Asked for, or waiting to be. */
  #asked: ReadBatch[] = [];
  #open = 0;

  constructor(group: GroupId, host: ReaderHost) {
    this.group = group;
    this.#host = host;
  }

  /** Reads not answered yet. */
  get pending(): number {
    return this.#open;
  }

  submit(
    spec: CommandSpec,
    args: Args,
    guarantee: ReadGuarantee,
    sink: ReplySink,
    context: RequestContext | undefined,
  ): void {
    if (guarantee === "stale") {
      const replica = this.#host.replica(this.group);
      if (replica !== undefined) {
        answer(sink, context, replica.machine.read(spec, args, this.#host.wallMs()));
        return;
      }
    }
    if (this.#open >= OPEN_READS_MAX) {
      answer(sink, context, new MinikeyError("OVERLOADED", "too many reads are waiting for this partition"));
      return;
    }
    this.#open += 1;
    let batch = this.#gathering;
    if (batch === undefined || batch.guarantee !== guarantee) {
      this.flush();
      batch = new ReadBatch(guarantee, this.#host.monotonicMs() + this.#host.requestTimeoutMs);
      this.#gathering = batch;
      this.#host.wakeReader(this);
    }
    batch.add(spec, args, sink, context);
  }

  /** At the end of a turn. */
  flush(): void {
    const batch = this.#gathering;
    if (batch === undefined) return;
    this.#gathering = undefined;
    this.#asked.push(batch);
    this.#ask(batch);
  }

  /** What another node was asked may be lost: with a leader that died, or a connection. */
  onLeaderFound(): void {
    const replica = this.#host.replica(this.group);
    if (replica !== undefined && !replica.isInstalling) this.sweep();
    else for (const batch of [...this.#asked]) this.#ask(batch);
  }

  /** From time to time: deadlines, and confirmations that never came. */
  sweep(): void {
    const nowMs = this.#host.monotonicMs();
    const isLost = this.#host.isLost(this.group);
    for (const batch of [...this.#asked]) {
      const isRefused = isLost && batch.guarantee !== "stale";
      if (isRefused || nowMs >= batch.deadlineMs) this.#expire(batch, refusalError(batch.refusal));
      else if (nowMs - batch.askedMs > ASK_AGAIN_MS) this.#ask(batch);
    }
  }

  /** Another node has carried out the reads of `request`; without replies: it could not. */
  onRemoteResult(request: number, replies: readonly Reply[] | undefined): void {
    const batch = this.#asked.find((asked) => asked.request === request);
    if (batch === undefined) return;
    if (replies === undefined) {
      this.#askLater(batch, "unreachable");
      return;
    }
    const count = Math.min(replies.length, batch.requested.length);
    for (let next = 0; next < count; next += 1) this.#answer(batch, batch.requested[next], replies[next]);
    this.#forgetIfDone(batch);
  }

  /** Everything unanswered is answered. */
  close(refusal: MinikeyError): void {
    if (this.#gathering !== undefined) this.#asked.push(this.#gathering);
    this.#gathering = undefined;
    for (const batch of [...this.#asked]) this.#expire(batch, refusal);
  }

  #ask(batch: ReadBatch): void {
    batch.askedMs = this.#host.monotonicMs();
    const replica = this.#host.replica(this.group);
    if (replica === undefined || replica.isInstalling) {
      const sending = this.#askOther(batch);
      if (sending !== "sent") this.#askLater(batch, sending);
      return;
    }
    replica.awaitReadable((confirmed) => {
      if (batch.open === 0) return;
      if (confirmed) this.#run(batch, replica);
      else this.#askLater(batch, "unreachable");
    });
  }

  #askOther(batch: ReadBatch): Sending {
    const commands = new ByteWriter(batch.bytes.length + 64);
    batch.requested = [];
    for (let i = 0; i < batch.sinks.length; i += 1) {
      if (batch.sinks[i] === undefined) continue;
      batch.load(i, this.#args);
      encodeCommand(commands, batch.specs[i].opcode, this.#args);
      batch.requested.push(i);
    }
    batch.request = this.#host.newRequest(this);
    return this.#host.sendReads(this.group, batch.request, batch.guarantee, commands.toBytes());
  }

  #askLater(batch: ReadBatch, refusal: Refusal): void {
    batch.refusal = refusal;
    batch.askedMs = this.#host.monotonicMs() - ASK_AGAIN_MS + RETRY_MS;
    this.#host.wakeReaderAfter(this, RETRY_MS + 1);
  }

  /** The first arguments of the commands from the i-th on: as a rule their keys. */
  #prefetch(batch: ReadBatch, i: number, machine: PartitionMachine): void {
    const spans = this.#spans;
    const end = Math.min(i + PREFETCH_KEYS_MAX, batch.sinks.length);
    let count = 0;
    for (let next = i; next < end; next += 1) {
      const first = batch.firsts[next] + 2;
      if (first === batch.firsts[next + 1]) continue;
      spans[2 * count] = batch.offsets[first];
      spans[2 * count + 1] = batch.offsets[first + 1];
      count += 1;
    }
    machine.prefetch(batch.bytes.bytes, spans, 0, count);
  }

  #run(batch: ReadBatch, replica: ReplicaGroup): void {
    const { machine } = replica;
    // After a purge the partition's own time is as late as the leader's.
    const nowMs = batch.isPurged ? machine.timeMs : this.#host.wallMs();
    batch.isPurged = false;
    let isBlocked = false;
    for (let i = 0; i < batch.sinks.length; i += 1) {
      if (i % PREFETCH_KEYS_MAX === 0) this.#prefetch(batch, i, machine);
      if (batch.sinks[i] === undefined) continue;
      batch.load(i, this.#args);
      const spec = batch.specs[i];
      if (machine.transactions.blocks(spec, this.#args)) {
        isBlocked = true;
      } else if (machine.hasOverdue(spec, this.#args, nowMs)) {
        isBlocked = true;
        this.#purge(batch, machine.overdueKeys(spec, this.#args, nowMs));
      } else {
        this.#answer(batch, i, machine.read(spec, this.#args, nowMs));
      }
    }
    if (isBlocked) this.#askLater(batch, batch.purging > 0 ? "unreachable" : "locked");
    else this.#forgetIfDone(batch);
  }

  /** Of the command that is loaded, the keys at `positions`. */
  #purge(batch: ReadBatch, positions: readonly number[]): void {
    if (batch.purging > 0) return;
    for (const position of positions) {
      batch.purging += 1;
      this.#host.purge(this.group, this.#args, position, (reply) => {
        batch.purging -= 1;
        if (reply instanceof MinikeyError) return;
        batch.isPurged = true;
        if (batch.open > 0) this.#ask(batch);
      });
    }
  }

  #answer(batch: ReadBatch, i: number, reply: Reply): void {
    const read = batch.take(i);
    if (read === undefined) return;
    this.#open -= 1;
    answer(read.sink, read.context, reply);
  }

  #expire(batch: ReadBatch, error: MinikeyError): void {
    for (let i = 0; i < batch.sinks.length; i += 1) this.#answer(batch, i, error);
    this.#forgetIfDone(batch);
  }

  #forgetIfDone(batch: ReadBatch): void {
    if (batch.open > 0) return;
    const at = this.#asked.indexOf(batch);
    if (at >= 0) this.#asked.splice(at, 1);
  }
}
