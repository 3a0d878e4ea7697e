/**
 * What all workloads have in common: clients of a cluster under faults, and the time in which to disturb it. Most
 * ask for no more than `Load`, and so run on real processes too (`npm run torture`).
 */

import type { Random } from "../../src/ports/random.js";
import type { Judge } from "../checks/linearizability.js";
import type { Answer, ClientLevels } from "../cluster/client.js";
import type { SimCluster } from "../cluster/cluster.js";
import type { EventualKeyspace } from "../cluster/eventual-keyspace.js";
import type { Program } from "../library/library.js";

/** Time and chance, simulated or real. */
export interface LoadWorld {
  /** From some moment before the first command. */
  readonly nowMs: number;
  readonly random: Random & {
    chance(probability: number): boolean;
    pick<T>(choices: readonly T[]): T;
  };
  schedule(delayMs: number, run: () => void): void;
  /** Lets time pass until `isDone` says so, or for `limitMs`; true when done. */
  run(limitMs: number, isDone: () => boolean): Promise<boolean>;
}

/** Sends commands to some node, and to another when that one is gone. */
export interface LoadClient {
  /** Calls `done` once, with the reply as plain values, or with undefined when nothing was heard in time. */
  send(words: readonly string[], done: (answer: Answer) => void): void;
}

export interface Load {
  readonly world: LoadWorld;
  /** @param wanderlust how often it moves to another node for no reason, from 0 to 1; 0.1 when absent */
  newClient(levels?: ClientLevels, wanderlust?: number): LoadClient;
  /** For what must hold when a reply comes: notes the message, which ends the life, when it does not. */
  expect(isTrue: boolean, message: string): void;
  /** Told of a write that was certainly not carried out, of a value that is written to this key only once. */
  readonly onRefused?: (key: string, value: string) => void;
  /** No new commands after this. */
  isOver(): boolean;
  /** Of the histories that must be linearizable. */
  readonly judge: Judge;
  /** Each client pauses about so long between its commands. */
  readonly pauseMs: number;
}

/** What only a simulated cluster lets one see. */
export interface SimLoad extends Load {
  readonly cluster: SimCluster;
  /** Made before the clients begin, in lives with a workload that needs it. */
  readonly eventual: EventualKeyspace;
  /** That use the library. */
  programs(): readonly Program[];
}

/** Clients that do one kind of thing, and what must hold of all that they were told. */
export interface WorkloadOn<L extends Load> {
  readonly name: string;
  /** The promise that is broken when `expect` or `check` finds something. */
  readonly property: string;
  start(load: L): void;
  /** When the cluster is whole again and nothing is under way; throws for what must not be. */
  check(load: L): Promise<void>;
}

export type Workload = WorkloadOn<Load>;
export type SimWorkload = WorkloadOn<SimLoad>;

/** Does `act` again and again, each time a moment after it has called `next`. */
export function repeat(load: Load, act: (next: () => void) => void): void {
  const { world } = load;
  const next = () => world.schedule(1 + world.random.below(2 * load.pauseMs), step);
  const step = () => {
    if (!load.isOver()) act(next);
  };
  next();
}
