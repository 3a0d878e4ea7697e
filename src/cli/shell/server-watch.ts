/**
 * Which servers of the cluster are up, while the shell runs: those of the user's list and the members that they
 * name, each asked twice a second, so that a server that fails or comes back is noticed.
 *
 * Servers that were up are asked again before a command when the last answer is older than a blink, or their
 * connection has gone, so that what is said of its answer is true when it is given. Servers that were down are
 * not waited for.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { slotOfKey } from "../../sharding/slots.js";
import { type Doubt, doubtOf, knowEachOther, type Sight, thresholdOf } from "./guarantee.js";
import { ServerProbe } from "./server-probe.js";

export interface WatchOptions {
  /** `host:port` of the servers listed. */
  readonly addresses: readonly string[];
  /** Name or number; undefined for the default. */
  readonly keyspace: string | undefined;
  /** Down replicas from which on answers are in doubt; undefined for as many as the keyspace can lose. */
  readonly k: number | undefined;
}

/** What a command is about: keys, or the whole keyspace. */
export type AskedKeys = readonly Key[] | "all";

const ASK_EVERY_MS = 500;
/** Members of a new cluster learn from each other where they listen. */
const ACQUAINTED_WITHIN_MS = 2_000;
/** So that a long list of commands from a pipe does not ask for each of them. */
const FRESH_MS = 5;

export class ServerWatch {
  readonly #options: WatchOptions;
  readonly #probes = new Map<string, ServerProbe>();
  readonly #timer: NodeJS.Timeout;
  #askedMs = 0;

  private constructor(options: WatchOptions) {
    this.#options = options;
    for (const address of options.addresses) this.#addProbe(address);
    this.#timer = setInterval(() => void this.refresh(), ASK_EVERY_MS).unref();
  }

  /**
   * Resolves when every server has answered or is known to be down. Fails with `WRONG_CLUSTER` when two of them
   * are of different clusters, and do not get to know each other soon.
   */
  static async open(options: WatchOptions): Promise<ServerWatch> {
    const watch = new ServerWatch(options);
    const deadlineMs = performance.now() + ACQUAINTED_WITHIN_MS;
    for (;;) {
      await watch.refresh();
      const strange = watch.strangers();
      if (strange === undefined) return watch;
      if (performance.now() >= deadlineMs) {
        await watch.close();
        throw strange;
      }
      await sleep(ASK_EVERY_MS);
    }
  }

  /** An error that names two servers of different clusters; undefined while all that are up belong together. */
  strangers(): MinikeyError | undefined {
    const [first, ...others] = [...this.#probes.values()].filter((probe) => probe.isUp);
    const strange = others.find((probe) => !knowEachOther(first.sight!, probe.sight!));
    return (
      strange &&
      new MinikeyError(
        "WRONG_CLUSTER",
        `${first.address} and ${strange.address} belong to different clusters`,
      )
    );
  }

  get options(): WatchOptions {
    return this.#options;
  }

  /** Asks all of them, and the members they name that were not known. */
  async refresh(): Promise<void> {
    const askedMs = performance.now();
    await Promise.all([...this.#probes.values()].map((probe) => probe.ask()));
    const found = this.#sights()
      .flatMap((sight) => sight.members)
      .filter(({ address }) => address !== "" && !this.#probes.has(address))
      .map(({ address }) => this.#addProbe(address));
    await Promise.all(found.map((probe) => probe.ask()));
    this.#askedMs = askedMs;
  }

  /** Asks those that were up, unless they have just been asked and are still connected. */
  async freshen(): Promise<void> {
    // What the system already knows of lost connections arrives first.
    await nextTurn();
    const nowMs = performance.now();
    const isOld = nowMs - this.#askedMs >= FRESH_MS;
    const uncertain = [...this.#probes.values()].filter(
      (probe) => probe.isUp && (isOld || !probe.isConnected),
    );
    await Promise.all(uncertain.map((probe) => probe.ask()));
    if (isOld) this.#askedMs = nowMs;
  }

  /** Undefined while fewer than k replicas of everything asked for are down. */
  doubt(asked: AskedKeys): Doubt | undefined {
    const slots = asked === "all" ? asked : asked.map((key) => slotOfKey(key));
    return doubtOf(this.#sights(), (id) => !this.#isUp(id), slots, this.#options.k);
  }

  /** Whether so many replicas of some part of the keyspace are down that nothing can be written to it. */
  refusesWrites(): boolean {
    return doubtOf(this.#sights(), (id) => !this.#isUp(id), "all", undefined) !== undefined;
  }

  /** The k that is in force, and how many replicas a key has; undefined while no server has answered. */
  threshold(): { readonly k: number; readonly replicas: number } | undefined {
    const best = this.#sights().at(0);
    if (best === undefined) return undefined;
    const replicas = Math.min(best.replicas, best.members.length);
    return { k: thresholdOf(replicas, this.#options.k), replicas };
  }

  /** The servers that are down, each with its reason, for people. */
  down(): string[] {
    const sights = this.#sights();
    const idOf = new Map(sights.flatMap((sight) => sight.members.map(({ id, address }) => [address, id])));
    return [...this.#probes.values()]
      .filter((probe) => probe.isDown)
      .map(({ address, reason }) => {
        const name = nameIn(sights, idOf.get(address) ?? "");
        return `${name === undefined ? address : `${name} (${address})`} is down: ${reason}`;
      });
  }

  /** What people call a node: its name, or where it listens when nobody says. */
  nameOf(id: string): string {
    const sights = this.#sights();
    const member = sights.flatMap((sight) => sight.members).find((one) => one.id === id);
    return nameIn(sights, id) ?? (member?.address || id);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#probes.values()].map((probe) => probe.close()));
  }

  #addProbe(address: string): ServerProbe {
    const probe = new ServerProbe(address, this.#options.keyspace);
    this.#probes.set(address, probe);
    return probe;
  }

  #isUp(id: string): boolean {
    return [...this.#probes.values()].some((probe) => probe.isUp && probe.sight?.self === id);
  }

  /** What the servers say: of those that are up first, the latest map first. */
  #sights(): Sight[] {
    return [...this.#probes.values()]
      .filter((probe) => probe.sight !== undefined)
      .sort((a, b) => Number(b.isUp) - Number(a.isUp) || b.sight!.epoch - a.sight!.epoch)
      .map((probe) => probe.sight!);
  }
}

const nameIn = (sights: readonly Sight[], id: string): string | undefined =>
  sights.map((sight) => sight.names.get(id)).find((name) => name !== undefined);
