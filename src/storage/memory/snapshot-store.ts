/** The directory of a memory engine: at most one finished snapshot file a group, once all is tidy. */
import { MinikeyError } from "../../core/errors.js";
import type { GroupId } from "../../core/ids.js";
import type { Disk } from "../../ports/disk.js";
import type { Logger } from "../../ports/logger.js";
import type { AppliedState } from "../../ports/storage-engine.js";
import type { PieceStream } from "../piece-stream.js";
import {
  parseSnapshotName,
  SnapshotFileReader,
  SnapshotFileWriter,
  snapshotName,
  UNFINISHED_SUFFIX,
} from "./snapshot-file.js";

const PIECE_BYTES = 256 * 1024;

export class SnapshotStore {
  readonly #disk: Disk;
  readonly #directory: string;
  /** Sequences of finished files, ascending; the last one counts. */
  readonly #sequences = new Map<GroupId, number[]>();

  private constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /** Looks at the directory and removes what a crash left half-written. */
  static async open(disk: Disk, directory: string, logger: Logger): Promise<SnapshotStore> {
    const store = new SnapshotStore(disk, directory);
    for (const name of await disk.list(directory)) {
      const parsed = parseSnapshotName(name);
      if (parsed !== undefined) {
        store.#sequencesOf(parsed.group).push(parsed.sequence);
      } else if (name.endsWith(UNFINISHED_SUFFIX)) {
        logger.info("removing a snapshot that a crash cut off", { file: store.#path(name) });
        await disk.remove(store.#path(name));
      }
    }
    for (const sequences of store.#sequences.values()) sequences.sort((a, b) => a - b);
    return store;
  }

  groups(): GroupId[] {
    return [...this.#sequences.keys()];
  }

  /**
   * Reads a group's newest file, handing its pieces to `onPiece`, which returns how many records it had.
   * Undefined for a group that has none. Rejects with `DATA_CORRUPT` or `DATA_NEWER`, naming the file.
   */
  async load(group: GroupId, onPiece: PieceHandler): Promise<AppliedState | undefined> {
    const sequence = this.#sequences.get(group)?.at(-1);
    if (sequence === undefined) return undefined;
    const path = this.#path(snapshotName({ group, sequence }));
    const file = await this.#disk.open(path);
    try {
      return await readFile(new SnapshotFileReader(file, path), group, onPiece);
    } finally {
      await file.close();
    }
  }

  /** Makes `applied` and the pieces the group's durable content. Rejects with `DISK_FAILED`. */
  async save(group: GroupId, applied: AppliedState, pieces: PieceStream): Promise<void> {
    const sequences = this.#sequencesOf(group);
    const sequence = (sequences.at(-1) ?? 0) + 1;
    const path = this.#path(snapshotName({ group, sequence }));
    try {
      await this.#writeFile(path + UNFINISHED_SUFFIX, group, applied, pieces);
      await this.#disk.rename(path + UNFINISHED_SUFFIX, path);
      await this.#disk.syncDirectory(this.#directory);
      sequences.push(sequence);
      await this.#removeUpTo(group, sequence - 1);
    } catch (error) {
      if (sequences.length === 0) this.#sequences.delete(group);
      throw diskFailed(`writing ${path}`, error);
    }
  }

  /** Removes a group for good. Rejects with `DISK_FAILED`. */
  async remove(group: GroupId): Promise<void> {
    if (!this.#sequences.has(group)) return;
    try {
      await this.#removeUpTo(group, Number.POSITIVE_INFINITY);
      await this.#disk.syncDirectory(this.#directory);
    } catch (error) {
      throw diskFailed(`removing group ${group} from ${this.#directory}`, error);
    }
  }

  async #writeFile(path: string, group: GroupId, applied: AppliedState, pieces: PieceStream): Promise<void> {
    const file = await this.#disk.open(path, { create: true });
    try {
      // A file of this name can only be left from a write that failed.
      await file.truncate(0);
      const writer = new SnapshotFileWriter(file);
      await writer.head(group, applied);
      for (;;) {
        const piece = await pieces.next(PIECE_BYTES);
        if (piece === undefined) break;
        await writer.piece(piece);
      }
      await writer.end(pieces.records);
    } finally {
      await file.close();
    }
  }

  /** The oldest first: a crash in between must not bring an older one back. */
  async #removeUpTo(group: GroupId, last: number): Promise<void> {
    const sequences = this.#sequencesOf(group);
    while (sequences.length > 0 && sequences[0] <= last) {
      await this.#disk.remove(this.#path(snapshotName({ group, sequence: sequences[0] })));
      sequences.shift();
    }
    if (sequences.length === 0) this.#sequences.delete(group);
  }

  #sequencesOf(group: GroupId): number[] {
    let sequences = this.#sequences.get(group);
    if (sequences === undefined) {
      sequences = [];
      this.#sequences.set(group, sequences);
    }
    return sequences;
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

const diskFailed = (what: string, error: unknown): MinikeyError =>
  new MinikeyError("DISK_FAILED", `${what} failed: ${String(error)}`, { cause: error });

export type PieceHandler = (piece: Uint8Array) => Promise<number>;

async function readFile(
  reader: SnapshotFileReader,
  group: GroupId,
  onPiece: PieceHandler,
): Promise<AppliedState> {
  const applied = await reader.head(group);
  let records = 0;
  for (;;) {
    const piece = await reader.next(records);
    if (piece === undefined) return applied;
    try {
      records += await onPiece(piece);
    } catch (error) {
      if (error instanceof MinikeyError && error.code === "DATA_CORRUPT") throw reader.corrupt(error.message);
      throw error;
    }
  }
}
