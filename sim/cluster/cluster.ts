/** Whole nodes in a simulated world: starting, crashing, stopping, pausing, losing disks. */
import { type NodeId, nodeId } from "../../src/core/ids.js";
import { greetingOf } from "../../src/node/formation.js";
import { type Identity, readIdentity } from "../../src/node/identity.js";
import { MinikeyNode } from "../../src/node/node.js";
import type { Disk } from "../../src/ports/disk.js";
import type { Logger } from "../../src/ports/logger.js";
import { prepareDirectory } from "../../src/server/data-directory.js";
import { openLog } from "../../src/storage/log/open-log.js";
import type { RecoveryReport, WriteAheadLog } from "../../src/storage/log/types.js";
import { openMemoryEngine } from "../../src/storage/memory/engine.js";
import { DurableState, SimEngine, SimLog } from "../disk/durable.js";
import { MapDisk } from "../disk/map-disk.js";
import { SimDisk } from "../disk/sim-disk.js";
import { type InspectedEngine, inspected, SlowDisk } from "../disk/slow-disk.js";
import { SeededRandom } from "../world/random.js";
import { SimProcess, World } from "../world/world.js";
import { Submissions } from "./client.js";

export interface SimClusterOptions {
  readonly seed: number;
  readonly nodes?: number;
  readonly replicas?: number;
  readonly partitions?: number;
  /** Wall clocks are off by up to so much, each its own way, and another after each start. */
  readonly skewMs?: number;
  readonly requestTimeoutMs?: number;
  /** Nothing or little unless given, so that snapshots are sent often. */
  readonly logBytesKept?: number;
  /** `model`: a log and engines that are simulated themselves. `files`: the real ones on a simulated disk. */
  readonly storage?: "model" | "files";
  readonly log?: (line: string) => void;
}

export interface SimNode {
  readonly id: NodeId;
  /** What its disk holds, with the storage `model` … */
  readonly durable: DurableState;
  disk: MapDisk;
  /** … and with `files`. */
  files: SimDisk;
  process: SimProcess | undefined;
  node: MinikeyNode | undefined;
  diskEngine: InspectedEngine | undefined;
  memoryEngine: InspectedEngine | undefined;
}

/** What a node stores with, and how it tells that it has opened all of it. */
interface NodeStorage {
  readonly disk: Disk;
  /** The same files, while the node is started: that takes no simulated time. */
  readonly openingDisk: Disk;
  readonly log: WriteAheadLog;
  readonly recovery: RecoveryReport;
  readonly diskEngine: InspectedEngine;
  readonly memoryEngine: InspectedEngine;
  readonly onOpened: () => void;
}

/** Small, so that there are many. */
const SEGMENT_BYTES = 64 * 1024;

const LOG_BYTES_KEPT = 4 * 1024;

export const REQUEST_TIMEOUT_MS = 2_500;

export class SimCluster {
  readonly world: World;
  readonly nodes: SimNode[];
  readonly requestTimeoutMs: number;
  readonly #options: SimClusterOptions;
  /** What ended a node against its will. */
  readonly fatal: string[] = [];
  readonly submissions = new Submissions();
  /** When a disk was lost last. */
  wipedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SimClusterOptions) {
    this.#options = options;
    this.requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.world = new World(options.seed);
    this.nodes = Array.from({ length: options.nodes ?? 3 }, (_, i) => ({
      id: nodeId(`n${i + 1}`),
      durable: new DurableState(),
      disk: new MapDisk(),
      files: new SimDisk(() => this.world.random.unit()),
      process: undefined,
      node: undefined,
      diskEngine: undefined,
      memoryEngine: undefined,
    }));
  }

  /** With `rebuild`, as by `minikey start --rebuild`: resolves only once the cluster can do without its data. */
  async start(sim: SimNode, { rebuild = false } = {}): Promise<void> {
    const { world } = this;
    const { skewMs = 100 } = this.#options;
    const process = new SimProcess(world, world.random.below(2 * skewMs + 1) - skewMs);
    sim.process = process;
    const random = new SeededRandom(world.random.below(2 ** 31));
    const founders = this.nodes.map(({ id }) => ({ id, address: `${id}:1` }));
    const fresh: Identity = {
      nodeId: sim.id,
      clusterId: "",
      memberNumber: 0,
      incarnation: 0,
      disk: random.id48().toString(36),
      stage: "fresh",
    };
    const onFatal = (error: unknown) => {
      if (process.isAlive) {
        this.fatal.push(`${sim.id}: ${error instanceof Error ? error.stack : String(error)}`);
      }
    };
    const isFiles = this.#options.storage === "files";
    const prepared = isFiles ? undefined : await this.#prepare(sim, process, random, rebuild);
    if (!process.isAlive) return;
    const storage = await this.#openStorage(sim, process, random, onFatal);
    const identity = prepared ?? (await readIdentity(storage.openingDisk)) ?? fresh;
    storage.onOpened();
    if (!process.isAlive) return;
    const address = `${sim.id}:1`;
    sim.diskEngine = storage.diskEngine;
    sim.memoryEngine = storage.memoryEngine;
    sim.node = new MinikeyNode(
      identity,
      {
        founders,
        peerAddress: address,
        replicas: this.#options.replicas ?? 3,
        partitions: this.#options.partitions ?? 3,
        valueBytesMax: 1 << 20,
        readMode: "quorum",
        requestTimeoutMs: this.requestTimeoutMs,
        logBytesKept: this.#options.logBytesKept ?? (this.#options.seed % 2) * LOG_BYTES_KEPT,
        version: "test",
      },
      {
        clock: process.clock,
        random,
        disk: storage.disk,
        logger: this.#logger(sim.id),
        transport: world.network.transportFor(sim.id, process, greetingOf(identity, address)),
        log: storage.log,
        recovery: storage.recovery,
        diskEngine: storage.diskEngine,
        memoryEngine: storage.memoryEngine,
        onFatal,
      },
    );
    sim.node.start().catch((error: unknown) => {
      if (!String(error).includes("the node is stopping")) onFatal(error);
    });
  }

  /** What a real start makes of the directory; only a rebuild takes simulated time. */
  async #prepare(
    sim: SimNode,
    process: SimProcess,
    random: SeededRandom,
    rebuild: boolean,
  ): Promise<Identity> {
    const disk = rebuild ? sim.disk.of(process) : new MapDisk(sim.disk.files);
    disk.removeTree = async () => {
      await disk.syncDirectory("");
      sim.durable.wipe();
    };
    const address = `${sim.id}:1`;
    return await prepareDirectory({
      id: sim.id,
      dataDir: sim.id,
      founders: this.nodes.map(({ id }) => ({ id, address: `${id}:1` })),
      rebuild,
      disk,
      random,
      clock: process.clock,
      logger: this.#logger(sim.id),
      transportOf: (identity) =>
        this.world.network.transportFor(sim.id, process, greetingOf(identity, address)),
    });
  }

  async #openStorage(
    sim: SimNode,
    process: SimProcess,
    random: SeededRandom,
    onFatal: (error: unknown) => void,
  ): Promise<NodeStorage> {
    const { world } = this;
    if (this.#options.storage !== "files") {
      return {
        disk: sim.disk.of(process),
        openingDisk: sim.disk,
        log: new SimLog(sim.durable, process, world),
        recovery: { groups: sim.durable.recovered(), tornTail: undefined, segments: 1, records: 0 },
        diskEngine: new SimEngine("disk", sim.durable, process),
        memoryEngine: new SimEngine("memory", sim.durable, process),
        onOpened: () => undefined,
      };
    }
    const disk = new SlowDisk(sim.files, process, world);
    const { clock } = process;
    const options = { random, onFailure: onFatal, clock, segmentBytes: SEGMENT_BYTES };
    const { log, report } = await openLog(disk, "log", options);
    const logger = this.#logger(sim.id);
    const engine = async (directory: string) =>
      inspected(await openMemoryEngine({ disk, directory, clock, logger }));
    return {
      disk,
      openingDisk: disk,
      log,
      recovery: report,
      diskEngine: await engine("disk"),
      memoryEngine: await engine("memory"),
      onOpened: () => {
        disk.isInstant = false;
      },
    };
  }

  async startAll(): Promise<void> {
    for (const sim of this.nodes) if (sim.process === undefined) await this.start(sim);
  }

  /** Starts the node, in the background. */
  startSoon(sim: SimNode, options: { readonly rebuild?: boolean } = {}): void {
    if (sim.process !== undefined) return;
    this.start(sim, options).catch((error: unknown) => this.fatal.push(`${sim.id}: ${String(error)}`));
  }

  /** The process is gone, with all that was not durable. */
  crash(sim: SimNode): void {
    if (sim.process === undefined) return;
    sim.process.isAlive = false;
    sim.files = sim.files.restart(this.world.random.chance(0.5) ? "kill" : "power loss");
    this.world.network.drop(sim.id);
    forget(sim);
  }

  /** As by SIGTERM; calls `onStopped` when the process has ended by itself. */
  stop(sim: SimNode, onStopped: () => void): void {
    const { node, process } = sim;
    if (node === undefined || process === undefined) {
      onStopped();
      return;
    }
    node.stop().then(
      () => {
        if (sim.process !== process) return;
        for (const text of this.submissions.unansweredOn(process)) {
          this.submissions.violations.push(`not answered before the node stopped: ${text}`);
        }
        process.isAlive = false;
        // It has made everything durable.
        sim.files = sim.files.restart("power loss");
        forget(sim);
        onStopped();
      },
      (error: unknown) => this.fatal.push(`${sim.id} could not stop: ${String(error)}`),
    );
  }

  wipe(sim: SimNode): void {
    this.wipedMs = this.world.nowMs;
    sim.durable.wipe();
    sim.disk = new MapDisk();
    sim.files = new SimDisk(() => this.world.random.unit());
  }

  get isReady(): boolean {
    return this.nodes.every((sim) => sim.node?.status().ready === true);
  }

  nodeNamed(id: NodeId): SimNode {
    const sim = this.nodes.find((candidate) => candidate.id === id);
    if (sim === undefined) throw new Error(`no node is named ${id}`);
    return sim;
  }

  #logger(id: NodeId): Logger {
    const write = (level: string) => (message: string, fields?: object) => {
      const isPeersFault = message === "a peer sent what cannot be understood";
      if (isPeersFault && this.world.network.tamper === undefined) {
        this.fatal.push(`${id}: ${message}: ${JSON.stringify(fields)}`);
      }
      this.#options.log?.(
        `${this.world.nowMs.toFixed(1)} ${id} ${level} ${message} ${fields === undefined ? "" : JSON.stringify(fields)}`,
      );
    };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

function forget(sim: SimNode): void {
  sim.process = undefined;
  sim.node = undefined;
  sim.diskEngine = undefined;
  sim.memoryEngine = undefined;
}
