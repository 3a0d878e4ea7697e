/**
 * Inner nodes of the trie, in four sizes (Leis, Kemper and Neumann, "The Adaptive Radix Tree: ARTful Indexing
 * for Main-Memory Databases", ICDE 2013, §III). Words of 32 bits, after a common head of five:
 *
 *     word 0      epoch
 *     word 1      type (2 bits) │ children (9 bits) │ prefix size (from bit 11)
 *     word 2      leaf of the key that ends here, or 0
 *     word 3, 4   the prefix's first 8 bytes
 *
 *     node 4      word 5: 4 key bytes          words 6–9:   children, in the order of their key bytes
 *     node 16     words 5–8: 16 key bytes      words 9–24:  children, in the order of their key bytes
 *     node 48     words 5–68: 256 bytes, each 1 + a child's place or 0     words 69–116: children, dense
 *     node 256                                 words 5–260: children by byte, 0 where there is none
 *
 * Path compression is hybrid (§III-E): of a longer prefix only the first 8 bytes are here, a leaf has all.
 * A child is the reference of a node (positive) or of a leaf (negative).
 *
 * The functions take a page and the node's first word in it; `bytes` and `words` are the same memory.
 */
import { assert } from "../../core/assert.js";
import type { Bytes } from "../../core/bytes.js";

export const NODE_4 = 0;
export const NODE_16 = 1;
export const NODE_48 = 2;
export const NODE_256 = 3;

/** By type. */
export const CAPACITY = [4, 16, 48, 256] as const;
/** A node with this many children or fewer shrinks; some room keeps it from growing again at once. */
export const SHRINK_AT = [-1, 3, 12, 37] as const;

export const EPOCH_WORD = 0;
export const HEAD_WORD = 1;
export const END_WORD = 2;
const PREFIX_WORD = 3;
const BODY_WORD = 5;
export const PREFIX_BYTE = PREFIX_WORD << 2;
const BODY_BYTE = BODY_WORD << 2;
/** Prefix bytes that a node holds. */
export const INLINE_BYTES = 8;

const CHILDREN_4 = BODY_WORD + 1;
const CHILDREN_16 = BODY_WORD + 4;
const CHILDREN_48 = BODY_WORD + 64;
const CHILDREN_256 = BODY_WORD;

/** By type, in bytes. */
export const NODE_BYTES = [
  (CHILDREN_4 + 4) << 2,
  (CHILDREN_16 + 16) << 2,
  (CHILDREN_48 + 48) << 2,
  (CHILDREN_256 + 256) << 2,
] as const;

const TYPE_MASK = 3;
const COUNT_SHIFT = 2;
const COUNT_MASK = 0x1ff;
const COUNT_ONE = 1 << COUNT_SHIFT;
const PREFIX_SHIFT = 11;

export const typeOf = (words: Int32Array, node: number): number => words[node + HEAD_WORD] & TYPE_MASK;

export const countOf = (words: Int32Array, node: number): number =>
  (words[node + HEAD_WORD] >>> COUNT_SHIFT) & COUNT_MASK;

export const prefixBytesOf = (words: Int32Array, node: number): number =>
  words[node + HEAD_WORD] >>> PREFIX_SHIFT;

export function setPrefixBytes(words: Int32Array, node: number, prefixBytes: number): void {
  const low = words[node + HEAD_WORD] & ((1 << PREFIX_SHIFT) - 1);
  words[node + HEAD_WORD] = low | (prefixBytes << PREFIX_SHIFT);
}

/** Makes an empty node of what the slot held. */
export function initNode(words: Int32Array, node: number, type: number, epoch: number): void {
  words.fill(0, node, node + (NODE_BYTES[type] >>> 2));
  words[node + EPOCH_WORD] = epoch;
  words[node + HEAD_WORD] = type;
}

/** The word that holds the child at `byte`, or -1. */
export function childSlot(words: Int32Array, bytes: Bytes, node: number, byte: number): number {
  const head = words[node + HEAD_WORD];
  const count = (head >>> COUNT_SHIFT) & COUNT_MASK;
  const keys = (node << 2) + BODY_BYTE;
  switch (head & TYPE_MASK) {
    case NODE_4:
      for (let i = 0; i < count; i += 1) if (bytes[keys + i] === byte) return node + CHILDREN_4 + i;
      return -1;
    case NODE_16:
      for (let i = 0; i < count; i += 1) if (bytes[keys + i] === byte) return node + CHILDREN_16 + i;
      return -1;
    case NODE_48: {
      const place = bytes[keys + byte];
      return place === 0 ? -1 : node + CHILDREN_48 + place - 1;
    }
    default: {
      const slot = node + CHILDREN_256 + byte;
      return words[slot] === 0 ? -1 : slot;
    }
  }
}

export function isFull(words: Int32Array, node: number): boolean {
  return countOf(words, node) === CAPACITY[typeOf(words, node)];
}

/** Adds a child at a byte that has none, to a node that is not full. */
export function addChild(words: Int32Array, bytes: Bytes, node: number, byte: number, child: number): void {
  const count = countOf(words, node);
  const type = typeOf(words, node);
  const keys = (node << 2) + BODY_BYTE;
  if (type === NODE_48) {
    bytes[keys + byte] = count + 1;
    words[node + CHILDREN_48 + count] = child;
  } else if (type === NODE_256) {
    words[node + CHILDREN_256 + byte] = child;
  } else {
    const children = node + (type === NODE_4 ? CHILDREN_4 : CHILDREN_16);
    let at = count;
    while (at > 0 && bytes[keys + at - 1] > byte) {
      bytes[keys + at] = bytes[keys + at - 1];
      words[children + at] = words[children + at - 1];
      at -= 1;
    }
    bytes[keys + at] = byte;
    words[children + at] = child;
  }
  words[node + HEAD_WORD] += COUNT_ONE;
}

/** Removes the child at a byte that has one. */
export function removeChild(words: Int32Array, bytes: Bytes, node: number, byte: number): void {
  const last = countOf(words, node) - 1;
  const type = typeOf(words, node);
  const keys = (node << 2) + BODY_BYTE;
  if (type === NODE_48) {
    // Children stay dense: the last one takes the free place.
    const place = bytes[keys + byte] - 1;
    bytes[keys + byte] = 0;
    if (place !== last) {
      words[node + CHILDREN_48 + place] = words[node + CHILDREN_48 + last];
      bytes[bytes.indexOf(last + 1, keys)] = place + 1;
    }
  } else if (type === NODE_256) {
    words[node + CHILDREN_256 + byte] = 0;
  } else {
    const children = node + (type === NODE_4 ? CHILDREN_4 : CHILDREN_16);
    let at = 0;
    while (bytes[keys + at] !== byte) at += 1;
    for (; at < last; at += 1) {
      bytes[keys + at] = bytes[keys + at + 1];
      words[children + at] = words[children + at + 1];
    }
  }
  words[node + HEAD_WORD] -= COUNT_ONE;
}

/** Positions order a node's children by their bytes: places in nodes 4 and 16, bytes in nodes 48 and 256. */
export const POSITION_END = 256;

/** The first position with a child, from `position` on, or `POSITION_END`. */
export function nextPosition(words: Int32Array, bytes: Bytes, node: number, position: number): number {
  const type = typeOf(words, node);
  if (type === NODE_4 || type === NODE_16) {
    return position < countOf(words, node) ? position : POSITION_END;
  }
  let at = position;
  if (type === NODE_48) {
    const keys = (node << 2) + BODY_BYTE;
    while (at < POSITION_END && bytes[keys + at] === 0) at += 1;
  } else {
    while (at < POSITION_END && words[node + CHILDREN_256 + at] === 0) at += 1;
  }
  return at;
}

/** The first position whose byte is `byte` or larger. */
export function positionOfByte(words: Int32Array, bytes: Bytes, node: number, byte: number): number {
  const type = typeOf(words, node);
  if (type === NODE_48 || type === NODE_256) return byte;
  const keys = (node << 2) + BODY_BYTE;
  const count = countOf(words, node);
  let at = 0;
  while (at < count && bytes[keys + at] < byte) at += 1;
  return at;
}

/** The child at a position that has one. */
export function childAt(words: Int32Array, bytes: Bytes, node: number, position: number): number {
  switch (typeOf(words, node)) {
    case NODE_4:
      return words[node + CHILDREN_4 + position];
    case NODE_16:
      return words[node + CHILDREN_16 + position];
    case NODE_48:
      return words[node + CHILDREN_48 + bytes[(node << 2) + BODY_BYTE + position] - 1];
    default:
      return words[node + CHILDREN_256 + position];
  }
}

/** The byte of the child at a position that has one. */
export function byteAt(words: Int32Array, bytes: Bytes, node: number, position: number): number {
  const type = typeOf(words, node);
  return type === NODE_4 || type === NODE_16 ? bytes[(node << 2) + BODY_BYTE + position] : position;
}

/** Copies everything but type and epoch into a fresh node of another type, with room for all children. */
export function copyInto(
  words: Int32Array,
  bytes: Bytes,
  node: number,
  targetWords: Int32Array,
  targetBytes: Bytes,
  target: number,
): void {
  assert(countOf(words, node) <= CAPACITY[typeOf(targetWords, target)], "the children fit");
  targetWords[target + END_WORD] = words[node + END_WORD];
  targetWords[target + PREFIX_WORD] = words[node + PREFIX_WORD];
  targetWords[target + PREFIX_WORD + 1] = words[node + PREFIX_WORD + 1];
  setPrefixBytes(targetWords, target, prefixBytesOf(words, node));
  let position = nextPosition(words, bytes, node, 0);
  while (position < POSITION_END) {
    const byte = byteAt(words, bytes, node, position);
    addChild(targetWords, targetBytes, target, byte, childAt(words, bytes, node, position));
    position = nextPosition(words, bytes, node, position + 1);
  }
}
