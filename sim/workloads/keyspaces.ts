/** Keyspaces that come, are used and go: what is written is read back, and what is dropped leaves nothing. */
import assert from "node:assert/strict";
import { type KeyspaceId, keyspaceOf, META_GROUP } from "../../src/core/ids.js";
import type { KeyspaceInfo } from "../../src/node/database.js";
import { isKnown, isRefused, SimClient } from "../cluster/client.js";
import { repeat, type SimLoad, type SimWorkload } from "./workload.js";

export class Keyspaces implements SimWorkload {
  readonly name = "keyspaces";
  readonly property = "keyspaces";
  /** Fewer replicas than nodes may be lost with a disk. */
  readonly #replicasMin: number;
  readonly #dropped = new Set<KeyspaceId>();
  #made = 0;

  constructor(replicasMin: number) {
    this.#replicasMin = replicasMin;
  }

  start(load: SimLoad): void {
    repeat(load, (next) => this.#createAndUse(load, next));
  }

  #createAndUse(load: SimLoad, next: () => void): void {
    const { cluster } = load;
    const { random } = cluster.world;
    const { node } = random.pick(cluster.nodes);
    if (node === undefined) {
      next();
      return;
    }
    this.#made += 1;
    const name = `ks${this.#made}`;
    const created = node.createKeyspace({
      name,
      consistency: "strong",
      storage: random.pick(["disk", "memory"] as const),
      replicas: this.#replicasMin + random.below(4 - this.#replicasMin),
      partitions: 1 + random.below(3),
    });
    // A node that dies answers no more.
    let isOver = false;
    const goOn = () => {
      if (!isOver) next();
      isOver = true;
    };
    cluster.world.schedule(10_000, goOn);
    created.then(
      (keyspace) => {
        if (!isOver) this.#use(load, keyspace, goOn);
      },
      () => goOn(),
    );
  }

  #use(load: SimLoad, keyspace: KeyspaceInfo, next: () => void): void {
    const { world } = load.cluster;
    const client = new SimClient(load.cluster, { keyspace: keyspace.id }, 0.3);
    const values = new Map<string, string>();
    let left = 3 + world.random.below(10);
    let isClear = true;
    const step = () => {
      left -= 1;
      if (left <= 0) {
        this.#drop(load, keyspace, next);
        return;
      }
      const key = `k${world.random.below(3)}`;
      const then = () => world.schedule(load.pauseMs, step);
      if (world.random.chance(0.5)) {
        const value = `${keyspace.name}-${left}`;
        client.send(["SET", key, value], (answer) => {
          if (isKnown(answer)) values.set(key, value);
          else if (!isRefused(answer)) isClear = false;
          then();
        });
      } else {
        client.send(["GET", key], (answer) => {
          const isRight = answer === (values.get(key) ?? null);
          load.expect(!isKnown(answer) || !isClear || isRight, `${keyspace.name} ${key}: ${String(answer)}`);
          then();
        });
      }
    };
    step();
  }

  #drop(load: SimLoad, keyspace: KeyspaceInfo, next: () => void): void {
    const { cluster } = load;
    const { node } = cluster.world.random.pick(cluster.nodes);
    if (node === undefined) {
      next();
      return;
    }
    // Used until it is gone.
    const client = new SimClient(cluster, { keyspace: keyspace.id });
    for (let i = 0; i < 4; i += 1) client.send(["INCR", `k${i}`], () => undefined);
    let isOver = false;
    const goOn = () => {
      if (!isOver) next();
      isOver = true;
    };
    cluster.world.schedule(10_000, goOn);
    node.dropKeyspace(keyspace.name).then(
      () => {
        this.#dropped.add(keyspace.id);
        goOn();
      },
      () => goOn(),
    );
  }

  async check(load: SimLoad): Promise<void> {
    const left = () =>
      load.cluster.nodes.flatMap(({ durable: { log, stores } }) =>
        [...log.keys(), ...stores.disk.keys(), ...stores.memory.keys()].filter(
          (group) => group !== META_GROUP && this.#dropped.has(keyspaceOf(group)),
        ),
      );
    const isClean = await load.cluster.world.run(10_000, () => left().length === 0);
    assert(isClean, `groups of dropped keyspaces are left: ${left().join(" ")}`);
  }
}
