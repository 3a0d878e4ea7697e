/**
 * Partitions: the fixed number of contiguous slot ranges that a keyspace is cut into when it is made. Each is
 * replicated as a whole. Their sizes differ by one slot at most.
 *
 *     slot       0 … 5461   5462 … 10922   10923 … 16383
 *     partition      0            1              2             (of 3)
 *
 * Partition p of P begins at slot ⌈p × 16,384 / P⌉, so that slot s lies in partition ⌊s × P / 16,384⌋.
 */
import { assert } from "../core/assert.js";
import { type PartitionId, partitionId } from "../core/ids.js";

import { SLOT_COUNT } from "./slots.js";

/** Fewer slots than partitions would leave some empty. */
export const PARTITIONS_MAX = SLOT_COUNT;

export function partitionOfSlot(slot: number, partitions: number): PartitionId {
  return partitionId(Math.floor((slot * partitions) / SLOT_COUNT));
}

/** The partition of every slot, for look-ups on the hot path. */
export function partitionTable(partitions: number): Uint16Array {
  assertPartitionCount(partitions);
  const table = new Uint16Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) table[slot] = Math.floor((slot * partitions) / SLOT_COUNT);
  return table;
}

/** The first and the last slot of a partition. */
export function slotRangeOf(partition: PartitionId, partitions: number): [first: number, last: number] {
  assertPartitionCount(partitions);
  assert(partition >= 0 && partition < partitions, "no such partition");
  return [firstSlotOf(partition, partitions), firstSlotOf(partition + 1, partitions) - 1];
}

const firstSlotOf = (partition: number, partitions: number): number =>
  Math.ceil((partition * SLOT_COUNT) / partitions);

function assertPartitionCount(partitions: number): void {
  const valid = Number.isInteger(partitions) && partitions >= 1 && partitions <= PARTITIONS_MAX;
  assert(valid, "a keyspace has 1 to 16,384 partitions");
}
