/**
 * When answers can no longer be vouched for: `k` or more replicas of something asked for are down.
 *
 * `k` is the replication factor of a store that copies each key to k servers and needs one of them. A strong
 * keyspace needs a majority of a key's replicas, so of n replicas ⌈n/2⌉ that are down are enough to take the
 * guarantee away: that is `k` here unless the user wants to be warned earlier. With fewer down every answer is
 * proven.
 */
import { SLOT_COUNT } from "../../sharding/slots.js";

/** A node by the id that `CLUSTER NODES` gives it, and where clients reach it (empty when nobody knows). */
export interface Member {
  readonly id: string;
  readonly address: string;
}

/** A run of slots and the ids of the nodes that hold it. */
export interface SlotHolders {
  readonly first: number;
  readonly last: number;
  readonly nodes: readonly string[];
}

/** The cluster as one node sees it. */
export interface Sight {
  /** The node that says so. */
  readonly self: string;
  readonly epoch: number;
  readonly members: readonly Member[];
  /** What people call the nodes, as far as it is said. */
  readonly names: ReadonlyMap<string, string>;
  /** Slots without a leader may be left out, and nodes whose address is not known. */
  readonly holders: readonly SlotHolders[];
  /** Copies of each key in the keyspace. */
  readonly replicas: number;
}

/** Down replicas of something asked for: enough to take the guarantee away. */
export interface Doubt {
  /** The ids of the nodes that are down, of all that hold it. */
  readonly down: readonly string[];
  readonly holders: number;
}

/** What a command is about: slots, or the whole keyspace. */
export type AskedSlots = readonly number[] | "all";

/** Whether two nodes are members of one cluster: each knows the other, where it says that it is. */
export const knowEachOther = (a: Sight, b: Sight): boolean => knows(a, b) && knows(b, a);

function knows(a: Sight, b: Sight): boolean {
  const told = b.members.find((member) => member.id === b.self)?.address ?? "";
  const known = a.members.find((member) => member.id === b.self)?.address;
  // Where a node listens may not have come round yet.
  return known !== undefined && (known === told || known === "" || told === "");
}

/** How many of `replicas` copies may not be down. */
const lossMax = (replicas: number): number => Math.ceil(replicas / 2);

/** @param wanted the user's k; undefined for the keyspace's own */
export const thresholdOf = (replicas: number, wanted: number | undefined): number =>
  Math.min(lossMax(replicas), wanted ?? Number.POSITIVE_INFINITY);

/**
 * The worst of what is asked for; undefined while fewer than k replicas of each part of it are down.
 *
 * Where nobody says which nodes hold a slot (its partition has no leader), any of them may: then it counts how
 * many of the cluster are down.
 *
 * @param sights what the nodes that answer say, the latest epoch first
 */
export function doubtOf(
  sights: readonly Sight[],
  isDown: (id: string) => boolean,
  asked: AskedSlots,
  k: number | undefined,
): Doubt | undefined {
  let worst: Doubt | undefined;
  for (const { holders, copies } of holdersOf(sights, asked)) {
    const down = holders.filter(isDown);
    if (down.length < thresholdOf(copies, k)) continue;
    if (worst === undefined || down.length > worst.down.length) worst = { down, holders: holders.length };
  }
  return worst;
}

interface Holders {
  readonly holders: readonly string[];
  /** How many of them hold a copy. */
  readonly copies: number;
}

function holdersOf(sights: readonly Sight[], asked: AskedSlots): Holders[] {
  if (sights.length === 0) return [];
  const [{ members, replicas }] = sights;
  const copies = Math.min(replicas, members.length);
  const anyone: Holders = { holders: members.map((member) => member.id), copies };
  // Whoever holds a copy of everything needs no table.
  if (copies === members.length) return [anyone];
  const known = sights.flatMap((sight) => sight.holders).filter(({ nodes }) => nodes.length >= copies);
  if (asked !== "all") {
    return asked.map((slot) => {
      const found = known.find(({ first, last }) => first <= slot && slot <= last);
      return found === undefined ? anyone : { holders: found.nodes, copies };
    });
  }
  return [...known.map(({ nodes }) => ({ holders: nodes, copies })), ...(coversAll(known) ? [] : [anyone])];
}

function coversAll(ranges: readonly SlotHolders[]): boolean {
  let next = 0;
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    if (first > next) return false;
    next = Math.max(next, last + 1);
  }
  return next >= SLOT_COUNT;
}
