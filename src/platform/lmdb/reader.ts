/**
 * Reads on the event loop's thread. All of one turn see the same commit; `refresh` moves on to the newest.
 *
 * Values are copied out of LMDB's map, because their pages may be reused after the turn.
 */
import { asBytes, type Bytes, type Key, writeKey } from "../../core/bytes.js";
import type { GroupId } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";
import type { StoredValue } from "../../ports/storage-engine.js";
import type { ValueCopies } from "../../storage/overlay/value-copies.js";
import type { HeldRead, KeyEncoder, LmdbStore } from "./binding.js";
import {
  decodeGroupRecord,
  FORMAT_KEY,
  GARBAGE_RANGE,
  GROUP_RANGE,
  type GroupRecord,
  groupKey,
  groupOfKey,
  treeEnd,
  treeKey,
  treeOfGarbageKey,
} from "./layout.js";

const TREE_BYTES = 4;
/** As the tree of a key: the key is complete, as the environment stores it. */
export const COMPLETE = -1;

export class Reader {
  readonly #store: LmdbStore;
  readonly #scope: { tree: number };
  readonly #cursors: TurnCursors;
  readonly #copies: ValueCopies;
  #shared: Bytes | undefined;
  #sharedView: Bytes | undefined;

  constructor(store: LmdbStore, scope: { tree: number }, copies: ValueCopies, clock: Clock) {
    this.#store = store;
    this.#copies = copies;
    this.#scope = scope;
    this.#cursors = new TurnCursors(clock);
  }

  get(tree: number, key: Key, held?: HeldRead): StoredValue | undefined {
    this.#scope.tree = tree;
    const found = this.#store.getBinaryFast(key, held && { transaction: held });
    this.#scope.tree = COMPLETE;
    return found === undefined ? undefined : this.#copyOut(found);
  }

  has(tree: number, key: Key, held?: HeldRead): boolean {
    this.#scope.tree = tree;
    const found = this.#store.getBinaryFast(key, held && { transaction: held });
    this.#scope.tree = COMPLETE;
    return found !== undefined;
  }

  /** The keys of a tree in order. Without `held` it sees the newest commit, and goes on with a newer one. */
  cursor(tree: number, bounds: CursorBounds, held?: HeldRead): TreeCursor {
    return new TreeCursor(this.#store, held === undefined ? this.#cursors : undefined, tree, bounds, held);
  }

  formatVersion(): number | undefined {
    const found = this.#store.getBinaryFast(FORMAT_KEY);
    return found?.readUInt32LE(0);
  }

  groupRecord(group: GroupId, held?: HeldRead): GroupRecord | undefined {
    const found = this.#store.getBinaryFast(groupKey(group), held && { transaction: held });
    if (found === undefined) return undefined;
    const { bytes, start, end } = this.#copyOut(found);
    return decodeGroupRecord(group, bytes.subarray(start, end));
  }

  groups(): GroupId[] {
    return [...this.#store.getKeys({ ...GROUP_RANGE })].map(groupOfKey);
  }

  garbageTrees(): number[] {
    return [...this.#store.getKeys({ ...GARBAGE_RANGE })].map(treeOfGarbageKey);
  }

  /** Keeps what is committed now readable until `done`. */
  hold(): HeldRead {
    this.refresh();
    return this.#store.useReadTransaction();
  }

  /** Makes the next read see what was committed since. */
  refresh(): void {
    this.#cursors.closeAll();
    this.#store.resetReadTxn();
  }

  close(): Promise<void> {
    this.#cursors.closeAll();
    return this.#store.close();
  }

  #copyOut(found: Bytes): StoredValue {
    const sizeBytes = found.length;
    if (found !== this.#shared) {
      // `length` of the library's buffer is the value's: the runtime's copying must not meet that.
      this.#shared = found;
      this.#sharedView = asBytes(new Uint8Array(found.buffer, found.byteOffset, found.byteLength));
    }
    const view = this.#sharedView as Bytes;
    return this.#copies.of(view, 0, sizeBytes);
  }
}

/** Writes keys behind the tree in `scope`, and reads them without it. */
export function scopedKeyEncoder(scope: { readonly tree: number }): KeyEncoder {
  return {
    writeKey(key, target, start) {
      const tree = scope.tree;
      let at = start;
      if (tree !== COMPLETE) {
        target[at] = tree >>> 24;
        target[at + 1] = tree >>> 16;
        target[at + 2] = tree >>> 8;
        target[at + 3] = tree;
        at += TREE_BYTES;
      }
      writeKey(target, at, key);
      return at + key.length;
    },
    readKey: (source, start, end) => source.latin1Slice(start, end),
  };
}

export const newScope = (): { tree: number } => ({ tree: COMPLETE });

export interface CursorBounds {
  readonly start: Key;
  readonly exclusive: boolean;
  readonly end: Key | undefined;
}

/** Goes through the keys of one tree. */
export class TreeCursor {
  readonly #store: LmdbStore;
  readonly #cursors: TurnCursors | undefined;
  readonly #end: Key;
  readonly #held: HeldRead | undefined;
  #iterator: Iterator<{ key: Key; value: Bytes }> | undefined;
  #position: Key;
  #exclusive: boolean;
  /** Entries read from the environment. */
  visits = 0;
  #isCurrent = false;
  #key: Key | undefined;
  #value: Bytes | undefined;

  constructor(
    store: LmdbStore,
    cursors: TurnCursors | undefined,
    tree: number,
    bounds: CursorBounds,
    held: HeldRead | undefined,
  ) {
    this.#store = store;
    this.#cursors = cursors;
    this.#end = bounds.end === undefined ? treeEnd(tree) : treeKey(tree, bounds.end);
    this.#held = held;
    this.#position = treeKey(tree, bounds.start);
    this.#exclusive = bounds.exclusive;
  }

  /** The current key; undefined at the end. Read when first asked for. */
  get key(): Key | undefined {
    if (!this.#isCurrent) this.#read();
    return this.#key;
  }

  /** The current entry's value, in memory of its own. */
  get value(): StoredValue {
    const bytes = this.#value as Bytes;
    return { bytes, start: 0, end: bytes.length };
  }

  advance(): void {
    this.#isCurrent = false;
  }

  /** Lets go of LMDB's cursor; the next read opens a new one after the current key. */
  close(): void {
    const iterator = this.#iterator;
    if (iterator === undefined) return;
    this.#iterator = undefined;
    this.#cursors?.delete(this);
    iterator.return?.();
  }

  #read(): void {
    this.#isCurrent = true;
    this.#iterator ??= this.#open();
    const step = this.#iterator.next();
    if (step.done === true) {
      this.close();
      this.#key = undefined;
      return;
    }
    this.visits += 1;
    this.#position = step.value.key;
    this.#exclusive = true;
    this.#key = step.value.key.slice(TREE_BYTES);
    this.#value = step.value.value;
  }

  #open(): Iterator<{ key: Key; value: Bytes }> {
    this.#cursors?.add(this);
    const range = { start: this.#position, end: this.#end, exclusiveStart: this.#exclusive };
    const entries =
      this.#held === undefined
        ? this.#store.getRange(range)
        : this.#store.getRange({ ...range, transaction: this.#held });
    return entries[Symbol.iterator]();
  }
}

/**
 * LMDB cursors that are open in this turn. A cursor pins the commit that it reads, and a pinned commit stops
 * LMDB from reusing space: so none outlives the turn, even when whoever iterates never finishes.
 */
class TurnCursors {
  readonly #clock: Clock;
  readonly #open = new Set<TreeCursor>();
  #scheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(cursor: TreeCursor): void {
    this.#open.add(cursor);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.atTurnEnd(() => {
      this.#scheduled = false;
      this.closeAll();
    });
  }

  delete(cursor: TreeCursor): void {
    this.#open.delete(cursor);
  }

  closeAll(): void {
    for (const cursor of this.#open) cursor.close();
  }
}
