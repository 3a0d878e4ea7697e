/**
 * Clients that each stay at one node with a replica, at `one`: it takes reads and writes whatever becomes of the
 * others, and they read what they wrote.
 */
import { MinikeyError } from "../../src/core/errors.js";
import { memberNumberOf } from "../../src/core/ids.js";
import { compareWrites, type Part } from "../checks/eventual-known.js";
import { type Answer, isKnown, SimClient } from "../cluster/client.js";
import type { SimNode } from "../cluster/cluster.js";
import { repeat, type SimLoad, type SimWorkload } from "./workload.js";

const KEYS = ["h0", "h1", "h2"];
/** Beside the node's own time-out: for what its timers and disk take. */
const LATE_MS_MAX = 1_000;
/** A node that is not up yet, or ends, or has too much to do. */
const EXCUSES = new Set(["NOT_READY", "STOPPING", "OVERLOADED"]);

/** What a client has written. */
interface Own {
  readonly write: Part;
  readonly invokedMs: number;
}

export class EventualHomes implements SimWorkload {
  readonly name = "eventual-homes";
  readonly property = "always writable";
  #written = 0;

  start(load: SimLoad): void {
    for (const home of load.cluster.nodes) {
      const keys = KEYS.filter((key) => load.eventual.holds(home.id, key));
      if (keys.length === 0) continue;
      const levels = { keyspace: load.eventual.id, readLevel: "one", writeLevel: "one" } as const;
      const client = new SimClient(load.cluster, levels, 0, home);
      const own = new Map<string, Own>();
      repeat(load, (next) => this.#act(load, client, home, load.world.random.pick(keys), own, next));
    }
    const { replicas } = load.eventual.settings;
    if (replicas > 1) for (const home of load.cluster.nodes) this.#demand(load, home);
  }

  #act(
    load: SimLoad,
    client: SimClient,
    home: SimNode,
    key: string,
    own: Map<string, Own>,
    next: () => void,
  ): void {
    const { world, cluster, eventual } = load;
    const group = eventual.groupOf(key);
    const invokedMs = world.nowMs;
    const watched = new Watched(load, home);
    if (world.random.chance(0.5)) {
      // A node that is starting asks others until its replica is open.
      const least = home.node?.isReady === true ? own.get(key) : undefined;
      client.send(["GET", key], (answer) => {
        watched.check("GET", answer);
        if (isKnown(answer) && least !== undefined && cluster.wipedMs < least.invokedMs) {
          this.#checkOwn(load, key, least.write, answer as string | null);
        }
        next();
      });
      return;
    }
    this.#written += 1;
    const value = `h${this.#written}`;
    client.send(["SET", key, value], (answer) => {
      watched.check("SET", answer);
      const write = isKnown(answer) ? cluster.eventualSafety.writeOf(group, key, value) : undefined;
      // Not one that another node took, while this one had lost its disk.
      if (write !== undefined && cluster.nodes[memberNumberOf(write.origin) - 1] === home) {
        own.set(key, { write, invokedMs });
      }
      next();
    });
  }

  #checkOwn(load: SimLoad, key: string, own: Part, text: string | null): void {
    const { cluster, eventual } = load;
    const shown =
      text === null ? undefined : cluster.eventualSafety.writeOf(eventual.groupOf(key), key, text);
    const isRight = shown !== undefined && compareWrites(shown, own) >= 0;
    const was = `${own.origin}:${own.number} of ${own.stamp} there`;
    load.expect(isRight, `GET ${key} shows ${String(text)} to who wrote ${was}`);
  }

  /** What asks for several replicas is refused in time when they are not there. */
  #demand(load: SimLoad, home: SimNode): void {
    const { eventual, world } = load;
    for (const level of ["quorum", "all"] as const) {
      const client = new SimClient(
        load.cluster,
        { keyspace: eventual.id, readLevel: level, writeLevel: level },
        0,
        home,
      );
      repeat(load, (next) => {
        const watched = new Watched(load, home);
        const words = world.random.chance(0.5) ? ["GET", "h-all"] : ["SET", "h-all", "1"];
        client.send(words, (answer) => {
          watched.checkTime(words.join(" "), answer);
          world.schedule(10 * load.pauseMs * world.random.unit(), next);
        });
      });
    }
  }

  async check(): Promise<void> {
    await Promise.resolve();
  }
}

/** A node while it carries something out: whether it had reason not to. */
class Watched {
  readonly #load: SimLoad;
  readonly #home: SimNode;
  readonly #process: SimNode["process"];
  readonly #invokedMs: number;
  readonly #pauses: number;
  readonly #hadDisk: boolean;

  constructor(load: SimLoad, home: SimNode) {
    this.#load = load;
    this.#home = home;
    this.#process = home.process;
    this.#invokedMs = load.world.nowMs;
    this.#pauses = home.process?.pauses ?? 0;
    this.#hadDisk = !home.hasLostDisk;
  }

  check(what: string, answer: Answer): void {
    const isExcused =
      !(answer instanceof MinikeyError) || EXCUSES.has(answer.code) || answer.outcome === "unknown";
    if (!isExcused && this.#hadDisk && !this.#home.hasLostDisk) {
      this.#load.expect(false, `${what} at one at ${this.#home.id}, which has a replica: ${answer.message}`);
    }
    this.checkTime(what, answer);
  }

  /** Answered in time, by a process that ran all the time, with a disk like any. */
  checkTime(what: string, answer: Answer): void {
    const { cluster, world } = this.#load;
    const process = this.#process;
    const ran = process?.isAlive === true && !process.isPaused && process.pauses === this.#pauses;
    const wasSlow = this.#home.durable.slowUntilMs >= this.#invokedMs;
    if (!ran || wasSlow || this.#pauses > 0) return;
    const tookMs = world.nowMs - this.#invokedMs;
    const limitMs = cluster.requestTimeoutMs * 1.1 + LATE_MS_MAX;
    const said = answer === undefined ? "not answered" : "answered";
    this.#load.expect(
      tookMs <= limitMs,
      `${what} at ${this.#home.id} was ${said} after ${tookMs.toFixed(0)} ms`,
    );
  }
}
