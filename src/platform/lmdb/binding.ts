/**
 * The part of the npm package `lmdb` that the disk engine uses, and how it opens an environment.
 *
 * Keys in the environment are a tree's number (u32, big-endian) and the key's bytes; see layout.ts. LMDB
 * compares them as bytes. Commits are synchronous inside the writer thread and on disk when they return
 * (`overlappingSync` off: LMDB's own order of data, `fdatasync`, meta page), so a crash at any moment leaves
 * the last or the one before it.
 */
import type { Bytes, Key } from "../../core/bytes.js";

/** A read transaction that somebody holds: what it sees does not change. */
export interface HeldRead {
  done(): void;
}

export interface LmdbRange {
  readonly start: Key;
  /** Exclusive. */
  readonly end: Key;
  readonly limit?: number;
  readonly exclusiveStart?: boolean;
  readonly transaction?: HeldRead;
}

export interface LmdbStore {
  /** The value, valid until the next read; its `length` is the value's, whatever the buffer's size. */
  getBinaryFast(key: Key, options?: { transaction: HeldRead }): Bytes | undefined;
  getRange(options: LmdbRange): Iterable<{ key: Key; value: Bytes }>;
  getKeys(options: LmdbRange): Iterable<Key>;
  /** Inside a transaction only: done when it returns. */
  put(key: Key, value: Uint8Array): unknown;
  /** Inside a transaction only: done when it returns. */
  remove(key: Key): unknown;
  /**
   * Runs `work` in a write transaction; it is on disk when this returns, and undone when `work` throws. What
   * `work` returns must not be what `put` or `remove` return: that is a promise, and the commit would wait.
   */
  transactionSync<T>(work: () => T): T;
  useReadTransaction(): HeldRead;
  /** Makes the next read see what was committed since. */
  resetReadTxn(): void;
  getStats(): { readonly entryCount: number };
  close(): Promise<void>;
}

export interface KeyEncoder {
  /** Writes a key and returns the position after it. */
  writeKey(key: Key, target: Bytes, start: number): number;
  readKey(source: Bytes, start: number, end: number): Key;
}

/** For keys that have their tree in front already. */
export const COMPLETE_KEYS: KeyEncoder = {
  writeKey: (key, target, start) => start + target.latin1Write(key, start),
  readKey: (source, start, end) => source.latin1Slice(start, end),
};

/** The module, loaded when the first engine opens: a command that needs no storage does not pay for it. */
export interface LmdbModule {
  open(options: object): LmdbStore;
}

/**
 * Address space reserved for the map; no memory and no disk. The library grows it when the data outgrows it,
 * but keeps the old map then, so one that is large from the start is cheaper.
 */
export const MAP_BYTES = 64 * 1024 ** 3;

/** Read transactions at once: each thread's current one, and one a snapshot. */
const MAX_READERS = 512;

/** `mapBytes` undefined: start small, and let the library grow the map. */
export function openStore(
  lmdb: LmdbModule,
  path: string,
  keyEncoder: KeyEncoder,
  mapBytes?: number,
): LmdbStore {
  return lmdb.open({
    path,
    noSubdir: false,
    encoding: "binary",
    keyEncoder,
    overlappingSync: false,
    maxReaders: MAX_READERS,
    ...(mapBytes === undefined ? {} : { mapSize: mapBytes }),
  });
}
