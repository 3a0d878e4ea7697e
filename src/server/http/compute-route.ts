/** `POST /compute` and `/keyspaces/{name}/compute`: a formula over numbers that are in the database. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { assert } from "../../core/assert.js";
import { MinikeyError } from "../../core/errors.js";
import { readJsonRequest } from "./body-values.js";
import { readContext } from "./levels.js";
import { computeSchema } from "./schemas.js";
import { type App, ask, type HttpServices, keyspaceOf, queryOf } from "./services.js";

export function registerComputeRoute(app: App, services: HttpServices): void {
  for (const named of [false, true]) {
    const path = named ? "/keyspaces/:keyspace/compute" : "/compute";
    app.post(path, { schema: computeSchema(named) }, (request, reply) =>
      compute(services, named, request, reply),
    );
  }
}

async function compute(
  services: HttpServices,
  named: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const query = queryOf(request, ["consistency"]);
  const context = readContext(keyspaceOf(services, request, named), query.get("consistency"));
  const body = await readJsonRequest(request, reply, services, ["expression", "where", "angle"]);
  const expression = body.string("expression");
  if (expression === undefined) throw new MinikeyError("BAD_REQUEST", "Expression is required");
  const where = body.strings("where") ?? [];
  const unit = body.choice("angle", ["radians", "degrees"]) ?? "radians";
  const result = await ask(services, context, ["KV.COMPUTE", unit, expression, ...where.flat()]);
  assert(typeof result === "string", "a result is text");
  return reply.send({ result: Number(result) });
}
