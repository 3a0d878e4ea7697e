/** A running HTTP server over a `ProbeDatabase`, and a client that sends exactly what it is told. */
import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import {
  type HttpServer,
  type HttpServerOptions,
  startHttpServer,
} from "../../../../src/server/http/server.js";
import { HandClock } from "../../../support/hand-clock.js";
import { ProbeDatabase } from "./probe-database.js";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON; throws when it is not. */
  json(): unknown;
}

export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: string | Uint8Array | object;
}

export interface Harness {
  readonly server: HttpServer;
  readonly database: ProbeDatabase;
  readonly clock: HandClock;
  readonly errors: string[];
  readonly send: (method: string, path: string, sent?: Sent) => Promise<Answer>;
  /** Writes raw bytes on a new connection; resolves with all that came until the server closed it. */
  readonly raw: (...parts: readonly (string | Uint8Array)[]) => Promise<string>;
}

export async function startHarness(
  t: TestContext,
  options: Partial<HttpServerOptions> = {},
): Promise<Harness> {
  const clock = new HandClock();
  const valueBytesMax = options.limits?.valueBytesMax;
  const database = new ProbeDatabase({ clock, ...(valueBytesMax === undefined ? {} : { valueBytesMax }) });
  const errors: string[] = [];
  const server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    database,
    clock,
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: (message) => errors.push(message),
      error: (message, fields) => errors.push(`${message}: ${String(fields?.["error"])}`),
    },
    ...options,
  });
  const agent = new Agent({ keepAlive: true });
  t.after(async () => {
    agent.destroy();
    await server.stop();
  });
  return {
    server,
    database,
    clock,
    errors,
    send: (method, path, sent = {}) => send(agent, server.port, method, path, sent),
    raw: (...parts) => sendRaw(server.port, parts),
  };
}

function send(agent: Agent, port: number, method: string, path: string, sent: Sent): Promise<Answer> {
  const isJson = typeof sent.body === "object" && !(sent.body instanceof Uint8Array);
  const body = isJson ? JSON.stringify(sent.body) : sent.body;
  const headers: Record<string, string> = {
    ...(isJson ? { "content-type": "application/json" } : {}),
    ...(body === undefined || sent.headers?.["transfer-encoding"] !== undefined
      ? {}
      : { "content-length": String(Buffer.byteLength(body)) }),
    ...sent.headers,
  };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(parts);
        const text = bytes.toString();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          bytes,
          text,
          json: () => JSON.parse(text) as unknown,
        });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

function sendRaw(port: number, parts: readonly (string | Uint8Array)[]): Promise<string> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () => {
      for (const part of parts) socket.write(part);
    });
    socket.on("data", (part) => received.push(part));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(Buffer.concat(received).toString("latin1")));
  });
}

const DEADLINE_MS = 10_000;

/** Polls until `condition` holds; throws when it has not for ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never true: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
