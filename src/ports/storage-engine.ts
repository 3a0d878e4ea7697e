/**
 * Where the state of consensus groups lives. One engine a node and kind (`disk`, `memory`); one `GroupStore`
 * a group, with a few ordered tables.
 *
 * The log is the truth until a checkpoint: a write to a `GroupStore` is visible to reads at once and durable
 * after the next `checkpoint` that began later. A checkpoint is atomic for each group: after a crash a group
 * is as of one `AppliedState`, with exactly the writes made up to that moment.
 */
import type { Bytes, Key } from "../core/bytes.js";
import type { GroupId, LogIndex, Term } from "../core/ids.js";

/** `data`: keys to records. `expiry`: due times to keys. `meta`: what belongs to the group itself. */
export type TableName = "data" | "expiry" | "meta";

/** A stored value: `bytes[start, end)`. Belongs to the engine: read it before the turn ends, never change it. */
export interface StoredValue {
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
}

/** What is fetched for the first key must still be at hand when the last is fetched. */
export const PREFETCH_KEYS_MAX = 64;

/** How far a group's state machine has come, and what it needs to go on from there. */
export interface AppliedState {
  readonly index: LogIndex;
  readonly term: Term;
  /** Opaque to the engine: sessions, counters, configuration. Kept, not copied. */
  readonly state: Bytes;
}

export interface StorageEngine {
  readonly kind: "disk" | "memory";
  /** Opens or creates a group. The same id opens the same store; a second open before `close` is a mistake. */
  openGroup(group: GroupId): Promise<GroupStore>;
  /** Groups that exist on disk. */
  listGroups(): Promise<GroupId[]>;
  /**
   * Makes all writes of all open groups so far durable. Calls made while one runs share the next.
   * Rejects when the disk fails: the process must then stop.
   */
  checkpoint(): Promise<void>;
  /** Bytes written to groups since the last checkpoint began, for deciding on the next. */
  uncheckpointedBytes(): number;
  /** Memory that holds writes until they are on disk; 0 for an engine that holds all its data in memory. */
  unsavedBytes(): number;
  close(): Promise<void>;
}

export interface RangeOptions {
  /** First key, inclusive. Default: the smallest. */
  readonly start?: Key;
  /** Only keys with this prefix. */
  readonly prefix?: Key;
  /** Start after `start` rather than at it. */
  readonly exclusive?: boolean;
}

export interface GroupStore {
  readonly group: GroupId;
  /** The durable state at open, or undefined for a new group. */
  readonly restored: AppliedState | undefined;
  get(table: TableName, key: Key): StoredValue | undefined;
  has(table: TableName, key: Key): boolean;
  /**
   * A hint, which changes nothing: the keys `bytes[spans[2i], spans[2i + 1])`, `from` ≤ i < `to`, are about to be
   * asked for or written, in this order. At most `PREFETCH_KEYS_MAX`.
   */
  prefetch(table: TableName, bytes: Bytes, spans: readonly number[], from: number, to: number): void;
  /** Keeps a copy of the value. */
  put(table: TableName, key: Key, value: StoredValue): void;
  /**
   * Puts a value of `sizeBytes` that the caller lays out where it will lie: `bytes[start, end)` of the result, all
   * of it, before anything else is asked of the engine.
   */
  reserve(table: TableName, key: Key, sizeBytes: number): StoredValue;
  /** Returns nothing: deleting a missing key is allowed. */
  delete(table: TableName, key: Key): void;
  /** Removes everything in a table. */
  clear(table: TableName): void;
  /** Entries in a table. */
  count(table: TableName): number;
  /** In key order. The store must not be written to between two steps. Touches only what it yields. */
  range(table: TableName, options?: RangeOptions): IterableIterator<[Key, StoredValue]>;
  /** Asked at the start of each checkpoint and snapshot for the state that the writes so far belong to. */
  onCheckpoint(capture: () => AppliedState): void;
  /** The last durable applied index: the log up to here is no longer needed for recovery. */
  durableIndex(): LogIndex;
  /** A consistent view of one moment, at which `applied` held. Stays valid while writes go on. */
  snapshot(): Promise<GroupSnapshot>;
  /** Starts replacing the whole group; reads and writes see the old content until `commit` resolves. */
  beginInstall(): GroupInstall;
  close(): Promise<void>;
  /** Removes the group for good. */
  destroy(): Promise<void>;
}

/** Read in order, in pieces; each piece can be handed to `GroupInstall.write` of any engine kind. */
export interface GroupSnapshot {
  readonly applied: AppliedState;
  /** The next piece of about `sizeBytes`, or undefined at the end. */
  next(sizeBytes: number): Promise<Bytes | undefined>;
  release(): void;
}

export interface GroupInstall {
  /** Pieces in the order they were read. Rejects with `MinikeyError` `DATA_CORRUPT` for a malformed piece. */
  write(piece: Bytes): Promise<void>;
  /** Replaces the group's content, atomically and durably. */
  commit(applied: AppliedState): Promise<void>;
  abort(): Promise<void>;
}
