/** `/openapi.json` (OpenAPI 3.1, from the routes' schemas) and `/docs`, its page. */
import { SHARED_SCHEMAS } from "./schemas.js";
import { type App, queryOf } from "./services.js";

/** Must come before the routes that it describes. */
export async function registerOpenApi(app: App, version: string): Promise<void> {
  const [{ default: swagger }, { default: swaggerUi }] = await Promise.all([
    import("@fastify/swagger"),
    import("@fastify/swagger-ui"),
  ]);
  for (const schema of SHARED_SCHEMAS) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "MinikeyDB",
        version,
        description: "A distributed, linearizable, durable key-value database.",
        license: { name: "MIT", identifier: "MIT" },
      },
      tags: [{ name: "Keys" }, { name: "Keyspaces" }, { name: "Node" }],
    },
    refResolver: { buildLocalReference: (json) => json["$id"] as string },
    transform: ({ schema, url }) => ({ schema, url: url.replace("*", ":key") }),
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    uiConfig: { validatorUrl: null, deepLinking: true },
    staticCSP:
      "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
  });
  app.get("/openapi.json", { schema: { hide: true } }, (request, reply) => {
    queryOf(request, []);
    return reply.send(app.swagger());
  });
}
