/**
 * The writes to one tree in key order, so that saving them visits each page once.
 *
 * What is sorted are strings of a key and, behind it, the position of its record: comparing strings is native
 * code, and a string takes less than an object that holds one. The position may put a key that continues
 * another a few places too early, which does no harm.
 */
import type { Bytes, Key } from "../../core/bytes.js";
import { DELETED, OUTDATED, type RecordBlock, RecordWalk } from "../../storage/overlay/records.js";

const POSITION_CHARS = 4;

/** Calls `visit` with the newest write of each key; `value` is undefined where the key is to be deleted. */
export function visitSorted(
  blocks: readonly RecordBlock[],
  visit: (key: Key, value: Bytes | undefined) => void,
): void {
  const walk = new RecordWalk(blocks);
  const lines: string[] = [];
  while (walk.next()) {
    if ((walk.flags & OUTDATED) === 0) lines.push(walk.key + positionText(walk.position));
  }
  lines.sort();
  for (const line of lines) {
    const end = line.length - POSITION_CHARS;
    walk.moveTo(readPosition(line, end));
    const isDeleted = (walk.flags & DELETED) !== 0;
    visit(line.slice(0, end), isDeleted ? undefined : walk.bytes.subarray(walk.keyEnd, walk.valueEnd));
  }
}

function positionText(position: number): string {
  return String.fromCharCode(
    position >>> 24,
    (position >>> 16) & 0xff,
    (position >>> 8) & 0xff,
    position & 0xff,
  );
}

function readPosition(line: string, at: number): number {
  return (
    (line.charCodeAt(at) << 24) |
    (line.charCodeAt(at + 1) << 16) |
    (line.charCodeAt(at + 2) << 8) |
    line.charCodeAt(at + 3)
  );
}
