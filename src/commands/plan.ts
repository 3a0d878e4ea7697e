/**
 * Where a command's keys lie, and the command cut into one share a partition. `partitionOf` maps a slot to its
 * partition in the keyspace concerned.
 */
import { assert } from "../core/assert.js";
import type { PathList } from "../document/path-list.js";
import { slotOfBytes } from "../sharding/slots.js";
import type { Limits } from "./check.js";
import { Args, type CommandSpec, type QueryPlan, type TransactionPlan } from "./types.js";

export type PartitionOf = (slot: number) => number;

/** The slot of argument i, read as a key. */
export function slotOfArg(args: Args, i: number): number {
  return slotOfBytes(args.bytes, args.start(i), args.end(i));
}

/** The argument that holds the last key; below `keys.first` when there is none. */
function lastKeyIndex(spec: CommandSpec, args: Args): number {
  const last = spec.keys.last;
  return last < 0 ? args.count + last : last;
}

/** The arguments that hold keys, in order. */
export function keyIndexes(spec: CommandSpec, args: Args): number[] {
  const indexes: number[] = [];
  const { first, step } = spec.keys;
  if (first === 0) return indexes;
  const last = lastKeyIndex(spec, args);
  for (let i = first; i <= last; i += step) indexes.push(i);
  return indexes;
}

/** The partition that holds all of the command's keys, or −1 when they lie in several. The command has keys. */
export function commonPartition(spec: CommandSpec, args: Args, partitionOf: PartitionOf): number {
  const { first, step } = spec.keys;
  const partition = partitionOf(slotOfArg(args, first));
  const last = lastKeyIndex(spec, args);
  for (let i = first + step; i <= last; i += step) {
    if (partitionOf(slotOfArg(args, i)) !== partition) return -1;
  }
  return partition;
}

/** One partition's share of a command. */
export interface Share {
  readonly partition: number;
  /** The command with this partition's keys alone; refers to the bytes of the whole command. */
  readonly args: Args;
  /** Of each key in `args`, which of the whole command's keys it is, from 0: where its reply belongs. */
  readonly positions: number[];
}

/**
 * A command of spread `sum` or `gather`, or one that is carried out key by key, cut by partition, in the order of each
 * partition's first key.
 */
export function splitByPartition(spec: CommandSpec, args: Args, partitionOf: PartitionOf): Share[] {
  assert(
    spec.spread === "sum" || spec.spread === "gather" || spec.eventual === "each key",
    "% is not split by partition",
    spec.name,
  );
  const { first, step } = spec.keys;
  const last = lastKeyIndex(spec, args);
  const shares = new Map<number, Share>();
  for (let i = first; i <= last; i += step) {
    const partition = partitionOf(slotOfArg(args, i));
    let share = shares.get(partition);
    if (share === undefined) {
      share = { partition, args: new Args(args.bytes), positions: [] };
      pushRange(share.args, args, 0, first);
      shares.set(partition, share);
    }
    pushRange(share.args, args, i, Math.min(i + step, args.count));
    share.positions.push((i - first) / step);
  }
  const result = [...shares.values()];
  for (const share of result) pushRange(share.args, args, last + step, args.count);
  return result;
}

function pushRange(target: Args, source: Args, from: number, to: number): void {
  for (let i = from; i < to; i += 1) target.push(source.start(i), source.end(i));
}

/** A command of spread `transaction` as reads, a decision and writes; `args` must stay as they are meanwhile. */
export function planTransaction(spec: CommandSpec, args: Args, limits: Limits): TransactionPlan {
  const plan = spec.plan;
  assert(plan !== undefined, "% has no plan for several partitions", spec.name);
  return plan(args, limits);
}

/** Adds the paths of a command of spread `query`. When it throws, some may have been added. */
export function planQuery(spec: CommandSpec, args: Args, paths: PathList): QueryPlan {
  const query = spec.query;
  assert(query !== undefined, "% has no lookups", spec.name);
  return query(args, paths);
}
