/**
 * What a simulated node stores with. Three ways, and each seed takes one:
 *
 * | storage | log | `disk` keyspaces | `memory` keyspaces |
 * | --- | --- | --- | --- |
 * | `files` | the real one | the real memory engine | the real memory engine |
 * | `mixed` | the real one | a model of the LMDB engine | the real memory engine |
 * | `model` | a model | a model | a model |
 *
 * What is real lies on a simulated disk. LMDB itself is a native library that writes to real files.
 */
import { MinikeyError } from "../../src/core/errors.js";
import type { NodeId } from "../../src/core/ids.js";
import { greetingOf } from "../../src/node/formation.js";
import type { Identity } from "../../src/node/identity.js";
import type { Disk } from "../../src/ports/disk.js";
import type { Logger } from "../../src/ports/logger.js";
import type { Random } from "../../src/ports/random.js";
import {
  DISK_DIRECTORY,
  LOG_DIRECTORY,
  MEMORY_DIRECTORY,
  prepareDirectory,
} from "../../src/server/data-directory.js";
import { openLog } from "../../src/storage/log/open-log.js";
import type { RecoveryReport, WriteAheadLog } from "../../src/storage/log/types.js";
import { openMemoryEngine } from "../../src/storage/memory/engine.js";
import { type DurableState, SimEngine, SimLog } from "../disk/durable.js";
import { MapDisk } from "../disk/map-disk.js";
import type { SimDisk } from "../disk/sim-disk.js";
import { type InspectedEngine, inspected, SlowDisk } from "../disk/slow-disk.js";
import type { SimProcess, World } from "../world/world.js";

export type StorageKind = "files" | "mixed" | "model";

/** A node's disk: each kind of storage uses its part of it. */
export interface NodeDisk {
  readonly id: NodeId;
  /** What models keep … */
  readonly durable: DurableState;
  /** … with their identity, … */
  readonly disk: MapDisk;
  /** … and real files, whoever writes them. */
  readonly files: SimDisk;
}

export interface OpeningSettings {
  readonly kind: StorageKind;
  readonly founders: readonly { readonly id: NodeId; readonly address: string }[];
  readonly process: SimProcess;
  readonly random: Random;
  readonly logger: Logger;
  readonly rebuild: boolean;
  /** The start takes simulated time, in which the process may die. Else it is one event. */
  readonly isSlow: boolean;
  readonly onFailure: (error: unknown) => void;
}

export interface NodeStorage {
  readonly identity: Identity;
  readonly disk: Disk;
  readonly log: WriteAheadLog;
  readonly recovery: RecoveryReport;
  readonly diskEngine: InspectedEngine;
  readonly memoryEngine: InspectedEngine;
}

/** Small, so that there are many. */
const SEGMENT_BYTES = 64 * 1024;

/** Rejects as a real start does. Never settles when the process dies meanwhile. */
export async function openStorage(
  node: NodeDisk,
  settings: OpeningSettings,
  world: World,
): Promise<NodeStorage> {
  return settings.kind === "model"
    ? await openModel(node, settings, world)
    : await openFiles(node, settings, world);
}

async function openModel(node: NodeDisk, settings: OpeningSettings, world: World): Promise<NodeStorage> {
  const { durable, disk } = node;
  const { process, rebuild } = settings;
  const preparing = rebuild ? disk.of(process) : new MapDisk(disk.files);
  preparing.removeTree = async () => {
    await preparing.syncDirectory("");
    durable.wipe();
  };
  const identity = await prepare(node, preparing, settings, world);
  return {
    identity,
    disk: disk.of(process),
    log: new SimLog(durable, process, world),
    recovery: { groups: durable.recovered(), tornTail: undefined, segments: 1, records: 0 },
    diskEngine: new SimEngine("disk", durable, process),
    memoryEngine: new SimEngine("memory", durable, process),
  };
}

async function openFiles(node: NodeDisk, settings: OpeningSettings, world: World): Promise<NodeStorage> {
  const { durable, files } = node;
  const { process, random, logger, onFailure, kind, isSlow, rebuild } = settings;
  const { clock } = process;
  const disk = new SlowDisk(files, process, world, durable);
  disk.isInstant = !isSlow && !rebuild;
  const preparing = new SlowDisk(files, process, world, durable);
  preparing.isInstant = disk.isInstant;
  const removeTree = preparing.removeTree.bind(preparing);
  preparing.removeTree = async (directory) => {
    await removeTree(directory);
    if (directory === DISK_DIRECTORY) durable.wipe();
  };
  const identity = await prepare(node, preparing, settings, world);
  const { log, report } = await openLog(disk, LOG_DIRECTORY, {
    random,
    onFailure,
    clock,
    segmentBytes: SEGMENT_BYTES,
  });
  const openMemory = async (directory: string) =>
    inspected(await openMemoryEngine({ disk, directory, clock, logger }));
  const diskEngine =
    kind === "mixed" ? new SimEngine("disk", durable, process) : await openMemory(DISK_DIRECTORY);
  const memoryEngine = await openMemory(MEMORY_DIRECTORY);
  disk.isInstant = false;
  return { identity, disk, log, recovery: report, diskEngine, memoryEngine };
}

async function prepare(
  { id }: NodeDisk,
  disk: Disk,
  { founders, rebuild, random, process, logger }: OpeningSettings,
  world: World,
): Promise<Identity> {
  return await prepareDirectory({
    id,
    dataDir: id,
    founders,
    rebuild,
    disk,
    random,
    clock: process.clock,
    logger,
    transportOf: (identity) => world.network.transportFor(id, process, greetingOf(identity, `${id}:1`)),
    // A start without a slow disk is one event: that peers are strangers the node finds out later.
    meetCluster: async () => undefined,
  });
}

/** The data here are damaged: the node must not go on with them. */
export function isDamage(error: unknown): boolean {
  return error instanceof MinikeyError && error.code === "DATA_CORRUPT";
}

/** The disk refused something: the node must end. */
export function isDiskFailure(error: unknown): boolean {
  if (error instanceof MinikeyError) return error.code === "DISK_FAILED";
  const { code } = error as { readonly code?: unknown };
  return code === "EIO" || code === "ENOSPC";
}
