/** What a fault is: something that happens to nodes or to what lies between them, and ends again. */
import type { SeededRandom } from "../../sim/world/random.js";
import type { RealCluster } from "../cluster/cluster.js";
import type { RealNode } from "../cluster/node.js";

export interface Strike {
  readonly cluster: RealCluster;
  /** The node that was drawn, and the others in an order that was drawn too. */
  readonly node: RealNode;
  readonly others: readonly RealNode[];
  /** Of this strike alone. */
  readonly random: SeededRandom;
  readonly lengthMs: number;
  /** Says what has happened. Not called by a fault that finds nothing to do. */
  readonly tell: (text: string) => void;
  /** Ends early when the faults of the life are over. */
  readonly pass: (timeMs: number) => Promise<void>;
  readonly isOver: boolean;
}

export interface Fault {
  readonly name: string;
  readonly about: string;
  /** What it cannot be without. */
  readonly needs?: "splits" | "slowness";
  /** 1 when absent. */
  readonly nodesMin?: number;
  /** Resolves when its traces are removed: a process that it ended runs again, a network that it cut is whole. */
  strike(strike: Strike): Promise<void>;
}

/** The node that leads the most partitions, as far as anybody knows; else the one that was drawn. */
export async function leaderOf({ cluster, node }: Strike): Promise<RealNode> {
  const view = await cluster.view();
  const leading = (id: string) => view?.partitions.filter(({ leader }) => leader === id).length ?? 0;
  const [first] = [...cluster.nodes].sort((a, b) => leading(b.id) - leading(a.id));
  return leading(first.id) > 0 ? first : node;
}

/** For people. */
export function seconds(timeMs: number): string {
  return `${(timeMs / 1_000).toFixed(1)} s`;
}
