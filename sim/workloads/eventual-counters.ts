/**
 * Counters of an eventual keyspace: no addition is lost and none counts twice, whatever is added elsewhere at the same
 * time. Some are also set and deleted: then what the winning base had not seen still counts.
 */
import assert from "node:assert/strict";
import { type Answer, isKnown, isRefused } from "../cluster/client.js";
import type { Level } from "./eventual-floors.js";
import { finalValue } from "./final-read.js";
import { type LoadClient, repeat, type SimLoad, type SimWorkload } from "./workload.js";

interface Addition {
  readonly amount: number;
  readonly invokedMs: number;
  /** It counts once, and otherwise at most once. */
  readonly isCertain: boolean;
  /** It is on one disk alone, as far as is known. */
  readonly isFragile: boolean;
}

/** Multiples of it are set, so that a value says which one it began with, and what was added. */
const SET_UNIT = 1_000_000;

class Counter {
  readonly additions: Addition[] = [];
  /** When the setting of a multiple was answered; a deletion is of 0. */
  readonly setMs = new Map<number, number>();
}

const COUNTED = ["i0", "i1"];
const SET = ["j0", "j1"];
const LEVELS: readonly Level[] = ["one", "one", "quorum", "all"];

export class EventualCounters implements SimWorkload {
  readonly name = "eventual-counters";
  readonly property = "every increment, once";
  readonly #counters = new Map<string, Counter>([...COUNTED, ...SET].map((key) => [key, new Counter()]));
  #sets = 0;

  start(load: SimLoad): void {
    for (const level of LEVELS) {
      const levels = { keyspace: load.eventual.id, readLevel: "one", writeLevel: level } as const;
      const client = load.newClient(levels, 0.3);
      repeat(load, (next) => {
        const key = load.world.random.pick([...COUNTED, ...SET]);
        const isSet = SET.includes(key) && load.world.random.chance(0.2);
        if (isSet) this.#set(load, client, key, next);
        else this.#add(load, client, key, level, next);
      });
    }
  }

  #add(load: SimLoad, client: LoadClient, key: string, level: Level, next: () => void): void {
    const { random } = load.world;
    const by = 1 + random.below(9);
    const [words, amount] = random.pick<[string[], number]>([
      [["INCR", key], 1],
      [["DECR", key], -1],
      [["INCRBY", key, `${by}`], by],
      [["DECRBY", key, `${by}`], -by],
    ]);
    const invokedMs = load.world.nowMs;
    client.send(words, (answer: Answer) => {
      const isCertain = isKnown(answer);
      if (isCertain || !isRefused(answer)) {
        const addition = { amount, invokedMs, isCertain, isFragile: level === "one" };
        this.#counters.get(key)?.additions.push(addition);
      }
      next();
    });
  }

  #set(load: SimLoad, client: LoadClient, key: string, next: () => void): void {
    const { world } = load;
    if (world.random.chance(0.4)) {
      client.send(["DEL", key], () => next());
      return;
    }
    this.#sets += 1;
    const number = this.#sets;
    client.send(["SET", key, `${number * SET_UNIT}`], (answer) => {
      if (isKnown(answer)) this.#counters.get(key)?.setMs.set(number, world.nowMs);
      next();
    });
  }

  async check(load: SimLoad): Promise<void> {
    const client = load.newClient({ keyspace: load.eventual.id, readLevel: "one" }, 1);
    for (const [key, counter] of this.#counters) {
      const value = Number((await finalValue(load, client, key)) ?? 0);
      const set = Math.round(value / SET_UNIT);
      // What began after the base was answered cannot have been seen by it; of the others nothing is known here.
      const sinceMs = SET.includes(key) ? (counter.setMs.get(set) ?? Number.POSITIVE_INFINITY) : 0;
      const sum = value - set * SET_UNIT;
      let [least, most] = [0, 0];
      for (const { amount, invokedMs, isCertain, isFragile } of counter.additions) {
        const isLost = isFragile && load.cluster.wipedMs >= invokedMs;
        const isSure = isCertain && !isLost && invokedMs >= sinceMs;
        if (isSure || amount < 0) least += amount;
        if (isSure || amount > 0) most += amount;
      }
      assert(
        sum >= least && sum <= most,
        `${key} is ${value}: at least ${least} and at most ${most} were added`,
      );
    }
  }
}
