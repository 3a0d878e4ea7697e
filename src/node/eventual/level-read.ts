/**
 * A read of the newest that so many replicas have: their records of the keys are merged, and a replica that had less is
 * sent the result (read repair). The same way goes a read of keys that no replica here has.
 *
 * ```
 *   own records ──┐
 *   fetch ─▶ n2 ──┼─▶ enough of every partition ─▶ merged ─▶ answered, and sent to those that had less
 *   fetch ─▶ n3 ──┘
 * ```
 * A replica that was asked answers with what it had after the read began, so whatever was answered at `quorum` before
 * is in the records of any majority.
 */
import type { ByteReader } from "../../codec/byte-reader.js";
import { copyBytes, type Key } from "../../core/bytes.js";
import type { MinikeyError } from "../../core/errors.js";
import { type GroupId, type KeyspaceId, keyspaceOf, type NodeId } from "../../core/ids.js";
import { BatchWriter } from "../../eventual/batch.js";
import { merge } from "../../eventual/merge.js";
import { checkRecord, readEventual } from "../../eventual/record.js";
import type { EventualRecord } from "../../eventual/types.js";
import type { Route } from "../coordinator.js";
import { groupOfKey } from "../own-reads.js";
import { encodeEventualFrame } from "../peer-frames.js";
import { nodeStopping } from "../refusal.js";
import { DONE, encodeFetch, encodeRepair, FETCHED, readOutcome } from "./frames.js";
import { type EventualLevel, replicasNeeded, tooFewAnswered, tooFewReachable } from "./levels.js";
import type { CommandReplica, EventualHost } from "./parts.js";
import type { Patience } from "./patience.js";
import type { Asker, PeerRequests, Unanswered } from "./peer-requests.js";

/** What reads through this node have found and put right since it was started, by keyspace. */
export class RepairCounts {
  readonly #records = new Map<KeyspaceId, number>();

  /** Records that a replica was found not to have, and was given. */
  of(keyspace: KeyspaceId): number {
    return this.#records.get(keyspace) ?? 0;
  }

  add(group: GroupId, records: number): void {
    const keyspace = keyspaceOf(group);
    this.#records.set(keyspace, this.of(keyspace) + records);
  }
}

export interface LevelReadParts {
  readonly host: EventualHost;
  readonly requests: PeerRequests;
  readonly patience: Patience;
  readonly repairs: RepairCounts;
}

/** By key; a key that no replica has is not among them. */
export type Records = ReadonlyMap<Key, EventualRecord>;

export interface LevelReading {
  /** Each once. */
  readonly keys: readonly Key[];
  readonly route: Route;
  readonly level: EventualLevel;
  readonly deadlineMs: number;
  readonly done: (records: Records | MinikeyError) => void;
}

/** The records of `keys`, in their order, as one replica has them. */
type Answer = readonly (EventualRecord | undefined)[];

/** One partition's part of a read. */
class Share {
  readonly group: GroupId;
  readonly keys: Key[] = [];
  /** By node. */
  readonly answers = new Map<NodeId, Answer>();
  replicas = 0;
  needed = 0;
  /** Asked, and not heard of yet. */
  open = 0;

  constructor(group: GroupId) {
    this.group = group;
  }

  get isEnough(): boolean {
    return this.answers.size >= this.needed;
  }
}

export class LevelRead {
  readonly #parts: LevelReadParts;
  readonly #reading: LevelReading;
  #shares: Share[] = [];
  /** Shares that need more answers. */
  #lacking = 0;
  #isDone = false;

  constructor(parts: LevelReadParts, reading: LevelReading) {
    this.#parts = parts;
    this.#reading = reading;
  }

  start(): void {
    const shares = new Map<GroupId, Share>();
    for (const key of this.#reading.keys) {
      const group = groupOfKey(key, this.#reading.route);
      let share = shares.get(group);
      if (share === undefined) {
        share = new Share(group);
        shares.set(group, share);
      }
      share.keys.push(key);
    }
    this.#shares = [...shares.values()];
    for (const share of this.#shares) if (!this.#prepare(share)) return;
    this.#lacking = this.#shares.filter((share) => !share.isEnough).length;
    if (this.#lacking === 0) this.#finish();
    else for (const share of this.#shares) if (!share.isEnough && !this.#isDone) this.#ask(share);
  }

  /** Reads what is here. False when too few replicas can be reached: the read waits or has failed. */
  #prepare(share: Share): boolean {
    const { host, patience } = this.#parts;
    const { level, deadlineMs } = this.#reading;
    const holders = host.holdersOf(share.group);
    share.replicas = holders.length;
    share.needed = replicasNeeded(level, holders.length);
    const replica = host.replica(share.group);
    if (replica?.isComplete === true) share.answers.set(host.self, ownRecords(replica, share.keys));
    const reachable = share.answers.size + this.#others(share).length;
    if (reachable >= share.needed) return true;
    if (patience.wait(share.group, deadlineMs, () => this.start())) return false;
    this.#fail(patience.isClosed ? nodeStopping() : tooFewReachable(level, share.replicas, reachable));
    return false;
  }

  #others(share: Share): NodeId[] {
    const { host } = this.#parts;
    const isOther = (node: NodeId) => node !== host.self && host.transport.isUp(node);
    return host.holdersOf(share.group).filter(isOther);
  }

  #ask(share: Share): void {
    const { requests } = this.#parts;
    const { group, keys } = share;
    const asker: Asker = {
      onAnswer: (from, reader) => this.#onAnswer(share, from, reader),
      onUnanswered: (_from, why) => this.#onUnanswered(share, why),
    };
    const encode = (request: number) => encodeFetch(request, keys);
    for (const node of this.#others(share)) {
      if (requests.ask(node, group, FETCHED, this.#reading.deadlineMs, asker, encode)) share.open += 1;
    }
    this.#giveUpIfShort(share);
  }

  #onAnswer(share: Share, from: NodeId, reader: ByteReader): void {
    const isRefused = readOutcome(reader) !== DONE;
    const answer = isRefused ? undefined : readAnswer(reader, share.keys.length);
    share.open -= 1;
    if (this.#isDone) return;
    if (answer === undefined) {
      this.#giveUpIfShort(share);
      return;
    }
    const wasEnough = share.isEnough;
    share.answers.set(from, answer);
    if (!wasEnough && share.isEnough) this.#lacking -= 1;
    if (this.#lacking === 0) this.#finish();
  }

  #onUnanswered(share: Share, why: Unanswered): void {
    share.open -= 1;
    if (this.#isDone) return;
    if (why === "stopping") this.#fail(nodeStopping());
    else this.#giveUpIfShort(share);
  }

  /** When the answers that may still come are too few. */
  #giveUpIfShort(share: Share): void {
    const { answers, open, needed, replicas } = share;
    if (!this.#isDone && answers.size + open < needed) {
      this.#fail(tooFewAnswered(this.#reading.level, replicas, answers.size));
    }
  }

  #fail(error: MinikeyError): void {
    this.#isDone = true;
    this.#reading.done(error);
  }

  #finish(): void {
    this.#isDone = true;
    const records = new Map<Key, EventualRecord>();
    for (const share of this.#shares) {
      this.#parts.patience.onMet(share.group);
      const merged = mergeAnswers(share);
      share.keys.forEach((key, i) => {
        const record = merged[i];
        if (record !== undefined) records.set(key, record);
      });
      if (share.answers.size > 1) this.#repair(share, merged);
    }
    this.#reading.done(records);
  }

  /** Whoever answered with less gets what was found; what is lost of it comes by what keeps the replicas alike anyway. */
  #repair(share: Share, merged: Answer): void {
    const { host, repairs } = this.#parts;
    for (const [node, answer] of share.answers) {
      const lacks = new BatchWriter();
      share.keys.forEach((key, i) => {
        const record = merged[i];
        const had = answer[i];
        if (record !== undefined && (had === undefined || merge(had, record) !== had))
          lacks.record(key, record);
      });
      const { records } = lacks;
      if (records === 0) continue;
      const batch = lacks.take();
      if (node === host.self) {
        if (host.replica(share.group)?.repair(batch) === true) repairs.add(share.group, records);
      } else {
        const frame = encodeEventualFrame("request", share.group, encodeRepair(batch));
        if (host.transport.send(node, frame)) repairs.add(share.group, records);
      }
    }
  }
}

/** As the replica has them now, in memory of their own. */
function ownRecords(replica: CommandReplica, keys: readonly Key[]): Answer {
  return keys.map((key) => {
    const stored = replica.state.stored(key);
    if (stored === undefined) return undefined;
    const bytes = copyBytes(stored.bytes, stored.start, stored.end);
    return readEventual({ bytes, start: 0, end: bytes.length });
  });
}

/** Of `count` keys. Throws `MinikeyError` for what no replica would have. */
function readAnswer(reader: ByteReader, count: number): Answer {
  const records: (EventualRecord | undefined)[] = [];
  for (let i = 0; i < count; i += 1) {
    const length = reader.varint();
    const start = reader.skip(length);
    const stored = { bytes: reader.bytes, start, end: start + length };
    if (length > 0) checkRecord(stored);
    records.push(length === 0 ? undefined : readEventual(stored));
  }
  reader.expectEnd();
  return records;
}

function mergeAnswers({ keys, answers }: Share): Answer {
  const merged: (EventualRecord | undefined)[] = Array.from({ length: keys.length });
  for (const answer of answers.values()) {
    answer.forEach((record, i) => {
      const other = merged[i];
      if (record !== undefined) merged[i] = other === undefined ? record : merge(other, record);
    });
  }
  return merged;
}
