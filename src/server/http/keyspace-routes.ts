/** `/keyspaces`: what there is, make one, drop one. */
import { MinikeyError } from "../../core/errors.js";
import { readJsonRequest } from "./body-values.js";
import {
  createKeyspaceSchema,
  dropKeyspaceSchema,
  getKeyspaceSchema,
  listKeyspacesSchema,
} from "./schemas.js";
import { type App, type HttpServices, keyspaceOf, queryOf } from "./services.js";

export function registerKeyspaceRoutes(app: App, services: HttpServices): void {
  const { database } = services;

  app.get("/keyspaces", { schema: listKeyspacesSchema }, (request, reply) => {
    queryOf(request, []);
    return reply.send({ keyspaces: database.status().keyspaces });
  });

  app.get("/keyspaces/:keyspace", { schema: getKeyspaceSchema }, (request, reply) => {
    queryOf(request, []);
    return reply.send(keyspaceOf(services, request, true));
  });

  app.post("/keyspaces", { schema: createKeyspaceSchema }, async (request, reply) => {
    queryOf(request, []);
    const body = await readJsonRequest(request, reply, services, [
      "name",
      "consistency",
      "storage",
      "replicas",
      "partitions",
    ]);
    const name = body.string("name");
    if (name === undefined) throw new MinikeyError("BAD_REQUEST", "Name is required");
    const replicas = body.count("replicas");
    const partitions = body.count("partitions");
    const created = await database.createKeyspace({
      name,
      consistency: body.choice("consistency", ["strong", "eventual"]) ?? "strong",
      storage: body.choice("storage", ["disk", "memory"]) ?? "disk",
      ...(replicas === undefined ? {} : { replicas }),
      ...(partitions === undefined ? {} : { partitions }),
    });
    return reply.code(201).send(created);
  });

  app.delete("/keyspaces/:keyspace", { schema: dropKeyspaceSchema }, async (request, reply) => {
    queryOf(request, []);
    await database.dropKeyspace(keyspaceOf(services, request, true).name);
    return reply.send({ status: "deleted" });
  });
}
