/**
 * What the reads of one turn look for on this node's own replicas, and where: their paths one behind the other, of
 * each key its partition, of each partition its share. A read itself is one object.
 */
import type { AskedPaths, Resolved } from "../commands/types.js";
import type { MinikeyError } from "../core/errors.js";
import type { GroupId } from "../core/ids.js";
import type { Meanings } from "../document/meanings.js";
import { PathList } from "../document/path-list.js";
import { PREFETCH_KEYS_MAX } from "../ports/storage-engine.js";
import type { Route } from "./coordinator.js";
import type { ReplicaGroup } from "./replica-group.js";
import type { StoreView } from "./store-view.js";

/** Gets, once, one result a path, in order, or why there are none. Bytes are valid during the call. */
export interface PathSink {
  onResolved(results: readonly (Resolved | undefined)[] | MinikeyError, paths: AskedPaths): void;
}

export class OwnTurn {
  readonly paths: PathList;
  /** Where each key of `paths` is. */
  readonly places: OwnPlace[] = [];
  readonly groups = new Map<GroupId, OwnPlace>();

  /** `sizeBytes` of paths are expected. */
  constructor(sizeBytes: number) {
    this.paths = new PathList(sizeBytes);
  }
}

/** One partition's share of a turn. */
export class OwnPlace {
  readonly replica: ReplicaGroup;
  /** What the replica had applied before any of the reads came. */
  readonly floor: number;
  readonly reads: OwnRead[] = [];
  askedMs = 0;
  /** While reads are carried out, the data; undefined when the replica has gone. */
  view: StoreView | undefined;
  /** Some keys are a transaction's. */
  hasLocks = false;
  /** The run of reads that it was made ready for. */
  #run = 0;
  /** Of keys that are about to be read, in that order. */
  readonly #spans: number[] = [];
  #spansCount = 0;

  constructor(replica: ReplicaGroup) {
    this.replica = replica;
    this.floor = replica.machine.view.revision;
  }

  /** True the first time in a run: `view` is then to be set, and nothing is foreseen yet. */
  enter(run: number): boolean {
    if (this.#run === run) return false;
    this.#run = run;
    this.#spansCount = 0;
    return true;
  }

  /** The key `paths[start, end)` is about to be read. False when no more fit. */
  foresee(start: number, end: number): boolean {
    if (this.#spansCount === PREFETCH_KEYS_MAX) return false;
    this.#spans[2 * this.#spansCount] = start;
    this.#spans[2 * this.#spansCount + 1] = end;
    this.#spansCount += 1;
    return true;
  }

  /** Searches for the keys foreseen, which are parts of the turn's paths. */
  prefetch({ paths }: OwnTurn): void {
    this.replica.machine.prefetch(paths.bytes, this.#spans, 0, this.#spansCount);
  }
}

export class OwnRead implements AskedPaths {
  readonly turn: OwnTurn;
  /** Its paths are the turn's from `first` to before `end`. */
  readonly first: number;
  readonly end: number;
  readonly route: Route;
  readonly sink: PathSink;
  isDone = false;
  /** Partitions that it is about, and those of them that are not confirmed yet. */
  partitions = 0;
  open = 0;

  constructor(turn: OwnTurn, first: number, route: Route, sink: PathSink) {
    this.turn = turn;
    this.first = first;
    this.end = turn.paths.count;
    this.route = route;
    this.sink = sink;
  }

  meaningsAt(i: number): Meanings {
    return this.turn.paths.meaningsAt(this.first + i);
  }

  allMeanings(): Meanings[] {
    return Array.from({ length: this.end - this.first }, (_, i) => this.meaningsAt(i));
  }
}
