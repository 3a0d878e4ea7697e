/** The RESP server: the port that it listens on, whose connections `Connections` has. */
import { createServer, type Server, type Socket } from "node:net";
import type { Database } from "../../node/database.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import { toListenError } from "../listen-error.js";
import { Connections, type RespLimits } from "./connections.js";
import { readIntoSharedBuffer } from "./socket.js";

export type { RespLimits } from "./connections.js";

export interface RespServerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly database: Database;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits: RespLimits;
}

export interface RespServer {
  readonly port: number;
  /** Takes no more connections and commands, answers those taken, and closes. */
  stop(): Promise<void>;
}

/** Rejects with `MinikeyError` `PORT_IN_USE` or `BAD_CONFIG`, or with the operating system's error. */
export async function startRespServer(options: RespServerOptions): Promise<RespServer> {
  const server = new RespListener(options);
  await server.listen();
  return server;
}

class RespListener implements RespServer {
  readonly #options: RespServerOptions;
  readonly #connections: Connections;
  readonly #server: Server;

  constructor(options: RespServerOptions) {
    this.#options = options;
    this.#connections = new Connections({ ...options, port: () => this.port });
    this.#server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true },
      (socket) => this.#onConnection(socket),
    );
  }

  async listen(): Promise<void> {
    const { host, port, logger } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error) => {
        reject(toListenError(error, "RESP", "--resp-port", host, port));
      });
      this.#server.listen({ host, port }, resolve);
    });
    this.#connections.start();
    this.#server.removeAllListeners("error");
    this.#server.on("error", (error) => logger.error("RESP server failed", { error: error.message }));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  async stop(): Promise<void> {
    this.#server.close();
    await this.#connections.stop();
  }

  #onConnection(accepted: Socket): void {
    const ends = {
      remote: `${accepted.remoteAddress}:${accepted.remotePort}`,
      local: `${accepted.localAddress}:${accepted.localPort}`,
    };
    const isOpen = this.#connections.tryOpen(ends, (buffer, start, onInput) =>
      readIntoSharedBuffer(accepted, buffer, start, onInput),
    );
    if (isOpen) return;
    accepted.on("error", () => accepted.destroy());
    accepted.end("-ERR max number of clients reached\r\n", () => accepted.destroy());
  }
}
