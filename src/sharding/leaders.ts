/**
 * Spreads leadership over the nodes: the leader of a partition does most of its work, so nodes that lead equally
 * many are equally busy.
 *
 * A step looks from the busiest node for a chain of transfers that ends at a node with at least two partitions
 * less: A gives a partition to B, and B, if need be, another one to C. When no such chain is left from any node,
 * no assignment is more even: Harvey, Ladner, Lovász and Tamir, "Semi-matchings for Bipartite Graphs and Load
 * Balancing" (2006), theorem 3.1. Shortest chains first keep the transfers few.
 */
import { assert } from "../core/assert.js";
import { type NodeId, type PartitionId, partitionId } from "../core/ids.js";

export interface LeaderTransfer {
  readonly partition: PartitionId;
  readonly from: NodeId;
  readonly to: NodeId;
}

export interface LeaderBalance {
  /** By partition: the nodes that may lead it. */
  readonly placement: readonly (readonly NodeId[])[];
  /** By partition: who leads it now; undefined while nobody does. */
  readonly current: readonly (NodeId | undefined)[];
  /** Nodes that can take leadership: alive and caught up. */
  readonly available: ReadonlySet<NodeId>;
}

/**
 * The transfers that make the numbers of partitions led as even as the placement allows. Partitions that nobody
 * leads, or an unavailable node, are left to their elections and not counted.
 */
export function balanceLeaders(balance: LeaderBalance): LeaderTransfer[] {
  const { placement, current, available } = balance;
  assert(placement.length === current.length, "a leader for each partition, or none");
  const leaders = current.map((node) => (node !== undefined && available.has(node) ? node : undefined));
  const graph = new LeaderGraph(placement, leaders, available);
  while (graph.improve());
  const transfers: LeaderTransfer[] = [];
  for (const [partition, to] of leaders.entries()) {
    const from = current[partition];
    if (to !== undefined && from !== undefined && to !== from) {
      transfers.push({ partition: partitionId(partition), from, to });
    }
  }
  return transfers;
}

/** How a node was reached: `from` gives it `partition`. */
interface Step {
  readonly partition: number;
  readonly from: NodeId;
}

/** Who leads what, and who else could. */
class LeaderGraph {
  readonly #placement: readonly (readonly NodeId[])[];
  readonly #leaders: (NodeId | undefined)[];
  readonly #available: ReadonlySet<NodeId>;
  /** By node, the partitions it leads; nodes in the order of their names, so that the result is one. */
  readonly #ledBy = new Map<NodeId, Set<number>>();

  /** Changes `leaders` in place. */
  constructor(
    placement: readonly (readonly NodeId[])[],
    leaders: (NodeId | undefined)[],
    available: ReadonlySet<NodeId>,
  ) {
    this.#placement = placement;
    this.#leaders = leaders;
    this.#available = available;
    for (const node of [...available].sort()) this.#ledBy.set(node, new Set());
    for (const [partition, node] of leaders.entries()) {
      if (node !== undefined) this.#ledBy.get(node)!.add(partition);
    }
  }

  /** Carries out one chain of transfers; false when none makes it more even. */
  improve(): boolean {
    const busiestFirst = [...this.#ledBy.keys()].sort((a, b) => this.#load(b) - this.#load(a));
    const least = Math.min(...busiestFirst.map((node) => this.#load(node)));
    return busiestFirst.some((node) => this.#load(node) >= least + 2 && this.#relieve(node));
  }

  /** Searches level by level for the nearest node with two partitions less than `start`. */
  #relieve(start: NodeId): boolean {
    const reached = new Map<NodeId, Step | undefined>([[start, undefined]]);
    let level: NodeId[] = [start];
    while (level.length > 0) {
      level = this.#nextLevel(level, reached);
      let idlest: NodeId | undefined;
      for (const node of level) {
        if (idlest === undefined || this.#load(node) < this.#load(idlest)) idlest = node;
      }
      if (idlest !== undefined && this.#load(idlest) <= this.#load(start) - 2) {
        this.#transferAlong(idlest, reached);
        return true;
      }
    }
    return false;
  }

  #nextLevel(level: readonly NodeId[], reached: Map<NodeId, Step | undefined>): NodeId[] {
    const next: NodeId[] = [];
    for (const from of level) {
      for (const partition of this.#ledBy.get(from)!) {
        for (const node of this.#placement[partition]) {
          if (reached.has(node) || !this.#available.has(node)) continue;
          reached.set(node, { partition, from });
          next.push(node);
        }
      }
    }
    return next;
  }

  #transferAlong(end: NodeId, reached: ReadonlyMap<NodeId, Step | undefined>): void {
    let to = end;
    for (let step = reached.get(to); step !== undefined; step = reached.get(to)) {
      this.#ledBy.get(step.from)!.delete(step.partition);
      this.#ledBy.get(to)!.add(step.partition);
      this.#leaders[step.partition] = to;
      to = step.from;
    }
  }

  #load(node: NodeId): number {
    return this.#ledBy.get(node)!.size;
  }
}
