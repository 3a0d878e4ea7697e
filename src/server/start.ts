/**
 * Starts a whole node: the database, its RESP and its HTTP server. The only place that wires them together.
 */
import { MinikeyError } from "../core/errors.js";
import { nodeId } from "../core/ids.js";
import { openLogger } from "../platform/logger.js";
import type { NodeConfig } from "./config/node-config.js";
import { startHttpServer } from "./http/server.js";
import { openNode } from "./open-node.js";
import { startRespServer } from "./resp/server.js";
import { VERSION } from "./version.js";

export interface RunningServer {
  /** 0 for a server that is switched off. */
  readonly respPort: number;
  readonly httpPort: number;
  /** Clean: leadership handed over, everything answered and durable. */
  stop(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 2_500;

/**
 * Resolves once the node is a member of its cluster. `onFatal` is called when it cannot go on: the process should
 * end. Rejects with `MinikeyError`: what `openNode` rejects with, and `PORT_IN_USE`.
 */
export async function startServer(
  config: NodeConfig,
  onFatal: (error: unknown) => void,
): Promise<RunningServer> {
  const logger = await openLogger({ level: config.logLevel });
  const advertise = config.advertise ?? `${config.host}:${config.peerPort}`;
  const founders = config.cluster ?? [{ id: config.id, address: advertise }];
  const { node, clock, stop } = await openNode({
    id: nodeId(config.id),
    dataDir: config.data,
    founders: founders.map(({ id, address }) => ({ id: nodeId(id), address })),
    listen: founders.length === 1 ? undefined : { host: config.host, port: config.peerPort },
    advertise,
    replicas: config.replicas,
    partitions: config.partitions,
    valueBytesMax: config.maxValueSize,
    readMode: config.readMode,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    version: VERSION,
    rebuild: config.rebuild,
    logger,
    onFatal,
  });
  const shared = {
    host: config.host,
    database: node,
    logger,
    clock,
    limits: { valueBytesMax: config.maxValueSize },
  };
  const servers: { port: number; stop(): Promise<void> }[] = [];
  const stopAll = async () => {
    await Promise.all(servers.map(async (server) => await server.stop()));
    await stop();
  };
  try {
    const respPort = await listen(
      config.respPort,
      async (port) => await startRespServer({ ...shared, port }),
    );
    const httpPort = await listen(
      config.httpPort,
      async (port) => await startHttpServer({ ...shared, port }),
    );
    node.announce(addressOf(config, respPort), addressOf(config, httpPort));
    await node.start();
    return { respPort, httpPort, stop: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }

  async function listen(
    port: number | "off",
    start: (port: number) => Promise<{ port: number; stop(): Promise<void> }>,
  ): Promise<number> {
    if (port === "off") return 0;
    const server = await start(port);
    servers.push(server);
    return server.port;
  }
}

function addressOf(config: NodeConfig, port: number): string {
  if (port === 0) return "";
  const host = config.advertise?.slice(0, config.advertise.lastIndexOf(":")) ?? config.host;
  return `${host}:${port}`;
}

export function requireFounders(config: NodeConfig): void {
  if (config.cluster !== undefined && !config.cluster.some(({ id }) => id === config.id)) {
    throw new MinikeyError("BAD_CONFIG", `--cluster does not name this node, ${config.id}`);
  }
}
