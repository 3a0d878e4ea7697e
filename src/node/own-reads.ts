/**
 * Lookups in several partitions of which this node holds a replica: the way that nearly every one goes, with no
 * promise, no message and little garbage. `snapshot-reads.ts` says why what it answers stood at one moment; whatever
 * is not as simple as here (a lock, an overdue key, a key that was just written, a partition without a replica or
 * without a leader) goes the way described there.
 *
 * A turn's lookups share one confirmation a partition (ReadIndex). A read waits for those of its own partitions only,
 * and is then carried out at once, on all of them. The keys of reads that are carried out together are searched for
 * together, as a search mostly waits for memory.
 */
import { resolveIn } from "../commands/look.js";
import { type EntryLookup, findAll, SHARED_LOOKUPS_MIN } from "../commands/look-all.js";
import type { Entry, Resolved } from "../commands/types.js";
import type { Key } from "../core/bytes.js";
import type { MinikeyError } from "../core/errors.js";
import { type GroupId, groupOf, partitionId } from "../core/ids.js";
import type { Meanings } from "../document/meanings.js";
import type { PathList } from "../document/path-list.js";
import { GrowingKey, slotOfKey } from "../sharding/slots.js";
import { asReply, type Route } from "./coordinator.js";
import { OwnPlace, OwnRead, OwnTurn, type PathSink } from "./own-turn.js";
import type { ReplicaGroup } from "./replica-group.js";

/** What such reads need of their node. */
export interface OwnReadsHost {
  monotonicMs(): number;
  wallMs(): number;
  replica(group: GroupId): ReplicaGroup | undefined;
  /** Has `flush` called at the end of this turn. */
  wakeReader(reads: OwnReads): void;
}

/** The way for what cannot be read here. */
export interface LongWay {
  ask(paths: readonly Meanings[], route: Route, sink: PathSink): void;
}

type Results = readonly (Resolved | undefined)[];

export const NOT_HERE = "not here";
export type EntryHere = Entry | undefined | typeof NOT_HERE;

/** A confirmation that takes longer may be lost, or there is no leader. */
const CONFIRM_MS = 200;
/** Past this, reads are counted where they are bounded. */
const OPEN_READS_MAX = 65_536;

export class OwnReads {
  isAwake = false;
  readonly #host: OwnReadsHost;
  readonly #longWay: LongWay;
  #turn = new OwnTurn(0);
  readonly #growing = new GrowingKey();
  readonly #asked = new Set<OwnPlace>();
  #open = 0;
  #isClosed = false;
  /** Runs of reads that were carried out together. */
  #runs = 0;

  constructor(host: OwnReadsHost, longWay: LongWay) {
    this.#host = host;
    this.#longWay = longWay;
  }

  /** Reads not answered yet. */
  get pending(): number {
    return this.#open;
  }

  /** To add the paths of a read to, right before `look` is called for it. */
  get paths(): PathList {
    return this.#turn.paths;
  }

  /** Looks at `paths` from the one at `first` on, at least one. */
  look(first: number, route: Route, sink: PathSink): void {
    const turn = this.#turn;
    const read = new OwnRead(turn, first, route, sink);
    if (route.guarantee === "stale") {
      const results = this.#lookStale(read);
      if (results !== undefined) {
        sink.onResolved(results, read);
        // Whoever was answered may have asked for more.
        if (turn.paths.count === read.end) turn.paths.truncate(first);
        return;
      }
    } else if (this.#join(read)) {
      return;
    }
    const meanings = read.allMeanings();
    turn.paths.truncate(first);
    this.#longWay.ask(meanings, route, sink);
  }

  /** At once, from what the replicas here have. Undefined when there is none of some partition. */
  #lookStale(read: OwnRead): Results | MinikeyError | undefined {
    const nowMs = this.#host.wallMs();
    return lookThrough(read, (key) => {
      const replica = this.#host.replica(groupOfKey(key, read.route));
      return replica === undefined ? NOT_HERE : replica.machine.viewAt(nowMs).get(key);
    });
  }

  /** Goes with the others of this turn. False when the paths cannot be read here. */
  #join(read: OwnRead): boolean {
    if (this.#isClosed || this.#open >= OPEN_READS_MAX || !this.#findPlaces(read)) return false;
    const { paths, places } = read.turn;
    const endKey = paths.firstKeyOf(read.end);
    for (let key = paths.firstKeyOf(read.first); key < endKey; key += 1) {
      const { reads } = places[key];
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

  /** False when there is none here for some key. */
  #findPlaces({ turn, first, end, route }: OwnRead): boolean {
    const { paths, places } = turn;
    const growing = this.#growing;
    for (let path = first; path < end; path += 1) {
      growing.reset(paths.bytes, paths.startOf(path));
      const endKey = paths.firstKeyOf(path + 1);
      for (let key = paths.firstKeyOf(path); key < endKey; key += 1) {
        const group = groupOfSlot(growing.slotTo(paths.endOfKey(key)), route);
        const place = turn.groups.get(group) ?? this.#newPlace(turn, group);
        if (place === undefined) return false;
        places[key] = place;
      }
    }
    return true;
  }

  #newPlace(turn: OwnTurn, group: GroupId): OwnPlace | undefined {
    const replica = this.#host.replica(group);
    if (replica === undefined || replica.isInstalling) return undefined;
    const place = new OwnPlace(replica);
    turn.groups.set(group, place);
    return place;
  }

  /** At the end of a turn. */
  flush(): void {
    const turn = this.#turn;
    this.#turn = new OwnTurn(turn.paths.sizeBytes);
    const nowMs = this.#host.monotonicMs();
    for (const place of turn.groups.values()) {
      if (place.reads.length === 0) continue;
      place.askedMs = nowMs;
      this.#asked.add(place);
      place.replica.awaitReadable((confirmed) => this.#onConfirmed(place, confirmed));
    }
  }

  /** From time to time. */
  sweep(): void {
    const nowMs = this.#host.monotonicMs();
    for (const place of this.#asked) if (nowMs - place.askedMs > CONFIRM_MS) this.#onConfirmed(place, false);
  }

  /** Whatever is under way, and whatever comes from now on, is to be read another way. */
  close(): void {
    // Commands that wait for those answered here start now: they must find nothing to join.
    this.#isClosed = true;
    const gathered = this.#turn;
    this.#turn = new OwnTurn(0);
    for (const place of [...this.#asked, ...gathered.groups.values()]) this.#onConfirmed(place, false);
  }

  #onConfirmed(place: OwnPlace, confirmed: boolean): void {
    // A confirmation may come after it was given up.
    this.#asked.delete(place);
    const ready: OwnRead[] = [];
    for (const read of place.reads) {
      if (read.isDone) continue;
      read.open -= 1;
      if (!confirmed) this.#finish(read, undefined);
      else if (read.open === 0) ready.push(read);
    }
    for (let at = 0; at < ready.length; ) {
      const end = this.#prepare(ready, at);
      for (; at < end; at += 1) if (!ready[at].isDone) this.#finish(ready[at], this.#carryOut(ready[at]));
    }
  }

  /**
   * Makes the partitions of the reads from `from` on ready, and searches for their keys: of as many reads as one
   * search is good for. Returns where the others begin.
   */
  #prepare(reads: readonly OwnRead[], from: number): number {
    const nowMs = this.#host.wallMs();
    const { turn } = reads[from];
    const { paths, places } = turn;
    const entered: OwnPlace[] = [];
    this.#runs += 1;
    let at = from;
    for (let isFull = false; at < reads.length && !isFull; at += 1) {
      const { first, end } = reads[at];
      for (let path = first; path < end; path += 1) {
        const start = paths.startOf(path);
        const firstKey = paths.firstKeyOf(path);
        // In the order in which they are read.
        for (let key = paths.firstKeyOf(path + 1) - 1; key >= firstKey; key -= 1) {
          const place = places[key];
          if (place.enter(this.#runs)) {
            this.#openPlace(place, nowMs);
            entered.push(place);
          }
          if (!place.foresee(start, paths.endOfKey(key))) isFull = true;
        }
      }
    }
    // What one read alone looks for is not waited for together.
    if (at - from > 1) for (const place of entered) place.prefetch(turn);
    return at;
  }

  #openPlace(place: OwnPlace, nowMs: number): void {
    const { replica } = place;
    const { machine } = replica;
    // A replica may have gone since it was asked.
    place.view = this.#host.replica(replica.id) === replica ? machine.viewAt(nowMs) : undefined;
    place.hasLocks = !machine.transactions.isIdle;
  }

  /** Undefined when it takes the long way to tell. */
  #carryOut(read: OwnRead): Results | MinikeyError | undefined {
    const { turn, first, end, partitions } = read;
    const { paths, places } = turn;
    if (end - first >= SHARED_LOOKUPS_MIN) {
      return resolveMany(read, (key, at) => entryAt(key, places[at], partitions));
    }
    const results: (Resolved | undefined)[] = [];
    for (let path = first; path < end; path += 1) {
      const firstKey = paths.firstKeyOf(path);
      const lastKey = paths.firstKeyOf(path + 1) - 1;
      const longest = paths.longestKeyOf(path);
      let result: Resolved | undefined;
      // Keys behind the first that exists decide about nothing.
      for (let at = lastKey; at >= firstKey && result === undefined; at -= 1) {
        const key = at === lastKey ? longest : longest.slice(0, paths.lengthOfKey(path, at));
        const entry = entryAt(key, places[at], partitions);
        if (entry === NOT_HERE) return undefined;
        if (entry !== undefined) result = resolveIn(entry, paths.wayBehind(path, at), lastKey - at);
      }
      results.push(result);
    }
    return results;
  }

  #finish(read: OwnRead, results: Results | MinikeyError | undefined): void {
    read.isDone = true;
    this.#open -= 1;
    if (results === undefined) this.#longWay.ask(read.allMeanings(), read.route, read.sink);
    else read.sink.onResolved(results, read);
  }
}

/** What the read's paths lead to, by the entries of their keys. Undefined when some entry is not here. */
export function lookThrough(
  read: OwnRead,
  entryOf: (key: Key) => EntryHere,
): Results | MinikeyError | undefined {
  const { turn, first, end } = read;
  const { paths } = turn;
  if (end - first >= SHARED_LOOKUPS_MIN) return resolveMany(read, entryOf);
  const results: (Resolved | undefined)[] = [];
  for (let path = first; path < end; path += 1) {
    const firstKey = paths.firstKeyOf(path);
    const lastKey = paths.firstKeyOf(path + 1) - 1;
    const longest = paths.longestKeyOf(path);
    let result: Resolved | undefined;
    for (let at = lastKey; at >= firstKey && result === undefined; at -= 1) {
      const key = longest.slice(0, paths.lengthOfKey(path, at));
      const entry = entryOf(key);
      if (entry === NOT_HERE) return undefined;
      if (entry !== undefined) result = resolveIn(entry, paths.wayBehind(path, at), lastKey - at);
    }
    results.push(result);
  }
  return results;
}

/**
 * What many paths lead to, by the entries of their keys, which are counted as the turn's paths count them: first all
 * entries, then all ways into them. Undefined when some entry is not here.
 */
function resolveMany(
  { turn, first, end }: OwnRead,
  entryOf: (key: Key, at: number) => EntryHere,
): Results | MinikeyError | undefined {
  const { paths } = turn;
  const entries = new Map<Key, Entry | undefined>();
  const lookups: (EntryLookup & { readonly meaning: number })[] = [];
  const asked: number[] = [];
  for (let path = first; path < end; path += 1) {
    const meanings = paths.meaningsAt(path);
    const lastKey = paths.firstKeyOf(path + 1) - 1;
    for (let meaning = 0; meaning < meanings.count; meaning += 1) {
      const key = meanings.keyAt(meaning);
      let entry = entries.get(key);
      if (entry === undefined && !entries.has(key)) {
        const there = entryOf(key, lastKey - meaning);
        if (there === NOT_HERE) return undefined;
        entry = there;
        entries.set(key, entry);
      }
      if (entry === undefined) continue;
      lookups.push({ entry, path: meanings.wayAt(meaning), meaning });
      asked.push(path - first);
      break;
    }
  }
  const results: (Resolved | undefined)[] = Array.from({ length: end - first });
  try {
    for (const [i, found] of findAll(lookups).entries()) {
      const { entry, meaning } = lookups[i];
      const { type, version, expiresAtMs, bytes } = entry;
      results[asked[i]] = { meaning, type, version, expiresAtMs, found, bytes };
    }
    return results;
  } catch (error) {
    return asReply(error);
  }
}

/** `NOT_HERE` when what is here does not tell what there was at the moment of the read. */
function entryAt(key: Key, place: OwnPlace, partitions: number): EntryHere {
  const { view, floor } = place;
  if (view === undefined) return NOT_HERE;
  if (place.hasLocks && place.replica.machine.transactions.holderOf(key) !== undefined) return NOT_HERE;
  const entry = view.peek(key);
  if (entry === undefined) return partitions === 1 || view.isAbsentSince(key, floor) ? undefined : NOT_HERE;
  if (view.isDue(entry)) return NOT_HERE;
  return partitions === 1 || entry.version <= floor ? entry : NOT_HERE;
}

export const groupOfKey = (key: Key, route: Route): GroupId => groupOfSlot(slotOfKey(key), route);

const groupOfSlot = (slot: number, route: Route): GroupId =>
  groupOf(route.keyspace.id, partitionId(route.partitionOf(slot)));
