/** Whole nodes in a simulated world: starting, crashing, stopping, pausing, losing disks. */
import type { Bytes } from "../../src/core/bytes.js";
import { type GroupId, type NodeId, nodeId } from "../../src/core/ids.js";
import { greetingOf } from "../../src/node/formation.js";
import { MinikeyNode } from "../../src/node/node.js";
import { decodeFrame } from "../../src/node/peer-frames.js";
import type { Logger } from "../../src/ports/logger.js";
import { Connections } from "../../src/server/resp/connections.js";
import { readMessage } from "../checks/eventual-codec.js";
import { EventualSafety } from "../checks/eventual-safety.js";
import { type LogObserver, observedLog } from "../checks/observed-log.js";
import { RaftSafety } from "../checks/raft-safety.js";
import { RefusedWrites } from "../checks/refused-writes.js";
import { configurationOn } from "../checks/replicas.js";
import { StateSafety } from "../checks/state-safety.js";
import { TransactionSafety } from "../checks/transaction-safety.js";
import { type Report, Violation } from "../checks/violation.js";
import { DurableState } from "../disk/durable.js";
import { MapDisk } from "../disk/map-disk.js";
import { SimDisk } from "../disk/sim-disk.js";
import type { InspectedEngine } from "../disk/slow-disk.js";
import { isRaftFrame, isSyncFrame } from "../world/network.js";
import { SimProcess, World } from "../world/world.js";
import { Submissions } from "./client.js";
import { EventualKeyspace, type EventualSettings } from "./eventual-keyspace.js";
import { isDamage, isDiskFailure, type NodeDisk, openStorage, type StorageKind } from "./node-storage.js";

export interface SimClusterOptions {
  readonly seed: number;
  readonly nodes?: number;
  readonly replicas?: number;
  readonly partitions?: number;
  /** Wall clocks are off by up to so much, each its own way, and another after each start. */
  readonly skewMs?: number;
  readonly requestTimeoutMs?: number;
  /** What each message takes longer between two nodes, at most; 0 when absent. */
  readonly distanceMs?: number;
  /** Nothing or little unless given, so that snapshots are sent often. */
  readonly logBytesKept?: number;
  /** Default: twice what asks for a checkpoint. */
  readonly unsavedBytesMax?: number;
  /** What ends for a disk that failed or was damaged is started again, and rebuilt where it must be. */
  readonly isSupervised?: boolean;
  /** Default: `model`. */
  readonly storage?: StorageKind;
  readonly readMode?: "quorum" | "lease";
  /** The first keyspace that is made is eventual. */
  readonly eventual?: EventualSettings | undefined;
  /** Gets the timeline, line by line. */
  readonly trace?: (line: string) => void;
  /** Gets what the nodes log. */
  readonly log?: (line: string) => void;
}

export interface SimNode extends NodeDisk {
  durable: DurableState;
  disk: MapDisk;
  files: SimDisk;
  process: SimProcess | undefined;
  node: MinikeyNode | undefined;
  /** Its RESP server; undefined while it takes no connections. */
  server: Connections | undefined;
  diskEngine: InspectedEngine | undefined;
  memoryEngine: InspectedEngine | undefined;
  /** Its first disk is gone. */
  hasLostDisk: boolean;
  /** Bits of its files were flipped: it may refuse to start, and is then rebuilt. */
  isDamaged: boolean;
}

const LOG_BYTES_KEPT = 4 * 1024;
const UNSAVED_BYTES_MAX = 64 * 1024 * 1024;
const SKEW_MS = 100;
const RESTART_MS = 300;
const VALUE_BYTES_MAX = 1 << 20;
export const RESP_PORT = 6_380;

export const REQUEST_TIMEOUT_MS = 2_500;

export class SimCluster {
  readonly world: World;
  readonly nodes: SimNode[];
  readonly requestTimeoutMs: number;
  readonly #options: SimClusterOptions;
  /** What ended a node against its will. */
  readonly fatal: string[] = [];
  readonly submissions: Submissions;
  /** What the observers of logs, messages and state machines have seen that must not be. */
  readonly violations: Violation[] = [];
  readonly safety: RaftSafety;
  readonly refusedWrites: RefusedWrites;
  readonly #states: StateSafety;
  readonly #transactions: TransactionSafety;
  readonly eventual: EventualKeyspace | undefined;
  readonly eventualSafety: EventualSafety;
  /** By the names of the disks that identities carry. */
  readonly #diskNames = new Map<NodeId, string>();
  /** When a disk was lost last. */
  wipedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SimClusterOptions) {
    this.#options = options;
    this.requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.world = new World(options.seed, options.trace);
    this.submissions = new Submissions(this.world.trace);
    const report: Report = (property, message) => this.violations.push(new Violation(property, message));
    this.safety = new RaftSafety(report, (node, group) => configurationOn(this.nodeNamed(node), group));
    this.refusedWrites = new RefusedWrites(report);
    this.#states = new StateSafety(report, this.world.trace, this.refusedWrites);
    this.#transactions = new TransactionSafety(report);
    this.eventualSafety = new EventualSafety({
      report,
      trace: this.world.trace,
      nowMs: () => this.world.nowMs,
      isEventual: (group) => this.isEventual(group),
      placementOf: (group) => this.eventual?.placementOf(group) ?? [],
    });
    this.world.afterEvent = () => {
      this.#states.lookBack();
      this.eventualSafety.lookBack();
    };
    this.world.network.onSent = (from, frame) => this.#observe(from, frame);
    const names = Array.from({ length: options.nodes ?? 3 }, (_, i) => nodeId(`n${i + 1}`));
    this.eventual = options.eventual && new EventualKeyspace(options.eventual, names);
    this.nodes = names.map((id) => {
      return {
        id,
        durable: new DurableState(),
        disk: new MapDisk(),
        files: this.#newDisk(id),
        process: undefined,
        node: undefined,
        server: undefined,
        diskEngine: undefined,
        memoryEngine: undefined,
        hasLostDisk: false,
        isDamaged: false,
      };
    });
    if (this.distanceMs > 0) this.#spreadOut();
  }

  get distanceMs(): number {
    return this.#options.distanceMs ?? 0;
  }

  /** How far each two nodes are from each other. */
  #spreadOut(): void {
    const { network, random } = this.world;
    this.nodes.forEach(({ id }, i) => {
      for (const other of this.nodes.slice(0, i)) {
        network.setDistance(id, other.id, this.distanceMs * random.unit());
      }
    });
  }

  /** Of the default keyspace. */
  get partitions(): number {
    return this.#options.partitions ?? 3;
  }

  /** Wall clocks are off by up to so much. */
  get skewMs(): number {
    return this.#options.skewMs ?? SKEW_MS;
  }

  get storage(): StorageKind {
    return this.#options.storage ?? "model";
  }

  #newDisk(id: NodeId): SimDisk {
    const { trace, random } = this.world;
    const chances = random.fork();
    return new SimDisk(
      () => chances.unit(),
      (operation) => trace.tell(id, `disk      ${operation}`),
    );
  }

  #observe(from: NodeId, frame: Bytes): void {
    if (!isRaftFrame(frame) && !isSyncFrame(frame)) return;
    const decoded = decodeFrame(frame);
    if (decoded.type === "raft") this.safety.onMessage(from, decoded.group, decoded.message);
    else if (decoded.type === "sync" && this.isEventual(decoded.group)) {
      this.eventualSafety.onMessage(from, decoded.group, readMessage(decoded.body));
    }
  }

  #observerOf(group: GroupId): LogObserver {
    return this.isEventual(group) ? this.eventualSafety : this.safety;
  }

  /** Of the eventual keyspace, if this life has one. */
  isEventual(group: GroupId): boolean {
    return this.eventual?.has(group) === true;
  }

  /** The node comes with an empty disk: its first, or its last one is gone. */
  #onOtherDisk(sim: SimNode): void {
    this.safety.onDiskLost(sim.id);
    if (this.#diskNames.has(sim.id)) this.#noteLoss(sim);
    sim.isDamaged = false;
  }

  #noteLoss(sim: SimNode): void {
    this.wipedMs = this.world.nowMs;
    sim.hasLostDisk = true;
    this.eventualSafety.onDiskLost(sim.id);
  }

  /** With `rebuild`, as by `minikey start --rebuild`: resolves only once the cluster can do without its data. */
  async start(sim: SimNode, { rebuild = false, isSlow = false } = {}): Promise<void> {
    const { world } = this;
    const { skewMs } = this;
    const process = new SimProcess(world, world.random.below(2 * skewMs + 1) - skewMs);
    sim.process = process;
    world.trace.tell(sim.id, rebuild ? "starts, to be rebuilt" : "starts");
    const random = world.random.fork();
    const founders = this.nodes.map(({ id }) => ({ id, address: `${id}:1` }));
    const logger = this.#logger(sim.id);
    const onFatal = (error: unknown) => this.#onFatal(sim, process, error, rebuild);
    const settings = { process, random, logger, rebuild, isSlow, founders, kind: this.storage };
    const storage = await openStorage(sim, { ...settings, onFailure: onFatal }, world);
    if (!process.isAlive) return;
    const { identity, recovery, diskEngine, memoryEngine } = storage;
    if (this.#diskNames.get(sim.id) !== identity.disk) this.#onOtherDisk(sim);
    this.#diskNames.set(sim.id, identity.disk);
    const groups = [...recovery.groups];
    this.safety.onRecovered(sim.id, new Map(groups.filter(([group]) => !this.isEventual(group))));
    this.eventualSafety.onRecovered(sim.id, recovery.groups);
    for (const engine of [diskEngine, memoryEngine]) this.#observeStores(sim.id, engine);
    sim.diskEngine = diskEngine;
    sim.memoryEngine = memoryEngine;
    const address = `${sim.id}:1`;
    sim.node = new MinikeyNode(
      identity,
      {
        founders,
        peerAddress: address,
        replicas: this.#options.replicas ?? 3,
        partitions: this.partitions,
        valueBytesMax: VALUE_BYTES_MAX,
        readMode: this.#options.readMode ?? "quorum",
        requestTimeoutMs: this.requestTimeoutMs,
        logBytesKept: this.#options.logBytesKept ?? (this.#options.seed % 2) * LOG_BYTES_KEPT,
        unsavedBytesMax: this.#options.unsavedBytesMax ?? UNSAVED_BYTES_MAX,
        ...(this.eventual?.settings.hintsMax === undefined
          ? {}
          : { hintsMax: this.eventual.settings.hintsMax }),
        version: "test",
      },
      {
        clock: process.clock,
        random,
        disk: storage.disk,
        logger,
        transport: world.network.transportFor(sim.id, process, greetingOf(identity, address)),
        log: observedLog(storage.log, sim.id, (group) => this.#observerOf(group), world.trace),
        recovery,
        diskEngine,
        memoryEngine,
        onFatal,
        onReplica: (replica) => this.#transactions.observe(sim.id, replica),
      },
    );
    sim.server = new Connections({
      host: sim.id,
      port: () => RESP_PORT,
      database: sim.node,
      logger,
      clock: process.clock,
      limits: { valueBytesMax: VALUE_BYTES_MAX },
    });
    sim.server.start();
    sim.node.start().catch((error: unknown) => {
      if (!String(error).includes("the node is stopping")) onFatal(error);
    });
  }

  #observeStores(id: NodeId, engine: InspectedEngine): void {
    const openGroup = engine.openGroup.bind(engine);
    engine.openGroup = async (group) => {
      const store = await openGroup(group);
      if (this.isEventual(group)) this.eventualSafety.observe(id, store);
      else this.#states.observe(id, store);
      return store;
    };
  }

  /** A node has ended: for what was done to its disk, and then it is started again, or for no good reason. */
  #onFatal(sim: SimNode, process: SimProcess, error: unknown, wasRebuild: boolean): void {
    if (!process.isAlive) return;
    const isExpected =
      this.#options.isSupervised === true &&
      ((sim.files.refusals > 0 && isDiskFailure(error)) || (sim.isDamaged && isDamage(error)));
    this.world.trace.tell(sim.id, `ends: ${String(error)}`);
    if (!isExpected) {
      this.fatal.push(`${sim.id}: ${error instanceof Error ? error.stack : String(error)}`);
      return;
    }
    this.crash(sim);
    // Whoever runs it starts it again; without the option after it has been used, so that it is armed again.
    const rebuild = isDamage(error) && !wasRebuild;
    this.world.schedule(RESTART_MS, () => this.startSoon(sim, { rebuild }));
  }

  async startAll(): Promise<void> {
    for (const sim of this.nodes) if (sim.process === undefined) await this.start(sim);
  }

  /** Starts the node, in the background. */
  startSoon(sim: SimNode, options: { readonly rebuild?: boolean } = {}): void {
    if (sim.process !== undefined) return;
    const started = this.start(sim, { ...options, isSlow: true });
    const { process } = sim;
    started.catch((error: unknown) => {
      if (process !== undefined) this.#onFatal(sim, process, error, options.rebuild === true);
    });
  }

  /** The process is gone, with all that was not durable. */
  crash(sim: SimNode): void {
    if (sim.process === undefined) return;
    sim.process.end();
    const how = this.world.random.chance(0.5) ? "kill" : "power loss";
    this.world.trace.tell(sim.id, `dies by a ${how}`);
    sim.files = sim.files.restart(how);
    this.world.network.drop(sim.id);
    forget(sim);
  }

  /** As by SIGTERM; calls `onStopped` when the process has ended by itself. */
  stop(sim: SimNode, onStopped: () => void): void {
    const { node, server, process } = sim;
    if (node === undefined || process === undefined) {
      onStopped();
      return;
    }
    sim.server = undefined;
    const stopBoth = async () => {
      await server?.stop();
      await node.stop();
    };
    const stopping = new Promise<void>((resolve, reject) => {
      process.deliver(() => {
        stopBoth().then(resolve, reject);
      });
    });
    stopping.then(
      () => {
        if (sim.process !== process) return;
        for (const text of this.submissions.unansweredOn(process)) {
          this.submissions.violations.push(`not answered before the node stopped: ${text}`);
        }
        process.end();
        this.world.trace.tell(sim.id, "has stopped");
        // It has made everything durable.
        sim.files = sim.files.restart("power loss");
        forget(sim);
        onStopped();
      },
      (error: unknown) => this.#onFatal(sim, process, error, false),
    );
  }

  wipe(sim: SimNode): void {
    this.world.trace.tell(sim.id, "loses its disk");
    this.#noteLoss(sim);
    sim.durable.wipe();
    sim.disk = new MapDisk();
    sim.files = this.#newDisk(sim.id);
    sim.isDamaged = false;
  }

  get isReady(): boolean {
    return this.nodes.every((sim) => sim.node?.isReady === true);
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
      const details = fields === undefined ? "" : ` ${JSON.stringify(fields)}`;
      this.#options.log?.(`${this.world.nowMs.toFixed(1)} ${id} ${level} ${message}${details}`);
      this.world.trace.tell(id, `${level.padEnd(8)}  ${message}${details}`);
    };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

function forget(sim: SimNode): void {
  sim.process = undefined;
  sim.node = undefined;
  sim.server = undefined;
  sim.diskEngine = undefined;
  sim.memoryEngine = undefined;
}
