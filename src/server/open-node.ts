/**
 * Opens a node on this machine: the data directory and its lock, the log, the storage engines, the transport.
 */
import { join } from "node:path";
import { MinikeyError } from "../core/errors.js";
import type { NodeId } from "../core/ids.js";
import { greetingOf } from "../node/formation.js";
import { type Identity, readIdentity, writeIdentity } from "../node/identity.js";
import { MinikeyNode } from "../node/node.js";
import type { NodeParts } from "../node/node-options.js";
import { systemClock } from "../platform/clock.js";
import { lockDirectory } from "../platform/directory-lock.js";
import { openDisk } from "../platform/disk.js";
import { openLmdbEngine } from "../platform/lmdb/engine.js";
import { noTransport } from "../platform/no-transport.js";
import { systemRandom } from "../platform/random.js";
import { TcpTransport } from "../platform/tcp-transport.js";
import type { Clock } from "../ports/clock.js";
import type { Disk } from "../ports/disk.js";
import type { Logger } from "../ports/logger.js";
import type { Random } from "../ports/random.js";
import { openLog } from "../storage/log/open-log.js";
import type { RecoveryReport } from "../storage/log/types.js";
import { openMemoryEngine } from "../storage/memory/engine.js";

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
  /** Throw away what is here and fetch it again from the other replicas. */
  readonly rebuild: boolean;
  readonly logger: Logger;
  /** The node cannot go on; the process should end. Called at most once. */
  readonly onFatal: (error: unknown) => void;
}

export interface OpenNode {
  readonly node: MinikeyNode;
  readonly clock: Clock;
  readonly stop: () => Promise<void>;
}

/** What the data directory holds, beside its lock. */
const LOG_DIRECTORY = "wal";
const DISK_DIRECTORY = "disk";
const MEMORY_DIRECTORY = "memory";

/**
 * Opens what the node needs; `node.start()` then brings it into its cluster. Rejects with `MinikeyError`:
 * `DATA_IN_USE`, `DATA_CORRUPT`, `DATA_NEWER`, `WRONG_CLUSTER`, `DISK_FAILED`.
 */
export async function openNode(settings: NodeSettings): Promise<OpenNode> {
  const disk = await openDisk(settings.dataDir);
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

/** Damage that other replicas can make good is said together with how. */
function withAdvice(error: unknown, settings: NodeSettings): unknown {
  if (!(error instanceof MinikeyError) || error.code !== "DATA_CORRUPT") return error;
  const advice =
    settings.founders.length > 1
      ? "minikey start --rebuild throws this node's data away and fetches it again from the other replicas"
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
  const identity = await prepareIdentity(settings, disk, random);
  const { log, report, diskEngine, memoryEngine } = await openStorage(settings, parts, onFatal);
  if (report.tornTail !== undefined) logger.warn("cut off a torn tail of the log", report.tornTail);
  const transport =
    settings.listen === undefined
      ? noTransport()
      : new TcpTransport({
          greeting: greetingOf(identity, settings.advertise),
          listen: settings.listen,
          clock,
          logger,
        });
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
      version: settings.version,
    },
    { clock, random, disk, logger, transport, log, recovery: report, diskEngine, memoryEngine, onFatal },
  );
}

/** All of it, or nothing: what was opened before something failed is closed again. */
async function openStorage(
  { dataDir, logger }: NodeSettings,
  { clock, random, disk }: { readonly clock: Clock; readonly random: Random; readonly disk: Disk },
  onFailure: (error: unknown) => void,
): Promise<Pick<NodeParts, "log" | "diskEngine" | "memoryEngine"> & { readonly report: RecoveryReport }> {
  const opened: { close(): Promise<void> }[] = [];
  try {
    const { log, report } = await openLog(disk, LOG_DIRECTORY, { random, clock, onFailure });
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

/** What the directory says of itself; a new directory gets a name for its disk. */
async function prepareIdentity(settings: NodeSettings, disk: Disk, random: Random): Promise<Identity> {
  const found = await readIdentity(disk);
  if (found !== undefined && found.nodeId !== settings.id) {
    throw new MinikeyError(
      "WRONG_CLUSTER",
      `the data directory ${settings.dataDir} belongs to node ${found.nodeId}, not to ${settings.id}`,
    );
  }
  if (found !== undefined && found.stage !== "fresh" && !settings.rebuild) return found;
  if (settings.rebuild && settings.founders.length === 1) {
    throw new MinikeyError(
      "BAD_CONFIG",
      "--rebuild needs other replicas to fetch the data from, and there are none",
    );
  }
  const fresh: Identity = {
    nodeId: settings.id,
    // A rebuilt node goes back to its cluster, and never founds another.
    clusterId: found?.clusterId ?? "",
    memberNumber: 0,
    incarnation: 0,
    disk: random.id48().toString(36),
    stage: "fresh",
  };
  await writeIdentity(disk, fresh);
  // Until it is a member a node has no data; what lies here is of an earlier life.
  for (const directory of [LOG_DIRECTORY, DISK_DIRECTORY, MEMORY_DIRECTORY]) await disk.removeTree(directory);
  await disk.syncDirectory("");
  return fresh;
}

function onlyOnce(handler: (error: unknown) => void): (error: unknown) => void {
  let isCalled = false;
  return (error) => {
    if (isCalled) return;
    isCalled = true;
    handler(error);
  };
}
