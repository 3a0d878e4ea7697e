/** Making and dropping keyspaces: the map is changed, and then this node is waited for to follow it. */
import { MinikeyError } from "../core/errors.js";
import { type GroupId, groupOf, type NodeId, partitionId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Database, KeyspaceInfo } from "./database.js";
import type { Membership } from "./membership.js";
import { notJoined } from "./refusal.js";
import type { Router } from "./router.js";
import { keyspaceInfo } from "./status.js";

export interface KeyspacesParts {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly membership: Membership;
  readonly router: Router;
  /** For a keyspace that does not say. */
  readonly replicas: number;
  readonly partitions: number;
  readonly requestTimeoutMs: number;
  /** A replica of the group is open on this node. */
  isOpen(group: GroupId): boolean;
}

const LOOK_AGAIN_MS = 10;

export class Keyspaces {
  readonly #parts: KeyspacesParts;

  constructor(parts: KeyspacesParts) {
    this.#parts = parts;
  }

  /** As `Database.createKeyspace`. */
  async create(options: Parameters<Database["createKeyspace"]>[0]): Promise<KeyspaceInfo> {
    const { name, consistency, storage } = options;
    const { membership, replicas, partitions } = this.#parts;
    this.#expectMap();
    await membership.change({
      do: "create-keyspace",
      name,
      consistency,
      storage,
      replicas: options.replicas ?? replicas,
      partitions: options.partitions ?? partitions,
    });
    return await this.#until(() => this.#openedHere(name));
  }

  /** As `Database.dropKeyspace`. */
  async drop(name: string): Promise<void> {
    const { membership, router } = this.#parts;
    this.#expectMap();
    await membership.change({ do: "drop-keyspace", name });
    await this.#until(() => router.keyspaceByName(name) === undefined || undefined);
  }

  /** A change would wait for the cluster to form, for as long as that takes. */
  #expectMap(): void {
    if (this.#parts.membership.map.epoch === 0) throw notJoined();
  }

  /** The keyspace, once all replicas of it are open that this node is to hold. */
  #openedHere(name: string): KeyspaceInfo | undefined {
    const { self, router } = this.#parts;
    const keyspace = router.keyspaceByName(name);
    if (keyspace === undefined) return undefined;
    const isOpened = keyspace.placement.every(
      (nodes, i) => !nodes.includes(self) || this.#parts.isOpen(groupOf(keyspace.id, partitionId(i))),
    );
    return isOpened ? keyspaceInfo(keyspace) : undefined;
  }

  /** What `get` gives once it gives something: this node follows the map a moment after it changed. */
  async #until<T>(get: () => T | undefined): Promise<T> {
    const { clock, requestTimeoutMs } = this.#parts;
    const giveUpMs = clock.monotonicMs() + requestTimeoutMs;
    for (;;) {
      const value = get();
      if (value !== undefined) return value;
      if (clock.monotonicMs() > giveUpMs) {
        throw new MinikeyError(
          "OUTCOME_UNKNOWN",
          "the change is made, but this node has not seen it in time",
        );
      }
      await new Promise<void>((resolve) => {
        clock.after(LOOK_AGAIN_MS, resolve);
      });
    }
  }
}
