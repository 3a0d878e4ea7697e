/** What all faults have in common: when they come, what they are given, and how they are put right. */
import type { SimCluster, SimNode } from "../cluster/cluster.js";
import type { SeededRandom } from "../world/random.js";

/** Where a fault strikes, and for how long. */
export interface Strike {
  readonly cluster: SimCluster;
  /** Its own stream: what a fault does is the same whether the others strike or not. */
  readonly random: SeededRandom;
  readonly lengthMs: number;
  /** One node … */
  readonly sim: SimNode;
  /** … and the others, in random order. */
  readonly others: readonly SimNode[];
  /** How far wall clocks are set wrong. */
  readonly skewMs: number;
  /** Puts something right after the fault's length, or earlier when all faults end. */
  readonly heal: (undo: () => void) => void;
  /** Something that happens meanwhile, unless all faults have ended. */
  readonly later: (delayMs: number, run: () => void) => void;
}

export interface Fault {
  readonly name: string;
  /** For the table of faults: what happens. */
  readonly about: string;
  /** Data are lost for good: only where, and while, a majority of the others has them. */
  readonly destroys?: true;
  /** Only where there is more than one node. */
  readonly needsPeers?: true;
  /** A lease does not withstand it: only where reads ask a majority. */
  readonly breaksLease?: true;
  /** Only where nodes keep files. */
  readonly needsFiles?: true;
  /** Only where it is asked for by name. */
  readonly isSpecial?: true;
  /** Strikes; returns what it has done, for the timeline. */
  strike(strike: Strike): string;
}
