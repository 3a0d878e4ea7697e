/**
 * What a start makes of its data directory, before anything in it is opened: who it belongs to, and whether it is
 * gone on with, emptied, or rebuilt.
 *
 *   identity.json          without --rebuild        with --rebuild
 *   ──────────────────     ──────────────────       ──────────────────────────────────────────────────
 *   missing, no data       a new node               the same: there is nothing to rebuild
 *   missing, with data     refused                  as damaged: it was written before any data was
 *   fresh, forming         goes on; no data yet     the same
 *   formed                 goes on                  rebuilt, once the cluster can do without it
 *   formed, rebuilt        goes on, as formed       goes on: it was done, and the option was only left there
 *   damaged                refused                  rebuilt, once a cluster knows this node
 *
 * A rebuild is: the cluster's consent (node/rebuild.ts), then a fresh identity of that cluster, then the data
 * removed. Killed anywhere after the consent, the next start finds a fresh directory that goes back to its cluster,
 * with the option or without.
 */
import { MinikeyError } from "../core/errors.js";
import type { NodeId } from "../core/ids.js";
import { isFoundedBy } from "../node/forming.js";
import { type Identity, readIdentity, writeIdentity } from "../node/identity.js";
import { Rebuild } from "../node/rebuild.js";
import type { Clock } from "../ports/clock.js";
import type { Disk } from "../ports/disk.js";
import type { Logger } from "../ports/logger.js";
import type { Random } from "../ports/random.js";
import type { Transport } from "../ports/transport.js";

/** What the directory holds, beside its lock and the identity. */
export const LOG_DIRECTORY = "wal";
export const DISK_DIRECTORY = "disk";
export const MEMORY_DIRECTORY = "memory";
const DATA_DIRECTORIES = [LOG_DIRECTORY, DISK_DIRECTORY, MEMORY_DIRECTORY];

export interface DirectorySettings {
  readonly id: NodeId;
  readonly dataDir: string;
  readonly founders: readonly { readonly id: NodeId; readonly address: string }[];
  readonly rebuild: boolean;
  readonly disk: Disk;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly transportOf: (identity: Identity) => Transport;
  /** Rejects with `WRONG_CLUSTER` when a member's peers are of another cluster: nothing has been changed then. */
  readonly meetCluster: (member: Identity) => Promise<void>;
}

/**
 * Resolves with the identity to start with. Rejects with `MinikeyError`: `WRONG_CLUSTER`, `DATA_CORRUPT`,
 * `DATA_NEWER`, `BAD_CONFIG`. With `rebuild` it may wait for the cluster for as long as it takes, and changes
 * nothing meanwhile.
 */
export async function prepareDirectory(settings: DirectorySettings): Promise<Identity> {
  const { disk, logger, rebuild } = settings;
  const found = await readOwnIdentity(settings);
  if (rebuild) requirePeers(settings);
  if (found !== undefined && found !== "damaged") requireFounders(settings, found);
  if (found === "damaged") return await rebuildDirectory(settings, "");
  if (found === undefined) return await emptyDirectory(settings, newIdentity(settings, ""));
  if (rebuild && found.stage === "formed" && found.rebuilt !== true) {
    return await rebuildDirectory(settings, found.clusterId);
  }
  if (found.stage === "formed") await settings.meetCluster(found);
  const identity = rebuild ? found : withoutMark(found);
  if (identity !== found) await writeIdentity(disk, identity);
  if (rebuild && found.rebuilt === true) {
    logger.warn("the data here was rebuilt already, and is gone on with: --rebuild can be left out now");
  }
  // Until it is a member a node has no data; what lies here is of an earlier life.
  if (identity.stage !== "formed") await removeData(disk);
  return identity;
}

/** The data turned out to be damaged, although `--rebuild` had no reason to do anything. */
export async function rebuildAgain(settings: DirectorySettings, identity: Identity): Promise<Identity> {
  return await rebuildDirectory(settings, identity.clusterId);
}

async function readOwnIdentity(settings: DirectorySettings): Promise<Identity | "damaged" | undefined> {
  const { dataDir, disk, id, rebuild } = settings;
  let found: Identity | undefined;
  try {
    found = await readIdentity(disk);
    if (found === undefined) await requireNoData(disk);
  } catch (error) {
    if (rebuild && error instanceof MinikeyError && error.code === "DATA_CORRUPT") return "damaged";
    throw error;
  }
  if (found !== undefined && found.nodeId !== id) {
    throw new MinikeyError(
      "WRONG_CLUSTER",
      `the data directory ${dataDir} belongs to node ${found.nodeId}, not to ${id}`,
    );
  }
  return found;
}

/** What has no identity any more may be all that there is of a cluster: it is not taken for a new node's. */
async function requireNoData(disk: Disk): Promise<void> {
  for (const directory of DATA_DIRECTORIES) {
    if ((await disk.list(directory)).length === 0) continue;
    throw new MinikeyError("DATA_CORRUPT", `identity.json is missing, but there is data in ${directory}`);
  }
}

function requirePeers({ founders }: DirectorySettings): void {
  if (founders.length > 1) return;
  throw new MinikeyError(
    "BAD_CONFIG",
    "--rebuild needs other replicas to fetch the data from, and there are none",
  );
}

/** The members that the metadata group began with are not written anywhere but in `--cluster`. */
function requireFounders({ dataDir, founders }: DirectorySettings, { clusterId }: Identity): void {
  const names = founders.map(({ id }) => id);
  if (isFoundedBy(clusterId, names)) return;
  throw new MinikeyError(
    "BAD_CONFIG",
    `the cluster of ${dataDir} was founded by other nodes than ${names.join(", ")}: --cluster must name the same`,
  );
}

async function rebuildDirectory(settings: DirectorySettings, clusterId: string): Promise<Identity> {
  const { clock, founders, id, logger, transportOf } = settings;
  const fresh = newIdentity(settings, clusterId);
  const rebuild = new Rebuild(
    { clusterId, disk: fresh.disk, peers: peersOf(id, founders) },
    { clock, logger, transport: transportOf(fresh) },
  );
  return await emptyDirectory(settings, { ...fresh, clusterId: await rebuild.run(), rebuilt: true });
}

/** The other founders' addresses. */
export function peersOf(self: NodeId, founders: DirectorySettings["founders"]): ReadonlyMap<NodeId, string> {
  return new Map(founders.filter(({ id }) => id !== self).map(({ id, address }) => [id, address]));
}

/** From the moment that the identity is written, what else lies there counts for nothing. */
async function emptyDirectory({ disk }: DirectorySettings, identity: Identity): Promise<Identity> {
  await writeIdentity(disk, identity);
  await removeData(disk);
  return identity;
}

async function removeData(disk: Disk): Promise<void> {
  for (const directory of DATA_DIRECTORIES) await disk.removeTree(directory);
  await disk.syncDirectory("");
}

function newIdentity({ id, random }: DirectorySettings, clusterId: string): Identity {
  const disk = random.id48().toString(36);
  return { nodeId: id, clusterId, memberNumber: 0, incarnation: 0, disk, stage: "fresh" };
}

function withoutMark(identity: Identity): Identity {
  if (identity.rebuilt !== true) return identity;
  const { rebuilt: _, ...rest } = identity;
  return rest;
}
