/**
 * Deletes, and reads for ever: what its replica deleted, knowing it, is never shown again where the deletion is known,
 * however long others were away.
 */

import { memberNumberOf } from "../../src/core/ids.js";
import { type Part, partText } from "../checks/eventual-known.js";
import { isKnown, SimClient } from "../cluster/client.js";
import type { SimNode } from "../cluster/cluster.js";
import type { Level } from "./eventual-floors.js";
import { repeat, type SimLoad, type SimWorkload } from "./workload.js";

/** A key of one client, which writes to it at one node. */
interface Owned {
  readonly key: string;
  readonly home: SimNode;
  readonly level: Level;
  /** By text: values whose deletion was answered, and when. */
  readonly dead: Map<string, { readonly write: Part; readonly deletedMs: number }>;
}

const LEVELS: readonly Level[] = ["one", "quorum", "all"];

export class EventualDeletes implements SimWorkload {
  readonly name = "eventual-deletes";
  readonly property = "no resurrection";
  readonly #owned: Owned[] = [];
  #written = 0;

  start(load: SimLoad): void {
    const { cluster, eventual } = load;
    for (const home of cluster.nodes) {
      for (const level of LEVELS) {
        const key = `d-${home.id}-${level}`;
        if (!eventual.holds(home.id, key)) continue;
        const owned: Owned = { key, home, level, dead: new Map() };
        this.#owned.push(owned);
        const levels = { keyspace: eventual.id, readLevel: "one", writeLevel: level } as const;
        const client = new SimClient(cluster, levels, 0, home);
        repeat(load, (next) => this.#setAndDelete(load, client, owned, next));
      }
    }
    for (const reader of cluster.nodes) {
      for (const level of LEVELS) {
        const client = new SimClient(cluster, { keyspace: eventual.id, readLevel: level }, 0, reader);
        repeat(load, (next) => this.#read(load, client, reader, level, next));
      }
    }
  }

  #setAndDelete(load: SimLoad, client: SimClient, owned: Owned, next: () => void): void {
    const { world, cluster, eventual } = load;
    const { key, dead } = owned;
    const group = eventual.groupOf(key);
    this.#written += 1;
    const text = `d${this.#written}`;
    const remove = () => {
      if (load.isOver()) return;
      client.send(["DEL", key], (answer) => {
        const write = cluster.eventualSafety.writeOf(group, key, text);
        const isDead =
          isKnown(answer) &&
          write !== undefined &&
          cluster.eventualSafety.deletionOf(group, key, write) !== undefined;
        if (isDead) dead.set(text, { write, deletedMs: world.nowMs });
        next();
      });
    };
    client.send(["SET", key, text], () => world.schedule(load.pauseMs * world.random.unit() * 4, remove));
  }

  #read(load: SimLoad, client: SimClient, reader: SimNode, level: Level, next: () => void): void {
    const { world } = load;
    if (this.#owned.length === 0) return;
    const owned = world.random.pick(this.#owned);
    const { key, dead } = owned;
    const invokedMs = world.nowMs;
    client.send(["GET", key], (answer) => {
      const found = typeof answer === "string" ? dead.get(answer) : undefined;
      if (
        found !== undefined &&
        found.deletedMs <= invokedMs &&
        this.#knows(load, owned, reader, level, found.write)
      ) {
        const what = `${key} shows ${String(answer)} (${partText(found.write)}) at ${reader.id}, level ${level}`;
        load.expect(false, `${what}, deleted at ${owned.home.id} with ${owned.level}`);
      }
      next();
    });
  }

  /** Whether a read at `reader` must know of the deletion. */
  #knows({ cluster }: SimLoad, owned: Owned, reader: SimNode, level: Level, { origin }: Part): boolean {
    if (owned.level === "all" || (owned.level === "quorum" && level !== "one")) return true;
    const asksHome = level === "all" || (level === "one" && reader === owned.home);
    return asksHome && !this.#isLost(cluster.nodes, origin);
  }

  /** The disk on which it was written may be gone. */
  #isLost(nodes: readonly SimNode[], origin: number): boolean {
    return nodes[memberNumberOf(origin as never) - 1].hasLostDisk;
  }

  async check(): Promise<void> {
    await Promise.resolve();
  }
}
