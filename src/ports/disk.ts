import type { Bytes } from "../core/bytes.js";

/**
 * Files in one data directory. Paths are relative to it, with `/`; parent directories are made as needed, and
 * made durable at once.
 *
 * What a caller may rely on: nothing written is durable before `sync` of that file has succeeded; a new name,
 * a rename or a removal is durable only after `syncDirectory`. After a crash any subset of unsynced writes may
 * be there, torn at any byte. Every method rejects with the operating system's error (`code` as in Node.js:
 * `ENOSPC`, `EIO`, `ENOENT` …). After a failed `sync` the file's content is undefined: never sync it again.
 */
export interface Disk {
  /**
   * Opens for reading and writing; creates when `create` is set, else a missing file rejects with `ENOENT`.
   * With `durable`, a `write` resolves only once it is durable, as if `sync` had followed: one trip to the
   * disk instead of two. When it fails, what was written is as undefined as after a failed `sync`.
   */
  open(path: string, options?: OpenOptions): Promise<DiskFile>;
  /** Names in a directory, sorted; empty when it does not exist. */
  list(directory: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Removes a directory and all in it; nothing when it does not exist. */
  removeTree(directory: string): Promise<void>;
  syncDirectory(directory: string): Promise<void>;
}

export interface OpenOptions {
  readonly create?: boolean;
  readonly durable?: boolean;
}

export interface DiskFile {
  sizeBytes(): Promise<number>;
  /** Reads into `target`; returns the bytes read, fewer at the end of the file. */
  read(target: Bytes, positionBytes: number): Promise<number>;
  /** Writes all of `parts`, one after the other. */
  write(parts: readonly Uint8Array[], positionBytes: number): Promise<void>;
  /** Makes the data, and the size when it changed, durable (`fdatasync`). */
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}
