/**
 * One partition's data as commands see it, over a storage engine: records with types, versions and expiry.
 *
 * Versions count every write of the partition, so that a key never gets one twice. The `expiry` table lists
 * keys by due time; it holds an entry for every key with an expiry, and nothing else.
 *
 * For reads of one moment it can tell since when a key has not been there. Of deletes it keeps, in memory, the
 * latest revision of each of a few hundred sets of keys: an upper bound for every key in the set, which is safe.
 * So is the revision that a replica opens with, of everything before.
 */
import type { Entry, KeyValueView, ValueType } from "../commands/types.js";
import { type Bytes, EMPTY_BYTES, type Key } from "../core/bytes.js";
import type { GroupStore, StoredValue } from "../ports/storage-engine.js";
import { clampExpiry, expiryKey, readExpiry, readRecord, recordBytes, writeRecord } from "./record.js";

const NO_VALUE: StoredValue = { bytes: EMPTY_BYTES, start: 0, end: 0 };

/** Sets of keys by hash; a power of two. With more, fewer deletes look like those of another key. */
const DELETE_SETS = 256;

export class StoreView implements KeyValueView {
  nowMs = 0;
  /** Bytes of all values written so far by this process. */
  writtenBytes = 0;
  #revision = 0;
  readonly valueBytesMax: number;
  readonly #store: GroupStore;
  /** By set of keys, the revision of the latest delete. */
  readonly #deletedAt = new Float64Array(DELETE_SETS);
  /** The largest of these. */
  #deletedLast = 0;

  constructor(store: GroupStore, valueBytesMax: number) {
    this.#store = store;
    this.valueBytesMax = valueBytesMax;
  }

  /** Writes so far: the version given last. */
  get revision(): number {
    return this.#revision;
  }

  /** Goes on from a state that was taken at this revision. */
  resumeAt(revision: number): void {
    this.#revision = revision;
    this.#noteAllDeleted();
  }

  /** Of a key that does not exist: it has not since this revision at the latest. */
  absentSince(key: Key): number {
    return this.#deletedAt[deleteSetOf(key)];
  }

  /** Whether a key that does not exist has not since `revision` at the latest: no wrong yes, but perhaps a wrong no. */
  isAbsentSince(key: Key, revision: number): boolean {
    return this.#deletedLast <= revision || this.absentSince(key) <= revision;
  }

  get(key: Key): Entry | undefined {
    const entry = this.peek(key);
    return entry === undefined || this.isDue(entry) ? undefined : entry;
  }

  /** What is stored, also when its time has come: then it must be purged before anyone is told that it is gone. */
  peek(key: Key): Entry | undefined {
    const stored = this.#store.get("data", key);
    return stored === undefined ? undefined : readRecord(stored);
  }

  /** Whether the entry's time has come. */
  isDue({ expiresAtMs }: Entry): boolean {
    return expiresAtMs !== 0 && expiresAtMs <= this.nowMs;
  }

  /** True when the key is there but its time has come: it must be purged before anyone is told that it is gone. */
  isOverdue(key: Key): boolean {
    if (this.#store.count("expiry") === 0) return false;
    const stored = this.#store.get("data", key);
    if (stored === undefined) return false;
    const expiresAtMs = readExpiry(stored);
    return expiresAtMs !== 0 && expiresAtMs <= this.nowMs;
  }

  has(key: Key): boolean {
    if (this.#store.count("expiry") === 0) return this.#store.has("data", key);
    return this.get(key) !== undefined;
  }

  set(key: Key, type: ValueType, bytes: Bytes, start: number, end: number, expiresAtMs: number): number {
    this.#dropExpiry(key);
    this.#revision += 1;
    this.writtenBytes += end - start;
    const dueMs = clampExpiry(expiresAtMs);
    const room = this.#store.reserve("data", key, recordBytes(end - start, dueMs));
    writeRecord(room.bytes, room.start, type, this.#revision, dueMs, bytes, start, end);
    if (dueMs !== 0) this.#store.put("expiry", expiryKey(dueMs, key), NO_VALUE);
    return this.#revision;
  }

  setExpiry(key: Key, expiresAtMs: number): number {
    const entry = this.get(key);
    if (entry === undefined) return 0;
    return this.set(key, entry.type, entry.bytes, entry.start, entry.end, expiresAtMs);
  }

  delete(key: Key): boolean {
    const existed = this.has(key);
    // An overdue record goes too: for the caller it was not there.
    if (!existed && !this.#store.has("data", key)) return false;
    this.#dropExpiry(key);
    this.#store.delete("data", key);
    this.#revision += 1;
    this.#deletedAt[deleteSetOf(key)] = this.#revision;
    this.#deletedLast = this.#revision;
    return existed;
  }

  /** Removes a key whose time has come; false when it is not (or no longer) due. */
  purge(key: Key): boolean {
    if (!this.isOverdue(key)) return false;
    this.delete(key);
    return true;
  }

  clear(): void {
    this.#store.clear("data");
    this.#store.clear("expiry");
    this.#revision += 1;
    this.#noteAllDeleted();
  }

  count(): number {
    return this.#store.count("data");
  }

  *keys(options: { after?: Key | undefined; prefix?: Key | undefined }): IterableIterator<Key> {
    const range = {
      ...(options.after === undefined ? {} : { start: options.after, exclusive: true }),
      ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
    };
    for (const [key, stored] of this.#store.range("data", range)) {
      const expiresAtMs = readExpiry(stored);
      if (expiresAtMs === 0 || expiresAtMs > this.nowMs) yield key;
    }
  }

  #noteAllDeleted(): void {
    this.#deletedAt.fill(this.#revision);
    this.#deletedLast = this.#revision;
  }

  #dropExpiry(key: Key): void {
    if (this.#store.count("expiry") === 0) return;
    const stored = this.#store.get("data", key);
    if (stored === undefined) return;
    const expiresAtMs = readExpiry(stored);
    if (expiresAtMs !== 0) this.#store.delete("expiry", expiryKey(expiresAtMs, key));
  }
}

/** FNV-1a, cut to the number of sets. */
function deleteSetOf(key: Key): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (DELETE_SETS - 1);
}
