/**
 * A process with one transport, for tests that kill and stop it: `NODE_ID` as its argument, tells its port, and
 * then every frame it gets by its length.
 */
import { nodeId } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { silentLogger } from "../../src/platform/logger.js";
import { TcpTransport } from "../../src/platform/tcp-transport.js";

const [, , id, port = "0"] = process.argv;
const transport = new TcpTransport({
  greeting: { nodeId: nodeId(id), incarnation: 1, clusterId: "c1", stage: "formed", address: "" },
  listen: { host: "127.0.0.1", port: Number(port) },
  clock: systemClock(),
  logger: silentLogger,
});
await transport.start({
  onFrame: (_from, frame) => process.send!({ frameBytes: frame.length }),
  onGreeting() {},
  onUp() {},
  onDown() {},
});
process.on("disconnect", () => process.exit());
process.send!({ port: transport.port });
