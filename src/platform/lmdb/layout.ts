/**
 * What the environment holds. All keys live in LMDB's main database, each behind the number of a tree:
 *
 *     key                                   tree 0, the root           value
 *     +-----------+-------------+           "format"                   u32 version of this layout
 *     | tree      | key         |           "g" + group (u32, BE)      group record, below
 *     | u32, BE   | 1 … 1536 B  |           "x" + tree (u32, BE)       empty: the tree is garbage
 *     +-----------+-------------+
 *
 *     group record (little-endian)
 *     +-----------+----------+ +----------+-----------+ +-------------------+
 *     | index u48 | term u48 | | tree u32 | count u48 | | state, the rest   |
 *     +-----------+----------+ +----------+-----------+ +-------------------+
 *                               once a table: 3 times
 *
 * Each table of a group is one tree. Clearing a table or installing a snapshot names a new tree in the group
 * record and marks the old one as garbage in the same transaction; its keys are deleted later, in small steps.
 * A tree under construction is marked as garbage from the start, so a crash leaves nothing behind. One
 * database for all groups keeps reads to one descent and needs no handle, and no open, per table.
 */
import { allocOwnBytes, type Bytes, copyBytes, type Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { type GroupId, groupId, logIndex, term } from "../../core/ids.js";
import type { AppliedState } from "../../ports/storage-engine.js";
import { TABLE_COUNT } from "../../storage/tables.js";

export const FORMAT_VERSION = 1;
const ROOT_TREE = 0;
export const FORMAT_KEY: Key = treeKey(ROOT_TREE, "format");
const GROUP_PREFIX: Key = treeKey(ROOT_TREE, "g");
const GARBAGE_PREFIX: Key = treeKey(ROOT_TREE, "x");

/** One table's place: its tree and how many keys that holds. */
export interface TreeState {
  readonly tree: number;
  readonly count: number;
}

export interface GroupRecord {
  readonly applied: AppliedState;
  /** By table number. */
  readonly trees: readonly TreeState[];
}

const APPLIED_BYTES = 12;
const TREE_BYTES = 10;
const STATE_START = APPLIED_BYTES + TABLE_COUNT * TREE_BYTES;

function u32Key(value: number): Key {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

function readU32Key(key: Key, start: number): number {
  const high = (key.charCodeAt(start) << 16) | (key.charCodeAt(start + 1) << 8) | key.charCodeAt(start + 2);
  return high * 256 + key.charCodeAt(start + 3);
}

/** A key as the environment stores it. */
export function treeKey(tree: number, key: Key): Key {
  return u32Key(tree) + key;
}

/** The first environment key after those of `tree`. */
export const treeEnd = (tree: number): Key => u32Key(tree + 1);

export const groupKey = (group: GroupId): Key => GROUP_PREFIX + u32Key(group);
export const garbageKey = (tree: number): Key => GARBAGE_PREFIX + u32Key(tree);
export const groupOfKey = (key: Key): GroupId => groupId(readU32Key(key, GROUP_PREFIX.length));
export const treeOfGarbageKey = (key: Key): number => readU32Key(key, GARBAGE_PREFIX.length);

/** Bounds of all group records, and of all garbage marks, for a range. */
export const GROUP_RANGE = { start: GROUP_PREFIX, end: treeKey(ROOT_TREE, "h") };
export const GARBAGE_RANGE = { start: GARBAGE_PREFIX, end: treeKey(ROOT_TREE, "y") };

export function encodeFormat(version: number): Bytes {
  const bytes = allocOwnBytes(4);
  bytes.writeUInt32LE(version, 0);
  return bytes;
}

export function encodeGroupRecord(record: GroupRecord): Bytes {
  const { index, term, state } = record.applied;
  const bytes = allocOwnBytes(STATE_START + state.length);
  bytes.writeUIntLE(index, 0, 6);
  bytes.writeUIntLE(term, 6, 6);
  record.trees.forEach(({ tree, count }, table) => {
    bytes.writeUInt32LE(tree, APPLIED_BYTES + table * TREE_BYTES);
    bytes.writeUIntLE(count, APPLIED_BYTES + table * TREE_BYTES + 4, 6);
  });
  bytes.set(state, STATE_START);
  return bytes;
}

/** `bytes` may be reused afterwards. */
export function decodeGroupRecord(group: GroupId, bytes: Bytes): GroupRecord {
  if (bytes.length < STATE_START) {
    throw new MinikeyError("DATA_CORRUPT", `the record of group ${group} has ${bytes.length} bytes`);
  }
  const trees: TreeState[] = [];
  for (let at = APPLIED_BYTES; at < STATE_START; at += TREE_BYTES) {
    trees.push({ tree: bytes.readUInt32LE(at), count: bytes.readUIntLE(at + 4, 6) });
  }
  return {
    applied: {
      index: logIndex(bytes.readUIntLE(0, 6)),
      term: term(bytes.readUIntLE(6, 6)),
      state: copyBytes(bytes, STATE_START),
    },
    trees,
  };
}

/** Adds to the counts of a group record, in place. `deltas` by tree. */
export function addToCounts(record: Bytes, deltas: ReadonlyMap<number, number>): void {
  for (let at = APPLIED_BYTES; at < STATE_START; at += TREE_BYTES) {
    const delta = deltas.get(record.readUInt32LE(at));
    if (delta !== undefined) record.writeUIntLE(record.readUIntLE(at + 4, 6) + delta, at + 4, 6);
  }
}
