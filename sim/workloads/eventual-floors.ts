/** What reads of a key in an eventual keyspace must know: what was answered before, at which level. */

import { MinikeyError } from "../../src/core/errors.js";
import { compareWrites, type Part } from "../checks/eventual-known.js";
import type { Answer } from "../cluster/client.js";
import { finalValue } from "./final-read.js";
import type { SimLoad } from "./workload.js";

export type Level = "one" | "quorum" | "all";

export interface Levels {
  readonly readLevel: Level;
  readonly writeLevel: Level;
}

/** Reads of a level show this or something later. */
interface Least {
  readonly write: Part;
  /** Since when no disk may have been lost. */
  readonly sinceMs: number;
}

export class Floors {
  readonly #load: SimLoad;
  readonly #key: string;
  /** By level: the latest write answered. */
  readonly #answered = new Map<Level, Least>();

  constructor(load: SimLoad, key: string) {
    this.#load = load;
    this.#key = key;
  }

  /** The write of `value` was answered. */
  onWritten(value: string, level: Level, invokedMs: number): void {
    const { cluster, eventual } = this.#load;
    const { eventualSafety } = cluster;
    const group = eventual.groupOf(this.#key);
    // Which of several was answered cannot be told.
    const writes = eventualSafety.writesOf(group, this.#key, value).sort(compareWrites);
    const [write] = writes;
    if (write === undefined) {
      this.#load.expect(false, `SET ${this.#key} ${value} was answered, and no disk has had it`);
      return;
    }
    // What a disk held that was lost meanwhile cannot be told.
    if (cluster.wipedMs < invokedMs) {
      const ofEach = writes.map((each) => eventualSafety.holdersOf(group, this.#key, each));
      const holders = ofEach.reduce((most, each) => (each.length > most.length ? each : most));
      const needed = eventual.replicasFor(level);
      const where = `${holders.length} disks of ${needed} had it (${holders.join(" ")})`;
      this.#load.expect(
        holders.length >= needed,
        `SET ${this.#key} ${value} was answered at ${level} when ${where}`,
      );
    }
    const known = this.#answered.get(level);
    if (known === undefined || this.#isLost(known) || compareWrites(write, known.write) > 0) {
      this.#answered.set(level, { write, sinceMs: level === "one" ? invokedMs : Number.POSITIVE_INFINITY });
    }
  }

  #isLost({ sinceMs }: Least): boolean {
    return this.#load.cluster.wipedMs >= sinceMs;
  }

  /** What a read that begins now must know. */
  leastOf(level: Level): readonly Least[] {
    const enough: Record<Level, readonly Level[]> = {
      one: ["all"],
      quorum: ["quorum", "all"],
      all: ["one", "quorum", "all"],
    };
    return enough[level].flatMap((answered) => this.#answered.get(answered) ?? []);
  }

  onRead(text: string | null, level: Level, least: readonly Least[]): void {
    const { cluster, eventual } = this.#load;
    const { eventualSafety } = cluster;
    const group = eventual.groupOf(this.#key);
    const shown = text === null ? undefined : eventualSafety.writeOf(group, this.#key, text);
    if (text !== null && shown === undefined) {
      this.#load.expect(false, `GET ${this.#key} shows ${text}, which no disk has had`);
      return;
    }
    for (const floor of least) {
      if (this.#isLost(floor)) continue;
      const { write } = floor;
      const isRight =
        shown === undefined
          ? eventualSafety.isDeletedAfter(group, this.#key, write)
          : compareWrites(shown, write) >= 0;
      const was = `${write.origin}:${write.number} of ${write.stamp} had been answered`;
      this.#load.expect(isRight, `GET ${this.#key} at ${level} shows ${String(text)}, and ${was}`);
    }
  }

  /** How an error says that a level cannot be met. */
  checkRefusal(answer: Answer, level: Level): void {
    if (!(answer instanceof MinikeyError) || answer.code !== "NO_QUORUM") return;
    const counts = /needs (\d+) of (\d+) replicas?, and (\d+) (?:can be reached|answered in time)$/.exec(
      answer.message,
    );
    const [needed, replicas, reached] = (counts ?? []).slice(1).map(Number);
    const { eventual } = this.#load;
    const isRight =
      needed === eventual.replicasFor(level) && replicas === eventual.settings.replicas && reached < needed;
    this.#load.expect(isRight, `the level ${level} is refused with: ${answer.message}`);
  }

  /** When all is over, and the replicas are equal. */
  async checkEnd(): Promise<void> {
    const { eventual } = this.#load;
    const client = this.#load.newClient({ keyspace: eventual.id, readLevel: "one", writeLevel: "one" }, 1);
    this.onRead(await finalValue(this.#load, client, this.#key), "one", this.leastOf("all"));
  }
}
