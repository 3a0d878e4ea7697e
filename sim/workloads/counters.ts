/** Counters: nothing acknowledged is lost, nothing is counted twice, no number is given twice. */
import assert from "node:assert/strict";
import { isRefused } from "../cluster/client.js";
import { finalValue } from "./final-read.js";
import { type Load, repeat, type Workload } from "./workload.js";

interface Counter {
  certain: number;
  possible: number;
  readonly replies: number[];
}

export class Counters implements Workload {
  readonly name = "counters";
  readonly property = "every answered write, once";
  readonly #counters = new Map<string, Counter>(
    ["i0", "i1"].map((key) => [key, { certain: 0, possible: 0, replies: [] }]),
  );

  start(load: Load): void {
    for (let i = 0; i < 2; i += 1) {
      const client = load.newClient();
      repeat(load, (next) => {
        const [key, counter] = load.world.random.pick([...this.#counters]);
        client.send(["INCR", key], (answer) => {
          if (typeof answer === "number") {
            counter.certain += 1;
            counter.replies.push(answer);
          } else if (!isRefused(answer)) counter.possible += 1;
          next();
        });
      });
    }
  }

  async check(load: Load): Promise<void> {
    const client = load.newClient();
    for (const [key, { certain, possible, replies }] of this.#counters) {
      const count = Number((await finalValue(load, client, key)) ?? 0);
      const bounds = `${key}: ${count}, certain ${certain}, possible ${possible}`;
      assert(count >= certain && count <= certain + possible, bounds);
      assert.equal(new Set(replies).size, replies.length, `${key} gave a number twice`);
    }
  }
}
