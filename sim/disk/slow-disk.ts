/**
 * The real log and the real memory engine on a simulated disk, for clusters whose nodes store as they do in
 * earnest: crashes tear writes, and power losses drop what was not synced.
 */
import { type Bytes, copyBytes } from "../../src/core/bytes.js";
import type { GroupId } from "../../src/core/ids.js";
import type { Disk, DiskFile, OpenOptions } from "../../src/ports/disk.js";
import type { AppliedState, GroupStore, StorageEngine } from "../../src/ports/storage-engine.js";
import type { SimProcess, World } from "../world/world.js";
import { type DurableState, TABLES, type Tables } from "./durable.js";
import type { SimDisk } from "./sim-disk.js";

/** A simulated disk, as slow as one, seen by a process that may die. */
export class SlowDisk implements Disk {
  /** While a process starts, its disk takes no time: a start is one event. */
  isInstant = true;
  readonly #disk: SimDisk;
  readonly #process: SimProcess;
  readonly #world: World;
  readonly #durable: DurableState;

  constructor(disk: SimDisk, process: SimProcess, world: World, durable: DurableState) {
    this.#disk = disk;
    this.#durable = durable;
    this.#process = process;
    this.#world = world;
  }

  async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    await this.pause(0.1);
    return new SlowFile(this, await this.#disk.open(path, options));
  }

  async list(directory: string): Promise<string[]> {
    await this.pause(0.1);
    return await this.#disk.list(directory);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.pause(0.1);
    await this.#disk.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    await this.pause(0.1);
    await this.#disk.remove(path);
  }

  async removeTree(directory: string): Promise<void> {
    await this.pause(0.1);
    await this.#disk.removeTree(directory);
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.pause(1);
    await this.#disk.syncDirectory(directory);
  }

  /** Up to `maxMs`; never ends when the process dies meanwhile. */
  async pause(maxMs: number): Promise<void> {
    if (this.isInstant) return;
    const isSlow = this.#world.nowMs < this.#durable.slowUntilMs;
    const delayMs = (isSlow ? this.#durable.slowMs : maxMs) * this.#world.random.unit();
    await new Promise<void>((resolve) => {
      this.#process.later(delayMs, resolve);
    });
  }
}

class SlowFile implements DiskFile {
  readonly #disk: SlowDisk;
  readonly #file: DiskFile;

  constructor(disk: SlowDisk, file: DiskFile) {
    this.#disk = disk;
    this.#file = file;
  }

  async sizeBytes(): Promise<number> {
    return await this.#file.sizeBytes();
  }

  async read(target: Bytes, positionBytes: number): Promise<number> {
    await this.#disk.pause(0.1);
    return await this.#file.read(target, positionBytes);
  }

  async write(parts: readonly Uint8Array[], positionBytes: number): Promise<void> {
    await this.#disk.pause(1);
    await this.#file.write(parts, positionBytes);
  }

  async sync(): Promise<void> {
    await this.#disk.pause(1);
    await this.#file.sync();
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#disk.pause(0.1);
    await this.#file.truncate(sizeBytes);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** An open group, as a test may look at it. */
export interface InspectedGroup {
  readonly group: GroupId;
  /** The state as of now; undefined while the group is being opened. */
  captureApplied(): AppliedState | undefined;
  captureTables(): Tables;
}

export interface InspectedEngine extends StorageEngine {
  /** The open groups. */
  readonly groups: ReadonlyMap<GroupId, InspectedGroup>;
}

/** Checkpoints are to be frequent, though the data are few. */
const BYTES_COUNTED_AS = 4_000;

/** `engine`, with its groups on show. */
export function inspected(engine: StorageEngine): InspectedEngine {
  const groups = new Map<GroupId, InspectedGroup>();
  return {
    kind: engine.kind,
    groups,
    openGroup: async (id) => {
      const store = await engine.openGroup(id);
      let capture: (() => AppliedState) | undefined;
      const onCheckpoint = store.onCheckpoint.bind(store);
      const close = store.close.bind(store);
      const destroy = store.destroy.bind(store);
      store.onCheckpoint = (given) => {
        capture = given;
        onCheckpoint(given);
      };
      store.close = async () => {
        groups.delete(id);
        await close();
      };
      store.destroy = async () => {
        groups.delete(id);
        await destroy();
      };
      groups.set(id, {
        group: id,
        captureApplied: () => capture?.(),
        captureTables: () => tablesOf(store),
      });
      return store;
    },
    listGroups: () => engine.listGroups(),
    checkpoint: () => engine.checkpoint(),
    uncheckpointedBytes: () => BYTES_COUNTED_AS * engine.uncheckpointedBytes(),
    unsavedBytes: () => BYTES_COUNTED_AS * engine.unsavedBytes(),
    close: () => engine.close(),
  };
}

function tablesOf(store: GroupStore): Tables {
  const tables: Tables = { data: new Map(), expiry: new Map(), meta: new Map() };
  for (const table of TABLES) {
    for (const [key, { bytes, start, end }] of store.range(table)) {
      tables[table].set(key, copyBytes(bytes, start, end));
    }
  }
  return tables;
}
