/** One group on the disk engine: its tables, and how far its state machine has come. */
import { assert } from "../../core/assert.js";
import { EMPTY_BYTES, type Key } from "../../core/bytes.js";
import { type GroupId, type LogIndex, logIndex, term } from "../../core/ids.js";
import type {
  AppliedState,
  GroupInstall,
  GroupSnapshot,
  GroupStore,
  RangeOptions,
  StoredValue,
  TableName,
} from "../../ports/storage-engine.js";
import { tableNumber } from "../../storage/tables.js";
import type { Accounting } from "./accounting.js";
import type { HeldRead } from "./binding.js";
import type { GroupRecord, TreeState } from "./layout.js";
import type { Reader } from "./reader.js";
import { LmdbTable } from "./table.js";

/** What a group asks of its engine. */
export interface GroupHost {
  snapshot(store: LmdbGroupStore): Promise<GroupSnapshot>;
  beginInstall(store: LmdbGroupStore): GroupInstall;
  closeGroup(store: LmdbGroupStore): Promise<void>;
  destroyGroup(store: LmdbGroupStore): Promise<void>;
}

export const NOTHING_APPLIED: AppliedState = { index: logIndex(0), term: term(0), state: EMPTY_BYTES };

export class LmdbGroupStore implements GroupStore {
  readonly group: GroupId;
  readonly restored: AppliedState | undefined;
  /** By table number. */
  readonly tables: readonly LmdbTable[];
  readonly #host: GroupHost;
  #capture: (() => AppliedState) | undefined;
  #durable: AppliedState | undefined;
  #closed = false;

  /** `record` is what is on disk, if the group is; `emptyTrees` serve a new one. */
  constructor(
    host: GroupHost,
    reader: Reader,
    accounting: Accounting,
    group: GroupId,
    record: GroupRecord | undefined,
    emptyTrees: readonly TreeState[],
  ) {
    this.#host = host;
    this.group = group;
    this.restored = record?.applied;
    this.#durable = record?.applied;
    this.tables = (record?.trees ?? emptyTrees).map((state) => new LmdbTable(reader, accounting, state));
  }

  get(table: TableName, key: Key): StoredValue | undefined {
    return this.tables[tableNumber(table)].get(key);
  }

  has(table: TableName, key: Key): boolean {
    return this.tables[tableNumber(table)].has(key);
  }

  put(table: TableName, key: Key, value: StoredValue): void {
    assert(!this.#closed, "no write to a closed group");
    this.tables[tableNumber(table)].put(key, value);
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
    return this.#host.snapshot(this);
  }

  beginInstall(): GroupInstall {
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

  /** Whether the group has a record on disk. */
  get isOnDisk(): boolean {
    return this.#durable !== undefined;
  }

  /**
   * Sets the writes so far aside. Returns what has to be saved, or undefined when nothing has changed since
   * the last checkpoint.
   */
  freeze(): FrozenGroup | undefined {
    const applied = this.#capture === undefined ? (this.#durable ?? NOTHING_APPLIED) : this.#capture();
    let writes = 0;
    for (const table of this.tables) writes += table.freeze();
    const known = this.#durable;
    if (writes === 0 && known?.index === applied.index && known.term === applied.term) return undefined;
    return { store: this, applied, writes };
  }

  pin(held: HeldRead | undefined): void {
    for (const table of this.tables) table.pin(held);
  }

  /** The frozen writes are on disk, up to `applied`. */
  settle(applied: AppliedState, trees: readonly TreeState[]): void {
    this.#durable = applied;
    this.tables.forEach((table, i) => table.settle(trees[i]));
  }

  /** An installed snapshot is on disk and replaces everything. */
  replaceContent(applied: AppliedState, trees: readonly TreeState[]): void {
    this.#durable = applied;
    this.tables.forEach((table, i) => table.replaceContent(trees[i]));
  }
}

/** What a checkpoint has to save of one group. */
export interface FrozenGroup {
  readonly store: LmdbGroupStore;
  readonly applied: AppliedState;
  readonly writes: number;
}
