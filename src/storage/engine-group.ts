/** What groups of all engines have in common: tables by name, and how far the state machine has come. */
import { assert } from "../core/assert.js";
import { type Bytes, copyInto, EMPTY_BYTES, type Key } from "../core/bytes.js";
import { type GroupId, type LogIndex, logIndex, term } from "../core/ids.js";
import type {
  AppliedState,
  GroupInstall,
  GroupSnapshot,
  GroupStore,
  RangeOptions,
  StoredValue,
  TableName,
} from "../ports/storage-engine.js";
import { tableNumber } from "./tables.js";

/** One table, as its engine keeps it. The methods are those of `GroupStore`. */
export interface EngineTable {
  get(key: Key): StoredValue | undefined;
  has(key: Key): boolean;
  prefetch(bytes: Bytes, spans: readonly number[], from: number, to: number): void;
  reserve(key: Key, sizeBytes: number): StoredValue;
  delete(key: Key): void;
  clear(): void;
  count(): number;
  range(options: RangeOptions | undefined): IterableIterator<[Key, StoredValue]>;
}

/** What a group asks of its engine. */
export interface GroupHost<G> {
  snapshot(group: G): Promise<GroupSnapshot>;
  beginInstall(group: G): GroupInstall;
  closeGroup(group: G): Promise<void>;
  destroyGroup(group: G): Promise<void>;
}

const NOTHING_APPLIED: AppliedState = { index: logIndex(0), term: term(0), state: EMPTY_BYTES };

export class EngineGroup<T extends EngineTable> implements GroupStore {
  readonly group: GroupId;
  readonly restored: AppliedState | undefined;
  /** By table number. */
  readonly tables: readonly T[];
  readonly #host: GroupHost<EngineGroup<T>>;
  #capture: (() => AppliedState) | undefined;
  #durable: AppliedState | undefined;
  #closed = false;

  constructor(
    host: GroupHost<EngineGroup<T>>,
    group: GroupId,
    restored: AppliedState | undefined,
    tables: readonly T[],
  ) {
    this.#host = host;
    this.group = group;
    this.restored = restored;
    this.#durable = restored;
    this.tables = tables;
  }

  get(table: TableName, key: Key): StoredValue | undefined {
    return this.tables[tableNumber(table)].get(key);
  }

  has(table: TableName, key: Key): boolean {
    return this.tables[tableNumber(table)].has(key);
  }

  prefetch(table: TableName, bytes: Bytes, spans: readonly number[], from: number, to: number): void {
    this.tables[tableNumber(table)].prefetch(bytes, spans, from, to);
  }

  put(table: TableName, key: Key, value: StoredValue): void {
    const room = this.reserve(table, key, value.end - value.start);
    copyInto(room.bytes, room.start, value.bytes, value.start, value.end);
  }

  reserve(table: TableName, key: Key, sizeBytes: number): StoredValue {
    assert(!this.#closed, "no write to a closed group");
    return this.tables[tableNumber(table)].reserve(key, sizeBytes);
  }

  delete(table: TableName, key: Key): void {
    assert(!this.#closed, "no write to a closed group");
    this.tables[tableNumber(table)].delete(key);
  }

  clear(table: TableName): void {
    assert(!this.#closed, "no write to a closed group");
    this.tables[tableNumber(table)].clear();
  }

  count(table: TableName): number {
    return this.tables[tableNumber(table)].count();
  }

  range(table: TableName, options?: RangeOptions): IterableIterator<[Key, StoredValue]> {
    return this.tables[tableNumber(table)].range(options);
  }

  onCheckpoint(capture: () => AppliedState): void {
    this.#capture = capture;
  }

  durableIndex(): LogIndex {
    return this.#durable?.index ?? NOTHING_APPLIED.index;
  }

  snapshot(): Promise<GroupSnapshot> {
    assert(!this.#closed, "no snapshot of a closed group");
    return this.#host.snapshot(this);
  }

  beginInstall(): GroupInstall {
    assert(!this.#closed, "no installation in a closed group");
    return this.#host.beginInstall(this);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#host.closeGroup(this);
  }

  async destroy(): Promise<void> {
    this.#closed = true;
    await this.#host.destroyGroup(this);
  }

  /** What is on disk, or undefined. */
  get durable(): AppliedState | undefined {
    return this.#durable;
  }

  /** `applied` is on disk now. */
  setDurable(applied: AppliedState): void {
    this.#durable = applied;
  }

  /** The state that the writes so far belong to. */
  capture(): AppliedState {
    return this.#capture === undefined ? (this.#durable ?? NOTHING_APPLIED) : this.#capture();
  }

  /** Whether a checkpoint of `applied` adds nothing to what is on disk, but for writes to tables. */
  isDurable(applied: AppliedState): boolean {
    return this.#durable?.index === applied.index && this.#durable.term === applied.term;
  }
}
