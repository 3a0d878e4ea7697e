/** The writes to one tree in key order, so that saving them visits each page once. */
import type { Bytes, Key } from "../../core/bytes.js";
import { DELETED, OUTDATED, type RecordBlock, RecordWalk } from "../../storage/overlay/records.js";
import { sortByKey } from "./key-order.js";

/** Calls `visit` with the newest write of each key; `value` is undefined where the key is to be deleted. */
export function visitSorted(
  blocks: readonly RecordBlock[],
  visit: (key: Key, value: Bytes | undefined) => void,
): void {
  const walk = new RecordWalk(blocks);
  for (const position of sortedPositions(blocks)) {
    walk.moveTo(position);
    const isDeleted = (walk.flags & DELETED) !== 0;
    visit(walk.key, isDeleted ? undefined : walk.bytes.subarray(walk.keyEnd, walk.valueEnd));
  }
}

/** Where the records lie that count, in key order. */
function sortedPositions(blocks: readonly RecordBlock[]): Int32Array {
  const counting = new RecordWalk(blocks);
  let count = 0;
  while (counting.next()) if ((counting.flags & OUTDATED) === 0) count += 1;
  const positions = new Int32Array(count);
  const walk = new RecordWalk(blocks);
  for (let i = 0; walk.next(); ) {
    if ((walk.flags & OUTDATED) !== 0) continue;
    positions[i] = walk.position;
    i += 1;
  }
  sortByKey(blocks, positions);
  return positions;
}
