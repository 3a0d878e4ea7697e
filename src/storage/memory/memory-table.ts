/** One table of a group in memory: a trie, and the count of its writes. */
import { assert } from "../../core/assert.js";
import type { Key } from "../../core/bytes.js";
import type { Clock } from "../../ports/clock.js";
import type { RangeOptions, StoredValue } from "../../ports/storage-engine.js";
import type { EngineTable } from "../engine-group.js";
import type { EntryCursor } from "../piece-stream.js";
import { rangeBounds } from "../range-bounds.js";
import { Arena } from "./arena.js";
import { Leaves } from "./leaf.js";
import { Recycler } from "./recycler.js";
import { Trie } from "./trie.js";
import { TrieCursor } from "./trie-cursor.js";

/** What all tables of an engine share. */
export class TrieMemory {
  readonly arena = new Arena();
  readonly leaves = new Leaves(this.arena);
  readonly recycler: Recycler;
  /** Bytes of keys and values written since it was last set to 0. */
  writtenBytes = 0;
  /** Nodes and leaves that ranges looked at: for tests, which prove that a range reads little. */
  visits = 0;

  constructor(clock: Clock) {
    this.recycler = new Recycler(this.arena, this.leaves, clock);
  }

  newTrie(): Trie {
    return new Trie(this.arena, this.leaves, this.recycler);
  }
}

export class MemoryTable implements EngineTable {
  readonly #memory: TrieMemory;
  readonly trie: Trie;
  #writes = 0;

  constructor(memory: TrieMemory, trie: Trie) {
    this.#memory = memory;
    this.trie = trie;
  }

  /** Changes with every write. */
  get writes(): number {
    return this.#writes;
  }

  get(key: Key): StoredValue | undefined {
    const leaf = this.trie.find(key);
    return leaf === 0 ? undefined : this.#memory.leaves.value(leaf);
  }

  has(key: Key): boolean {
    return this.trie.find(key) !== 0;
  }

  /** A trie is searched node by node. */
  prefetch(): void {}

  reserve(key: Key, sizeBytes: number): StoredValue {
    this.#writes += 1;
    this.#memory.writtenBytes += key.length + sizeBytes;
    return this.trie.reserve(key, sizeBytes);
  }

  delete(key: Key): void {
    this.#writes += 1;
    this.#memory.writtenBytes += key.length;
    this.trie.delete(key);
  }

  clear(): void {
    this.#writes += 1;
    this.trie.clear();
  }

  /** Nodes and leaves that ranges of the engine looked at so far: for tests. */
  get visits(): number {
    return this.#memory.visits;
  }

  count(): number {
    return this.trie.count;
  }

  range(options: RangeOptions | undefined): MemoryRange {
    return new MemoryRange(this.#memory, this, options);
  }

  /** Everything is replaced by the content of `trie`, which is empty afterwards. */
  replaceContent(trie: Trie): void {
    this.#writes += 1;
    this.trie.takeOver(trie);
  }
}

class MemoryRange implements IterableIterator<[Key, StoredValue]> {
  readonly #memory: TrieMemory;
  readonly #table: MemoryTable;
  readonly #writesAtStart: number;
  readonly #cursor: TrieCursor;
  readonly #end: Key | undefined;
  #start: { key: Key; exclusive: boolean } | undefined;
  #done = false;

  constructor(memory: TrieMemory, table: MemoryTable, options: RangeOptions | undefined) {
    const { start, exclusive, end } = rangeBounds(options);
    this.#memory = memory;
    this.#table = table;
    this.#writesAtStart = table.writes;
    this.#cursor = new TrieCursor(memory.arena, memory.leaves);
    this.#start = { key: start, exclusive };
    this.#end = end;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<[Key, StoredValue], undefined> {
    assert(this.#table.writes === this.#writesAtStart, "no write to a table between two steps of its range");
    if (this.#done) return { done: true, value: undefined };
    const leaf = this.#nextLeaf();
    if (leaf === 0) return this.return();
    const key = this.#memory.leaves.key(leaf);
    if (this.#end !== undefined && key >= this.#end) return this.return();
    return { done: false, value: [key, this.#memory.leaves.value(leaf)] };
  }

  return(): IteratorResult<[Key, StoredValue], undefined> {
    this.#done = true;
    return { done: true, value: undefined };
  }

  #nextLeaf(): number {
    const cursor = this.#cursor;
    const visitsBefore = cursor.visits;
    const start = this.#start;
    if (start === undefined) {
      cursor.advance();
    } else {
      cursor.seek(this.#table.trie.root, start.key, start.exclusive);
      this.#start = undefined;
    }
    this.#memory.visits += cursor.visits - visitsBefore;
    return cursor.leaf;
  }
}

/** All of one version of a trie. */
export class TrieEntries implements EntryCursor {
  readonly #memory: TrieMemory;
  readonly #cursor: TrieCursor;

  constructor(memory: TrieMemory, root: number) {
    this.#memory = memory;
    this.#cursor = new TrieCursor(memory.arena, memory.leaves);
    this.#cursor.seek(root, "", false);
  }

  get key(): Key | undefined {
    return this.#cursor.leaf === 0 ? undefined : this.#memory.leaves.key(this.#cursor.leaf);
  }

  get value(): StoredValue {
    return this.#memory.leaves.value(this.#cursor.leaf);
  }

  advance(): void {
    this.#cursor.advance();
  }
}
