/** Whole nodes on a simulated world: starting, crashing, losing disks, and clients that talk to them. */
import { type Reply, Slice, Status } from "../../../src/commands/reply.js";
import { type Bytes, copyBytes } from "../../../src/core/bytes.js";
import { keyspaceId, type NodeId, nodeId } from "../../../src/core/ids.js";
import type { RequestContext } from "../../../src/node/database.js";
import { greetingOf } from "../../../src/node/formation.js";
import { type Identity, readIdentity } from "../../../src/node/identity.js";
import { MinikeyNode } from "../../../src/node/node.js";
import { makeArgs } from "../../../src/node/node-commands.js";
import { retainReply } from "../../../src/node/retain-reply.js";
import type { Disk, DiskFile } from "../../../src/ports/disk.js";
import type { Logger } from "../../../src/ports/logger.js";
import { DurableState, SimEngine, SimLog } from "./durable.js";
import { SeededRandom, SimProcess, World } from "./world.js";

export interface SimClusterOptions {
  readonly seed: number;
  readonly nodes?: number;
  readonly replicas?: number;
  readonly partitions?: number;
  readonly log?: (line: string) => void;
}

interface SimNode {
  readonly id: NodeId;
  readonly durable: DurableState;
  disk: MapDisk;
  process: SimProcess | undefined;
  node: MinikeyNode | undefined;
}

export class SimCluster {
  readonly world: World;
  readonly nodes: SimNode[];
  readonly #options: SimClusterOptions;
  /** What ended a node against its will. */
  readonly fatal: string[] = [];

  constructor(options: SimClusterOptions) {
    this.#options = options;
    this.world = new World(options.seed);
    this.nodes = Array.from({ length: options.nodes ?? 3 }, (_, i) => ({
      id: nodeId(`n${i + 1}`),
      durable: new DurableState(),
      disk: new MapDisk(),
      process: undefined,
      node: undefined,
    }));
  }

  async start(sim: SimNode): Promise<void> {
    const { world } = this;
    const process = new SimProcess(world, world.random.below(200) - 100);
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
    const identity = (await readIdentity(sim.disk)) ?? fresh;
    const address = `${sim.id}:1`;
    const node = new MinikeyNode(
      identity,
      {
        founders,
        peerAddress: address,
        replicas: this.#options.replicas ?? 3,
        partitions: this.#options.partitions ?? 3,
        valueBytesMax: 1 << 20,
        readMode: "quorum",
        requestTimeoutMs: 2_500,
        version: "test",
      },
      {
        clock: process.clock,
        random,
        disk: sim.disk.of(process),
        logger: this.#logger(sim.id),
        transport: world.network.transportFor(sim.id, process, greetingOf(identity, address)),
        log: new SimLog(sim.durable, process, world),
        recovery: { groups: sim.durable.recovered(), tornTail: undefined, segments: 1, records: 0 },
        diskEngine: new SimEngine("disk", sim.durable, process),
        memoryEngine: new SimEngine("memory", new DurableState(), process),
        onFatal: (error) => {
          if (process.isAlive)
            this.fatal.push(`${sim.id}: ${error instanceof Error ? error.stack : String(error)}`);
        },
      },
    );
    sim.node = node;
    node.start().catch((error: unknown) => {
      if (process.isAlive) this.fatal.push(`${sim.id}: ${String(error)}`);
    });
  }

  async startAll(): Promise<void> {
    for (const sim of this.nodes) await this.start(sim);
  }

  crash(sim: SimNode): void {
    if (sim.process === undefined) return;
    sim.process.isAlive = false;
    sim.process = undefined;
    sim.node = undefined;
    this.world.network.drop(sim.id);
  }

  wipe(sim: SimNode): void {
    sim.durable.wipe();
    sim.disk = new MapDisk();
  }

  get isReady(): boolean {
    return this.nodes.every((sim) => sim.node?.status().ready === true);
  }

  #logger(id: NodeId): Logger {
    const write = (level: string) => (message: string, fields?: object) => {
      this.#options.log?.(
        `${this.world.nowMs.toFixed(1)} ${id} ${level} ${message} ${fields === undefined ? "" : JSON.stringify(fields)}`,
      );
    };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

/** Sends one command after the other; each ends with a reply or, past its time, without one. */
export class SimClient {
  readonly #cluster: SimCluster;
  #sim: SimNode;
  #context: RequestContext = newContext();

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    this.#sim = cluster.nodes[cluster.world.random.below(cluster.nodes.length)];
  }

  /** Calls `done` with the reply as text, or with undefined when nothing was heard in time. */
  send(words: readonly string[], done: (reply: unknown) => void): void {
    const { world } = this.#cluster;
    if (this.#sim.node === undefined || world.random.unit() < 0.1) this.#moveOn();
    const { node, process } = this.#sim;
    if (node === undefined || process === undefined) {
      world.schedule(20, () => done(new Error("refused")));
      return;
    }
    let isDone = false;
    const finish = (reply: unknown) => {
      if (isDone) return;
      isDone = true;
      done(reply);
    };
    world.schedule(6_000, () => {
      if (!isDone) this.#moveOn();
      finish(undefined);
    });
    node.submit(makeArgs(words), this.#context, {
      onReply: (reply) => {
        if (process.isAlive) finish(plain(retainReply(reply)));
      },
    });
  }

  #moveOn(): void {
    this.#sim = this.#cluster.nodes[this.#cluster.world.random.below(this.#cluster.nodes.length)];
    this.#context = newContext();
  }
}

function newContext(): RequestContext {
  return { keyspace: keyspaceId(0), readLevel: "linearizable", writeLevel: "quorum" };
}

/** A reply as JavaScript values that compare: text, numbers, null, lists, errors. */
export function plain(reply: Reply): unknown {
  if (reply instanceof Slice) return reply.bytes.latin1Slice(reply.start, reply.end);
  if (reply instanceof Status) return reply.text;
  return Array.isArray(reply) ? (reply as readonly Reply[]).map(plain) : reply;
}

/** Files that are durable at once; a rename takes a moment. */
class MapDisk implements Disk {
  readonly #files: Map<string, Bytes>;
  readonly #process: SimProcess | undefined;

  constructor(files = new Map<string, Bytes>(), process?: SimProcess) {
    this.#files = files;
    this.#process = process;
  }

  /** The same files, seen by a process that may die. */
  of(process: SimProcess): Disk {
    return new MapDisk(this.#files, process);
  }

  async open(path: string): Promise<DiskFile> {
    return await Promise.resolve(new MapFile(this.#files, path));
  }

  async list(): Promise<string[]> {
    return await Promise.resolve([...this.#files.keys()].sort());
  }

  async rename(from: string, to: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#process?.later(0.5, resolve);
    });
    const bytes = this.#files.get(from);
    if (bytes !== undefined) this.#files.set(to, bytes);
    this.#files.delete(from);
  }

  async remove(path: string): Promise<void> {
    this.#files.delete(path);
    await Promise.resolve();
  }

  async removeTree(): Promise<void> {
    await Promise.resolve();
  }

  async syncDirectory(): Promise<void> {
    await Promise.resolve();
  }
}

class MapFile implements DiskFile {
  readonly #files: Map<string, Bytes>;
  readonly #path: string;

  constructor(files: Map<string, Bytes>, path: string) {
    this.#files = files;
    this.#path = path;
  }

  async sizeBytes(): Promise<number> {
    return await Promise.resolve(this.#files.get(this.#path)?.length ?? 0);
  }

  async read(target: Bytes, positionBytes: number): Promise<number> {
    await Promise.resolve();
    return this.#files.get(this.#path)?.copy(target, 0, positionBytes) ?? 0;
  }

  async write(parts: readonly Uint8Array[]): Promise<void> {
    await Promise.resolve();
    const [first] = parts;
    this.#files.set(this.#path, copyBytes(first));
  }

  async sync(): Promise<void> {
    await Promise.resolve();
  }

  async truncate(): Promise<void> {
    await Promise.resolve();
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}
