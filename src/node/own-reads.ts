/**
 * Lookups in several partitions of which this node holds a replica: the way that nearly every one goes, with no
 * promise, no message and little garbage. `snapshot-reads.ts` says why what it answers stood at one moment; whatever
 * is not as simple as here (a lock, an overdue key, a key that was just written, a partition without a replica or
 * without a leader) goes the way described there.
 *
 * A turn's lookups share one confirmation a partition (ReadIndex). A read waits for those of its own partitions only,
 * and is then carried out at once, on all of them.
 */
import { lookIn } from "../commands/look.js";
import type { Looked, Lookup } from "../commands/types.js";
import type { Key } from "../core/bytes.js";
import type { MinikeyError } from "../core/errors.js";
import { type GroupId, groupOf, partitionId } from "../core/ids.js";
import { slotOfKey } from "../sharding/slots.js";
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

/** Gets, once, one result a lookup, in order, or why there are none. Bytes are valid during the call. */
export interface LookSink {
  onLooked(results: readonly (Looked | undefined)[] | MinikeyError): void;
}

/** The way for what cannot be read here. */
export interface LongWay {
  ask(lookups: readonly Lookup[], route: Route, sink: LookSink): void;
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
  readonly lookups: readonly Lookup[];
  readonly route: Route;
  readonly sink: LookSink;
  /** Of each lookup, its partition's. */
  readonly turns: GroupTurn[] = [];
  isDone = false;
  /** Partitions that it is about, and those of them that are not confirmed yet. */
  partitions = 0;
  open = 0;

  constructor(lookups: readonly Lookup[], route: Route, sink: LookSink) {
    this.lookups = lookups;
    this.route = route;
    this.sink = sink;
  }
}

/** A confirmation that takes longer may be lost, or there is no leader. */
const CONFIRM_MS = 200;
/** Past this, reads are counted where they are bounded. */
const OPEN_READS_MAX = 65_536;

export class OwnReads {
  isAwake = false;
  readonly #host: OwnReadsHost;
  readonly #longWay: LongWay;
  #gathering = new Map<GroupId, GroupTurn>();
  readonly #asked = new Set<GroupTurn>();
  #open = 0;

  constructor(host: OwnReadsHost, longWay: LongWay) {
    this.#host = host;
    this.#longWay = longWay;
  }

  /** Reads not answered yet. */
  get pending(): number {
    return this.#open;
  }

  look(lookups: readonly Lookup[], route: Route, sink: LookSink): void {
    const isTaken = route.guarantee === "stale" ? this.#lookStale(lookups, route, sink) : false;
    if (!isTaken && !this.#join(lookups, route, sink)) this.#longWay.ask(lookups, route, sink);
  }

  /** At once, from what the replicas here have. False when there is none of some partition. */
  #lookStale(lookups: readonly Lookup[], route: Route, sink: LookSink): boolean {
    const nowMs = this.#host.wallMs();
    const results: (Looked | undefined)[] = [];
    for (const lookup of lookups) {
      const replica = this.#host.replica(groupOfKey(lookup.key, route));
      if (replica === undefined) return false;
      results.push(lookIn(replica.machine.viewAt(nowMs).get(lookup.key), lookup));
    }
    sink.onLooked(results);
    return true;
  }

  /** Goes with the others of this turn. False when the lookups cannot be read here. */
  #join(lookups: readonly Lookup[], route: Route, sink: LookSink): boolean {
    if (route.guarantee === "stale" || this.#open >= OPEN_READS_MAX) return false;
    const read = new OwnRead(lookups, route, sink);
    for (const { key } of lookups) {
      const turn = this.#turnOf(groupOfKey(key, route));
      if (turn === undefined) return false;
      read.turns.push(turn);
    }
    for (const turn of read.turns) {
      // A read that has joined was the last to do so.
      if (turn.reads.length > 0 && turn.reads[turn.reads.length - 1] === read) continue;
      turn.reads.push(read);
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

  /** Whatever is under way is to be read another way. */
  close(): void {
    for (const turn of [...this.#asked, ...this.#gathering.values()]) this.#onConfirmed(turn, false);
    this.#gathering.clear();
  }

  #onConfirmed(turn: GroupTurn, confirmed: boolean): void {
    // A confirmation may come after it was given up.
    this.#asked.delete(turn);
    for (const read of turn.reads) {
      if (read.isDone) continue;
      read.open -= 1;
      if (!confirmed || read.open === 0) this.#finish(read, confirmed ? this.#carryOut(read) : undefined);
    }
  }

  #carryOut({ lookups, turns, partitions }: OwnRead): readonly (Looked | undefined)[] | undefined {
    const nowMs = this.#host.wallMs();
    const results: (Looked | undefined)[] = [];
    for (let i = 0; i < lookups.length; i += 1) {
      const { replica, floor } = turns[i];
      const { key } = lookups[i];
      const { machine } = replica;
      // A replica may have gone since it was asked.
      if (this.#host.replica(replica.id) !== replica) return undefined;
      if (!machine.transactions.isIdle && machine.transactions.holderOf(key) !== undefined) return undefined;
      const view = machine.viewAt(nowMs);
      if (view.isOverdue(key)) return undefined;
      const entry = view.get(key);
      const changedAt = entry === undefined ? view.absentSince(key) : entry.version;
      if (changedAt > floor && partitions > 1) return undefined;
      results.push(lookIn(entry, lookups[i]));
    }
    return results;
  }

  #finish(read: OwnRead, results: readonly (Looked | undefined)[] | undefined): void {
    const { lookups, route, sink } = read;
    read.isDone = true;
    this.#open -= 1;
    if (results === undefined) this.#longWay.ask(lookups, route, sink);
    else sink.onLooked(results);
  }
}

export function groupOfKey(key: Key, route: Route): GroupId {
  return groupOf(route.keyspace.id, partitionId(route.partitionOf(slotOfKey(key))));
}
