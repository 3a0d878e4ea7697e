/**
 * Opens a node on this machine: the data directory and its lock, the log, the storage engines, the transport.
 */
import { join } from "node:path";
import { MinikeyError } from "../core/errors.js";
import type { NodeId } from "../core/ids.js";
import { meetCluster } from "../node/first-meeting.js";
import { greetingOf } from "../node/formation.js";
import type { Identity } from "../node/identity.js";
import { MinikeyNode } from "../node/node.js";
import type { NodeParts } from "../node/node-options.js";
import { systemClock } from "../platform/clock.js";
import { lockDirectory } from "../platform/directory-lock.js";
import { openDisk } from "../platform/disk.js";
import { openLmdbEngine } from "../platform/lmdb/engine.js";
import { availableBytes } from "../platform/memory.js";
import { noTransport } from "../platform/no-transport.js";
import { systemRandom } from "../platform/random.js";
import { TcpTransport } from "../platform/tcp-transport.js";
import type { Clock } from "../ports/clock.js";
import type { Disk } from "../ports/disk.js";
import type { Logger } from "../ports/logger.js";
import type { Random } from "../ports/random.js";
import type { Transport } from "../ports/transport.js";
import { openLog } from "../storage/log/open-log.js";
import type { RecoveryReport } from "../storage/log/types.js";
import { openMemoryEngine } from "../storage/memory/engine.js";
import {
  DISK_DIRECTORY,
  LOG_DIRECTORY,
  MEMORY_DIRECTORY,
  peersOf,
  prepareDirectory,
  rebuildAgain,
} from "./data-directory.js";

export interface NodeSettings {
  readonly id: NodeId;
  readonly dataDir: string;
  /** All members as of the cluster's founding, with their peer addresses; alone when it is only this node. */
  readonly founders: readonly { readonly id: NodeId; readonly address: string }[];
  /** Where to listen for peers; undefined for a node without any. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** Where peers reach this node. */
  readonly advertise: string;
  readonly replicas: number;
  readonly partitions: number;
  readonly valueBytesMax: number;
  readonly readMode: "quorum" | "lease";
  readonly requestTimeoutMs: number;
  readonly version: string;
  /** Throw away what is here, once the cluster can do without it, and fetch it again from the other replicas. */
  readonly rebuild: boolean;
  readonly logger: Logger;
  /** The node cannot go on; the process should end. Called at most once. */
  readonly onFatal: (error: unknown) => void;
}

/** A follower that lacks no more than its partition's share of this gets it from the log, else a snapshot. */
const LOG_BYTES_KEPT = 16 * 1024 * 1024;

/** Of the memory there is, for writes that the disk engine has not saved yet; within these bounds. */
const UNSAVED_PART = 1 / 8;
const UNSAVED_BYTES_LEAST = 128 * 1024 * 1024;
const UNSAVED_BYTES_MOST = 512 * 1024 * 1024;

function unsavedBytesMax(): number {
  const part = availableBytes() * UNSAVED_PART;
  return Math.min(UNSAVED_BYTES_MOST, Math.max(UNSAVED_BYTES_LEAST, part));
}

export interface OpenNode {
  readonly node: MinikeyNode;
  readonly clock: Clock;
  readonly stop: () => Promise<void>;
}

/**
 * Opens what the node needs; `node.start()` then brings it into its cluster. Rejects with `MinikeyError`:
 * `BAD_CONFIG`, `DATA_IN_USE`, `DATA_CORRUPT`, `DATA_NEWER`, `WRONG_CLUSTER`, `DISK_FAILED`.
 */
export async function openNode(settings: NodeSettings): Promise<OpenNode> {
  const disk = await openDataDirectory(settings.dataDir);
  const lock = await lockDirectory(settings.dataDir);
  try {
    const parts = { clock: systemClock(), random: systemRandom(), disk };
    const node = await assemble(settings, parts);
    const stop = async () => {
      await node.stop();
      await lock.release();
    };
    return { node, clock: parts.clock, stop };
  } catch (error) {
    await lock.release();
    throw withAdvice(error, settings);
  }
}

async function openDataDirectory(path: string): Promise<Disk> {
  try {
    return await openDisk(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isTaken = code === "EEXIST" || code === "ENOTDIR";
    const why = isTaken ? "a file of that name is in the way" : (error as Error).message;
    throw new MinikeyError("BAD_CONFIG", `cannot make the data directory ${path}: ${why}`, { cause: error });
  }
}

/** Damage that other replicas can make good is said together with how. */
function withAdvice(error: unknown, settings: NodeSettings): unknown {
  if (!(error instanceof MinikeyError) || error.code !== "DATA_CORRUPT") return error;
  const advice =
    settings.founders.length > 1
      ? "minikey start --rebuild fetches it again from the other replicas, and keeps what is here until they can do without"
      : "restore the directory from a backup";
  return new MinikeyError("DATA_CORRUPT", `${settings.dataDir}: ${error.message}; ${advice}`, {
    cause: error,
  });
}

async function assemble(
  settings: NodeSettings,
  parts: { readonly clock: Clock; readonly random: Random; readonly disk: Disk },
): Promise<MinikeyNode> {
  const { clock, random, disk } = parts;
  const { logger } = settings;
  const onFatal = onlyOnce(settings.onFatal);
  const { identity, storage } = await openDirectory(settings, parts, onFatal);
  const { log, report, diskEngine, memoryEngine } = storage;
  if (report.tornTail !== undefined) logger.warn("cut off a torn tail of the log", report.tornTail);
  const transport = openTransport(settings, clock, identity);
  return new MinikeyNode(
    identity,
    {
      founders: settings.founders,
      peerAddress: settings.advertise,
      replicas: settings.replicas,
      partitions: settings.partitions,
      valueBytesMax: settings.valueBytesMax,
      readMode: settings.readMode,
      requestTimeoutMs: settings.requestTimeoutMs,
      logBytesKept: LOG_BYTES_KEPT,
      unsavedBytesMax: unsavedBytesMax(),
      version: settings.version,
    },
    { clock, random, disk, logger, transport, log, recovery: report, diskEngine, memoryEngine, onFatal },
  );
}

function openTransport(
  { listen, advertise, logger }: NodeSettings,
  clock: Clock,
  identity: Identity,
): Transport {
  if (listen === undefined) return noTransport();
  return new TcpTransport({ greeting: greetingOf(identity, advertise), listen, clock, logger });
}

type Storage = Pick<NodeParts, "log" | "diskEngine" | "memoryEngine"> & { readonly report: RecoveryReport };

/** The identity and the storage of a directory that is fit to go on with. */
async function openDirectory(
  settings: NodeSettings,
  parts: { readonly clock: Clock; readonly random: Random; readonly disk: Disk },
  onFatal: (error: unknown) => void,
): Promise<{ readonly identity: Identity; readonly storage: Storage }> {
  const directory = {
    ...settings,
    ...parts,
    transportOf: (identity: Identity) => openTransport(settings, parts.clock, identity),
    async meetCluster(member: Identity) {
      const transport = openTransport(settings, parts.clock, member);
      const peers = peersOf(settings.id, settings.founders);
      await meetCluster({ clusterId: member.clusterId, peers }, { clock: parts.clock, transport });
    },
  };
  const identity = await prepareDirectory(directory);
  try {
    return { identity, storage: await openStorage(settings, parts, onFatal) };
  } catch (error) {
    // What `--rebuild` fetched the last time has been damaged since.
    const isDamaged = error instanceof MinikeyError && error.code === "DATA_CORRUPT";
    if (!isDamaged || !settings.rebuild) throw error;
    const rebuilt = await rebuildAgain(directory, identity);
    return { identity: rebuilt, storage: await openStorage(settings, parts, onFatal) };
  }
}

/** All of it, or nothing: what was opened before something failed is closed again. */
async function openStorage(
  { dataDir, logger }: NodeSettings,
  { clock, random, disk }: { readonly clock: Clock; readonly random: Random; readonly disk: Disk },
  onFailure: (error: unknown) => void,
): Promise<Storage> {
  const opened: { close(): Promise<void> }[] = [];
  try {
    const { log, report } = await openLog(disk, LOG_DIRECTORY, {
      random,
      clock,
      onFailure,
      onFull: (file) =>
        logger.warn("the disk is full: writes go on while the log's current segment has room", { file }),
    });
    opened.push(log);
    const diskEngine = await openLmdbEngine({ path: join(dataDir, DISK_DIRECTORY), clock, logger });
    opened.push(diskEngine);
    const memoryEngine = await openMemoryEngine({ disk, directory: MEMORY_DIRECTORY, clock, logger });
    return { log, report, diskEngine, memoryEngine };
  } catch (error) {
    for (const part of opened.toReversed()) await part.close();
    throw error;
  }
}

function onlyOnce(handler: (error: unknown) => void): (error: unknown) => void {
  let isCalled = false;
  return (error) => {
    if (isCalled) return;
    isCalled = true;
    handler(error);
  };
}
