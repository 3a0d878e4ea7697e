/** The eventual keyspace of a life, the first that is made in it: which groups are its partitions, and where they are. */
import {
  type GroupId,
  groupOf,
  type KeyspaceId,
  keyspaceId,
  keyspaceOf,
  type NodeId,
  partitionId,
  partitionOf,
} from "../../src/core/ids.js";
import type { ReadLevel, WriteLevel } from "../../src/node/database.js";
import { partitionOfSlot } from "../../src/sharding/partitions.js";
import { placeReplicas } from "../../src/sharding/ring.js";
import { slotOfKey } from "../../src/sharding/slots.js";

export interface EventualSettings {
  readonly storage: "disk" | "memory";
  readonly replicas: number;
  readonly partitions: number;
  /** So many hints a partition at most; the product's own bound when undefined. */
  readonly hintsMax: number | undefined;
}

export class EventualKeyspace {
  readonly name = "eventual";
  readonly id: KeyspaceId = keyspaceId(1);
  readonly settings: EventualSettings;
  readonly groups: readonly GroupId[];
  readonly #placement: readonly (readonly NodeId[])[];

  /** @param nodes all members, as of its making */
  constructor(settings: EventualSettings, nodes: readonly NodeId[]) {
    const { replicas, partitions } = settings;
    this.settings = settings;
    this.#placement = placeReplicas({ nodes, partitions, replicas, salt: this.id });
    this.groups = this.#placement.map((_, partition) => groupOf(this.id, partitionId(partition)));
  }

  has(group: GroupId): boolean {
    return keyspaceOf(group) === this.id;
  }

  groupOf(key: string): GroupId {
    return this.groups[partitionOfSlot(slotOfKey(key), this.settings.partitions)];
  }

  /** The nodes that hold a partition. */
  placementOf(group: GroupId): readonly NodeId[] {
    return this.#placement[partitionOf(group)] ?? [];
  }

  holds(node: NodeId, key: string): boolean {
    return this.placementOf(this.groupOf(key)).includes(node);
  }

  /** How many replicas a level asks for. */
  replicasFor(level: ReadLevel | WriteLevel): number {
    const { replicas } = this.settings;
    if (level === "all") return replicas;
    return level === "quorum" ? Math.floor(replicas / 2) + 1 : 1;
  }
}
