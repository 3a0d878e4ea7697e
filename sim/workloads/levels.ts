/** A write is answered only when it is on the disks that its level asks for: a majority's, or every replica's. */
import type { WriteLevel } from "../../src/node/database.js";
import { isKnown, SimClient } from "../cluster/client.js";
import type { SimNode } from "../cluster/cluster.js";
import { repeat, type SimLoad, type SimWorkload } from "./workload.js";

/** True when the node's disk holds `text`, in the log or in a store. */
function isOnDisk({ durable }: SimNode, text: string): boolean {
  const bytes = Buffer.from(text, "latin1");
  for (const { entries } of durable.log.values()) {
    if (entries.some(({ data }) => Buffer.from(data).includes(bytes))) return true;
  }
  for (const { applied, tables } of durable.stores.disk.values()) {
    // What a transaction has prepared is part of the state beside the tables.
    if (Buffer.from(applied.state).includes(bytes)) return true;
    for (const value of tables.data.values()) if (Buffer.from(value).includes(bytes)) return true;
  }
  return false;
}

export class Levels implements SimWorkload {
  readonly name = "levels";
  readonly property = "durable before answered";
  readonly #replicas: number;
  #written = 0;

  constructor(replicas: number) {
    this.#replicas = replicas;
  }

  start(load: SimLoad): void {
    this.#run(load, "all", this.#replicas);
    this.#run(load, "quorum", Math.floor(this.#replicas / 2) + 1);
  }

  #run(load: SimLoad, level: WriteLevel, disks: number): void {
    const client = new SimClient(load.cluster, { writeLevel: level });
    const { random } = load.cluster.world;
    repeat(load, (next) => {
      this.#written += 1;
      const value = `<${level}:${this.#written}>`;
      // Never written again: what replaced it might be all that is left on disk when the answer comes.
      const key = `l${this.#written}`;
      const words = random.chance(0.3) ? ["MSET", key, value, `m${key}`, value] : ["SET", key, value];
      const invokedMs = load.cluster.world.nowMs;
      client.send(words, (answer) => {
        // What a disk held that was lost meanwhile cannot be told.
        if (isKnown(answer) && load.cluster.wipedMs < invokedMs) {
          const holders = load.cluster.nodes.filter((sim) => isOnDisk(sim, value));
          const where = `${words.join(" ")} was answered when ${holders.length} disks of ${disks} had it`;
          load.expect(holders.length >= disks, where);
        }
        next();
      });
    });
  }

  async check(): Promise<void> {
    await Promise.resolve();
  }
}
