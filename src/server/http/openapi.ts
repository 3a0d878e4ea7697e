/**
 * `/openapi.json` (OpenAPI 3.1, from the routes' schemas) and `/docs`, its page.
 *
 * The libraries that make them are loaded by the first request for one of them, into an application of its own
 * that declares the same routes and listens to nobody: a start does not pay for what most nodes are never asked.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { SHARED_SCHEMAS } from "./schemas.js";
import { type App, queryOf, urlOf } from "./services.js";

const PAGE = "/docs";
const DOCUMENT = "/openapi.json";
const NOT_FOUND = 404;

export interface Documented {
  readonly version: string;
  /** Makes an application without routes. */
  readonly makeApp: () => Promise<App>;
  /** Declares the routes to describe. */
  readonly declareRoutes: (app: App) => void;
}

export function registerOpenApi(app: App, documented: Documented): void {
  let described: Promise<App> | undefined;
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    described ??= describe(documented).catch((error: unknown) => {
      // The next request tries again, and the end of the server does not fail for it.
      described = undefined;
      throw error;
    });
    const { statusCode, headers, rawPayload } = await (await described).inject({
      method: "GET",
      url: urlOf(request),
      headers: request.headers,
    });
    if (statusCode === NOT_FOUND) {
      reply.callNotFound();
      return reply;
    }
    const { connection: _connection, date: _date, ...own } = headers;
    return reply.code(statusCode).headers(own).send(rawPayload);
  };
  app.get(DOCUMENT, async (request, reply) => {
    queryOf(request, []);
    return answer(request, reply);
  });
  app.get(PAGE, answer);
  app.get(`${PAGE}/*`, answer);
  app.addHook("onClose", async () => (await described)?.close());
}

const isServed = (route: string | undefined): boolean =>
  route === DOCUMENT || route === PAGE || route?.startsWith(`${PAGE}/`) === true;

/** The rest of a path by its name in the schemas. */
const nameRest = (url: string): string => url.replace("*", url.includes("/query/") ? ":path" : ":key");

/** The application that describes the routes. */
async function describe({ version, makeApp, declareRoutes }: Documented): Promise<App> {
  const [app, { default: swagger }, { default: swaggerUi }] = await Promise.all([
    makeApp(),
    import("@fastify/swagger"),
    import("@fastify/swagger-ui"),
  ]);
  // The other routes are there to be described: a path such as `/docs/../kv` leads to them, past every check.
  app.addHook("onRequest", (request, reply, done) => {
    if (isServed(request.routeOptions.url)) done();
    else void reply.code(NOT_FOUND).send();
  });
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
      tags: [{ name: "Keys" }, { name: "Documents" }, { name: "Keyspaces" }, { name: "Node" }],
    },
    refResolver: { buildLocalReference: (json) => json["$id"] as string },
    transform: ({ schema, url }) => ({ schema, url: nameRest(url) }),
  });
  await app.register(swaggerUi, {
    routePrefix: PAGE,
    uiConfig: { validatorUrl: null, deepLinking: true },
    staticCSP:
      "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
  });
  app.get(DOCUMENT, { schema: { hide: true } }, (_request, reply) => reply.send(app.swagger()));
  declareRoutes(app);
  return app;
}
