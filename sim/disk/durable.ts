/**
 * A simulated node's disk, at the level of the log and the storage engines: what was made durable survives a
 * crash, everything else is gone.
 */

import { ByteReader } from "../../src/codec/byte-reader.js";
import { ByteWriter } from "../../src/codec/byte-writer.js";
import type { Entry, HardState, SnapshotMeta } from "../../src/codec/raft-types.js";
import { assert } from "../../src/core/assert.js";
import { allocOwnBytes, type Bytes, copyBytes, type Key } from "../../src/core/bytes.js";
import { type GroupId, type LogIndex, logIndex, replicaId, term } from "../../src/core/ids.js";
import type {
  AppliedState,
  GroupInstall,
  GroupSnapshot,
  GroupStore,
  RangeOptions,
  StorageEngine,
  StoredValue,
  TableName,
} from "../../src/ports/storage-engine.js";
import { Exclusive } from "../../src/storage/exclusive.js";
import type { LogAppend, RecoveredGroup, WriteAheadLog } from "../../src/storage/log/types.js";
import type { SimProcess, World } from "../world/world.js";

export type Tables = Record<TableName, Map<Key, Bytes>>;

export const TABLES: readonly TableName[] = ["data", "expiry", "meta"];

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

/** A group as an engine has it on disk. */
export interface StoredGroup {
  readonly applied: AppliedState;
  readonly tables: Tables;
}

export type EngineKind = "disk" | "memory";

/** What a node's disk holds. */
export class DurableState {
  readonly log = new Map<GroupId, LoggedGroup>();
  readonly stores: Record<EngineKind, Map<GroupId, StoredGroup>> = { disk: new Map(), memory: new Map() };
  /** Before this time a write takes this long. */
  slowUntilMs = 0;
  slowMs = 0;

  wipe(): void {
    this.log.clear();
    this.stores.disk.clear();
    this.stores.memory.clear();
  }

  recovered(): Map<GroupId, RecoveredGroup> {
    return new Map([...this.log].map(([id, group]) => [id, { ...group, entries: [...group.entries] }]));
  }
}

type LogRecord =
  | { readonly kind: "append"; readonly append: LogAppend; readonly onDurable: () => void }
  | { readonly kind: "compact"; readonly group: GroupId; readonly snapshot: SnapshotMeta }
  | { readonly kind: "drop"; readonly group: GroupId; readonly onDurable: () => void };

/** One write at a time, durable after a moment; what waits meanwhile goes together. */
export class SimLog implements WriteAheadLog {
  readonly #durable: DurableState;
  readonly #process: SimProcess;
  readonly #world: World;
  #queued: LogRecord[] = [];
  #isWriting = false;
  #isClosed = false;

  constructor(durable: DurableState, process: SimProcess, world: World) {
    this.#durable = durable;
    this.#process = process;
    this.#world = world;
  }

  append(append: LogAppend, onDurable: () => void): void {
    assert(!this.#isClosed, "append to a closed log");
    // Encoded at once, as the real log does: entries change hands.
    const entries = append.entries.map((entry) => ({ ...entry, data: copyBytes(entry.data) }));
    this.#queued.push({ kind: "append", append: { ...append, entries }, onDurable });
  }

  flush(): void {
    if (this.#isWriting || this.#queued.length === 0) return;
    this.#isWriting = true;
    const unit = this.#queued;
    this.#queued = [];
    this.#process.later(this.#delayMs(), () => {
      for (const record of unit) this.#write(record);
      this.#isWriting = false;
      for (const record of unit) if (record.kind !== "compact") record.onDurable();
      this.flush();
    });
  }

  compact(group: GroupId, snapshot: SnapshotMeta): void {
    this.#queued.push({ kind: "compact", group, snapshot });
  }

  dropGroup(group: GroupId, onDurable: () => void): void {
    this.#queued.push({ kind: "drop", group, onDurable });
  }

  sizeBytes(): number {
    return 0;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.flush();
    while (this.#isWriting) {
      await new Promise<void>((resolve) => {
        this.#process.later(1, resolve);
      });
    }
  }

  #delayMs(): number {
    const { random, nowMs } = this.#world;
    if (nowMs < this.#durable.slowUntilMs) return this.#durable.slowMs * random.unit();
    return random.chance(0.01) ? 20 : 0.1 + random.unit();
  }

  #write(record: LogRecord): void {
    if (record.kind === "append") this.#append(record.append);
    else if (record.kind === "drop") this.#durable.log.delete(record.group);
    else {
      const logged = this.#durable.log.get(record.group);
      if (logged !== undefined) startAfter(logged, record.snapshot);
    }
  }

  #append({ group, hardState, entries, snapshot }: LogAppend): void {
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
    if (entries.length === 0) return;
    const [{ index: first }] = entries;
    const lastIndex = logged.snapshot.index + logged.entries.length;
    assert(first > logged.snapshot.index, `group ${group}: entry ${first} is covered by the snapshot`);
    assert(first <= lastIndex + 1, `group ${group}: entry ${first} does not follow entry ${lastIndex}`);
    logged.entries.length = first - logged.snapshot.index - 1;
    logged.entries.push(...entries);
  }
}

function startAfter(logged: LoggedGroup, snapshot: SnapshotMeta): void {
  if (snapshot.index <= logged.snapshot.index) return;
  logged.entries = logged.entries.filter((entry) => entry.index > snapshot.index);
  logged.snapshot = snapshot;
}

/** Bytes that a write of any size counts: checkpoints are to be frequent. */
const COUNTED_BYTES = 100_000;

export class SimEngine implements StorageEngine {
  readonly kind: EngineKind;
  readonly durable: DurableState;
  readonly process: SimProcess;
  /** As in the real engines: checkpoints and installations take turns. */
  readonly exclusive = new Exclusive();
  readonly #open = new Map<GroupId, SimStore>();
  #waitingCheckpoint: Promise<void> | undefined;
  writtenBytes = 0;
  #savingBytes = 0;

  constructor(kind: EngineKind, durable: DurableState, process: SimProcess) {
    this.kind = kind;
    this.durable = durable;
    this.process = process;
  }

  /** Groups on disk. */
  get stored(): Map<GroupId, StoredGroup> {
    return this.durable.stores[this.kind];
  }

  /** The open groups. */
  get groups(): ReadonlyMap<GroupId, SimStore> {
    return this.#open;
  }

  async openGroup(group: GroupId): Promise<SimStore> {
    assert(!this.#open.has(group), `group ${group} is open already`);
    await Promise.resolve();
    const store = new SimStore(group, this);
    this.#open.set(group, store);
    return store;
  }

  async listGroups(): Promise<GroupId[]> {
    await Promise.resolve();
    return [...this.stored.keys()];
  }

  checkpoint(): Promise<void> {
    this.#waitingCheckpoint ??= this.exclusive.run(() => {
      this.#waitingCheckpoint = undefined;
      return this.#checkpoint();
    });
    return this.#waitingCheckpoint;
  }

  async #checkpoint(): Promise<void> {
    this.#savingBytes = this.writtenBytes;
    this.writtenBytes = 0;
    const states = [...this.#open.values()].map((store) => ({ store, state: store.capture() }));
    await this.pause(5);
    for (const { store, state } of states) {
      if (state !== undefined && this.#open.get(state.group) === store) this.stored.set(state.group, state);
    }
    this.#savingBytes = 0;
  }

  /** Never resolves when the process dies meanwhile. */
  async pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.process.later(delayMs, resolve);
    });
  }

  forget(store: SimStore): void {
    if (this.#open.get(store.group) === store) this.#open.delete(store.group);
  }

  uncheckpointedBytes(): number {
    return this.writtenBytes;
  }

  unsavedBytes(): number {
    return this.#savingBytes + this.writtenBytes;
  }

  close(): Promise<void> {
    return this.exclusive.idle();
  }
}

export class SimStore implements GroupStore {
  readonly group: GroupId;
  readonly restored: AppliedState | undefined;
  readonly #engine: SimEngine;
  #tables: Tables;
  #capture: (() => AppliedState) | undefined;
  #isClosed = false;

  constructor(group: GroupId, engine: SimEngine) {
    this.group = group;
    this.#engine = engine;
    const durable = engine.stored.get(group);
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

  prefetch(): void {}

  put(table: TableName, key: Key, value: StoredValue): void {
    const room = this.reserve(table, key, value.end - value.start);
    value.bytes.copy(room.bytes, 0, value.start, value.end);
  }

  reserve(table: TableName, key: Key, sizeBytes: number): StoredValue {
    assert(!this.#isClosed, "no write to a closed group");
    this.#engine.writtenBytes += COUNTED_BYTES;
    const bytes = allocOwnBytes(sizeBytes);
    this.#tables[table].set(key, bytes);
    return { bytes, start: 0, end: sizeBytes };
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

  /** The state as of now; undefined while the group is being opened. */
  capture(): (StoredGroup & { readonly group: GroupId }) | undefined {
    const applied = this.captureApplied();
    if (applied === undefined) return undefined;
    return {
      group: this.group,
      applied: { ...applied, state: copyBytes(applied.state) },
      tables: this.captureTables(),
    };
  }

  captureApplied(): AppliedState | undefined {
    return this.#capture?.();
  }

  captureTables(): Tables {
    return copyTables(this.#tables);
  }

  durableIndex(): LogIndex {
    return this.#engine.stored.get(this.group)?.applied.index ?? logIndex(0);
  }

  async snapshot(): Promise<GroupSnapshot> {
    await this.#engine.pause(1);
    const captured = this.capture();
    assert(captured !== undefined, "nobody has said what the state is");
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
      // As in the real engines, a checkpoint that waited may begin before the caller hears that this is done.
      commit: async (applied) => {
        await this.#engine.exclusive.run(() => this.#install(pieces, applied));
      },
      abort: async () => {
        await Promise.resolve();
      },
    };
  }

  async #install(pieces: readonly Bytes[], applied: AppliedState): Promise<void> {
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
    this.#engine.stored.set(this.group, { applied: { ...applied, state }, tables: copyTables(tables) });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#engine.exclusive.run(async () => this.#engine.forget(this));
  }

  destroy(): Promise<void> {
    this.#isClosed = true;
    return this.#engine.exclusive.run(async () => {
      await this.#engine.pause(2);
      this.#engine.stored.delete(this.group);
      this.#engine.forget(this);
    });
  }
}
