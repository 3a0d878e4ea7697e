/** What all workloads have in common: a cluster under faults, and the time in which to disturb it. */

import type { Judge } from "../checks/linearizability.js";
import type { SimCluster } from "../cluster/cluster.js";

export interface Load {
  readonly cluster: SimCluster;
  /** For what must hold when a reply comes: notes the message, which ends the simulation, when it does not. */
  expect(isTrue: boolean, message: string): void;
  /** No new commands after this. */
  isOver(): boolean;
  /** Of the histories that must be linearizable. */
  readonly judge: Judge;
  /** Each client pauses about so long between its commands. */
  readonly pauseMs: number;
}

/** Clients that do one kind of thing, and what must hold of all that they were told. */
export interface Workload {
  readonly name: string;
  /** The promise that is broken when `expect` or `check` finds something. */
  readonly property: string;
  start(load: Load): void;
  /** When the cluster is whole again and nothing is under way; throws for what must not be. */
  check(load: Load): Promise<void>;
}

/** Does `act` again and again, each time a moment after it has called `next`. */
export function repeat(load: Load, act: (next: () => void) => void): void {
  const { world } = load.cluster;
  const next = () => world.schedule(1 + world.random.below(2 * load.pauseMs), step);
  const step = () => {
    if (!load.isOver()) act(next);
  };
  next();
}
