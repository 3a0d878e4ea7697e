/**
 * How long after a fault every partition takes writes again: small writes to one key of each partition, through every
 * node, all the time. A write counts that began after the fault; the node that answers first counts. Only of a fault
 * that struck alone can this be said: when no other went on, and before the next.
 */
import { isKnown } from "../../sim/cluster/client.js";
import { partitionOfSlot } from "../../src/sharding/partitions.js";
import { slotOfKey } from "../../src/sharding/slots.js";
import type { Clients } from "./clients.js";
import type { RealWorld } from "./real-world.js";

const PAUSE_MS = 25;

/** The fault that struck last, alone, until every partition has answered a later write. */
interface Strike {
  readonly name: string;
  readonly atMs: number;
  readonly missing: Set<string>;
}

export class Probes {
  /** By the fault's name: after each of its strikes, how long it took. */
  readonly recoveriesMs = new Map<string, number[]>();
  #last: Strike | undefined;
  readonly #keys: readonly string[];
  readonly #world: RealWorld;

  constructor(world: RealWorld, partitions: number) {
    this.#world = world;
    this.#keys = keysOfPartitions("probe", partitions);
  }

  start(clients: Clients, nodes: number, isOver: () => boolean): void {
    for (let node = 0; node < nodes; node += 1) {
      for (const key of this.#keys) {
        const step = () => {
          if (isOver()) return;
          const invokedMs = this.#world.nowMs;
          clients.sendTo(node, {}, ["SET", key, `n${node + 1}`], (answer) => {
            if (isKnown(answer)) this.#onAnswer(key, invokedMs);
            this.#world.schedule(PAUSE_MS, step);
          });
        };
        this.#world.schedule(this.#world.random.below(PAUSE_MS), step);
      }
    }
  }

  /** @param isAlone no other fault goes on */
  onStrike(name: string, isAlone: boolean): void {
    this.#last = undefined;
    if (isAlone) this.#last = { name, atMs: this.#world.nowMs, missing: new Set(this.#keys) };
  }

  #onAnswer(key: string, invokedMs: number): void {
    const strike = this.#last;
    if (strike === undefined || strike.atMs > invokedMs) return;
    strike.missing.delete(key);
    if (strike.missing.size > 0) return;
    this.#last = undefined;
    const tookMs = this.#world.nowMs - strike.atMs;
    this.recoveriesMs.set(strike.name, [...(this.recoveriesMs.get(strike.name) ?? []), tookMs]);
  }
}

/** One key of each partition of the default keyspace. */
export function keysOfPartitions(prefix: string, partitions: number): readonly string[] {
  const keys = new Map<number, string>();
  for (let i = 0; keys.size < partitions; i += 1) {
    const key = `${prefix}-${i}`;
    const partition = partitionOfSlot(slotOfKey(key), partitions);
    if (!keys.has(partition)) keys.set(partition, key);
  }
  return [...keys.values()];
}
