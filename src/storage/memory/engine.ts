/**
 * The memory engine: groups in tries (see trie.ts), all in one arena; on disk only as snapshot files.
 *
 * A checkpoint takes the root of every table of every changed group in one moment, then writes a file a group
 * while writes go on. It rewrites the whole group each time: how often is the host's decision, and the log
 * carries what comes between.
 */
import { assert } from "../../core/assert.js";
import { type Bytes, copyInto } from "../../core/bytes.js";
import type { GroupId } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";
import type { Disk } from "../../ports/disk.js";
import type { Logger } from "../../ports/logger.js";
import type {
  AppliedState,
  GroupInstall,
  GroupSnapshot,
  GroupStore,
  StorageEngine,
} from "../../ports/storage-engine.js";
import { EngineGroup, type GroupHost } from "../engine-group.js";
import { Exclusive } from "../exclusive.js";
import { PieceStream } from "../piece-stream.js";
import { PieceReader } from "../pieces.js";
import { TABLES } from "../tables.js";
import { TurnSlices } from "../turn-slices.js";
import { MemoryTable, TrieEntries, TrieMemory } from "./memory-table.js";
import { SnapshotStore } from "./snapshot-store.js";
import type { Trie, TrieVersion } from "./trie.js";

export interface MemoryEngineOptions {
  readonly disk: Disk;
  /** Where the snapshot files are, relative to the disk. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function openMemoryEngine(options: MemoryEngineOptions): Promise<StorageEngine> {
  const files = await SnapshotStore.open(options.disk, options.directory, options.logger);
  return new MemoryEngine(options.clock, files);
}

/** A group, and which of its writes are on disk. */
class MemoryGroup extends EngineGroup<MemoryTable> {
  /** The count of writes that the last durable checkpoint found. */
  savedWrites = 0;

  get writes(): number {
    return this.tables.reduce((sum, table) => sum + table.writes, 0);
  }
}

class MemoryEngine implements StorageEngine, GroupHost<MemoryGroup> {
  readonly kind = "memory";
  readonly #clock: Clock;
  readonly #files: SnapshotStore;
  readonly #memory: TrieMemory;
  readonly #groups = new Map<GroupId, MemoryGroup>();
  /** Checkpoints, and all that replaces or removes a group's files. */
  readonly #exclusive = new Exclusive();
  #waitingCheckpoint: Promise<void> | undefined;

  constructor(clock: Clock, files: SnapshotStore) {
    this.#clock = clock;
    this.#files = files;
    this.#memory = new TrieMemory(clock);
  }

  async openGroup(id: GroupId): Promise<GroupStore> {
    assert(!this.#groups.has(id), "group % is open already", id);
    const builder = new TableBuilder(this.#memory, this.#clock);
    const restored = await this.#files.load(id, (piece) => builder.add(piece as Bytes));
    const tables = builder.tries.map((trie) => new MemoryTable(this.#memory, trie));
    const group = new MemoryGroup(this, id, restored, tables);
    this.#groups.set(id, group);
    return group;
  }

  async listGroups(): Promise<GroupId[]> {
    return this.#files.groups();
  }

  checkpoint(): Promise<void> {
    this.#waitingCheckpoint ??= this.#exclusive.run(() => {
      this.#waitingCheckpoint = undefined;
      return this.#checkpoint();
    });
    return this.#waitingCheckpoint;
  }

  uncheckpointedBytes(): number {
    return this.#memory.writtenBytes;
  }

  unsavedBytes(): number {
    return 0;
  }

  close(): Promise<void> {
    return this.#exclusive.idle();
  }

  async snapshot(group: MemoryGroup): Promise<GroupSnapshot> {
    return new MemorySnapshot(this.#memory, this.#clock, group);
  }

  beginInstall(group: MemoryGroup): GroupInstall {
    return new MemoryInstall(new TableBuilder(this.#memory, this.#clock), (tries, applied) =>
      this.#exclusive.run(() => this.#commitInstall(group, tries, applied)),
    );
  }

  closeGroup(group: MemoryGroup): Promise<void> {
    return this.#exclusive.run(async () => this.#forget(group));
  }

  destroyGroup(group: MemoryGroup): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#files.remove(group.group);
      this.#forget(group);
    });
  }

  async #checkpoint(): Promise<void> {
    this.#memory.writtenBytes = 0;
    const changed: { group: MemoryGroup; snapshot: MemorySnapshot; writes: number }[] = [];
    for (const group of this.#groups.values()) {
      const writes = group.writes;
      const snapshot = new MemorySnapshot(this.#memory, this.#clock, group);
      if (writes === group.savedWrites && group.isDurable(snapshot.applied)) snapshot.release();
      else changed.push({ group, snapshot, writes });
    }
    try {
      for (const { group, snapshot, writes } of changed) {
        await this.#files.save(group.group, snapshot.applied, snapshot.pieces);
        group.setDurable(snapshot.applied);
        group.savedWrites = writes;
        snapshot.release();
      }
    } finally {
      for (const { snapshot } of changed) snapshot.release();
    }
  }

  async #commitInstall(group: MemoryGroup, tries: readonly Trie[], applied: AppliedState): Promise<void> {
    const entries = tries.map((trie) => new TrieEntries(this.#memory, trie.root));
    await this.#files.save(group.group, applied, new PieceStream(this.#clock, entries));
    group.setDurable(applied);
    group.tables.forEach((table, i) => table.replaceContent(tries[i]));
    group.savedWrites = group.writes;
  }

  #forget(group: MemoryGroup): void {
    if (this.#groups.get(group.group) !== group) return;
    this.#groups.delete(group.group);
    for (const table of group.tables) table.clear();
  }
}

/** All tables of a group at one moment. */
class MemorySnapshot implements GroupSnapshot {
  readonly applied: AppliedState;
  readonly pieces: PieceStream;
  readonly #held: { trie: Trie; version: TrieVersion }[];
  #released = false;

  constructor(memory: TrieMemory, clock: Clock, group: MemoryGroup) {
    this.applied = group.capture();
    this.#held = group.tables.map(({ trie }) => ({ trie, version: trie.hold() }));
    const entries = this.#held.map(({ version }) => new TrieEntries(memory, version.root));
    this.pieces = new PieceStream(clock, entries);
  }

  next(sizeBytes: number): Promise<Bytes | undefined> {
    return this.pieces.next(sizeBytes);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.pieces.close();
    for (const { trie, version } of this.#held) trie.release(version);
  }
}

/** Records between two looks at the clock. */
const RECORDS_A_LOOK = 64;

/** Makes tries of snapshot pieces. */
class TableBuilder {
  readonly tries: readonly Trie[];
  readonly #clock: Clock;

  constructor(memory: TrieMemory, clock: Clock) {
    this.tries = TABLES.map(() => memory.newTrie());
    this.#clock = clock;
  }

  /** Adds a piece; returns how many records it had. */
  async add(piece: Bytes): Promise<number> {
    const slices = new TurnSlices(this.#clock);
    const reader = new PieceReader(piece);
    let records = 0;
    while (reader.advance()) {
      const { key, valueStart, valueEnd } = reader;
      const room = this.tries[reader.table].reserve(key, valueEnd - valueStart);
      copyInto(room.bytes, room.start, piece, valueStart, valueEnd);
      records += 1;
      if (records % RECORDS_A_LOOK === 0 && slices.isDue()) await slices.pause();
    }
    return records;
  }

  discard(): void {
    for (const trie of this.tries) trie.clear();
  }
}

class MemoryInstall implements GroupInstall {
  readonly #builder: TableBuilder;
  readonly #commit: (tries: readonly Trie[], applied: AppliedState) => Promise<void>;
  #ended = false;

  constructor(
    builder: TableBuilder,
    commit: (tries: readonly Trie[], applied: AppliedState) => Promise<void>,
  ) {
    this.#builder = builder;
    this.#commit = commit;
  }

  async write(piece: Bytes): Promise<void> {
    assert(!this.#ended, "an installation that has ended takes no piece");
    await this.#builder.add(piece);
  }

  async commit(applied: AppliedState): Promise<void> {
    assert(!this.#ended, "an installation ends once");
    this.#ended = true;
    await this.#commit(this.#builder.tries, applied);
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#builder.discard();
  }
}
