/** The RESP server over a database in memory, on a free port, for tests of what talks to it. */
import { systemClock } from "../../src/platform/clock.js";
import { type RespServer, startRespServer } from "../../src/server/resp/server.js";
import { MemoryDatabase } from "./memory-database.js";

export interface MemoryServer {
  readonly database: MemoryDatabase;
  readonly address: string;
  stop(): Promise<void>;
}

const VALUE_BYTES_MAX = 8 * 1024 * 1024;
const ignore = (): void => {};

/** One node, `n1`, with several partitions. */
export async function startMemoryServer(port = 0, database = newDatabase()): Promise<MemoryServer> {
  const server: RespServer = await startRespServer({
    host: "127.0.0.1",
    port,
    database,
    clock: systemClock(),
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    limits: { valueBytesMax: VALUE_BYTES_MAX },
  });
  const address = `127.0.0.1:${server.port}`;
  database.respAddress = address;
  return { database, address, stop: () => server.stop() };
}

const newDatabase = (): MemoryDatabase => new MemoryDatabase({ clock: systemClock(), partitions: 8 });
