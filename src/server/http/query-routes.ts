/** `GET /query/{path}` and `/keyspaces/{name}/query/{path}`: one place in a key's document (`commands/query.ts`). */
import type { FastifyReply, FastifyRequest } from "fastify";
import { readContext } from "./levels.js";
import { bytesOf, itemsOf, JSON_TYPE } from "./replies.js";
import { querySchema } from "./schemas.js";
import { type App, ask, type HttpServices, keyspaceOf, queryOf, urlOf } from "./services.js";
import { renderAtPath } from "./stored-value.js";
import { pathAfterSlash, percentDecode } from "./text.js";

export function registerQueryRoutes(app: App, services: HttpServices): void {
  for (const named of [false, true]) {
    const route = named ? "/keyspaces/:keyspace/query/*" : "/query/*";
    app.get(route, { schema: querySchema(named) }, (request, reply) =>
      query(services, named, request, reply),
    );
  }
}

async function query(
  services: HttpServices,
  named: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const parameters = queryOf(request, ["consistency"]);
  // Everything after `/query/`, as with keys.
  const path = percentDecode(pathAfterSlash(urlOf(request), named ? 4 : 2), "the path");
  const context = readContext(keyspaceOf(services, request, named), parameters.get("consistency"));
  const [, , type, found] = itemsOf(await ask(services, context, ["KV.QUERY", path]));
  const value = bytesOf(found);
  services.held.open(reply.raw).add(value.length);
  reply.header("cache-control", "no-cache").type(JSON_TYPE);
  return reply.send(await renderAtPath(path.utf8Slice(), bytesOf(type).latin1Slice(), value));
}
