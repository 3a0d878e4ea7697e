/** Looks whether the ports are free before anything is started, so that the message can name the one that is not. */
import { once } from "node:events";
import { createServer } from "node:net";
import { ExitError } from "../failure.js";
import type { NodePlan } from "./layout.js";

/** Fails with the first port that is given twice or that something else listens on. */
export async function checkPorts(nodes: readonly NodePlan[], host: string): Promise<void> {
  const ports = nodes.flatMap((node) => [
    { port: node.respPort, what: `the RESP port of ${node.id}`, flag: "--resp-port" },
    { port: node.httpPort, what: `the HTTP port of ${node.id}`, flag: "--http-port" },
    { port: node.peerPort, what: `the peer port of ${node.id}`, flag: "--peer-port" },
  ]);
  const owners = new Map<number, string>();
  for (const { port, what, flag } of ports) {
    const owner = owners.get(port);
    if (owner !== undefined)
      throw new ExitError(`port ${port} would be ${owner} and ${what}; change ${flag}`, 2);
    if (port > 65_535) throw new ExitError(`${what} would be ${port}, beyond 65535; change ${flag}`, 2);
    owners.set(port, what);
  }
  for (const { port, what, flag } of ports) {
    const problem = await listenProblem(port, host);
    if (problem === "EADDRINUSE") {
      throw new ExitError(
        `port ${port} (${what}) is in use. Is the cluster running already? Other ports: ${flag}`,
      );
    }
    if (problem !== undefined) throw new ExitError(`cannot listen on ${host}:${port} (${what}): ${problem}`);
  }
}

async function listenProblem(port: number, host: string): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ port, host, exclusive: true });
    await once(server, "listening");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
  server.close();
  await once(server, "close");
  return undefined;
}
