/**
 * Goes through the leaves of one version of a trie in key order, from any key on. Visits only the nodes on the
 * way to what it yields.
 */
import type { Key } from "../../core/bytes.js";
import { type Arena, PAGE_SHIFT, UNIT_MASK } from "./arena.js";
import type { Leaves } from "./leaf.js";
import {
  byteAt,
  childAt,
  END_WORD,
  INLINE_BYTES,
  nextPosition,
  POSITION_END,
  PREFIX_BYTE,
  positionOfByte,
  prefixBytesOf,
} from "./nodes.js";

/** Before a node's children comes the key that ends in it. */
const BEFORE_CHILDREN = -1;

export class TrieCursor {
  readonly #arena: Arena;
  readonly #leaves: Leaves;
  /** The way from the root to the current leaf, and where to go on in each node of it. */
  readonly #path: number[] = [];
  readonly #positions: number[] = [];
  /** Nodes and leaves looked at. */
  visits = 0;
  /** The current leaf; 0 at the end. */
  leaf = 0;

  constructor(arena: Arena, leaves: Leaves) {
    this.#arena = arena;
    this.#leaves = leaves;
  }

  /** Goes to the first key of the version at `root` from `start` on, or after it. */
  seek(root: number, start: Key, exclusive: boolean): void {
    this.#path.length = 0;
    this.#positions.length = 0;
    this.leaf = 0;
    if (root !== 0) this.#descendTo(root, start, exclusive);
  }

  /** Goes to the next leaf. */
  advance(): void {
    this.leaf = 0;
    while (this.leaf === 0 && this.#path.length > 0) {
      const top = this.#path.length - 1;
      const reference = this.#path[top];
      const words = this.#arena.words[reference >>> PAGE_SHIFT];
      const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
      const node = (reference & UNIT_MASK) << 1;
      const from = this.#positions[top];
      if (from === BEFORE_CHILDREN) {
        this.#positions[top] = 0;
        if (words[node + END_WORD] !== 0) this.#enter(words[node + END_WORD]);
        continue;
      }
      const position = nextPosition(words, bytes, node, from);
      if (position === POSITION_END) {
        this.#path.pop();
        this.#positions.pop();
        continue;
      }
      this.#positions[top] = position + 1;
      this.#enter(childAt(words, bytes, node, position));
    }
  }

  #enter(reference: number): void {
    if (reference < 0) {
      this.visits += 1;
      this.leaf = reference;
    } else {
      this.#push(reference, BEFORE_CHILDREN);
    }
  }

  #push(reference: number, position: number): void {
    this.visits += 1;
    this.#path.push(reference);
    this.#positions.push(position);
  }

  #descendTo(root: number, start: Key, exclusive: boolean): void {
    let reference = root;
    let depth = 0;
    while (reference > 0) {
      const words = this.#arena.words[reference >>> PAGE_SHIFT];
      const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
      const node = (reference & UNIT_MASK) << 1;
      const prefixBytes = prefixBytesOf(words, node);
      const order = prefixBytes === 0 ? 0 : this.#comparePrefix(reference, prefixBytes, start, depth);
      if (order !== 0) {
        // All keys below are after `start`, or all before it.
        if (order > 0) this.#push(reference, BEFORE_CHILDREN);
        this.advance();
        return;
      }
      depth += prefixBytes;
      if (depth === start.length) {
        this.#push(reference, exclusive ? 0 : BEFORE_CHILDREN);
        this.advance();
        return;
      }
      const byte = start.charCodeAt(depth);
      const position = nextPosition(words, bytes, node, positionOfByte(words, bytes, node, byte));
      const isOnWay = position < POSITION_END && byteAt(words, bytes, node, position) === byte;
      this.#push(reference, isOnWay ? position + 1 : position);
      if (!isOnWay) {
        this.advance();
        return;
      }
      reference = childAt(words, bytes, node, position);
      depth += 1;
    }
    this.#enter(reference);
    const key = this.#leaves.key(reference);
    if (key < start || (exclusive && key === start)) this.advance();
  }

  /** How the node's prefix compares with `start` at `depth`: 0 when the key has all of it. */
  #comparePrefix(reference: number, prefixBytes: number, start: Key, depth: number): number {
    let bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
    let at = ((reference & UNIT_MASK) << 3) + PREFIX_BYTE;
    if (prefixBytes > INLINE_BYTES) {
      const leaf = this.#firstLeaf(reference);
      bytes = this.#leaves.pageBytes(leaf);
      at = this.#leaves.keyStart(leaf) + depth;
    }
    for (let i = 0; i < prefixBytes; i += 1) {
      if (depth + i === start.length) return 1;
      const difference = bytes[at + i] - start.charCodeAt(depth + i);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  #firstLeaf(from: number): number {
    let reference = from;
    while (reference > 0) {
      this.visits += 1;
      const words = this.#arena.words[reference >>> PAGE_SHIFT];
      const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
      const node = (reference & UNIT_MASK) << 1;
      const end = words[node + END_WORD];
      reference = end === 0 ? childAt(words, bytes, node, nextPosition(words, bytes, node, 0)) : end;
    }
    return reference;
  }
}
