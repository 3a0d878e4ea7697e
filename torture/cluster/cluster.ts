/** A cluster of real nodes on a network that can be disturbed, and what it says of itself. */
import { join } from "node:path";
import type { Network } from "../machine/network.js";
import type { Workplace } from "../machine/workplace.js";
import { RealNode } from "./node.js";

export interface Shape {
  readonly nodes: number;
  readonly replicas: number;
  readonly partitions: number;
}

/** The part of `GET /cluster` that is looked at. */
export interface ClusterView {
  readonly ready: boolean;
  readonly partitions: readonly {
    readonly keyspace: number;
    readonly partition: number;
    readonly leader: string | null;
    readonly replicas: readonly { readonly node: string; readonly role: string; readonly lag: number }[];
  }[];
}

const ASK_TIMEOUT_MS = 2_000;
const STOP_LIMIT_MS = 20_000;

export class RealCluster {
  readonly nodes: readonly RealNode[];
  readonly shape: Shape;
  readonly network: Network;
  /** A node whose data is gone has not got it back yet. */
  isDiskLost = false;
  /** Stops that took too long. */
  readonly slowStops: string[] = [];
  readonly #workplace: Workplace;

  /** @param directory for data and logs */
  constructor(shape: Shape, network: Network, workplace: Workplace, directory: string) {
    this.shape = shape;
    this.network = network;
    this.#workplace = workplace;
    this.nodes = network.addresses.map((address, i) => {
      const id = `n${i + 1}`;
      return new RealNode(id, address, { data: join(directory, id), log: join(directory, `${id}.log`) });
    });
  }

  /** Nothing when it runs already. */
  start(node: RealNode): void {
    if (node.isRunning) return;
    const { host, respPort, httpPort, peerPort } = node.address;
    const founders = this.nodes.map(({ id, address }) => `${id}=${address.host}:${address.peerPort}`);
    const flags = {
      id: node.id,
      data: node.files.data,
      host,
      "resp-port": respPort,
      "http-port": httpPort,
      "peer-port": peerPort,
      cluster: founders.join(","),
      replicas: this.shape.replicas,
      partitions: this.shape.partitions,
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const number = this.nodes.indexOf(node);
    const pid = node.start((command) => this.network.commandAt(number, command), args);
    this.#workplace.record(pid);
  }

  async stop(node: RealNode): Promise<void> {
    if (!(await node.stop(STOP_LIMIT_MS)))
      this.slowStops.push(`${node.id} did not end within ${STOP_LIMIT_MS} ms of SIGTERM`);
  }

  async killAll(): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => await node.kill()));
  }

  /** What the nodes did that no node should, by itself. */
  get ownEnds(): readonly string[] {
    return this.nodes.flatMap(({ ownEnd }) => (ownEnd === undefined ? [] : [ownEnd]));
  }

  /** Whether every node says that it is ready. */
  async isReady(): Promise<boolean> {
    const answers = await Promise.all(this.nodes.map(async (node) => await this.ask(node, "/ready")));
    return answers.every((answer) => answer !== undefined);
  }

  /** What some node that answers knows; undefined when none does. */
  async view(): Promise<ClusterView | undefined> {
    const views = await Promise.all(this.nodes.map(async (node) => await this.ask(node, "/cluster")));
    const known = views.filter((view) => view !== undefined) as ClusterView[];
    return known.find(({ ready }) => ready) ?? known[0];
  }

  /** The body of a 200; undefined for anything else. */
  async ask(node: RealNode, path: string): Promise<unknown> {
    const { host, httpPort } = node.address;
    try {
      const response = await fetch(`http://${host}:${httpPort}${path}`, {
        signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
      });
      const body: unknown = await response.json();
      return response.status === 200 ? body : undefined;
    } catch {
      // Not there, or not in time.
      return undefined;
    }
  }

  /** How each node sees the cluster, for the message of a failure. */
  async describe(): Promise<string> {
    const lines = await Promise.all(
      this.nodes.map(async (node) => {
        if (!node.isRunning) return `${node.id}: not running`;
        const view = (await this.ask(node, "/cluster")) as ClusterView | undefined;
        if (view === undefined) return `${node.id}: no answer`;
        const seen = view.partitions.map(({ keyspace, partition, leader, replicas }) => {
          const held = replicas.map(({ node: id, role, lag }) => `${id} ${role} ${lag}`).join(", ");
          return `  ${keyspace}/${partition}: leader ${leader ?? "unknown"} of ${held}`;
        });
        return [`${node.id}: ${view.ready ? "ready" : "not ready"}`, ...seen].join("\n");
      }),
    );
    return lines.join("\n");
  }
}
