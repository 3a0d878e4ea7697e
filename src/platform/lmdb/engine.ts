/**
 * The disk engine: groups in one LMDB environment a node, behind overlays in memory.
 *
 * LMDB (Chu, "MDB: A Memory-Mapped Database and Backend for OpenLDAP", 2011) is a copy-on-write B+tree in a
 * memory map: a commit is atomic, a read transaction sees one commit for as long as it likes, and opening
 * reads two pages. Its price is one writer at a time and random page writes, so writes collect in overlays,
 * and `checkpoint` has a thread write them, in key order, while this thread goes on.
 *
 * A checkpoint saves each group in one transaction together with its applied state. Small groups share a
 * transaction, which saves waits for the disk; large ones have their own, because a transaction holds a copy
 * of every page that it changes and LMDB reuses freed pages only two commits later: that keeps both memory
 * and file small.
 *
 * Invariant: a group's frozen overlay is dropped only after the commit that holds it is on disk. When a
 * commit fails nothing is written any more: reads stay right, `checkpoint` rejects, the node must stop.
 */
import { randomBytes } from "node:crypto";
import { assert } from "../../core/assert.js";
import { copyBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { GroupId } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type {
  AppliedState,
  GroupInstall,
  GroupSnapshot,
  GroupStore,
  StorageEngine,
} from "../../ports/storage-engine.js";
import type { GroupHost } from "../../storage/engine-group.js";
import { Exclusive } from "../../storage/exclusive.js";
import { BlockPool } from "../../storage/overlay/block-pool.js";
import { KeyHash } from "../../storage/overlay/key-hash.js";
import type { OverlayParts } from "../../storage/overlay/overlay.js";
import { ValueCopies } from "../../storage/overlay/value-copies.js";
import { TABLES } from "../../storage/tables.js";
import { type LmdbModule, type LmdbStore, MAP_BYTES, openStore } from "./binding.js";
import { checkEnvironment, hasAddressSpace, makeEnvironment } from "./environment.js";
import { type FrozenGroup, LmdbGroupStore } from "./group-store.js";
import { LmdbInstall } from "./install.js";
import { encodeGroupRecord, FORMAT_VERSION, type TreeState } from "./layout.js";
import { newScope, Reader, scopedKeyEncoder } from "./reader.js";
import { LmdbSnapshot } from "./snapshot.js";
import { LmdbTable } from "./table.js";
import { Writer } from "./writer.js";

/** Groups share a transaction up to about this many pages changed, 4 KiB of memory each. */
const PAGES_A_TRANSACTION = 4096;
/** Keys of dead trees deleted in one transaction. */
const GARBAGE_KEYS_A_TRANSACTION = 4096;

export interface LmdbEngineOptions {
  /** Directory of the environment; made when missing. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Rejects with `DATA_NEWER`, `DATA_CORRUPT` or `DISK_FAILED`, naming the path. */
export async function openLmdbEngine(options: LmdbEngineOptions): Promise<StorageEngine> {
  const { path, clock } = options;
  const { open } = await import("lmdb");
  const lmdb: LmdbModule = { open: (options) => open(options as never) as unknown as LmdbStore };
  try {
    await makeEnvironment(lmdb, path);
    await checkEnvironment(path);
  } catch (error) {
    if (error instanceof MinikeyError) throw error;
    throw new MinikeyError("DISK_FAILED", `opening ${path} failed: ${String(error)}`, { cause: error });
  }
  const mapBytes = (await hasAddressSpace()) ? MAP_BYTES : undefined;
  const scope = newScope();
  const store = openStore(lmdb, path, scopedKeyEncoder(scope), mapBytes);
  const copies = new ValueCopies();
  const reader = new Reader(store, scope, copies, clock);
  const version = reader.formatVersion();
  if (version !== FORMAT_VERSION) {
    await reader.close();
    throw wrongVersion(path, version);
  }
  const secret = randomBytes(8);
  const overlayParts = {
    hash: new KeyHash(secret.readInt32LE(0), secret.readInt32LE(4)),
    copies,
    pool: new BlockPool(clock),
  };
  return new LmdbEngine(options, overlayParts, reader, new Writer(path, mapBytes));
}

function wrongVersion(path: string, version: number | undefined): MinikeyError {
  if (version === undefined) return new MinikeyError("DATA_CORRUPT", `${path} tells no format version`);
  return new MinikeyError(
    "DATA_NEWER",
    `${path} has format ${version}, this version of MinikeyDB reads up to ${FORMAT_VERSION}`,
  );
}

class LmdbEngine implements StorageEngine, GroupHost<LmdbGroupStore> {
  readonly kind = "disk";
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #overlayParts: OverlayParts;
  readonly #stores = new Map<GroupId, LmdbGroupStore>();
  /** Checkpoints, and all that replaces or removes a group's content. */
  readonly #exclusive = new Exclusive();
  #waitingCheckpoint: Promise<void> | undefined;
  #nextTree: number;
  /** Dead trees, marked as such on disk. */
  readonly #garbage: number[];
  #collecting: Promise<void> | undefined;
  #closing = false;

  constructor(options: LmdbEngineOptions, overlayParts: OverlayParts, reader: Reader, writer: Writer) {
    this.#overlayParts = overlayParts;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#reader = reader;
    this.#writer = writer;
    this.#garbage = reader.garbageTrees();
    this.#nextTree = 1 + Math.max(0, ...this.#garbage, ...this.#usedTrees());
    this.#collectGarbage();
  }

  async openGroup(group: GroupId): Promise<GroupStore> {
    assert(!this.#stores.has(group), "group % is open already", group);
    const record = this.#reader.groupRecord(group);
    const trees = record?.trees ?? this.#newTrees();
    const tables = trees.map((state) => new LmdbTable(this.#reader, this.#overlayParts, state));
    const store = new LmdbGroupStore(this, group, record?.applied, tables);
    this.#stores.set(group, store);
    return store;
  }

  async listGroups(): Promise<GroupId[]> {
    return this.#reader.groups();
  }

  checkpoint(): Promise<void> {
    this.#waitingCheckpoint ??= this.#exclusive.run(() => {
      this.#waitingCheckpoint = undefined;
      return this.#checkpoint();
    });
    return this.#waitingCheckpoint;
  }

  uncheckpointedBytes(): number {
    let sizeBytes = 0;
    for (const { tables } of this.#stores.values()) {
      for (const table of tables) sizeBytes += table.activeBytes;
    }
    return sizeBytes;
  }

  unsavedBytes(): number {
    let sizeBytes = this.uncheckpointedBytes();
    for (const { tables } of this.#stores.values()) {
      for (const { frozen } of tables) sizeBytes += frozen?.sizeBytes ?? 0;
    }
    return sizeBytes;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#exclusive.idle();
    await this.#collecting;
    await this.#writer.close();
    await this.#reader.close();
  }

  async snapshot(store: LmdbGroupStore): Promise<GroupSnapshot> {
    await this.checkpoint();
    const held = this.#reader.hold();
    const record = this.#reader.groupRecord(store.group, held);
    assert(record !== undefined, "group % is on disk after a checkpoint", store.group);
    return new LmdbSnapshot(this.#reader, this.#clock, record, held);
  }

  beginInstall(store: LmdbGroupStore): GroupInstall {
    const host = {
      commitInstall: (applied: AppliedState, trees: readonly TreeState[], marked: boolean) =>
        this.#exclusive.run(() => this.#commitInstall(store, applied, trees, marked)),
      abandonTrees: (trees: readonly TreeState[]) => this.#addGarbage(trees.map(({ tree }) => tree)),
    };
    return new LmdbInstall(host, this.#writer, this.#clock, this.#overlayParts.pool, this.#newTrees());
  }

  closeGroup(store: LmdbGroupStore): Promise<void> {
    return this.#exclusive.run(async () => this.#forget(store));
  }

  destroyGroup(store: LmdbGroupStore): Promise<void> {
    return this.#exclusive.run(async () => {
      if (store.isOnDisk) {
        const discarded = treesOf(store);
        const job = this.#writer.newJob();
        await this.#writer.commit({
          job,
          groups: [],
          removedGroups: [store.group],
          discarded,
          adopted: [],
        });
        this.#reader.refresh();
        this.#addGarbage(discarded);
      }
      this.#forget(store);
    });
  }

  async #checkpoint(): Promise<void> {
    this.#writer.throwIfFailed();
    const frozen: FrozenGroup[] = [];
    for (const store of this.#stores.values()) {
      const group = store.freeze();
      if (group !== undefined) frozen.push(group);
    }
    for (const batch of batches(frozen)) await this.#saveBatch(batch);
    this.#collectGarbage();
  }

  /** Saves some groups in one transaction. */
  async #saveBatch(batch: readonly FrozenGroup[]): Promise<void> {
    const job = this.#writer.newJob();
    const newTrees = new Map<FrozenGroup, TreeState[]>();
    const discarded: number[] = [];
    for (const group of batch) {
      const trees = this.#treesAfter(group, discarded);
      newTrees.set(group, trees);
      for (const [i, { frozen }] of group.store.tables.entries()) {
        if (frozen !== undefined) this.#writer.sendBlocks(job, trees[i].tree, frozen.blocks);
      }
    }
    const held = this.#reader.hold();
    try {
      for (const { store } of batch) store.pin(held);
      const { deltas } = await this.#writer.commit({
        job,
        groups: batch.map((group) => ({
          group: group.store.group,
          record: encodeGroupRecord({ applied: group.applied, trees: newTrees.get(group) ?? [] }),
        })),
        removedGroups: [],
        discarded,
        adopted: [],
      });
      this.#reader.refresh();
      for (const [{ store, applied }, trees] of newTrees) {
        const counted = trees.map(({ tree, count }) => ({ tree, count: count + (deltas.get(tree) ?? 0) }));
        // The caller may go on using the memory of its state.
        store.settle({ ...applied, state: copyBytes(applied.state) }, counted);
      }
    } finally {
      for (const { store } of batch) store.pin(undefined);
      held.done();
    }
    this.#garbage.push(...discarded);
  }

  /** The group's trees as its frozen writes find them: a cleared table starts a new one. */
  #treesAfter({ store }: FrozenGroup, discarded: number[]): TreeState[] {
    return store.tables.map((table) => {
      if (table.frozen?.cleared !== true) return table.treeState;
      if (store.isOnDisk) discarded.push(table.tree);
      return this.#newTree();
    });
  }

  async #commitInstall(
    store: LmdbGroupStore,
    applied: AppliedState,
    trees: readonly TreeState[],
    marked: boolean,
  ): Promise<void> {
    const discarded = store.isOnDisk ? treesOf(store) : [];
    const job = this.#writer.newJob();
    await this.#writer.commit({
      job,
      groups: [{ group: store.group, record: encodeGroupRecord({ applied, trees }) }],
      removedGroups: [],
      discarded,
      adopted: marked ? trees.map(({ tree }) => tree) : [],
    });
    this.#reader.refresh();
    store.replaceContent({ ...applied, state: copyBytes(applied.state) }, trees);
    this.#addGarbage(discarded);
  }

  #forget(store: LmdbGroupStore): void {
    if (this.#stores.get(store.group) === store) this.#stores.delete(store.group);
  }

  #newTree(): TreeState {
    return { tree: this.#nextTree++, count: 0 };
  }

  #newTrees(): TreeState[] {
    return TABLES.map(() => this.#newTree());
  }

  #usedTrees(): number[] {
    return this.#reader
      .groups()
      .flatMap((group) => this.#reader.groupRecord(group)?.trees ?? [])
      .map(({ tree }) => tree);
  }

  #addGarbage(trees: readonly number[]): void {
    this.#garbage.push(...trees);
    this.#collectGarbage();
  }

  /** Deletes dead trees in the background, a few keys a transaction. */
  #collectGarbage(): void {
    if (this.#collecting !== undefined || this.#garbage.length === 0 || this.#closing) return;
    this.#collecting = this.#collectAll()
      .catch((error: unknown) => this.#logger.error("cannot remove dead data", { error: String(error) }))
      .finally(() => {
        this.#collecting = undefined;
      });
  }

  async #collectAll(): Promise<void> {
    for (;;) {
      const tree = this.#garbage.at(-1);
      if (tree === undefined || this.#closing) return;
      if (await this.#writer.collect(tree, GARBAGE_KEYS_A_TRANSACTION)) {
        this.#garbage.splice(this.#garbage.indexOf(tree), 1);
      }
    }
  }
}

const treesOf = (store: LmdbGroupStore): number[] => store.tables.map((table) => table.tree);

/** Splits groups into transactions. */
function* batches(groups: readonly FrozenGroup[]): Generator<FrozenGroup[]> {
  let batch: FrozenGroup[] = [];
  let pages = 0;
  for (const group of groups) {
    if (batch.length > 0 && pages + group.pages > PAGES_A_TRANSACTION) {
      yield batch;
      batch = [];
      pages = 0;
    }
    batch.push(group);
    pages += group.pages;
  }
  if (batch.length > 0) yield batch;
}
