/**
 * An adaptive radix trie (Leis et al., ICDE 2013) from keys to values, in an arena: ordered, with four node
 * sizes that grow and shrink, lazy expansion (a lone key is a leaf wherever it hangs) and hybrid path
 * compression. Its versions are copy-on-write by epoch, so a snapshot is the root of one moment.
 *
 *     node 4, prefix "user:"          keys   user:7  user:71  user:9
 *     ├── "7" → node 4, prefix ""
 *     │         ├── (ends here) → leaf user:7
 *     │         └── "1" → leaf user:71
 *     └── "9" → leaf user:9
 *
 * Invariants:
 * - a node has at least two of: children, a key that ends in it (so no node has only one thing below it);
 * - a node younger than the newest snapshot has only such nodes above it, and may be changed in place;
 * - leaves are never changed (see leaf.ts).
 */
import { assert } from "../../core/assert.js";
import type { Bytes, Key } from "../../core/bytes.js";
import type { StoredValue } from "../../ports/storage-engine.js";
import { type Arena, PAGE_SHIFT, UNIT_MASK } from "./arena.js";
import type { Leaves } from "./leaf.js";
import {
  addChild,
  byteAt,
  childAt,
  childSlot,
  copyInto,
  countOf,
  END_WORD,
  EPOCH_WORD,
  INLINE_BYTES,
  initNode,
  isFull,
  NODE_4,
  NODE_BYTES,
  nextPosition,
  PREFIX_BYTE,
  prefixBytesOf,
  removeChild,
  SHRINK_AT,
  setPrefixBytes,
  typeOf,
} from "./nodes.js";
import type { Recycler } from "./recycler.js";
import { TrieVersions } from "./trie-versions.js";

/** A trie at one moment. */
export interface TrieVersion {
  readonly root: number;
  readonly epoch: number;
  readonly count: number;
}

export class Trie {
  readonly #arena: Arena;
  readonly #leaves: Leaves;
  readonly #versions: TrieVersions;
  readonly #recycler: Recycler;
  /** One word, so that the root can be replaced as any child is. */
  readonly #root = new Int32Array(1);
  #count = 0;

  constructor(arena: Arena, leaves: Leaves, recycler: Recycler) {
    this.#arena = arena;
    this.#leaves = leaves;
    this.#recycler = recycler;
    this.#versions = new TrieVersions(recycler);
  }

  get count(): number {
    return this.#count;
  }

  get root(): number {
    return this.#root[0];
  }

  /** The leaf of a key, or 0. */
  find(key: Key): number {
    const pages = this.#arena.words;
    let reference = this.#root[0];
    let depth = 0;
    while (reference > 0) {
      const words = pages[reference >>> PAGE_SHIFT];
      const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
      const node = (reference & UNIT_MASK) << 1;
      const prefixBytes = prefixBytesOf(words, node);
      if (prefixBytes > 0) {
        if (depth + prefixBytes > key.length) return 0;
        // The rest of a long prefix is compared in the leaf.
        const inline = Math.min(prefixBytes, INLINE_BYTES);
        const prefix = (node << 2) + PREFIX_BYTE;
        for (let i = 0; i < inline; i += 1) if (bytes[prefix + i] !== key.charCodeAt(depth + i)) return 0;
        depth += prefixBytes;
      }
      if (depth === key.length) {
        reference = words[node + END_WORD];
        break;
      }
      const slot = childSlot(words, bytes, node, key.charCodeAt(depth));
      if (slot < 0) return 0;
      reference = words[slot];
      depth += 1;
    }
    return reference !== 0 && this.#leaves.hasKey(reference, key) ? reference : 0;
  }

  /** Puts a value that the caller lays out in `bytes[start, end)` of the result at once. */
  reserve(key: Key, sizeBytes: number): StoredValue {
    const leaf = this.#leaves.create(key, sizeBytes, this.#versions.epoch);
    this.#put(key, leaf);
    return this.#leaves.value(leaf);
  }

  #put(key: Key, leaf: number): void {
    let slotWords: Int32Array = this.#root;
    let slot = 0;
    let depth = 0;
    for (;;) {
      const reference = slotWords[slot];
      if (reference === 0) {
        slotWords[slot] = leaf;
        this.#count += 1;
        return;
      }
      if (reference < 0) {
        this.#putAtLeaf(slotWords, slot, depth, key, leaf);
        return;
      }
      const own = this.#ownNode(slotWords, slot);
      const words = this.#arena.words[own >>> PAGE_SHIFT];
      const bytes = this.#arena.bytes[own >>> PAGE_SHIFT];
      const node = (own & UNIT_MASK) << 1;
      const prefixBytes = prefixBytesOf(words, node);
      if (prefixBytes > 0) {
        const matched = this.#matchPrefix(own, prefixBytes, key, depth);
        if (matched < prefixBytes) {
          this.#splitPrefix(slotWords, slot, matched, key, depth, leaf);
          this.#count += 1;
          return;
        }
        depth += prefixBytes;
      }
      if (depth === key.length) {
        this.#putAtEnd(words, node, leaf);
        return;
      }
      const childWord = childSlot(words, bytes, node, key.charCodeAt(depth));
      if (childWord < 0) {
        this.#addLeaf(slotWords, slot, key.charCodeAt(depth), leaf);
        this.#count += 1;
        return;
      }
      slotWords = words;
      slot = childWord;
      depth += 1;
    }
  }

  /** Returns whether the key was there. */
  delete(key: Key): boolean {
    const leaf = this.find(key);
    if (leaf === 0) return false;
    let slotWords: Int32Array = this.#root;
    let slot = 0;
    let depth = 0;
    while (slotWords[slot] !== leaf) {
      const own = this.#ownNode(slotWords, slot);
      const words = this.#arena.words[own >>> PAGE_SHIFT];
      const bytes = this.#arena.bytes[own >>> PAGE_SHIFT];
      const node = (own & UNIT_MASK) << 1;
      depth += prefixBytesOf(words, node);
      if (depth === key.length) {
        words[node + END_WORD] = 0;
        this.#tidyNode(slotWords, slot);
        break;
      }
      const byte = key.charCodeAt(depth);
      const childWord = childSlot(words, bytes, node, byte);
      if (words[childWord] === leaf) {
        removeChild(words, bytes, node, byte);
        this.#tidyNode(slotWords, slot);
        break;
      }
      slotWords = words;
      slot = childWord;
      depth += 1;
    }
    if (this.#root[0] === leaf) this.#root[0] = 0;
    this.#versions.retireLeaf(leaf, this.#leaves.epoch(leaf));
    this.#count -= 1;
    return true;
  }

  clear(): void {
    if (this.#root[0] !== 0) this.#versions.retireTree(this.#root[0]);
    this.#root[0] = 0;
    this.#count = 0;
  }

  /** Takes over the content of `other`, which must have no snapshots, and is empty afterwards. */
  takeOver(other: Trie): void {
    this.clear();
    this.#root[0] = other.#root[0];
    this.#count = other.#count;
    other.#root[0] = 0;
    other.#count = 0;
    // Its records carry its epochs, which are no later than the first of any trie without snapshots.
    assert(other.#versions.epoch === 1, "what is taken over had no snapshot");
  }

  /** The present version, which stays readable until it is released. */
  hold(): TrieVersion {
    return { root: this.#root[0], epoch: this.#versions.hold(), count: this.#count };
  }

  release(version: TrieVersion): void {
    this.#versions.release(version.epoch);
  }

  #putAtLeaf(slotWords: Int32Array, slot: number, depth: number, key: Key, leaf: number): void {
    const other = slotWords[slot];
    const leaves = this.#leaves;
    const otherBytes = leaves.keyBytes(other);
    const bytes = leaves.pageBytes(other);
    const start = leaves.keyStart(other);
    const end = Math.min(key.length, otherBytes);
    let common = depth;
    while (common < end && bytes[start + common] === key.charCodeAt(common)) common += 1;
    if (common === key.length && common === otherBytes) {
      slotWords[slot] = leaf;
      this.#versions.retireLeaf(other, leaves.epoch(other));
      return;
    }
    const fork = this.#newNode(NODE_4);
    this.#setPrefixFromKey(fork, key, depth, common);
    if (common === otherBytes) this.#setEnd(fork, other);
    else this.#add(fork, bytes[start + common], other);
    if (common === key.length) this.#setEnd(fork, leaf);
    else this.#add(fork, key.charCodeAt(common), leaf);
    slotWords[slot] = fork;
    this.#count += 1;
  }

  #putAtEnd(words: Int32Array, node: number, leaf: number): void {
    const other = words[node + END_WORD];
    words[node + END_WORD] = leaf;
    if (other === 0) this.#count += 1;
    else this.#versions.retireLeaf(other, this.#leaves.epoch(other));
  }

  /** Adds a leaf below the node in the slot, which grows when it is full. */
  #addLeaf(slotWords: Int32Array, slot: number, byte: number, leaf: number): void {
    const reference = slotWords[slot];
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    const node = (reference & UNIT_MASK) << 1;
    if (isFull(words, node)) this.#resize(slotWords, slot, typeOf(words, node) + 1);
    this.#add(slotWords[slot], byte, leaf);
  }

  /** The node in a slot, copied first when a snapshot shares it. */
  #ownNode(slotWords: Int32Array, slot: number): number {
    const reference = slotWords[slot];
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    const node = (reference & UNIT_MASK) << 1;
    const epoch = words[node + EPOCH_WORD];
    if (!this.#versions.isShared(epoch)) return reference;
    const size = NODE_BYTES[typeOf(words, node)];
    const copy = this.#arena.alloc(size);
    const copyWords = this.#arena.words[copy >>> PAGE_SHIFT];
    const copyNode = (copy & UNIT_MASK) << 1;
    for (let i = 0; i < size >>> 2; i += 1) copyWords[copyNode + i] = words[node + i];
    copyWords[copyNode + EPOCH_WORD] = this.#versions.epoch;
    slotWords[slot] = copy;
    this.#versions.retireNode(reference, epoch);
    return copy;
  }

  /** Replaces the node in a slot, which nobody shares, by one of another type. */
  #resize(slotWords: Int32Array, slot: number, type: number): void {
    const reference = slotWords[slot];
    const resized = this.#newNode(type);
    copyInto(
      this.#arena.words[reference >>> PAGE_SHIFT],
      this.#arena.bytes[reference >>> PAGE_SHIFT],
      (reference & UNIT_MASK) << 1,
      this.#arena.words[resized >>> PAGE_SHIFT],
      this.#arena.bytes[resized >>> PAGE_SHIFT],
      (resized & UNIT_MASK) << 1,
    );
    slotWords[slot] = resized;
    this.#recycler.freeNode(reference);
  }

  /** After something went from the node in a slot: shrinks it, or replaces it by the one thing it has left. */
  #tidyNode(slotWords: Int32Array, slot: number): void {
    const reference = slotWords[slot];
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    const node = (reference & UNIT_MASK) << 1;
    const count = countOf(words, node);
    const end = words[node + END_WORD];
    if (count === 0) {
      slotWords[slot] = end;
      this.#recycler.freeNode(reference);
    } else if (count === 1 && end === 0) {
      this.#mergeWithChild(slotWords, slot);
    } else if (count <= SHRINK_AT[typeOf(words, node)]) {
      this.#resize(slotWords, slot, typeOf(words, node) - 1);
    }
  }

  /** Replaces a node by its only child, whose prefix takes in the node's own and the byte between them. */
  #mergeWithChild(slotWords: Int32Array, slot: number): void {
    const reference = slotWords[slot];
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
    const node = (reference & UNIT_MASK) << 1;
    const position = nextPosition(words, bytes, node, 0);
    slotWords[slot] = childAt(words, bytes, node, position);
    if (slotWords[slot] > 0) {
      const child = this.#ownNode(slotWords, slot);
      const childWords = this.#arena.words[child >>> PAGE_SHIFT];
      const childBytes = this.#arena.bytes[child >>> PAGE_SHIFT];
      const childNode = (child & UNIT_MASK) << 1;
      const above = prefixBytesOf(words, node) + 1;
      const from = (node << 2) + PREFIX_BYTE;
      const to = (childNode << 2) + PREFIX_BYTE;
      for (let i = INLINE_BYTES - 1; i >= above; i -= 1) childBytes[to + i] = childBytes[to + i - above];
      if (above <= INLINE_BYTES) childBytes[to + above - 1] = byteAt(words, bytes, node, position);
      for (let i = Math.min(above - 1, INLINE_BYTES) - 1; i >= 0; i -= 1)
        childBytes[to + i] = bytes[from + i];
      setPrefixBytes(childWords, childNode, above + prefixBytesOf(childWords, childNode));
    }
    this.#recycler.freeNode(reference);
  }

  /** How many bytes of the node's prefix the key has at `depth`. */
  #matchPrefix(reference: number, prefixBytes: number, key: Key, depth: number): number {
    const end = Math.min(prefixBytes, key.length - depth);
    const inlineEnd = Math.min(end, INLINE_BYTES);
    const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
    const prefix = ((reference & UNIT_MASK) << 3) + PREFIX_BYTE;
    let matched = 0;
    while (matched < inlineEnd && bytes[prefix + matched] === key.charCodeAt(depth + matched)) matched += 1;
    if (matched < inlineEnd || end <= INLINE_BYTES) return matched;
    const leaf = this.#anyLeaf(reference);
    const leafPage = this.#leaves.pageBytes(leaf);
    const leafKey = this.#leaves.keyStart(leaf);
    while (matched < end && leafPage[leafKey + depth + matched] === key.charCodeAt(depth + matched))
      matched += 1;
    return matched;
  }

  /** A new node takes the matched part of a node's prefix; the node, and the new leaf, go below it. */
  #splitPrefix(
    slotWords: Int32Array,
    slot: number,
    matched: number,
    key: Key,
    depth: number,
    leaf: number,
  ): void {
    const reference = slotWords[slot];
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
    const node = (reference & UNIT_MASK) << 1;
    const prefixBytes = prefixBytesOf(words, node);
    const sample = this.#anyLeaf(reference);
    const samplePage = this.#leaves.pageBytes(sample);
    const sampleKey = this.#leaves.keyStart(sample) + depth;
    const rest = prefixBytes - matched - 1;
    setPrefixBytes(words, node, rest);
    const prefix = (node << 2) + PREFIX_BYTE;
    for (let i = 0; i < Math.min(rest, INLINE_BYTES); i += 1) {
      bytes[prefix + i] = samplePage[sampleKey + matched + 1 + i];
    }
    const above = this.#newNode(NODE_4);
    this.#setPrefixFromKey(above, key, depth, depth + matched);
    this.#add(above, samplePage[sampleKey + matched], reference);
    if (depth + matched === key.length) this.#setEnd(above, leaf);
    else this.#add(above, key.charCodeAt(depth + matched), leaf);
    slotWords[slot] = above;
  }

  #anyLeaf(from: number): number {
    let reference = from;
    while (reference > 0) {
      const words = this.#arena.words[reference >>> PAGE_SHIFT];
      const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
      const node = (reference & UNIT_MASK) << 1;
      const end = words[node + END_WORD];
      reference = end === 0 ? childAt(words, bytes, node, nextPosition(words, bytes, node, 0)) : end;
    }
    return reference;
  }

  #newNode(type: number): number {
    const reference = this.#arena.alloc(NODE_BYTES[type]);
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    initNode(words, (reference & UNIT_MASK) << 1, type, this.#versions.epoch);
    return reference;
  }

  #setPrefixFromKey(reference: number, key: Key, start: number, end: number): void {
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    const bytes: Bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
    const node = (reference & UNIT_MASK) << 1;
    setPrefixBytes(words, node, end - start);
    const inline = Math.min(end - start, INLINE_BYTES);
    const prefix = (node << 2) + PREFIX_BYTE;
    for (let i = 0; i < inline; i += 1) bytes[prefix + i] = key.charCodeAt(start + i);
  }

  #setEnd(reference: number, leaf: number): void {
    this.#arena.words[reference >>> PAGE_SHIFT][((reference & UNIT_MASK) << 1) + END_WORD] = leaf;
  }

  #add(reference: number, byte: number, child: number): void {
    const page = reference >>> PAGE_SHIFT;
    addChild(this.#arena.words[page], this.#arena.bytes[page], (reference & UNIT_MASK) << 1, byte, child);
  }
}
