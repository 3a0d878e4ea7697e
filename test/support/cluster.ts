/**
 * A cluster of real processes: the built command `minikey start`, one process a node, real sockets, real
 * files, real signals. Nodes can be killed, stopped, continued, restarted and robbed of their disk.
 *
 * Every process is ended when the test is over, however it ends; what the nodes logged is printed when the
 * test fails.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./ports.js";
import { minikeyPath } from "./repository.js";
import { RespClient, type RespClientOptions } from "./resp-client.js";
import { waitFor } from "./wait.js";

export interface ClusterOptions {
  /** Default 3: `n1`, `n2`, `n3`. */
  readonly nodes?: number;
  /** Default: as many as nodes. */
  readonly replicas?: number;
  /** Default: the product's. */
  readonly partitions?: number;
  /** Further arguments of every `minikey start`. */
  readonly extraArgs?: readonly string[];
  /** Where a node keeps its data; default: a directory of the test's own. */
  readonly dataDirOf?: (id: string) => string | undefined;
}

/** The part of `GET /cluster` that tests use. */
export interface ClusterView {
  readonly ready: boolean;
  readonly members: readonly { readonly id: string; readonly incarnation: number; readonly state: string }[];
  readonly partitions: readonly {
    readonly keyspace: number;
    readonly partition: number;
    readonly slots: readonly (readonly [number, number])[];
    /** null while there is none, as far as the node knows. */
    readonly leader: string | null;
    readonly replicas: readonly { readonly node: string; readonly role: string; readonly lag: number }[];
  }[];
}

/** How a node's process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const LOG_CHARS_KEPT = 64 * 1024;
const LOG_LINES_PRINTED = 60;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;

/** Processes that still run; the last resort when a test's own process ends early. */
const running = new Set<ChildProcess>();
const killRunning = (): void => {
  for (const child of running) child.kill("SIGKILL");
};
process.once("exit", killRunning);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** One node: its ports, its directory, and its process while it has one. */
export class ClusterNode {
  readonly id: string;
  readonly respPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
  readonly dataDir: string;
  #child: ChildProcess | undefined;
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  #log = "";
  #lifeLog = "";

  constructor(id: string, ports: readonly [number, number, number], dataDir: string) {
    this.id = id;
    [this.respPort, this.httpPort, this.peerPort] = ports;
    this.dataDir = dataDir;
  }

  /** What the process wrote to its output, of all its lives, the latest part. */
  get log(): string {
    return this.#log;
  }

  /** The same of its latest life alone. */
  get lifeLog(): string {
    return this.#lifeLog;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** The process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the process of this life has ended. */
  get exited(): Promise<Exit> {
    return this.#exit;
  }

  start(args: readonly string[]): void {
    if (this.#child !== undefined) throw new Error(`${this.id} runs already`);
    const child = spawn(process.execPath, [minikeyPath, "start", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#lifeLog = "";
    running.add(child);
    const keep = (chunk: Buffer): void => {
      const text = chunk.toString();
      this.#log = (this.#log + text).slice(-LOG_CHARS_KEPT);
      this.#lifeLog = (this.#lifeLog + text).slice(-LOG_CHARS_KEPT);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    this.#exit = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        running.delete(child);
        this.#child = undefined;
        resolve({ code, signal });
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#child === undefined) throw new Error(`${this.id} does not run`);
    this.#child.kill(signal);
  }

  /** Ends the process if there is one: asks first when `signal` is SIGTERM, then insists. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<Exit> {
    const child = this.#child;
    if (child === undefined) return this.#exit;
    child.kill(signal);
    // A stopped process hears only SIGKILL and SIGCONT.
    if (signal === "SIGTERM") child.kill("SIGCONT");
    const insist = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    const exit = await this.#exit;
    clearTimeout(insist);
    return exit;
  }
}

export class Cluster {
  readonly directory: string;
  readonly nodes: readonly ClusterNode[];
  readonly #options: ClusterOptions;
  readonly #clients: RespClient[] = [];

  private constructor(options: ClusterOptions, directory: string, nodes: readonly ClusterNode[]) {
    this.#options = options;
    this.directory = directory;
    this.nodes = nodes;
  }

  /** Starts all nodes and waits until they are ready. Prefer `withCluster`, which also cleans up. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = await Cluster.#prepare(options);
    for (const node of cluster.nodes) cluster.startNode(node.id);
    try {
      await cluster.waitReady();
    } catch (error) {
      cluster.printLogs();
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  static async #prepare(options: ClusterOptions): Promise<Cluster> {
    const count = options.nodes ?? 3;
    const ports = await freePorts(3 * count);
    const directory = mkdtempSync(join(tmpdir(), "minikey-cluster-"));
    const nodes = Array.from({ length: count }, (_, i) => {
      const id = `n${i + 1}`;
      const dataDir = options.dataDirOf?.(id) ?? join(directory, id);
      const [resp = 0, http = 0, peer = 0] = ports.slice(3 * i, 3 * i + 3);
      return new ClusterNode(id, [resp, http, peer], dataDir);
    });
    return new Cluster(options, directory, nodes);
  }

  get ids(): string[] {
    return this.nodes.map((node) => node.id);
  }

  /** `127.0.0.1:port` of every node's RESP server. */
  get addresses(): string[] {
    return this.nodes.map(({ respPort }) => `127.0.0.1:${respPort}`);
  }

  node(id: string): ClusterNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  /** The nodes other than `id`. */
  others(id: string): ClusterNode[] {
    return this.nodes.filter((node) => node.id !== id);
  }

  /** Starts one node's process; does not wait for anything. */
  startNode(id: string, extraArgs: readonly string[] = []): void {
    const node = this.node(id);
    const { replicas = this.nodes.length, partitions, extraArgs: shared = [] } = this.#options;
    mkdirSync(node.dataDir, { recursive: true });
    const flags = {
      id,
      data: node.dataDir,
      host: "127.0.0.1",
      "resp-port": node.respPort,
      "http-port": node.httpPort,
      "peer-port": node.peerPort,
      cluster: this.nodes.map((peer) => `${peer.id}=127.0.0.1:${peer.peerPort}`).join(","),
      replicas,
      partitions,
    };
    const args = Object.entries(flags).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, String(value)],
    );
    node.start([...args, ...shared, ...extraArgs]);
  }

  /** `kill -9`: no goodbye, no flush. Resolves when the process is gone. */
  async kill(id: string): Promise<void> {
    await this.node(id).end("SIGKILL");
  }

  /** `kill -9` of all nodes at the same moment. */
  async killAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end("SIGKILL")));
  }

  /** A clean stop, as Ctrl-C would. */
  async stop(id: string): Promise<Exit> {
    return await this.node(id).end("SIGTERM");
  }

  /** The process keeps its memory and its sockets, and does nothing (SIGSTOP). */
  pause(id: string): void {
    this.node(id).signal("SIGSTOP");
  }

  resume(id: string): void {
    this.node(id).signal("SIGCONT");
  }

  /** Starts a node that is down, with the arguments of the first time, and waits until it is ready. */
  async restart(id: string): Promise<void> {
    this.startNode(id);
    await this.waitReady([id]);
  }

  /** Removes a node's data, as a lost disk would. The node must be down. */
  wipe(id: string): void {
    const node = this.node(id);
    if (node.isRunning) throw new Error(`${id} runs: kill it first`);
    rmSync(node.dataDir, { recursive: true, force: true });
  }

  /** Waits until the nodes answer `GET /ready` with 200; fails at once when one of them ends instead. */
  async waitReady(ids: readonly string[] = this.ids, timeoutMs = START_TIMEOUT_MS): Promise<void> {
    await Promise.all(
      ids.map(async (id) => {
        const node = this.node(id);
        let ended: Exit | undefined;
        const onEnd = (exit: Exit): void => {
          ended = exit;
        };
        node.exited.then(onEnd, () => onEnd({ code: -1, signal: null }));
        const isReady = async (): Promise<boolean> => ended !== undefined || (await this.isReady(id));
        await waitFor(`${id} is ready`, isReady, { timeoutMs, everyMs: 50 });
        if (ended !== undefined) {
          throw new Error(`${id} ended with ${ended.signal ?? ended.code} before it was ready`);
        }
      }),
    );
  }

  /** Whether the node answers `GET /ready` with 200 now. */
  async isReady(id: string): Promise<boolean> {
    const response = await fetch(`${this.http(id)}/ready`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.status === 200;
  }

  /** `http://127.0.0.1:port` of a node. */
  http(id: string): string {
    return `http://127.0.0.1:${this.node(id).httpPort}`;
  }

  /** A new RESP connection to a node, closed at the end of the test. */
  async resp(id: string, options: RespClientOptions = {}): Promise<RespClient> {
    const client = await RespClient.connect(this.node(id).respPort, options);
    this.#clients.push(client);
    return client;
  }

  /** What a node knows of the cluster: `GET /cluster`. */
  async view(id: string): Promise<ClusterView> {
    const response = await fetch(`${this.http(id)}/cluster`, { signal: AbortSignal.timeout(3000) });
    if (response.status !== 200) throw new Error(`GET /cluster answered ${response.status}`);
    return (await response.json()) as ClusterView;
  }

  /** The partition of the default keyspace that holds a key, as a node sees it. */
  async partitionOf(key: string, viaId: string): Promise<ClusterView["partitions"][number]> {
    const client = await this.resp(viaId);
    const slot = Number(await client.call("CLUSTER", "KEYSLOT", key));
    client.close();
    const { partitions } = await this.view(viaId);
    const found = partitions.find(
      ({ keyspace, slots }) => keyspace === 0 && slots.some(([first, last]) => first <= slot && slot <= last),
    );
    if (found === undefined) throw new Error(`no partition holds slot ${slot} of key ${key}`);
    return found;
  }

  /** The node that leads a key's partition, as soon as `viaId` knows one. */
  leaderOf(key: string, viaId: string): Promise<string> {
    return waitFor(
      `${viaId} knows a leader for ${key}`,
      async () => (await this.partitionOf(key, viaId)).leader,
    );
  }

  /** The last lines of every node's output, to stderr. */
  printLogs(): void {
    for (const node of this.nodes) {
      const lines = node.log.trimEnd().split("\n").slice(-LOG_LINES_PRINTED);
      console.error(
        `--- ${node.id} (${node.isRunning ? "running" : "down"}), its last lines:\n${lines.join("\n")}`,
      );
    }
  }

  /** Ends everything and removes the data. */
  async destroy(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.killAll();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Runs a test on a cluster of its own; prints the nodes' logs when it fails; leaves nothing behind. */
export async function withCluster(
  options: ClusterOptions,
  run: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.start(options);
  try {
    await run(cluster);
  } catch (error) {
    cluster.printLogs();
    throw error;
  } finally {
    await cluster.destroy();
  }
}
