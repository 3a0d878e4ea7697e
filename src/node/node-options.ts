/** What a node is told, and what it is given to work with. */
import type { NodeId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Disk } from "../ports/disk.js";
import type { Logger } from "../ports/logger.js";
import type { Random } from "../ports/random.js";
import type { StorageEngine } from "../ports/storage-engine.js";
import type { Transport } from "../ports/transport.js";
import type { RecoveryReport, WriteAheadLog } from "../storage/log/types.js";
import { type ClusterMap, foundingMap } from "./cluster-map.js";
import type { ReplicaGroup } from "./replica-group.js";

export interface NodeOptions {
  /** All members of the cluster as of its founding, this node included. */
  readonly founders: readonly { readonly id: NodeId; readonly address: string }[];
  /** Where peers reach this node: `host:port`. */
  readonly peerAddress: string;
  readonly replicas: number;
  readonly partitions: number;
  readonly valueBytesMax: number;
  readonly readMode: "quorum" | "lease";
  readonly requestTimeoutMs: number;
  /** Bytes of all groups' logs kept in memory for followers that come back soon. */
  readonly logBytesKept: number;
  /** Of writes that the disk engine has not saved yet, in memory: beyond, writes wait for it. */
  readonly unsavedBytesMax: number;
  /** Own writes to each eventual partition that are remembered for replicas that are away; left out: 100,000. */
  readonly hintsMax?: number;
  readonly version: string;
}

export interface NodeParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly transport: Transport;
  readonly log: WriteAheadLog;
  readonly recovery: RecoveryReport;
  readonly diskEngine: StorageEngine;
  readonly memoryEngine: StorageEngine;
  /** The node cannot go on: its disk failed, or it must not. */
  readonly onFatal: (error: unknown) => void;
  /** Told of each replica that is opened, before it applies anything: for who watches a node from outside. */
  readonly onReplica?: (replica: ReplicaGroup) => void;
}

/** The map that every founder starts with, if it is the one to found it. */
export function foundingMapOf(options: NodeOptions): ClusterMap {
  const { founders, replicas, partitions, valueBytesMax } = options;
  const members = founders.map(({ id, address }) => ({ id, peerAddress: address }));
  return foundingMap({ members, replicas, partitions, valueBytesMax });
}
