/** What lies between the nodes, and how it can be disturbed. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Where a node listens. */
export interface NodeAddress {
  readonly host: string;
  readonly respPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
}

/** For one node, of what it sends to anybody. */
export interface Slowness {
  readonly delayMs: number;
  readonly lossPercent: number;
}

/** Nodes are numbers from 0. */
export interface Network {
  readonly canSplit: boolean;
  readonly canSlow: boolean;
  readonly addresses: readonly NodeAddress[];
  /** The command line that runs `command` where a node's address is. */
  commandAt(node: number, command: readonly string[]): readonly string[];
  /** From now on nothing that `from` sends reaches `to`; each cut is taken back by one `mend`. */
  cut(from: number, to: number): Promise<void>;
  mend(from: number, to: number): Promise<void>;
  /** A node's only cable: to other nodes, and to clients. */
  setLink(node: number, isUp: boolean): Promise<void>;
  /** Undefined: as fast as before. */
  setSlowness(node: number, slowness: Slowness | undefined): Promise<void>;
  /** Ends what holds it up. */
  close(): void;
}

/** All nodes on one loopback address, which nothing can split. */
export class LoopbackNetwork implements Network {
  readonly canSplit = false;
  readonly canSlow = false;
  readonly addresses: readonly NodeAddress[];

  private constructor(addresses: readonly NodeAddress[]) {
    this.addresses = addresses;
  }

  static async open(nodes: number): Promise<LoopbackNetwork> {
    const ports = await freePorts(3 * nodes);
    const addresses = Array.from({ length: nodes }, (_, i) => ({
      host: HOST,
      respPort: ports[3 * i],
      httpPort: ports[3 * i + 1],
      peerPort: ports[3 * i + 2],
    }));
    return new LoopbackNetwork(addresses);
  }

  commandAt(_node: number, command: readonly string[]): readonly string[] {
    return command;
  }

  cut(): Promise<void> {
    return cannot();
  }

  mend(): Promise<void> {
    return cannot();
  }

  setLink(): Promise<void> {
    return cannot();
  }

  setSlowness(): Promise<void> {
    return cannot();
  }

  close(): void {
    // Nothing was made.
  }
}

const HOST = "127.0.0.1";
/** Below the ports that kernels give to outgoing connections: a node's must be free while it is down. */
const PORT_MIN = 12_000;
const PORT_MAX = 32_000;

function cannot(): Promise<never> {
  return Promise.reject(new Error("the loopback device cannot be disturbed"));
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(PORT_MIN, PORT_MAX);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
