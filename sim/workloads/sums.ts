/** `DEL` and `EXISTS` of several keys, which one client owns: the numbers that they reply are exact. */
import { isKnown, isRefused } from "../cluster/client.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

const KEYS = 5;

/** Keys that one client owns, until the outcome of a write to them is not known. */
class OwnedKeys {
  readonly #prefix: string;
  readonly present = new Set<string>();

  constructor(number: number) {
    this.#prefix = `u${number}`;
  }

  some(load: Load): string[] {
    const { random } = load.world;
    const keys = Array.from({ length: KEYS }, (_, i) => `${this.#prefix}-${i}`);
    return keys.filter(() => random.chance(0.5)).concat(random.chance(0.2) ? [keys[0]] : []);
  }
}

export class Sums implements Workload {
  readonly name = "sums";
  readonly property = "exact counts";
  #made = 0;

  start(load: Load): void {
    for (let i = 0; i < 2; i += 1) {
      const client = load.newClient();
      let owned = this.#newKeys();
      const abandon = () => {
        owned = this.#newKeys();
      };
      repeat(load, (next) => this.#act(load, client, owned, abandon, next));
    }
  }

  #newKeys(): OwnedKeys {
    this.#made += 1;
    return new OwnedKeys(this.#made);
  }

  #act(load: Load, client: LoadClient, owned: OwnedKeys, abandon: () => void, next: () => void): void {
    const { random } = load.world;
    const keys = owned.some(load);
    if (keys.length === 0) {
      next();
      return;
    }
    const name = random.pick(["SET", "DEL", "EXISTS", "UNLINK"]);
    if (name === "SET") {
      client.send(["SET", keys[0], "1"], (answer) => {
        if (isKnown(answer)) owned.present.add(keys[0]);
        else if (!isRefused(answer)) abandon();
        next();
      });
      return;
    }
    // Named twice, a key exists twice, but is deleted once.
    const named = name === "EXISTS" ? keys : [...new Set(keys)];
    const expected = named.filter((key) => owned.present.has(key)).length;
    client.send([name, ...keys], (answer) => {
      if (isKnown(answer)) {
        const wrong = `${name} ${keys.join(" ")} replied ${String(answer)}, not ${expected}`;
        load.expect(answer === expected, wrong);
        if (name !== "EXISTS") for (const key of keys) owned.present.delete(key);
      } else if (name !== "EXISTS" && !isRefused(answer)) abandon();
      next();
    });
  }

  async check(): Promise<void> {
    await Promise.resolve();
  }
}
