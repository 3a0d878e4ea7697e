/**
 * Keys of an eventual keyspace that expire, while their expiry is changed elsewhere: what was to go is gone
 * everywhere in the end, what was not is there, and a change of the expiry never takes a value away.
 */
import assert from "node:assert/strict";
import { finalValue } from "./final-read.js";
import { type LoadClient, repeat, type SimLoad, type SimWorkload } from "./workload.js";

const KEYS = ["x0", "x1", "x2"];
/** Values and no deletions, which only expiries are set on that do not come: they are there at the end. */
const LASTING = ["y0", "y1"];
const LASTING_MS = 1_000_000_000;
const SOON_MS = 1_500;

export class EventualExpiring implements SimWorkload {
  readonly name = "eventual-expiring";
  readonly property = "expiry in eventual keyspaces";
  #written = 0;
  /** Keys that were written for certain, and when. */
  readonly #there = new Map<string, number>();

  start(load: SimLoad): void {
    for (let i = 0; i < 3; i += 1) {
      const levels = { keyspace: load.eventual.id, readLevel: "one", writeLevel: "one" } as const;
      const client = load.newClient(levels, 0.3);
      repeat(load, (next) => this.#act(load, client, next));
    }
  }

  #act(load: SimLoad, client: LoadClient, next: () => void): void {
    const { random } = load.world;
    const isLasting = random.chance(0.4);
    const key = random.pick(isLasting ? LASTING : KEYS);
    const soonMs = isLasting ? LASTING_MS : 1 + random.below(SOON_MS);
    this.#written += 1;
    const value = `x${this.#written}`;
    const words = random.pick([
      ["SET", key, value],
      ["SET", key, value, "PX", `${soonMs}`],
      ["SET", key, value, "PX", `${soonMs}`],
      ["PEXPIRE", key, `${soonMs}`],
      ["PEXPIRE", key, `${soonMs}`],
      ["PEXPIRE", key, `${LASTING_MS}`],
      ["PERSIST", key],
      ["GET", key],
    ]);
    const invokedMs = load.world.nowMs;
    client.send(words, (answer) => {
      if (words[0] === "SET" && answer === "OK") this.#there.set(key, invokedMs);
      next();
    });
  }

  async check(load: SimLoad): Promise<void> {
    const client = load.newClient({ keyspace: load.eventual.id, readLevel: "one" }, 1);
    for (const key of LASTING) {
      const writtenMs = this.#there.get(key);
      if (writtenMs === undefined || load.cluster.wipedMs >= writtenMs) continue;
      const value = await finalValue(load, client, key);
      assert(value !== null, `${key} is gone, and nothing that it was given was to expire`);
    }
  }
}
