/**
 * One table of a group: the active overlay, the frozen one while a checkpoint saves it, and below them a tree
 * in LMDB.
 *
 *     get ──► active overlay ──► frozen overlay ──► read cache ──► tree
 *     range ──► active overlay ──► frozen overlay ──► tree
 *     put, delete ──► active overlay
 *
 * Counting is exact without reading the table: the tree's count is stored with the group, and each overlay
 * knows its effect (see overlay.ts). A write seldom has to ask whether the tree has its key, because the read
 * that came before it, as in every read-modify-write, has just told.
 */
import { assert } from "../../core/assert.js";
import type { Bytes, Key } from "../../core/bytes.js";
import type { RangeOptions, StoredValue } from "../../ports/storage-engine.js";
import {
  BELOW_ABSENT,
  BELOW_PRESENT,
  BELOW_UNKNOWN,
  type Below,
  Overlay,
  type OverlayParts,
  TOMBSTONE,
} from "../../storage/overlay/overlay.js";
import { rangeBounds } from "../../storage/range-bounds.js";
import { KEY_BYTES_MAX } from "../../storage/tables.js";
import type { HeldRead } from "./binding.js";
import type { TreeState } from "./layout.js";
import { ReadCache } from "./read-cache.js";
import type { Reader } from "./reader.js";
import { TableRange } from "./table-range.js";

/** Entries that share a page, when they are small. */
const ENTRIES_A_PAGE = 24;

export class LmdbTable {
  readonly #reader: Reader;
  readonly #parts: OverlayParts;
  #tree: number;
  #treeCount: number;
  #active: Overlay;
  #frozen: Overlay | undefined;
  readonly #cache: ReadCache;
  /** While the writer commits the frozen overlay: the tree as it was before. */
  #pinned: HeldRead | undefined;
  /**
   * The key asked for last below the active overlay, and what came out. Commands ask several times for the key
   * they are about to write; and the write needs to know whether it was there.
   */
  #probedKey: Key | undefined;
  #probedBelow: Below = BELOW_UNKNOWN;
  #probedValue: StoredValue | undefined;
  /** What lies below each overlay, as it asks for it. */
  readonly #belowActive = { has: (key: Key): boolean => this.#hasBelow(key) };
  readonly #belowFrozen = { has: (key: Key): boolean => this.#hasInTree(key) };
  #writes = 0;
  /** Keys looked at by ranges so far: for tests, which prove that a range reads little. */
  visits = 0;

  constructor(reader: Reader, parts: OverlayParts, state: TreeState) {
    this.#reader = reader;
    this.#parts = parts;
    this.#active = new Overlay(parts);
    this.#cache = new ReadCache(parts);
    this.#tree = state.tree;
    this.#treeCount = state.count;
  }

  get tree(): number {
    return this.#tree;
  }

  /** The tree and its count as the last checkpoint left them. */
  get treeState(): TreeState {
    return { tree: this.#tree, count: this.#treeCount };
  }

  /** Memory that the writes since the last checkpoint began take. */
  get activeBytes(): number {
    return this.#active.isEmpty ? 0 : this.#active.sizeBytes;
  }

  /** Changes with every write; ranges check it. */
  get writes(): number {
    return this.#writes;
  }

  get(key: Key): StoredValue | undefined {
    const written = this.#active.get(key);
    if (written !== undefined) return written === TOMBSTONE ? undefined : written;
    if (this.#active.cleared) return undefined;
    if (key === this.#probedKey) {
      if (this.#probedBelow === BELOW_ABSENT) return undefined;
      if (this.#probedValue !== undefined) return this.#probedValue;
    }
    const found = this.#getBelow(key);
    this.#probedKey = key;
    this.#probedBelow = found === undefined ? BELOW_ABSENT : BELOW_PRESENT;
    this.#probedValue = found;
    return found;
  }

  has(key: Key): boolean {
    const written = this.#active.has(key);
    if (written !== undefined) return written;
    if (this.#active.cleared) return false;
    if (key === this.#probedKey) return this.#probedBelow === BELOW_PRESENT;
    const found = this.#hasBelow(key);
    this.#probedKey = key;
    this.#probedBelow = found ? BELOW_PRESENT : BELOW_ABSENT;
    this.#probedValue = undefined;
    return found;
  }

  prefetch(bytes: Bytes, spans: readonly number[], from: number, to: number): void {
    this.#active.prefetch(bytes, spans, from, to);
  }

  reserve(key: Key, sizeBytes: number): StoredValue {
    this.#writes += 1;
    const room = this.#active.replace(key, sizeBytes);
    if (room !== undefined) return room;
    assert(key.length > 0 && key.length <= KEY_BYTES_MAX, "a key has 1 to 1,536 bytes");
    return this.#active.add(key, sizeBytes, this.#knownBelow(key));
  }

  delete(key: Key): void {
    this.#writes += 1;
    if (this.#active.bury(key)) return;
    const below = this.#knownBelow(key);
    if (below === BELOW_ABSENT) return;
    this.#active.addTombstone(key, below);
  }

  clear(): void {
    this.#writes += 1;
    this.#active.clear();
  }

  count(): number {
    if (this.#active.isEmpty && this.#frozen === undefined) return this.#treeCount;
    return this.#active.count(this.#countBelow(), this.#belowActive);
  }

  range(options: RangeOptions | undefined): TableRange {
    const overlays: Overlay[] = [this.#active];
    if (!this.#active.cleared && this.#frozen !== undefined) overlays.push(this.#frozen);
    const bounds = rangeBounds(options);
    const showsTree = this.#treeCount > 0 && overlays.every((overlay) => !overlay.cleared);
    const cursor = showsTree ? this.#reader.cursor(this.#tree, bounds) : undefined;
    return new TableRange(this, overlays, cursor, bounds);
  }

  /** Sets the writes so far aside, to be saved. Returns about how many pages of the tree they change. */
  freeze(): number {
    assert(this.#frozen === undefined, "one checkpoint at a time");
    if (this.#active.isEmpty) return 0;
    const writes = this.#active.size;
    this.#cache.dropSaved();
    this.#frozen = this.#active;
    this.#active = new Overlay(this.#parts);
    this.#forgetProbe();
    return 1 + Math.min(writes, Math.ceil((writes + this.#treeCount) / ENTRIES_A_PAGE));
  }

  /** The frozen overlay, or undefined. */
  get frozen(): Overlay | undefined {
    return this.#frozen;
  }

  /** Reads of the tree see `held`, so that a commit under way is not counted twice; undefined ends that. */
  pin(held: HeldRead | undefined): void {
    this.#pinned = held;
  }

  /** The frozen overlay, if any, is in the tree, which is now `state`. */
  settle(state: TreeState): void {
    if (this.#frozen !== undefined) this.#cache.onTreeChanged(this.#frozen);
    this.#moveTo(state);
  }

  /** Everything is replaced by the content of another tree. */
  replaceContent(state: TreeState): void {
    this.#active.release();
    this.#active = new Overlay(this.#parts);
    this.#forgetProbe();
    this.#writes += 1;
    this.#cache.onTreeChanged(undefined);
    this.#moveTo(state);
  }

  #moveTo({ tree, count }: TreeState): void {
    this.#frozen = undefined;
    this.#tree = tree;
    this.#treeCount = count;
  }

  #forgetProbe(): void {
    this.#probedKey = undefined;
    this.#probedValue = undefined;
  }

  #getBelow(key: Key): StoredValue | undefined {
    const frozen = this.#frozen;
    if (frozen !== undefined) {
      const written = frozen.get(key);
      if (written !== undefined) return written === TOMBSTONE ? undefined : written;
      if (frozen.cleared) return undefined;
    }
    return this.#treeCount === 0 ? undefined : this.#getInTree(key);
  }

  #getInTree(key: Key): StoredValue | undefined {
    const known = this.#cache.get(key);
    if (known !== undefined) return known === TOMBSTONE ? undefined : known;
    const found = this.#reader.get(this.#tree, key, this.#pinned);
    if (found === undefined) this.#cache.addAbsent(key);
    else this.#cache.add(key, found);
    return found;
  }

  #hasBelow(key: Key): boolean {
    const frozen = this.#frozen;
    if (frozen !== undefined) {
      const written = frozen.has(key);
      if (written !== undefined) return written;
      if (frozen.cleared) return false;
    }
    return this.#hasInTree(key);
  }

  #hasInTree(key: Key): boolean {
    if (this.#treeCount === 0) return false;
    return this.#cache.has(key) ?? this.#reader.has(this.#tree, key, this.#pinned);
  }

  #countBelow(): number {
    if (this.#active.cleared) return 0;
    if (this.#frozen === undefined) return this.#treeCount;
    return this.#frozen.count(this.#treeCount, this.#belowFrozen);
  }

  /** What is known, without a search in the tree, about a key that is not in the active overlay. */
  #knownBelow(key: Key): Below {
    if (this.#active.cleared) return BELOW_ABSENT;
    const frozen = this.#frozen;
    if (frozen !== undefined) {
      const written = frozen.has(key);
      if (written !== undefined) return written ? BELOW_PRESENT : BELOW_ABSENT;
      if (frozen.cleared) return BELOW_ABSENT;
    }
    if (this.#treeCount === 0) return BELOW_ABSENT;
    return key === this.#probedKey ? this.#probedBelow : BELOW_UNKNOWN;
  }
}
