/**
 * Places in several keys' values as of one moment, over partitions (docs/adr/0013).
 *
 * Each partition is asked once (`KV.FIELD`) and answers from one state of its data that holds everything committed
 * before the question: what it found, its revision, and since which revision it has been like this. A partition's
 * `floor` is a revision that was committed before the questions were asked. Then:
 *
 * - A partition whose answer says "unchanged since the floor or before" had these values at every moment from when
 *   the questions were asked until it answered.
 * - If all partitions say so, all values stood together at the moment when the questions were asked.
 * - If all but one say so even when asked again after that one has answered, all values stood together at the
 *   moment of its answer, whenever that was. So a key that is written all the time costs no more than this.
 * - Otherwise all are asked again. Floors are then the revisions of the answers so far: all of these were committed
 *   by now. Of what has not changed since, the value does not travel again.
 *
 * The first floors are what this node's own replicas have applied when the command comes. They lag a little behind
 * at most, so one round is enough unless a key is just being written; where there is no replica here there is no
 * floor, and more rounds are needed. A request's moment lies between its arrival and its answer: it is linearizable.
 *
 * Transactions fit in because a partition that holds a part of one does not answer for its keys (`PartitionReader`
 * waits for the lock's end). A transaction shows in an answer, or in a floor, only after it was carried out there;
 * by then all its partitions had it prepared in their logs. Whoever is asked later either has carried it out, too,
 * with a revision above a floor from before, or waits. So no two values are on different sides of it.
 *
 * An expiry shows only as the delete that it is in the log: overdue keys are purged before they are read.
 *
 * Keys that several partitions write all the time are read under a lock after a few rounds.
 */
import { lookupsOf, resolveAll } from "../commands/look.js";
import { findAll } from "../commands/look-all.js";
import type { Reply } from "../commands/reply.js";
import type { AskedPaths, Entry, Looked, Lookup, Resolved } from "../commands/types.js";
import { assert } from "../core/assert.js";
import type { Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { GroupId } from "../core/ids.js";
import type { Meanings } from "../document/meanings.js";
import type { PathList } from "../document/path-list.js";
import type { Clock } from "../ports/clock.js";
import { asReply, type Route } from "./coordinator.js";
import type { ReplySink } from "./database.js";
import { answerAt, fieldArgs, KV_FIELD, revisionOf } from "./field-command.js";
import { groupOfKey, OwnReads, type OwnReadsHost } from "./own-reads.js";
import type { PathSink } from "./own-turn.js";
import { refusalError } from "./refusal.js";
import type { Requests } from "./requests.js";
import { STEPS_GRACE_MS, within } from "./within.js";

/** By key; missing keys are left out. */
export type Entries = ReadonlyMap<Key, Entry>;

/** Times that all are asked before the lock. */
const ROUNDS_MAX = 3;
/** Nothing of the partition is known to have been committed. */
const NO_FLOOR = -1;

const NO_RESULTS: readonly (Resolved | undefined)[] = [];
const NO_PATHS: AskedPaths = {
  meaningsAt(i) {
    assert(false, "there is no path %", i);
  },
};

/** Gets, once, one result a lookup, in order, or why there are none. Bytes are valid during the call. */
interface LookSink {
  onLooked(results: readonly (Looked | undefined)[] | MinikeyError): void;
}

/** What such reads need of their node. */
export interface SnapshotHost {
  readonly requests: Pick<Requests, "requestTimeoutMs" | "appliedRevision" | "read" | "ownReads"> &
    OwnReadsHost;
  readonly clock: Clock;
  /** Entries of one moment, whatever it costs. Rejects with `MinikeyError`. */
  readLocked(keys: readonly Key[], route: Route): Promise<Entries>;
}

export class SnapshotReads {
  readonly #host: SnapshotHost;
  readonly #own: OwnReads;

  constructor(host: SnapshotHost) {
    this.#host = host;
    this.#own = new OwnReads(host.requests, this);
    host.requests.ownReads = this.#own;
  }

  /** To add the paths of a read to, right before `look` is called for it. */
  get paths(): PathList {
    return this.#own.paths;
  }

  /** Looks at `paths` from the one at `first` on. */
  look(first: number, route: Route, sink: PathSink): void {
    if (first === this.paths.count) sink.onResolved(NO_RESULTS, NO_PATHS);
    else this.#own.look(first, route, sink);
  }

  /** Asks the partitions, wherever they are. */
  ask(paths: readonly Meanings[], route: Route, sink: PathSink): void {
    const asked: AskedPaths = { meaningsAt: (i) => paths[i] };
    const onLooked: LookSink["onLooked"] = (results) =>
      sink.onResolved(results instanceof MinikeyError ? results : resolveAll(paths, results), asked);
    new SnapshotRead(lookupsOf(paths), route, false, { onLooked }, this.#host).start();
  }

  /** Whole values, in memory of their own, whatever the route says of reads. Rejects with `MinikeyError`. */
  async read(keys: readonly Key[], route: Route): Promise<Entries> {
    return await new Promise((resolve, reject) => {
      const lookups = keys.map((key) => ({ key, path: [] }));
      const onLooked: LookSink["onLooked"] = (results) => {
        if (results instanceof MinikeyError) reject(results);
        else resolve(entriesOf(keys, results));
      };
      const sink = { onLooked };
      new SnapshotRead(lookups, { ...route, guarantee: "linearizable" }, true, sink, this.#host).start();
    });
  }
}

/** One partition's lookups, and what it answered last. */
interface Part extends ReplySink {
  readonly group: GroupId;
  /** Which of all lookups are this partition's. */
  readonly positions: number[];
  /** A revision that was committed before the partition was asked. */
  floor: number;
  revision: number;
  /** The partition's lookups have been as answered since this revision. */
  changedAt: number;
}

class SnapshotRead {
  readonly #lookups: readonly Lookup[];
  readonly #route: Route;
  readonly #keeps: boolean;
  readonly #host: SnapshotHost;
  readonly #parts: Part[] = [];
  readonly #results: (Looked | undefined)[];
  readonly #deadlineMs: number;
  #sink: LookSink | undefined;
  /** Partitions asked that have not answered yet. */
  #open = 0;
  #round = 0;
  /** The one that has changed, while the others are asked again whether they have not. */
  #changed: Part | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(lookups: readonly Lookup[], route: Route, keeps: boolean, sink: LookSink, host: SnapshotHost) {
    this.#lookups = lookups;
    this.#route = route;
    this.#sink = sink;
    this.#host = host;
    this.#results = Array.from<Looked | undefined>({ length: lookups.length });
    this.#deadlineMs = host.clock.monotonicMs() + host.requests.requestTimeoutMs + STEPS_GRACE_MS;
    lookups.forEach((lookup, i) => this.#partOf(lookup.key).positions.push(i));
    this.#keeps = keeps || this.#parts.length > 1;
  }

  #partOf(key: Key): Part {
    const group = groupOfKey(key, this.#route);
    const known = this.#parts.find((part) => part.group === group);
    if (known !== undefined) return known;
    const floor = this.#host.requests.appliedRevision(group) ?? NO_FLOOR;
    const part: Part = {
      group,
      positions: [],
      floor,
      revision: NO_FLOOR,
      changedAt: 0,
      onReply: (reply) => this.#onReply(part, reply),
    };
    this.#parts.push(part);
    return part;
  }

  start(): void {
    this.#askAll();
  }

  #askAll(): void {
    this.#round += 1;
    this.#ask(this.#parts);
  }

  #ask(parts: readonly Part[]): void {
    const { requests } = this.#host;
    this.#open = parts.length;
    for (const part of parts) {
      const args = fieldArgs(this.#lookups, part.positions, this.#results);
      requests.read(part.group, KV_FIELD, args, this.#route.guarantee, part, undefined);
    }
  }

  #onReply(part: Part, reply: Reply): void {
    if (this.#sink === undefined) return;
    if (reply instanceof MinikeyError) {
      this.#finish(reply);
      return;
    }
    part.revision = revisionOf(reply);
    part.changedAt = 0;
    part.positions.forEach((position, i) => {
      const { changedAt, looked } = answerAt(reply, i, this.#results[position], this.#keeps);
      part.changedAt = Math.max(part.changedAt, changedAt);
      this.#results[position] = looked;
    });
    this.#open -= 1;
    if (this.#open === 0) this.#judge();
  }

  /** All that were asked have answered. */
  #judge(): void {
    if (this.#route.guarantee === "stale" || this.#parts.length === 1) {
      this.#finish(this.#results);
      return;
    }
    const held = this.#changed;
    this.#changed = undefined;
    const changed = this.#parts.filter((part) => part !== held && part.changedAt > part.floor);
    if (changed.length === 0) this.#finish(this.#results);
    else if (changed.length === 1 && held === undefined) this.#confirmAllBut(changed[0]);
    else this.#tryAgain();
  }

  #confirmAllBut(part: Part): void {
    this.#limitTime();
    this.#changed = part;
    this.#ask(this.#parts.filter((other) => other !== part));
  }

  #tryAgain(): void {
    this.#limitTime();
    if (this.#round === ROUNDS_MAX) {
      this.#readLocked();
      return;
    }
    for (const part of this.#parts) part.floor = part.revision;
    this.#askAll();
  }

  #readLocked(): void {
    const { clock } = this.#host;
    const keys = [...new Set(this.#lookups.map((lookup) => lookup.key))];
    const limitMs = Math.max(0, this.#deadlineMs - clock.monotonicMs());
    within(clock, limitMs, this.#host.readLocked(keys, this.#route))
      .then((entries) => (entries === undefined ? refusalError("unreachable") : this.#lookIn(entries)))
      .then(
        (results) => this.#finish(results),
        (error: unknown) => this.#finish(asReply(error)),
      );
  }

  #lookIn(entries: Entries): (Looked | undefined)[] {
    const there = this.#lookups.flatMap(({ key, path }, i) => {
      const entry = entries.get(key);
      return entry === undefined ? [] : [{ entry, path, i }];
    });
    const results = Array.from<Looked | undefined>({ length: this.#lookups.length });
    for (const [at, found] of findAll(there).entries()) {
      const { entry, i } = there[at];
      const { type, version, expiresAtMs, bytes } = entry;
      results[i] = { type, version, expiresAtMs, found, bytes };
    }
    return results;
  }

  /** Each question ends in time by itself; several in a row must, too. */
  #limitTime(): void {
    const { clock } = this.#host;
    const leftMs = Math.max(0, this.#deadlineMs - clock.monotonicMs());
    this.#cancelTimer ??= clock.after(leftMs, () => this.#finish(refusalError("unreachable")));
  }

  #finish(results: readonly (Looked | undefined)[] | MinikeyError): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#sink = undefined;
    this.#cancelTimer?.();
    sink.onLooked(results);
  }
}

function entriesOf(keys: readonly Key[], results: readonly (Looked | undefined)[]): Entries {
  const entries = new Map<Key, Entry>();
  results.forEach((looked, i) => {
    if (looked === undefined) return;
    const { type, version, expiresAtMs, found, bytes } = looked;
    assert(found.kind === "value", "an empty path leads to the whole value");
    entries.set(keys[i], { type, version, expiresAtMs, bytes, start: found.start, end: found.end });
  });
  return entries;
}
