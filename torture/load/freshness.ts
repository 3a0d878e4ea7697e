/**
 * Reads that wait in a node which stands still, or which nobody has told that it leads no more: counters only grow, and
 * a read says at least what had been answered when it was sent. Each node is asked all the time, by one connection
 * that waits for no answer.
 */
import { isKnown } from "../../sim/cluster/client.js";
import { repeat, type WorkloadOn } from "../../sim/workloads/workload.js";
import { keysOfPartitions } from "./probes.js";
import type { TortureLoad } from "./torture-load.js";

const OPEN_READS_MAX = 500;

interface Counter {
  readonly key: string;
  /** The highest value that any client was told. */
  told: number;
  attempts: number;
}

export class Freshness implements WorkloadOn<TortureLoad> {
  readonly name = "freshness";
  readonly property = "linearizability";

  start(load: TortureLoad): void {
    const counters = keysOfPartitions("fresh", load.partitions).map((key): Counter => {
      return { key, told: 0, attempts: 0 };
    });
    for (const counter of counters) {
      const client = load.newClient();
      repeat(load, (next) => {
        counter.attempts += 1;
        client.send(["INCR", counter.key], (answer) => {
          if (isKnown(answer)) this.#onTold(load, counter, answer as number);
          next();
        });
      });
    }
    for (let node = 0; node < load.nodes; node += 1) this.#readThrough(load, node, counters);
  }

  #readThrough(load: TortureLoad, node: number, counters: readonly Counter[]): void {
    let open = 0;
    repeat(load, (next) => {
      next();
      if (open >= OPEN_READS_MAX) return;
      open += 1;
      const counter = load.world.random.pick(counters);
      const { told } = counter;
      load.pipeline(node, ["GET", counter.key], (answer) => {
        open -= 1;
        if (!isKnown(answer)) return;
        const value = Number(answer ?? 0);
        const where = `${counter.key} through n${node + 1}`;
        load.expect(value >= told, `a read of ${where} said ${value}, after ${told} had been answered`);
        this.#onTold(load, counter, value);
      });
    });
  }

  #onTold(load: TortureLoad, counter: Counter, value: number): void {
    const { key, attempts } = counter;
    // A write that the library sends again is one attempt, and applies once.
    load.expect(value <= attempts, `${key} is ${value} after ${attempts} increments`);
    counter.told = Math.max(counter.told, value);
  }

  async check(): Promise<void> {
    await Promise.resolve();
  }
}
