/**
 * The HTTP server: assembles the routes on Fastify, answers what matches none, and stops without waiting for
 * idle clients. Fastify routes and serialises; parsing and checking of requests is this folder's own.
 *
 * Fastify is loaded by the first `startHttpServer`, so that a process without HTTP never pays for it. No request
 * logging, no CORS.
 */

import type { ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { FastifyError, FastifyReply, FastifyServerOptions } from "fastify";
import { DEFAULT_VALUE_BYTES_MAX } from "../../commands/check.js";
import { AssertionFailure } from "../../core/assert.js";
import { KEY_BYTES_MAX } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { Database } from "../../node/database.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import { toListenError } from "../listen-error.js";
import { HeldBytes } from "./body.js";
import { registerClusterRoutes } from "./cluster-routes.js";
import { registerComputeRoute } from "./compute-route.js";
import { Connections } from "./connections.js";
import { fromParserError, toHttpError, toMinikeyError, toRawResponse } from "./errors.js";
import { registerKeyRoutes } from "./key-routes.js";
import { registerKeyspaceRoutes } from "./keyspace-routes.js";
import { allowedMethods, type DeclaredRoute } from "./methods.js";
import { registerOpenApi } from "./openapi.js";
import { registerQueryRoutes } from "./query-routes.js";
import { JSON_TYPE } from "./replies.js";
import { type App, type HttpLimits, type HttpServices, urlOf } from "./services.js";
import { percentDecode } from "./text.js";

export interface HttpServerOptions {
  /** An IP address or `localhost`. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly database: Database;
  readonly logger: Logger;
  readonly limits?: Partial<HttpLimits>;
  readonly clock: Clock;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no new requests, lets those under way finish for a while, closes every connection. */
  stop(): Promise<void>;
}

const LIMITS: HttpLimits = {
  keyBytesMax: KEY_BYTES_MAX,
  valueBytesMax: DEFAULT_VALUE_BYTES_MAX,
  heldBytesMax: 268_435_456,
  pendingRequestsMax: 65_536,
};
const CONNECTIONS_MAX = 10_000;
/** How long `stop` lets requests under way go on. */
const STOP_GRACE_MS = 3000;
const REQUEST_TIMEOUT_MS = 300_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/** Rejects with `MinikeyError` `PORT_IN_USE` or `BAD_CONFIG` when the address cannot be had. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, database, logger, clock } = options;
  const limits = { ...LIMITS, ...options.limits };
  const services: HttpServices = {
    database,
    limits,
    held: new HeldBytes(limits.heldBytesMax),
    clock,
  };
  const app = await createApp();
  const state = { stopping: false };
  app.server.maxConnections = CONNECTIONS_MAX;
  const connections = new Connections(app.server);
  handleErrors(app, logger);
  orderRequests(app, connections, state);
  const routes = collectRoutes(app);
  refuseUnmatched(app, routes);
  const declareRoutes = (on: App): void => {
    registerKeyRoutes(on, services);
    registerQueryRoutes(on, services);
    registerComputeRoute(on, services);
    registerKeyspaceRoutes(on, services);
    registerClusterRoutes(on, services);
  };
  registerOpenApi(app, { version: database.status().version, makeApp: createApp, declareRoutes });
  declareRoutes(app);
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw toListenError(error, "HTTP", "--http-port", host, port);
  }
  app.server.on("error", (error) => logger.error("HTTP server failed", { error: error.message }));
  return {
    port: (app.server.address() as AddressInfo).port,
    stop: () => stop(app, connections, state, clock),
  };
}

type Compilers = NonNullable<NonNullable<FastifyServerOptions["schemaController"]>["compilersFactory"]>;

/**
 * Schemas are documentation; bodies are read by the handlers, which know their bounds. Given here, and not by
 * `setValidatorCompiler`, so that Fastify does not load compilers that nobody uses.
 */
const DOCUMENTATION_ONLY: Compilers = {
  // Fastify's types know no validator but Ajv's.
  buildValidator: (() => () => () => true) as unknown as NonNullable<Compilers["buildValidator"]>,
  buildSerializer: () => () => (data: unknown) => JSON.stringify(data),
};

async function createApp(): Promise<App> {
  const { fastify } = await import("fastify");
  const app = fastify({
    logger: false,
    bodyLimit: Number.MAX_SAFE_INTEGER,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // Node.js would answer without a body; `orderRequests` checks instead.
    http: { requireHostHeader: false },
    return503OnClosing: false,
    routerOptions: { maxParamLength: 65_536, querystringParser: () => ({}) },
    schemaController: { compilersFactory: DOCUMENTATION_ONLY },
    rewriteUrl: (request) => withoutOrigin(request.url ?? "/"),
    frameworkErrors: (error, request, reply) => {
      sendError(reply, badUrl(urlOf(request), error));
    },
    clientErrorHandler: (error, socket) => onClientError(error, socket),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  return app;
}

/** A request line may carry an absolute URL (RFC 9112 §3.2.2). */
const withoutOrigin = (url: string): string =>
  url.startsWith("/") ? url : url.replace(/^https?:\/\/[^/?#]*\/?/i, "/");

/** The router says only that a path is badly encoded; this says where. */
function badUrl(url: string, error: FastifyError): MinikeyError {
  try {
    percentDecode(url.split("?")[0], "the path");
  } catch (named) {
    return toMinikeyError(named);
  }
  return toMinikeyError(error);
}

function handleErrors(app: App, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const known = toMinikeyError(error);
    if (known.code === "INTERNAL") {
      const { stack } = error as Error;
      logger.error("HTTP request failed", { method: request.method, url: urlOf(request), error: stack });
    }
    sendError(reply, known);
    // A broken invariant stops the process: it leaves through the process's own handler.
    if (error instanceof AssertionFailure) {
      queueMicrotask(() => {
        throw error;
      });
    }
  });
}

function sendError(reply: FastifyReply, error: MinikeyError): void {
  const { status, headers, body } = toHttpError(error, reply.request.method);
  void reply.code(status).headers(headers).type(JSON_TYPE).send(body);
}

function onClientError(error: NodeJS.ErrnoException & { reason?: string }, socket: Socket): void {
  const answering = (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage;
  if (!socket.writable || error.code === "ECONNRESET" || answering?.headersSent === true) {
    socket.destroy();
    return;
  }
  socket.end(toRawResponse(fromParserError(error.code, error.reason)));
}

/** The first to see a request: headers of every answer, refusals that need no route, the order of pipelines. */
function orderRequests(app: App, connections: Connections, state: { readonly stopping: boolean }): void {
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-content-type-options", "nosniff");
    const { host } = request.raw.headers;
    if (state.stopping) done(new MinikeyError("STOPPING", "the node is stopping"));
    else if (host === undefined && request.raw.httpVersion === "1.1") {
      reply.header("connection", "close");
      done(noHost());
    } else {
      connections.begin(request.raw.socket, request.method, reply.raw, done);
    }
  });
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (state.stopping) reply.header("connection", "close");
    done(null, payload);
  });
}

const noHost = (): MinikeyError =>
  new MinikeyError("PROTOCOL", "not a valid HTTP request: the Host header is missing");

function collectRoutes(app: App): readonly DeclaredRoute[] {
  const routes: DeclaredRoute[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    routes.push({ url, methods: [method].flat() });
  });
  return routes;
}

/** 405 with `Allow` where another method would do, else 404: before any body is looked at. */
function refuseUnmatched(app: App, routes: readonly DeclaredRoute[]): void {
  app.setNotFoundHandler((request, reply) => {
    const path = urlOf(request).split("?")[0];
    const allowed = allowedMethods(routes, path);
    if (allowed.length === 0 || allowed.includes(request.method)) {
      sendError(reply, new MinikeyError("NOT_FOUND", `there is nothing at ${path}`));
      return;
    }
    const allow = allowed.join(", ");
    reply.header("allow", allow);
    sendError(
      reply,
      new MinikeyError("METHOD_NOT_ALLOWED", `${request.method} is not allowed here; allowed: ${allow}`),
    );
  });
}

async function stop(
  app: App,
  connections: Connections,
  state: { stopping: boolean },
  clock: Clock,
): Promise<void> {
  state.stopping = true;
  const closed = app.close();
  connections.closeIdle();
  const cancel = clock.after(STOP_GRACE_MS, () => connections.closeAll());
  await closed;
  cancel();
}
