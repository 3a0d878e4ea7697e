/** Walks a trie and checks what must hold of its shape; returns what it is made of. */
import assert from "node:assert/strict";
import type { Key } from "../../src/core/bytes.js";
import { type Arena, PAGE_SHIFT, UNIT_MASK } from "../../src/storage/memory/arena.js";
import type { Leaves } from "../../src/storage/memory/leaf.js";
import {
  byteAt,
  CAPACITY,
  childAt,
  childSlot,
  countOf,
  END_WORD,
  INLINE_BYTES,
  nextPosition,
  POSITION_END,
  PREFIX_BYTE,
  prefixBytesOf,
  SHRINK_AT,
  typeOf,
} from "../../src/storage/memory/nodes.js";
import type { Trie } from "../../src/storage/memory/trie.js";

export interface TrieShape {
  /** Inner nodes, by type. */
  readonly nodes: number[];
  leaves: number;
  deepest: number;
}

export function checkTrie(arena: Arena, leaves: Leaves, trie: Trie): TrieShape {
  const shape: TrieShape = { nodes: [0, 0, 0, 0], leaves: 0, deepest: 0 };
  if (trie.root !== 0) checkBelow(arena, leaves, trie.root, "", shape, 1);
  assert.equal(shape.leaves, trie.count, "the count is that of the leaves");
  return shape;
}

/** `path` is what all keys below must begin with, as far as nodes hold it; `?` stands for bytes they do not. */
function checkBelow(
  arena: Arena,
  leaves: Leaves,
  reference: number,
  path: Key,
  shape: TrieShape,
  level: number,
): void {
  shape.deepest = Math.max(shape.deepest, level);
  if (reference < 0) {
    shape.leaves += 1;
    const key = leaves.key(reference);
    for (let i = 0; i < path.length; i += 1) {
      if (path[i] !== "\u2026") assert.equal(key[i], path[i], `byte ${i} of ${JSON.stringify(key)}`);
    }
    return;
  }
  const words = arena.words[reference >>> PAGE_SHIFT];
  const bytes = arena.bytes[reference >>> PAGE_SHIFT];
  const node = (reference & UNIT_MASK) << 1;
  const type = typeOf(words, node);
  const count = countOf(words, node);
  const end = words[node + END_WORD];
  shape.nodes[type] += 1;
  assert.ok(count + (end === 0 ? 0 : 1) >= 2, "a node has at least two things below it");
  assert.ok(
    count <= CAPACITY[type] && count > SHRINK_AT[type],
    `a node ${CAPACITY[type]} has ${count} children`,
  );
  const prefixBytes = prefixBytesOf(words, node);
  const start = (node << 2) + PREFIX_BYTE;
  const inline = bytes.latin1Slice(start, start + Math.min(prefixBytes, INLINE_BYTES));
  const here = path + inline + "\u2026".repeat(prefixBytes - inline.length);
  if (end !== 0) {
    assert.ok(end < 0, "what ends in a node is a leaf");
    assert.equal(leaves.key(end).length, here.length);
    checkBelow(arena, leaves, end, here, shape, level + 1);
  }
  let seen = 0;
  let previous = -1;
  for (
    let position = nextPosition(words, bytes, node, 0);
    position < POSITION_END;
    position = nextPosition(words, bytes, node, position + 1)
  ) {
    seen += 1;
    const byte = byteAt(words, bytes, node, position);
    assert.ok(byte > previous, "children are in the order of their bytes");
    previous = byte;
    const child = childAt(words, bytes, node, position);
    assert.equal(words[childSlot(words, bytes, node, byte)], child);
    checkBelow(arena, leaves, child, here + String.fromCharCode(byte), shape, level + 1);
  }
  assert.equal(seen, count, "the count is that of the children");
}
