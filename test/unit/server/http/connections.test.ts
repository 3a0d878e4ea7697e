import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import type { MinikeyError } from "../../../../src/core/errors.js";
import { type Answer, type Harness, startHarness, until } from "./harness.js";

interface Wire {
  readonly socket: Socket;
  text: string;
  closed: boolean;
}

function open(t: TestContext, { server }: Harness): Wire {
  const wire: Wire = { socket: connect(server.port, "127.0.0.1"), text: "", closed: false };
  wire.socket.on("data", (part: Buffer) => {
    wire.text += part.toString("latin1");
  });
  wire.socket.on("error", () => wire.socket.destroy());
  wire.socket.on("close", () => {
    wire.closed = true;
  });
  t.after(() => wire.socket.destroy());
  return wire;
}

const put = (key: string, body: string): string =>
  `PUT /kv/${key} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const get = (key: string): string => `GET /kv/${key} HTTP/1.1\r\nHost: x\r\n\r\n`;
const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => code);
const bodies = (text: string): string[] =>
  [...text.matchAll(/\r\n\r\n(\{[^\r]*?\})(?=HTTP|$)/g)].map(([, body]) => body);

describe("pipelined requests", () => {
  it("are answered in order, and a read sees the writes before it", async (t) => {
    const harness = await startHarness(t);
    const wire = open(t, harness);
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    wire.socket.write(keys.map((key, i) => put(key, `{"value":${i}}`) + get(key)).join(""));
    await until(() => statuses(wire.text).length === 100);
    const expected = keys.flatMap((_, i) => [
      `{"status":"created","version":${i + 1}}`,
      `{"value":${i},"version":${i + 1}}`,
    ]);
    assert.deepEqual(bodies(wire.text), expected);
  });

  it("run side by side while they only read, and wait for a write", async (t) => {
    const harness = await startHarness(t);
    harness.database.holding = true;
    const wire = open(t, harness);
    wire.socket.write(get("a") + get("b") + put("c", '{"value":1}') + get("c"));
    await until(() => harness.database.contexts.length === 2);
    await harness.send("GET", "/health");
    assert.equal(harness.database.contexts.length, 2);
    harness.database.release();
    await until(() => statuses(wire.text).length === 4);
    assert.deepEqual(statuses(wire.text), ["404", "404", "201", "200"]);
  });

  it("are refused with 429 when a client sends without end and waits for nothing", async (t) => {
    const harness = await startHarness(t);
    harness.database.holding = true;
    const wire = open(t, harness);
    wire.socket.write(get("k").repeat(1010));
    await until(() => harness.database.contexts.length === 1000);
    await harness.send("GET", "/health");
    assert.equal(harness.database.contexts.length, 1000);
    harness.database.release();
    await until(() => statuses(wire.text).length === 1010);
    const refused = statuses(wire.text).filter((status) => status === "429");
    assert.equal(refused.length, 10);
  });

  it("are refused with 429 while the node has too many requests under way, but health is not", async (t) => {
    const { send, database } = await startHarness(t);
    database.pendingRequests = 65_536;
    const answer = await send("GET", "/kv/k");
    assert.equal(answer.status, 429);
    assert.equal((answer.json() as { code: string }).code, "OVERLOADED");
    assert.equal((await send("GET", "/health")).status, 200);
    database.pendingRequests = 65_535;
    assert.equal((await send("GET", "/kv/k")).status, 404);
  });

  it("do not wait for a request that was cut off", async (t) => {
    const harness = await startHarness(t);
    harness.database.holding = true;
    const wire = open(t, harness);
    wire.socket.write(put("a", '{"value":1}') + get("b") + put("c", '{"value":1}'));
    await until(() => harness.database.contexts.length === 1);
    wire.socket.destroy();
    harness.database.release();
    assert.equal((await harness.send("GET", "/health")).status, 200);
    await until(() => harness.database.contexts.length >= 1);
  });
});

describe("bodies in pieces", () => {
  it("are put together wherever they are split", async (t) => {
    const harness = await startHarness(t);
    const request = put("k", '{"value":"\\u00e9 in pieces"}');
    for (let at = 1; at < request.length; at += 7) {
      const wire = open(t, harness);
      wire.socket.setNoDelay(true);
      wire.socket.write(request.slice(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      wire.socket.write(request.slice(at));
      await until(() => statuses(wire.text).length === 1);
      assert.match(wire.text, /"version":\d+\}$/);
      wire.socket.destroy();
    }
    const got = (await harness.send("GET", "/kv/k")).json() as { value: string };
    assert.equal(got.value, "é in pieces");
  });

  it("that end too early store nothing and disturb nobody", async (t) => {
    const harness = await startHarness(t);
    const wire = open(t, harness);
    wire.socket.write(
      'PUT /kv/k HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"value"',
    );
    assert.equal((await harness.send("GET", "/kv/k")).status, 404);
    wire.socket.end();
    await until(() => wire.closed);
    assert.equal((await harness.send("GET", "/kv/k")).status, 404);
    assert.deepEqual(harness.errors, []);
  });

  it("are bounded all together: past the bound 429, and back to normal when they are gone", async (t) => {
    const harness = await startHarness(t, { limits: { heldBytesMax: 100_000 } });
    const head = (length: number): string =>
      `PUT /kv/k HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: ${length}\r\n\r\n`;
    const slow = open(t, harness);
    slow.socket.write(head(90_001) + "x".repeat(90_000));
    const octets = { headers: { "content-type": "application/octet-stream" }, body: "y".repeat(20_000) };
    const sendOctets = (): Promise<Answer> => harness.send("PUT", "/kv/j", octets);
    await until(async () => (await sendOctets()).status === 429);
    const refused = await sendOctets();
    assert.equal((refused.json() as { code: string }).code, "OVERLOADED");
    assert.equal(refused.headers["retry-after"], "1");
    assert.equal((await harness.send("GET", "/health")).status, 200);
    slow.socket.write("x");
    await until(() => statuses(slow.text).length === 1);
    assert.deepEqual(statuses(slow.text), ["201"]);
    await until(async () => (await sendOctets()).status < 300);
  });

  it("of values that nobody reads count too", async (t) => {
    const valueBytesMax = 19_000_000;
    const harness = await startHarness(t, { limits: { valueBytesMax, heldBytesMax: 30_000_000 } });
    const octets = { "content-type": "application/octet-stream" };
    await harness.send("PUT", "/kv/big", { headers: octets, body: Buffer.alloc(valueBytesMax, "x") });
    const stuck = open(t, harness);
    stuck.socket.pause();
    stuck.socket.write(get("big"));
    await until(() => harness.database.contexts.length === 2);
    assert.equal((await harness.send("GET", "/kv/big")).status, 429);
    stuck.socket.destroy();
    await until(async () => (await harness.send("GET", "/kv/big")).status === 200);
  });
});

describe("start", () => {
  it("names the port that is in use", async (t) => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    t.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    await assert.rejects(startHarness(t, { port }), (error: MinikeyError) => {
      assert.equal(error.code, "PORT_IN_USE");
      assert.equal(
        error.message,
        `HTTP port ${port} on 127.0.0.1 is in use by another process; choose another with --http-port`,
      );
      return true;
    });
  });

  it("names an address that this machine does not have", async (t) => {
    await assert.rejects(startHarness(t, { host: "192.0.2.1" }), (error: MinikeyError) => {
      assert.equal(error.code, "BAD_CONFIG");
      assert.equal(error.message, "HTTP: this machine has no address 192.0.2.1; see --host");
      return true;
    });
  });
});

describe("stop", () => {
  it("does not wait for connections without a request, new, idle or half sent", async (t) => {
    const harness = await startHarness(t);
    const wires = [open(t, harness), open(t, harness), open(t, harness)];
    wires[1].socket.write(get("k"));
    wires[2].socket.write("GET /kv/k HTTP/1.1\r\nHo");
    await harness.send("GET", "/health");
    await until(() => statuses(wires[1].text).length === 1);
    const started = performance.now();
    await harness.server.stop();
    assert.ok(performance.now() - started < 1000);
    await until(() => wires.every(({ closed }) => closed));
  });

  it("lets requests under way finish, and closes their connections", async (t) => {
    const harness = await startHarness(t);
    harness.database.holding = true;
    const wire = open(t, harness);
    wire.socket.write(put("k", '{"value":1}'));
    await until(() => harness.database.contexts.length === 1);
    const stopped = harness.server.stop();
    harness.database.release();
    await stopped;
    await until(() => wire.closed);
    assert.deepEqual(statuses(wire.text), ["201"]);
    assert.match(wire.text, /connection: close/i);
  });

  it("does nothing that a client sends after it", async (t) => {
    const harness = await startHarness(t);
    harness.database.holding = true;
    const wire = open(t, harness);
    wire.socket.write(get("a"));
    await until(() => harness.database.contexts.length === 1);
    const stopped = harness.server.stop();
    wire.socket.write(put("b", '{"value":1}'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    harness.database.release();
    await stopped;
    await until(() => wire.closed);
    assert.deepEqual(statuses(wire.text), ["404"]);
    assert.equal(harness.database.contexts.length, 1);
  });

  it("gives up on requests that never finish", async (t) => {
    const harness = await startHarness(t);
    harness.database.holding = true;
    const wire = open(t, harness);
    wire.socket.write(get("a"));
    await until(() => harness.database.contexts.length === 1);
    const stopped = harness.server.stop();
    harness.clock.advance(2999);
    assert.equal(wire.closed, false);
    harness.clock.advance(1);
    await stopped;
    await until(() => wire.closed);
    assert.equal(wire.text, "");
  });
});

describe("bytes that are not HTTP", () => {
  const broken = [
    ["hello\r\n\r\n", 400, "PROTOCOL"],
    ["GET /kv/k HTTP/9.9\r\n\r\n", 400, "PROTOCOL"],
    ["GET /kv/k HTTP/1.1\r\n\r\n", 400, "PROTOCOL"],
    ["GET /kv/k HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", 400, "PROTOCOL"],
    ["PUT /kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400, "PROTOCOL"],
    ["PUT /kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400, "PROTOCOL"],
    ["PUT /kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, "PROTOCOL"],
    [
      "PUT /kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      400,
      "PROTOCOL",
    ],
    [`GET /kv/k HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(100_000)}\r\n\r\n`, 431, "HEADERS_TOO_LARGE"],
    [`GET /kv/${"k".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, "HEADERS_TOO_LARGE"],
    ["*1\r\n$4\r\nPING\r\n", 400, "PROTOCOL"],
    ["\u0016\u0003\u0001\u0002\u0000\u0001\u0000", 400, "PROTOCOL"],
  ] as const;
  for (const [bytes, status, code] of broken) {
    it(`get ${status} and the connection is closed: ${JSON.stringify(bytes.slice(0, 60))}`, async (t) => {
      const { raw, send } = await startHarness(t);
      const answer = await raw(Buffer.from(bytes, "latin1"));
      assert.deepEqual(statuses(answer), [String(status)]);
      assert.match(answer, /connection: close/i);
      const [body] = bodies(answer);
      assert.equal((JSON.parse(body) as { code: string }).code, code);
      assert.equal((await send("GET", "/health")).status, 200);
    });
  }

  it("never crash the server or disturb a neighbour, however requests are mutated", async (t) => {
    const harness = await startHarness(t);
    await harness.send("PUT", "/kv/steady", { body: { value: "v" } });
    const templates = [
      put("a%20b", '{"value":[1,"\\u00e9"],"ttl":5}'),
      get("steady"),
      "PUT /kv/r?ttl=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      'DELETE /kv/a HTTP/1.1\r\nHost: x\r\nIf-Match: "1"\r\n\r\n',
      "GET /kv?prefix=a&limit=2&cursor=YQ HTTP/1.1\r\nHost: x\r\nAccept: application/json;q=0.1\r\n\r\n",
      `POST /keyspaces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"name":"q"}`,
    ];
    const edit = fc.record({
      at: fc.nat(300),
      drop: fc.nat(4),
      insert: fc.oneof(
        fc.string({ unit: "binary", maxLength: 4 }),
        fc.constantFrom(
          "%",
          "%zz",
          "\r\n",
          "\0",
          "{",
          '"',
          "Content-Length: 3\r\n",
          "Connection: close\r\n",
          "?",
          "\u00ff",
        ),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...templates),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        async (text, edits) => {
          let mutated = text;
          for (const { at, drop, insert } of edits) {
            const place = at % (mutated.length + 1);
            mutated = mutated.slice(0, place) + insert + mutated.slice(place + drop);
          }
          const wire = open(t, harness);
          wire.socket.end(Buffer.from(mutated, "latin1"));
          await until(() => wire.closed);
          for (const status of statuses(wire.text)) {
            assert.ok(Number(status) < 500 || status === "503", `${status} for ${JSON.stringify(mutated)}`);
          }
          const steady = await harness.send("GET", "/kv/steady");
          if (!mutated.includes("steady")) assert.equal(steady.status, 200);
          assert.deepEqual(harness.errors, []);
        },
      ),
      { numRuns: 300 },
    );
  });
});
