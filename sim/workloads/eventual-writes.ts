/**
 * Values of an eventual keyspace, each written once, at all levels: what is answered is on so many disks, what is read
 * is no older than what a level promises, and what cannot be done is refused in time, with how many replicas answered.
 */
import { type Answer, isKnown } from "../cluster/client.js";
import { Floors, type Level, type Levels } from "./eventual-floors.js";
import { type LoadClient, repeat, type SimLoad, type SimWorkload } from "./workload.js";

const KEYS = ["w0", "w1", "w2", "w3"];
const LEVELS: readonly Levels[] = [
  { readLevel: "one", writeLevel: "one" },
  { readLevel: "one", writeLevel: "quorum" },
  { readLevel: "quorum", writeLevel: "quorum" },
  { readLevel: "quorum", writeLevel: "one" },
  { readLevel: "all", writeLevel: "all" },
  { readLevel: "quorum", writeLevel: "all" },
];

export class EventualWrites implements SimWorkload {
  readonly name = "eventual-writes";
  readonly property = "levels of eventual keyspaces";
  readonly #floors = new Map<string, Floors>();
  #written = 0;

  start(load: SimLoad): void {
    for (const key of KEYS) this.#floors.set(key, new Floors(load, key));
    for (const levels of LEVELS) {
      const client = load.newClient({ keyspace: load.eventual.id, ...levels }, 0.2);
      repeat(load, (next) => this.#act(load, client, levels, next));
    }
  }

  #act(load: SimLoad, client: LoadClient, { readLevel, writeLevel }: Levels, next: () => void): void {
    const { random } = load.world;
    const key = random.pick(KEYS);
    const floors = this.#floors.get(key) as Floors;
    const choice = random.unit();
    if (choice < 0.45) this.#read(load, client, key, floors, readLevel, next);
    else if (choice < 0.55) client.send(["DEL", key], () => next());
    else {
      this.#written += 1;
      const value = `w${this.#written}`;
      const words = random.chance(0.2)
        ? ["KV.PUT", key, "string", "any", "0", "0", value]
        : ["SET", key, value];
      const invokedMs = load.world.nowMs;
      client.send(words, (answer) => {
        if (isKnown(answer)) floors.onWritten(value, writeLevel, invokedMs);
        else floors.checkRefusal(answer, writeLevel);
        next();
      });
    }
  }

  #read(
    load: SimLoad,
    client: LoadClient,
    key: string,
    floors: Floors,
    level: Level,
    next: () => void,
  ): void {
    const least = floors.leastOf(level);
    const isVersioned = load.world.random.chance(0.2);
    client.send([isVersioned ? "KV.GET" : "GET", key], (answer) => {
      if (isKnown(answer)) {
        const text = isVersioned ? this.#textOf(load, key, answer) : (answer as string | null);
        floors.onRead(text, level, least);
      } else floors.checkRefusal(answer, level);
      next();
    });
  }

  /** Versions are stamps. */
  #textOf(load: SimLoad, key: string, answer: Answer): string | null {
    if (answer === null) return null;
    const { eventual, cluster } = load;
    const [, version, , text] = answer as [string, number, number, string];
    const writes = cluster.eventualSafety.writesOf(eventual.groupOf(key), key, text);
    const isRight = writes.some(({ stamp }) => stamp === version);
    const stamps = writes.map(({ stamp }) => stamp).join(" ");
    load.expect(isRight, `KV.GET ${key} says version ${version} of ${text}, written at ${stamps}`);
    return text;
  }

  async check(): Promise<void> {
    for (const floors of this.#floors.values()) await floors.checkEnd();
  }
}
