/**
 * Lookups in several partitions of which this node holds a replica: the way that nearly every one goes, with no
 * promise, no message and little garbage. `snapshot-reads.ts` says why what it answers stood at one moment; whatever
 * is not as simple as here (a lock, an overdue key, a key that was just written, a partition without a replica or
 * without a leader) goes the way described there.
 *
 * A turn's lookups share one confirmation a partition (ReadIndex). A read waits for those of its own partitions only,
 * and is then carried out at once, on all of them.
 */
import { resolveIn } from "../commands/look.js";
import type { Entry, Resolved } from "../commands/types.js";
import type { Key } from "../core/bytes.js";
import type { MinikeyError } from "../core/errors.js";
import { type GroupId, groupOf, partitionId } from "../core/ids.js";
import type { Meanings } from "../document/meanings.js";
import { GrowingKey, slotOfKey } from "../sharding/slots.js";
import type { Route } from "./coordinator.js";
import type { ReplicaGroup } from "./replica-group.js";

/** What such reads need of their node. */
export interface OwnReadsHost {
  monotonicMs(): number;
  wallMs(): number;
  replica(group: GroupId): ReplicaGroup | undefined;
  /** Has `flush` called at the end of this turn. */
  wakeReader(reads: OwnReads): void;
}

/** Gets, once, one result a path, in order, or why there are none. Bytes are valid during the call. */
export interface PathSink {
  onResolved(results: readonly (Resolved | undefined)[] | MinikeyError): void;
}

/** The way for what cannot be read here. */
export interface LongWay {
  ask(paths: readonly Meanings[], route: Route, sink: PathSink): void;
}

/** One partition's share of a turn. */
class GroupTurn {
  readonly replica: ReplicaGroup;
  /** What the replica had applied before any of the reads came. */
  readonly floor: number;
  readonly reads: OwnRead[] = [];
  askedMs = 0;

  constructor(replica: ReplicaGroup) {
    this.replica = replica;
    this.floor = replica.machine.view.revision;
  }
}

class OwnRead {
  readonly paths: readonly Meanings[];
  readonly route: Route;
  readonly sink: PathSink;
  /** The partitions of all keys of all reads of the turn. This one's begin at `first`: path by path, shortest keys first. */
  readonly turns: readonly GroupTurn[];
  readonly first: number;
  isDone = false;
  /** Partitions that it is about, and those of them that are not confirmed yet. */
  partitions = 0;
  open = 0;

  constructor(paths: readonly Meanings[], route: Route, sink: PathSink, turns: readonly GroupTurn[]) {
    this.paths = paths;
    this.route = route;
    this.sink = sink;
    this.turns = turns;
    this.first = turns.length;
  }
}

const NOT_HERE = "not here";

/** A confirmation that takes longer may be lost, or there is no leader. */
const CONFIRM_MS = 200;
/** Past this, reads are counted where they are bounded. */
const OPEN_READS_MAX = 65_536;

export class OwnReads {
  isAwake = false;
  readonly #host: OwnReadsHost;
  readonly #longWay: LongWay;
  #gathering = new Map<GroupId, GroupTurn>();
  #turns: GroupTurn[] = [];
  readonly #growing = new GrowingKey();
  readonly #asked = new Set<GroupTurn>();
  #open = 0;
  #isClosed = false;

  constructor(host: OwnReadsHost, longWay: LongWay) {
    this.#host = host;
    this.#longWay = longWay;
  }

  /** Reads not answered yet. */
  get pending(): number {
    return this.#open;
  }

  look(paths: readonly Meanings[], route: Route, sink: PathSink): void {
    const isTaken = route.guarantee === "stale" ? this.#lookStale(paths, route, sink) : false;
    if (!isTaken && !this.#join(paths, route, sink)) this.#longWay.ask(paths, route, sink);
  }

  /** At once, from what the replicas here have. False when there is none of some partition. */
  #lookStale(paths: readonly Meanings[], route: Route, sink: PathSink): boolean {
    const nowMs = this.#host.wallMs();
    const results: (Resolved | undefined)[] = [];
    for (const path of paths) {
      let result: Resolved | undefined;
      for (let i = 0; i < path.count && result === undefined; i += 1) {
        const key = path.keyAt(i);
        const replica = this.#host.replica(groupOfKey(key, route));
        if (replica === undefined) return false;
        const entry = replica.machine.viewAt(nowMs).get(key);
        if (entry !== undefined) result = resolveIn(entry, path, i);
      }
      results.push(result);
    }
    sink.onResolved(results);
    return true;
  }

  /** Goes with the others of this turn. False when the paths cannot be read here. */
  #join(paths: readonly Meanings[], route: Route, sink: PathSink): boolean {
    if (route.guarantee === "stale" || this.#isClosed || this.#open >= OPEN_READS_MAX) return false;
    const turns = this.#turns;
    const read = new OwnRead(paths, route, sink, turns);
    for (const path of paths) {
      this.#growing.reset();
      for (let i = path.count - 1; i >= 0; i -= 1) {
        const slot = this.#growing.slotOf(path.keyAt(i));
        const turn = this.#turnOf(groupOfSlot(slot, route));
        if (turn === undefined) {
          // Perhaps nobody else comes in this turn, and then nobody ends it.
          turns.length = read.first;
          return false;
        }
        turns.push(turn);
      }
    }
    for (let at = read.first; at < turns.length; at += 1) {
      const { reads } = turns[at];
      // A read that has joined was the last to do so.
      if (reads.length > 0 && reads[reads.length - 1] === read) continue;
      reads.push(read);
      read.partitions += 1;
    }
    read.open = read.partitions;
    this.#open += 1;
    this.#host.wakeReader(this);
    return true;
  }

  #turnOf(group: GroupId): GroupTurn | undefined {
    const known = this.#gathering.get(group);
    if (known !== undefined) return known;
    const replica = this.#host.replica(group);
    if (replica === undefined || replica.isInstalling) return undefined;
    const turn = new GroupTurn(replica);
    this.#gathering.set(group, turn);
    return turn;
  }

  /** At the end of a turn. */
  flush(): void {
    const turns = this.#gathering;
    this.#gathering = new Map();
    this.#turns = [];
    const nowMs = this.#host.monotonicMs();
    for (const turn of turns.values()) {
      if (turn.reads.length === 0) continue;
      turn.askedMs = nowMs;
      this.#asked.add(turn);
      turn.replica.awaitReadable((confirmed) => this.#onConfirmed(turn, confirmed));
    }
  }

  /** From time to time. */
  sweep(): void {
    const nowMs = this.#host.monotonicMs();
    for (const turn of this.#asked) if (nowMs - turn.askedMs > CONFIRM_MS) this.#onConfirmed(turn, false);
  }

  /** Whatever is under way, and whatever comes from now on, is to be read another way. */
  close(): void {
    // Commands that wait for those answered here start now: they must find nothing to join.
    this.#isClosed = true;
    for (const turn of [...this.#asked, ...this.#gathering.values()]) this.#onConfirmed(turn, false);
    this.#gathering.clear();
  }

  #onConfirmed(turn: GroupTurn, confirmed: boolean): void {
    // A confirmation may come after it was given up.
    this.#asked.delete(turn);
    const nowMs = this.#host.wallMs();
    for (const read of turn.reads) {
      if (read.isDone) continue;
      read.open -= 1;
      if (!confirmed || read.open === 0)
        this.#finish(read, confirmed ? this.#carryOut(read, nowMs) : undefined);
    }
  }

  /** Undefined when it takes the long way to tell. */
  #carryOut(
    { paths, turns, first, partitions }: OwnRead,
    nowMs: number,
  ): readonly (Resolved | undefined)[] | undefined {
    const results: (Resolved | undefined)[] = [];
    let end = first;
    for (const path of paths) {
      let result: Resolved | undefined;
      end += path.count;
      // Keys behind the first that exists decide about nothing.
      for (let i = 0; i < path.count && result === undefined; i += 1) {
        const key = path.keyAt(i);
        const entry = this.#entryAt(key, turns[end - 1 - i], partitions, nowMs);
        if (entry === NOT_HERE) return undefined;
        if (entry !== undefined) result = resolveIn(entry, path, i);
      }
      results.push(result);
    }
    return results;
  }

  /** `NOT_HERE` when what is here does not tell what there was at the moment of the read. */
  #entryAt(
    key: Key,
    { replica, floor }: GroupTurn,
    partitions: number,
    nowMs: number,
  ): Entry | undefined | typeof NOT_HERE {
    const { machine } = replica;
    // A replica may have gone since it was asked.
    if (this.#host.replica(replica.id) !== replica) return NOT_HERE;
    if (!machine.transactions.isIdle && machine.transactions.holderOf(key) !== undefined) return NOT_HERE;
    const view = machine.viewAt(nowMs);
    const entry = view.peek(key);
    if (entry === undefined) return partitions === 1 || view.isAbsentSince(key, floor) ? undefined : NOT_HERE;
    if (view.isDue(entry)) return NOT_HERE;
    return partitions === 1 || entry.version <= floor ? entry : NOT_HERE;
  }

  #finish(read: OwnRead, results: readonly (Resolved | undefined)[] | undefined): void {
    const { paths, route, sink } = read;
    read.isDone = true;
    this.#open -= 1;
    if (results === undefined) this.#longWay.ask(paths, route, sink);
    else sink.onResolved(results);
  }
}

export const groupOfKey = (key: Key, route: Route): GroupId => groupOfSlot(slotOfKey(key), route);

const groupOfSlot = (slot: number, route: Route): GroupId =>
  groupOf(route.keyspace.id, partitionId(route.partitionOf(slot)));
