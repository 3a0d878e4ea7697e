/**
 * Free TCP ports for processes that must be told theirs before they start.
 *
 * They lie below the range from which the kernel takes the ports of outgoing connections: else a port could
 * be taken by some connection while its node is down, and the node could not start again.
 */
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const LOWEST_PORT = 12_000;

function lowestEphemeralPort(): number {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s+/)[0]);
  } catch {
    // Not Linux: IANA's range.
    return 49_152;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Returns `count` different ports of 127.0.0.1 that nothing listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const end = lowestEphemeralPort();
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(LOWEST_PORT, end);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}
