import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it, type TestContext } from "node:test";
import { type FastifyInstance, fastify, type RouteOptions } from "fastify";
import { ERROR_CLASSES, type ErrorCode } from "../../../../src/core/errors.js";
import { keyspaceId, nodeId } from "../../../../src/core/ids.js";
import type { PartitionInfo } from "../../../../src/node/database.js";
import { registerOpenApi } from "../../../../src/server/http/openapi.js";
import { startHarness } from "./harness.js";

const JSON_BODY = { "content-type": "application/json" };

const moduleUrl = (path: string): string => new URL(`../../../../${path}`, import.meta.url).href;

function partition(
  number: number,
  leader: string | undefined,
  role: "follower" | "learner",
  lag: number,
): PartitionInfo {
  return {
    keyspace: keyspaceId(0),
    partition: number,
    slots: [[0, 16_383]],
    leader: leader === undefined ? undefined : nodeId(leader),
    replicas: [{ node: nodeId("n1"), role, lag }],
  };
}

/**
 * The routes of the first application that is made from now on, as fastify is told of them, in OpenAPI's words. Not
 * `HEAD`, which comes with `GET`, nor the document itself and its page.
 */
function watchRoutes(t: TestContext): ReadonlySet<string> {
  const served = new Set<string>();
  const onRoute = ({ url, method }: RouteOptions): void => {
    if (method === "HEAD" || /^\/(?:docs|openapi\.json)\b/.test(url)) return;
    const path = url
      .replace(/:(\w+)/g, "{$1}")
      .replace(/kv\/\*$/, "kv/{key}")
      .replace(/query\/\*$/, "query/{path}");
    for (const each of [method].flat()) served.add(`${each.toLowerCase()} ${path}`);
  };
  const onApplication = (message: unknown): void => {
    unsubscribe("fastify.initialization", onApplication);
    (message as { fastify: FastifyInstance }).fastify.addHook("onRoute", onRoute);
  };
  subscribe("fastify.initialization", onApplication);
  t.after(() => unsubscribe("fastify.initialization", onApplication));
  return served;
}

describe("the node's own routes", () => {
  it("/health is 200 while the process serves, ready or not", async (t) => {
    const { send, database } = await startHarness(t);
    database.ready = false;
    const answer = await send("GET", "/health");
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json(), { status: "ok", nodeId: "n1", version: "0.0.0", uptimeSeconds: 1 });
  });

  it("/ready is 200 when ready, else 503 with the reasons and when to ask again", async (t) => {
    const { send, database } = await startHarness(t);
    const ready = await send("GET", "/ready");
    assert.equal(ready.status, 200);
    assert.deepEqual(ready.json(), { ready: true });

    database.ready = false;
    database.partitions = [
      partition(0, "n2", "follower", 0),
      partition(1, undefined, "follower", -1),
      partition(2, "n2", "learner", 9),
      partition(3, "n2", "follower", 17),
      { ...partition(4, undefined, "follower", 0), replicas: [] },
    ];
    const not = await send("GET", "/ready");
    assert.equal(not.status, 503);
    assert.equal(not.headers["retry-after"], "1");
    assert.deepEqual(not.json(), {
      error: "the node is not ready",
      code: "NOT_READY",
      ready: false,
      reasons: [
        "partition 1 of default has no leader",
        "partition 2 of default is being copied here",
        "partition 3 of default is 17 entries behind here",
      ],
    });
    database.partitions = [];
    const { reasons } = (await send("GET", "/ready")).json() as { reasons: string[] };
    assert.deepEqual(reasons, ["the node is still starting"]);
    assert.equal((await send("HEAD", "/ready")).status, 503);
  });

  it("/cluster tells the status, with null where no leader is known", async (t) => {
    const { send, database } = await startHarness(t);
    database.partitions = [partition(0, undefined, "follower", -1)];
    const answer = await send("GET", "/cluster");
    assert.equal(answer.status, 200);
    const expected = { ...database.status(), partitions: [{ ...database.partitions[0], leader: null }] };
    assert.deepEqual(answer.json(), JSON.parse(JSON.stringify(expected)));
  });

  it("/cluster tells how far eventual keyspaces are, in the words of its own description", async (t) => {
    const { send, database } = await startHarness(t);
    const counts = {
      lag: 5,
      lagMax: 3,
      hints: 4,
      tombstones: 2,
      readRepairs: 1,
      comparisons: 6,
      repaired: 7,
    };
    const moved = { partition: 2, finishedMs: 9, durationMs: 8, recordsTaken: 1, recordsGiven: 2, bytes: 99 };
    database.replication = [
      { keyspace: keyspaceId(1), ...counts, lastRepair: undefined },
      { keyspace: keyspaceId(2), ...counts, lastRepair: { ...moved, with: nodeId("n2") } },
      { keyspace: keyspaceId(3), ...counts, lastRepair: { ...moved, with: undefined } },
    ];
    const { replication } = (await send("GET", "/cluster")).json() as { replication: object[] };
    assert.deepEqual(replication, [
      { keyspace: 1, ...counts, lastRepair: null },
      { keyspace: 2, ...counts, lastRepair: { ...moved, with: "n2" } },
      { keyspace: 3, ...counts, lastRepair: { ...moved, with: null } },
    ]);
    interface Described {
      readonly properties: Readonly<Record<string, Described>>;
      readonly items: Described;
    }
    const document = (await send("GET", "/openapi.json")).json() as {
      paths: Record<
        string,
        { get: { responses: Record<number, { content: Record<string, { schema: Described }> }> } }
      >;
    };
    const { schema } = document.paths["/cluster"].get.responses[200].content["application/json"];
    const described = schema.properties.replication.items.properties;
    assert.deepEqual(Object.keys(described).sort(), Object.keys(replication[1]).sort());
    const { lastRepair } = replication[1] as { lastRepair: object };
    assert.deepEqual(Object.keys(described.lastRepair.properties).sort(), Object.keys(lastRepair).sort());
  });
});

describe("/keyspaces", () => {
  it("lists, makes, shows and drops", async (t) => {
    const { send, database } = await startHarness(t);
    const made = await send("POST", "/keyspaces", {
      body: { name: "s", consistency: "eventual", storage: "memory", replicas: 2, partitions: 4 },
    });
    assert.equal(made.status, 201);
    const info = database.keyspaceByName("s");
    assert.deepEqual(made.json(), info);
    assert.deepEqual(database.created, {
      name: "s",
      consistency: "eventual",
      storage: "memory",
      replicas: 2,
      partitions: 4,
    });
    assert.deepEqual((await send("GET", "/keyspaces/s")).json(), info);
    const { keyspaces } = (await send("GET", "/keyspaces")).json() as { keyspaces: { name: string }[] };
    assert.deepEqual(
      keyspaces.map(({ name }) => name),
      ["default", "k1", "k2", "k3", "s"],
    );
    const again = await send("POST", "/keyspaces", { body: { name: "s" } });
    assert.equal(again.status, 409);
    assert.equal((again.json() as { code: string }).code, "KEYSPACE_EXISTS");

    const dropped = await send("DELETE", "/keyspaces/s");
    assert.equal(dropped.status, 200);
    assert.deepEqual(dropped.json(), { status: "deleted" });
    assert.equal((await send("GET", "/keyspaces/s")).status, 404);
    assert.equal((await send("DELETE", "/keyspaces/s")).status, 404);
  });

  it("passes on only what was said, with strong and disk by default", async (t) => {
    const { send, database } = await startHarness(t);
    await send("POST", "/keyspaces", { body: { name: "plain" } });
    assert.deepEqual(database.created, { name: "plain", consistency: "strong", storage: "disk" });
  });

  it("refuses a body that is wrong, by name", async (t) => {
    const { send } = await startHarness(t);
    const refused = [
      ["{}", "Name is required"],
      ['{"name":1}', '"name": expected a string, got 1'],
      ['{"name":"x","consistency":"weak"}', '"consistency": expected "strong" or "eventual", got "weak"'],
      ['{"name":"x","replicas":0}', '"replicas": expected a whole number of at least 1, got 0'],
      ['{"name":"x","partitions":1.5}', '"partitions": expected a whole number of at least 1, got 1.5'],
      ['{"name":"x","shards":1}', 'unknown member "shards": expected "name"'],
      ["", "invalid JSON at line 1, column 1: expected a value, got the end"],
    ] as const;
    for (const [body, error] of refused) {
      const answer = await send("POST", "/keyspaces", { headers: JSON_BODY, body });
      assert.equal(answer.status, 400, body);
      assert.ok((answer.json() as { error: string }).error.startsWith(error), answer.text);
    }
    assert.equal((await send("POST", "/keyspaces", { body: "{}" })).status, 415);
    const long = await send("POST", "/keyspaces", { body: { name: "x".repeat(70_000) } });
    assert.equal(long.status, 413);
  });
});

describe("what matches no route", () => {
  it("is 404 in JSON for an unknown path, whatever the method and body", async (t) => {
    const { send } = await startHarness(t);
    for (const path of ["/", "/nothing", "/health/", "/kvx", "/keyspaces/a/b", "/KV/x", "*"]) {
      for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"]) {
        const answer = await send(method, path, { headers: { "content-type": "text/plain" }, body: "x" });
        assert.equal(answer.status, 404, `${method} ${path}`);
        assert.deepEqual(answer.json(), { error: `there is nothing at ${path}`, code: "NOT_FOUND" });
      }
    }
  });

  it("is 405 with Allow for a method that the path does not take", async (t) => {
    const { send } = await startHarness(t);
    const refused = [
      ["POST", "/kv/k", "DELETE, GET, HEAD, PUT"],
      ["PATCH", "/kv/k/l", "DELETE, GET, HEAD, PUT"],
      ["OPTIONS", "/kv/k", "DELETE, GET, HEAD, PUT"],
      ["PROPFIND", "/kv/k", "DELETE, GET, HEAD, PUT"],
      ["PUT", "/kv", "GET, HEAD"],
      ["POST", "/keyspaces/default/kv/k", "DELETE, GET, HEAD, PUT"],
      ["DELETE", "/keyspaces/default/kv", "GET, HEAD"],
      ["PUT", "/keyspaces", "GET, HEAD, POST"],
      ["PUT", "/keyspaces/default", "DELETE, GET, HEAD"],
      ["POST", "/health", "GET, HEAD"],
      ["DELETE", "/ready", "GET, HEAD"],
      ["POST", "/cluster", "GET, HEAD"],
      ["POST", "/openapi.json", "GET, HEAD"],
    ] as const;
    for (const [method, path, allow] of refused) {
      const answer = await send(method, path, { headers: { "content-type": "text/plain" }, body: "x" });
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.headers.allow, allow);
      assert.deepEqual(answer.json(), {
        error: `${method} is not allowed here; allowed: ${allow}`,
        code: "METHOD_NOT_ALLOWED",
      });
    }
  });

  it("says nothing to other origins", async (t) => {
    const { send } = await startHarness(t);
    const headers = { origin: "http://evil.example", "access-control-request-method": "PUT" };
    for (const [method, path] of [
      ["OPTIONS", "/kv/k"],
      ["GET", "/cluster"],
    ] as const) {
      const answer = await send(method, path, { headers });
      const names = Object.keys(answer.headers).filter((name) => name.startsWith("access-control"));
      assert.deepEqual(names, []);
    }
  });
});

describe("errors of the database", () => {
  it("have the status of the table, their own text, and say when the outcome is unknown", async (t) => {
    const { send, database, errors } = await startHarness(t);
    for (const code of Object.keys(ERROR_CLASSES) as ErrorCode[]) {
      const { http, outcome } = ERROR_CLASSES[code];
      for (const [method, path] of [
        ["GET", "/kv/k"],
        ["PUT", "/kv/k"],
        ["DELETE", "/kv/k"],
        ["GET", "/kv"],
      ] as const) {
        database.fail = code;
        const answer = await send(method, path, method === "PUT" ? { body: { value: 1 } } : {});
        assert.equal(answer.status, http);
        const unknown = outcome === "unknown" && method !== "GET" ? { outcome } : {};
        assert.deepEqual(answer.json(), { error: `told to fail with ${code}`, code, ...unknown });
        const retries = http === 503 || http === 429;
        assert.equal(answer.headers["retry-after"], retries ? "1" : undefined);
      }
    }
    assert.equal(errors.length, 4, "only INTERNAL is logged");
  });

  it("are logged and told without their text when they are not ours", async (t) => {
    const { send, database, errors } = await startHarness(t);
    database.submit = () => {
      throw new TypeError("secret detail");
    };
    const answer = await send("GET", "/kv/k");
    assert.equal(answer.status, 500);
    assert.deepEqual(answer.json(), {
      error: "internal error; the node's log has the details",
      code: "INTERNAL",
    });
    assert.match(errors.join(), /secret detail/);
  });

  it("that are broken invariants stop the process, after the client has its answer", async () => {
    const program = `
      import { assert } from "${moduleUrl("src/core/assert.js")}";
      import { startHarness } from "${moduleUrl("test/unit/server/http/harness.js")}";
      const { server, database } = await startHarness({ after: () => undefined });
      database.submit = () => assert(false, "the world is upside down");
      process.stdout.write(String(server.port));
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program]);
    let err = "";
    child.stderr.on("data", (part) => (err += String(part)));
    const exited = new Promise((resolve) => child.once("exit", resolve));
    const port = await new Promise((resolve) => child.stdout.once("data", resolve));
    const { status } = await fetch(`http://127.0.0.1:${String(port)}/kv/k`);
    assert.equal(await exited, 1, err);
    assert.match(err, /AssertionFailure: the world is upside down/);
    assert.equal(status, 500);
  });

  it("say that the node is not ready while it knows no keyspace", async (t) => {
    const { send, database } = await startHarness(t);
    database.isBlank = true;
    const answer = await send("GET", "/kv/k");
    assert.equal(answer.status, 503);
    assert.equal((answer.json() as { code: string }).code, "NOT_READY");
  });
});

describe("OpenAPI", () => {
  interface Operation {
    readonly operationId: string;
    readonly summary: string;
    readonly parameters?: readonly { readonly in: string; readonly name: string }[];
    readonly responses: Readonly<Record<string, unknown>>;
  }

  it("is version 3.1, names every route that there is, and every reference in it leads somewhere", async (t) => {
    const served = watchRoutes(t);
    const { send } = await startHarness(t);
    assert.ok(served.has("get /kv/{key}") && served.has("post /keyspaces/{keyspace}/compute"));
    const answer = await send("GET", "/openapi.json");
    assert.equal(answer.status, 200);
    const document = answer.json() as {
      openapi: string;
      paths: Record<string, Record<string, Operation>>;
      components: { schemas: Record<string, unknown> };
    };
    assert.equal(document.openapi, "3.1.0");
    assert.deepEqual(Object.keys(document.components.schemas).sort(), ["Error", "Keyspace", "Value"]);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    assert.deepEqual(operations.sort(), [...served].sort());
    const references = [...answer.text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target);
    assert.ok(references.length > 20);
    for (const reference of references) {
      assert.match(reference, /^#\/components\/schemas\/(Error|Keyspace|Value)$/);
    }
    const ids = new Set<string>();
    for (const [path, methods] of Object.entries(document.paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(methods)) {
        assert.ok(operation.summary.length > 0);
        assert.equal(ids.has(operation.operationId), false);
        ids.add(operation.operationId);
        const inPath = (operation.parameters ?? []).filter((one) => one.in === "path").map((one) => one.name);
        assert.deepEqual(inPath, named);
      }
    }
  });

  it("has a page that loads only from this server", async (t) => {
    const { send } = await startHarness(t);
    const page = await send("GET", "/docs");
    assert.equal(page.status, 200);
    assert.match(String(page.headers["content-type"]), /^text\/html/);
    assert.match(String(page.headers["content-security-policy"]), /^default-src 'self'/);
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    assert.ok(links.length >= 3);
    for (const link of links) {
      const asset = await send("GET", new URL(link, "http://x/docs").pathname);
      assert.equal(asset.status, 200, link);
      assert.ok(asset.bytes.length > 0);
    }
    const spec = await send("GET", "/docs/json");
    assert.equal((spec.json() as { openapi: string }).openapi, "3.1.0");
    const missing = await send("GET", "/docs/static/nothing.js");
    assert.equal(missing.status, 404);
    assert.equal((missing.json() as { code: string }).code, "NOT_FOUND");
    for (const path of ["/docs", "/openapi.json", "/docs/static/swagger-ui.css"]) {
      const whole = await send("GET", path);
      const head = await send("HEAD", path);
      assert.equal(head.status, 200);
      assert.equal(head.headers["content-length"], String(whole.bytes.length), path);
      assert.equal(head.headers["content-type"], whole.headers["content-type"], path);
    }
    const outside = await send("GET", "/docs/static/..%2f..%2fpackage.json");
    assert.ok(
      outside.status === 404 || outside.status === 403 || outside.status === 400,
      String(outside.status),
    );
  });

  it("is no way around the routes that it describes", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/x", { body: { value: "v" } });
    for (const path of [
      "/docs/../kv",
      "/docs/%2e%2e/kv/x",
      "/docs/static/../../kv/none",
      "/docs/../health",
    ]) {
      const answer = await send("GET", path);
      assert.equal(answer.status, 404, path);
      assert.equal((answer.json() as { code: string }).code, "NOT_FOUND", path);
    }
  });

  it("tries again after its libraries could not be loaded, and ends with the server all the same", async () => {
    const app = fastify();
    let tries = 0;
    const makeApp = async () => {
      tries += 1;
      await Promise.resolve();
      if (tries < 3) throw new Error("EMFILE");
      return fastify();
    };
    registerOpenApi(app, { version: "0", makeApp, declareRoutes: () => undefined });
    const status = async () => (await app.inject("/openapi.json")).statusCode;
    assert.deepEqual([await status(), await status(), await status()], [500, 500, 200]);
    await app.close();
    const failing = fastify();
    tries = 0;
    registerOpenApi(failing, { version: "0", makeApp, declareRoutes: () => undefined });
    await failing.inject("/openapi.json");
    await failing.close();
  });
});
