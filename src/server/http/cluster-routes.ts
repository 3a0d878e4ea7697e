/** `/health`, `/ready`, `/cluster`: is the process alive, can it serve, and what does it know of the others. */

import { MinikeyError } from "../../core/errors.js";
import type { ClusterStatus } from "../../node/database.js";
import { toHttpError } from "./errors.js";
import { clusterSchema, healthSchema, readySchema } from "./schemas.js";
import { type App, type HttpServices, queryOf } from "./services.js";

export function registerClusterRoutes(app: App, { database }: HttpServices): void {
  app.get("/health", { schema: healthSchema }, (request, reply) => {
    queryOf(request, []);
    const { nodeId, version, uptimeSeconds } = database.status();
    return reply.send({ status: "ok", nodeId, version, uptimeSeconds });
  });

  app.get("/ready", { schema: readySchema }, (request, reply) => {
    queryOf(request, []);
    const status = database.status();
    if (status.ready) return reply.send({ ready: true });
    const error = new MinikeyError("NOT_READY", "the node is not ready");
    const {
      status: code,
      headers,
      body,
    } = toHttpError(error, request.method, { ready: false, reasons: reasonsOf(status) });
    return reply.code(code).headers(headers).type("application/json; charset=utf-8").send(body);
  });

  app.get("/cluster", { schema: clusterSchema }, (request, reply) => {
    queryOf(request, []);
    const status = database.status();
    const partitions = status.partitions.map((partition) => ({
      ...partition,
      leader: partition.leader ?? null,
    }));
    const replication = status.replication.map((one) => ({
      ...one,
      lastRepair:
        one.lastRepair === undefined ? null : { ...one.lastRepair, with: one.lastRepair.with ?? null },
    }));
    return reply.send({ ...status, partitions, replication });
  });
}

/** What keeps the node from being ready, as far as its own view tells. */
function reasonsOf({ nodeId, clusterId, keyspaces, partitions }: ClusterStatus): string[] {
  if (clusterId === "") return ["the node does not know its cluster yet"];
  const reasons: string[] = [];
  for (const { keyspace, partition, leader, replicas } of partitions) {
    const own = replicas.find(({ node }) => node === nodeId);
    if (own === undefined) continue;
    const name = keyspaces.find(({ id }) => id === keyspace)?.name ?? String(keyspace);
    if (own.role === "replica") continue;
    const isEventual = keyspaces.find(({ id }) => id === keyspace)?.consistency === "eventual";
    if (isEventual || (leader !== undefined && own.role === "learner")) {
      reasons.push(`partition ${partition} of ${name} is being copied here`);
    } else if (leader === undefined) reasons.push(`partition ${partition} of ${name} has no leader`);
    else if (own.lag > 0) reasons.push(`partition ${partition} of ${name} is ${own.lag} entries behind here`);
  }
  return reasons.length > 0 ? reasons : ["the node is still starting"];
}
