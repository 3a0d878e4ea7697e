/**
 * A simulated node's disk, at the level of the log and the storage engines: what was made durable survives a
 * crash, everything else is gone.
 */

import { ByteReader } from "../../../src/codec/byte-reader.js";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import type { Entry, HardState, SnapshotMeta } from "../../../src/codec/raft-types.js";
import { type Bytes, copyBytes, type Key } from "../../../src/core/bytes.js";
import { type GroupId, type LogIndex, logIndex, replicaId, term } from "../../../src/core/ids.js";
import type {
  AppliedState,
  GroupInstall,
  GroupSnapshot,
  GroupStore,
  RangeOptions,
  StorageEngine,
  StoredValue,
  TableName,
} from "../../../src/ports/storage-engine.js";
import type { LogAppend, RecoveredGroup, WriteAheadLog } from "../../../src/storage/log/types.js";
import type { SimProcess, World } from "./world.js";

type Tables = Record<TableName, Map<Key, Bytes>>;

const TABLES: readonly TableName[] = ["data", "expiry", "meta"];

function emptyTables(): Tables {
  return { data: new Map(), expiry: new Map(), meta: new Map() };
}

function copyTables(tables: Tables): Tables {
  return { data: new Map(tables.data), expiry: new Map(tables.expiry), meta: new Map(tables.meta) };
}

interface LoggedGroup {
  hardState: HardState;
  snapshot: SnapshotMeta;
  entries: Entry[];
}

/** What a node's disk holds. */
export class DurableState {
  readonly log = new Map<GroupId, LoggedGroup>();
  readonly stores = new Map<GroupId, { applied: AppliedState; tables: Tables }>();
  identity: unknown;

  wipe(): void {
    this.log.clear();
    this.stores.clear();
    this.identity = undefined;
  }

  recovered(): Map<GroupId, RecoveredGroup> {
    return new Map([...this.log].map(([id, group]) => [id, { ...group, entries: [...group.entries] }]));
  }
}

/** One write at a time, durable after a moment; what waits meanwhile goes together. */
export class SimLog implements WriteAheadLog {
  readonly #durable: DurableState;
  readonly #process: SimProcess;
  readonly #world: World;
  #queued: { append: LogAppend; onDurable: () => void }[] = [];
  #isWriting = false;

  constructor(durable: DurableState, process: SimProcess, world: World) {
    this.#durable = durable;
    this.#process = process;
    this.#world = world;
  }

  append(append: LogAppend, onDurable: () => void): void {
    // Encoded at once, as the real log does: entries change hands.
    const entries = append.entries.map((entry) => ({ ...entry, data: copyBytes(entry.data) }));
    this.#queued.push({ append: { ...append, entries }, onDurable });
  }

  flush(): void {
    if (this.#isWriting || this.#queued.length === 0) return;
    this.#isWriting = true;
    const unit = this.#queued;
    this.#queued = [];
    const delayMs = this.#world.random.unit() < 0.01 ? 20 : 0.1 + this.#world.random.unit();
    this.#process.later(delayMs, () => {
      for (const { append } of unit) this.#write(append);
      this.#isWriting = false;
      for (const { onDurable } of unit) onDurable();
      this.flush();
    });
  }

  compact(group: GroupId, snapshot: SnapshotMeta): void {
    const logged = this.#durable.log.get(group);
    if (logged === undefined || snapshot.index <= logged.snapshot.index) return;
    logged.entries = logged.entries.filter((entry) => entry.index > snapshot.index);
    logged.snapshot = snapshot;
  }

  dropGroup(group: GroupId): void {
    this.#durable.log.delete(group);
  }

  sizeBytes(): number {
    return 0;
  }

  pendingBytes(): number {
    return 0;
  }

  oldestNeeded(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  #write({ group, hardState, entries, snapshot }: LogAppend): void {
    let logged = this.#durable.log.get(group);
    if (logged === undefined) {
      logged = {
        hardState: { term: term(0), vote: replicaId(0), commit: logIndex(0) },
        snapshot: {
          index: logIndex(0),
          term: term(0),
          configuration: { voters: [], votersOutgoing: [], learners: [] },
        },
        entries: [],
      };
      this.#durable.log.set(group, logged);
    }
    if (hardState !== undefined) logged.hardState = hardState;
    if (snapshot !== undefined) {
      logged.snapshot = snapshot;
      logged.entries = [];
    }
    if (entries.length > 0) {
      logged.entries = logged.entries.filter((entry) => entry.index < entries[0].index);
      logged.entries.push(...entries);
    }
  }
}

export class SimEngine implements StorageEngine {
  readonly kind: "disk" | "memory";
  readonly durable: DurableState;
  readonly process: SimProcess;
  readonly #open = new Map<GroupId, SimStore>();
  writtenBytes = 0;

  constructor(kind: "disk" | "memory", durable: DurableState, process: SimProcess) {
    this.kind = kind;
    this.durable = durable;
    this.process = process;
  }

  async openGroup(group: GroupId): Promise<GroupStore> {
    await Promise.resolve();
    const store = new SimStore(group, this);
    this.#open.set(group, store);
    return store;
  }

  async listGroups(): Promise<GroupId[]> {
    await Promise.resolve();
    return [...this.durable.stores.keys()];
  }

  async checkpoint(): Promise<void> {
    this.writtenBytes = 0;
    const states = [...this.#open.values()].flatMap((store) => store.capture() ?? []);
    await this.pause(5);
    for (const { group, applied, tables } of states) this.durable.stores.set(group, { applied, tables });
  }

  /** Never resolves when the process dies meanwhile. */
  async pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.process.later(delayMs, resolve);
    });
  }

  uncheckpointedBytes(): number {
    return this.writtenBytes;
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

class SimStore implements GroupStore {
  readonly group: GroupId;
  readonly restored: AppliedState | undefined;
  readonly #engine: SimEngine;
  #tables: Tables;
  #capture: (() => AppliedState) | undefined;

  constructor(group: GroupId, engine: SimEngine) {
    this.group = group;
    this.#engine = engine;
    const durable = engine.durable.stores.get(group);
    this.restored = durable?.applied;
    this.#tables = durable === undefined ? emptyTables() : copyTables(durable.tables);
  }

  get(table: TableName, key: Key): StoredValue | undefined {
    const bytes = this.#tables[table].get(key);
    return bytes === undefined ? undefined : { bytes, start: 0, end: bytes.length };
  }

  has(table: TableName, key: Key): boolean {
    return this.#tables[table].has(key);
  }

  put(table: TableName, key: Key, value: StoredValue): void {
    this.#engine.writtenBytes += 100_000;
    this.#tables[table].set(key, copyBytes(value.bytes, value.start, value.end));
  }

  delete(table: TableName, key: Key): void {
    this.#tables[table].delete(key);
  }

  clear(table: TableName): void {
    this.#tables[table].clear();
  }

  count(table: TableName): number {
    return this.#tables[table].size;
  }

  *range(table: TableName, options: RangeOptions = {}): IterableIterator<[Key, StoredValue]> {
    const { start = "", prefix = "", exclusive = false } = options;
    for (const key of [...this.#tables[table].keys()].sort()) {
      if (!key.startsWith(prefix) || key < start || (exclusive && key === start)) continue;
      const value = this.get(table, key);
      if (value !== undefined) yield [key, value];
    }
  }

  onCheckpoint(capture: () => AppliedState): void {
    this.#capture = capture;
  }

  capture(): { group: GroupId; applied: AppliedState; tables: Tables } | undefined {
    if (this.#capture === undefined) return undefined;
    return { group: this.group, applied: this.#capture(), tables: copyTables(this.#tables) };
  }

  durableIndex(): LogIndex {
    return this.#engine.durable.stores.get(this.group)?.applied.index ?? logIndex(0);
  }

  async snapshot(): Promise<GroupSnapshot> {
    await this.#engine.pause(1);
    const captured = this.capture();
    if (captured === undefined) throw new Error("no state to capture");
    const writer = new ByteWriter();
    for (const table of TABLES) {
      writer.varint(captured.tables[table].size);
      for (const [key, value] of captured.tables[table]) {
        writer.latin1(key);
        writer.blob(value);
      }
    }
    const bytes = writer.toBytes();
    let at = 0;
    return {
      applied: captured.applied,
      next: async () => {
        await this.#engine.pause(1);
        // Small pieces, so that transfers have many steps to break at.
        const piece = bytes.subarray(at, at + 200);
        at += piece.length;
        return piece.length === 0 ? undefined : piece;
      },
      release: () => undefined,
    };
  }

  beginInstall(): GroupInstall {
    const pieces: Bytes[] = [];
    return {
      write: async (piece) => {
        await this.#engine.pause(1);
        pieces.push(copyBytes(piece));
      },
      commit: async (applied) => {
        await this.#engine.pause(3);
        const writer = new ByteWriter();
        for (const piece of pieces) writer.raw(piece);
        const reader = new ByteReader(writer.toBytes(), "snapshot");
        const tables = emptyTables();
        for (const table of TABLES) {
          for (let left = reader.varint(); left > 0; left -= 1) {
            const key = reader.latin1();
            tables[table].set(key, copyBytes(reader.blob()));
          }
        }
        this.#tables = tables;
        const state = copyBytes(applied.state);
        this.#engine.durable.stores.set(this.group, {
          applied: { ...applied, state },
          tables: copyTables(tables),
        });
      },
      abort: async () => {
        await Promise.resolve();
      },
    };
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  async destroy(): Promise<void> {
    await Promise.resolve();
    this.#engine.durable.stores.delete(this.group);
  }
}
