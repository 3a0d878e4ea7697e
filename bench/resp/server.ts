/** The process that `main.ts` measures: the RESP server on data in memory. Told to report its CPU time, it does. */
import { systemClock } from "../../src/platform/clock.js";
import { startRespServer } from "../../src/server/resp/server.js";
import { LogRecorder } from "../../test/support/log-recorder.js";
import { MemoryDatabase } from "../../test/support/memory-database.js";

const clock = systemClock();
const server = await startRespServer({
  host: "127.0.0.1",
  port: 0,
  database: new MemoryDatabase({ clock }),
  logger: new LogRecorder(),
  clock,
  limits: { valueBytesMax: 8 * 1024 * 1024 },
});

process.on("message", () => process.send?.(process.cpuUsage()));
process.on("disconnect", () => process.exit(0));
process.send?.({ port: server.port });
