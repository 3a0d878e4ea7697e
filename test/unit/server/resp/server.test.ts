import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MinikeyError } from "../../../../src/core/errors.js";
import { systemClock } from "../../../../src/platform/clock.js";
import { type RespLimits, type RespServer, startRespServer } from "../../../../src/server/resp/server.js";
import { HandClock } from "../../../support/hand-clock.js";
import { LogRecorder } from "../../../support/log-recorder.js";
import { MemoryDatabase } from "../../../support/memory-database.js";
import { OrderedDatabase } from "../../../support/ordered-database.js";
import { encodeRequest, RawConnection } from "../../../support/raw-replies.js";
import { Seeded } from "../../../support/seeded.js";
import { waitFor } from "../../../support/wait.js";

const VALUE_LIMIT = 1024 * 1024;

interface Running {
  readonly server: RespServer;
  readonly database: MemoryDatabase;
  readonly logger: LogRecorder;
  readonly clock: HandClock;
}

const open: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.stop();
});

async function start(
  limits: Partial<RespLimits> = {},
  defer?: (reply: () => void) => void,
  Kind: typeof MemoryDatabase = MemoryDatabase,
): Promise<Running> {
  const clock = new HandClock();
  const logger = new LogRecorder();
  const database = new Kind({
    clock,
    valueBytesMax: VALUE_LIMIT,
    ...(defer === undefined ? {} : { defer }),
  });
  const server = await startRespServer({
    host: "127.0.0.1",
    port: 0,
    database,
    logger,
    clock,
    limits: { valueBytesMax: VALUE_LIMIT, ...limits },
  });
  open.push({
    stop: async () => {
      const stopped = server.stop();
      // Clients that do not close their side are given up after a time.
      const timer = setInterval(() => clock.advance(1_000), 5);
      // A test that failed may have left commands without replies: then there is no clean stop.
      await Promise.race([stopped, sleep(5_000, undefined, { ref: false })]);
      clearInterval(timer);
    },
  });
  return { server, database, logger, clock };
}

async function client({ server }: Running): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  open.push({ stop: () => connection.close() });
  return connection;
}

const call = async (connection: RawConnection, ...words: string[]): Promise<string> =>
  (await connection.call(...words)).toString("latin1");

/** The next `count` replies. */
async function replies(connection: RawConnection, count: number): Promise<string[]> {
  const all: string[] = [];
  for (let left = count; left > 0; left -= 1) all.push((await connection.reply()).toString("latin1"));
  return all;
}

describe("a RESP connection", () => {
  it("gets replies in the order of its commands, in whatever order they come", async () => {
    const random = new Seeded(7);
    const waiting: (() => void)[] = [];
    const running = await start({}, (reply) => waiting.push(reply));
    const connection = await client(running);
    const requests: Buffer[] = [];
    const expected: string[] = [];
    for (let i = 0; i < 200; i += 1) {
      requests.push(encodeRequest(["SET", `k${i}`, `v${i}`]), encodeRequest(["GET", `k${i}`]));
      requests.push(encodeRequest(["ECHO", `${i}`]), encodeRequest(["MGET", `k${i}`, "none"]));
      const value = `$${`v${i}`.length}\r\nv${i}\r\n`;
      expected.push("+OK\r\n", value, `$${`${i}`.length}\r\n${i}\r\n`, `*2\r\n${value}$-1\r\n`);
    }
    connection.send(Buffer.concat(requests));
    await waitFor("all commands are submitted", () => waiting.length === 600);
    while (waiting.length > 0) {
      waiting.splice(random.below(waiting.length), 1)[0]();
      if (random.chance(0.05)) await new Promise(setImmediate);
    }
    assert.deepEqual(await replies(connection, expected.length), expected);
  });

  it("holds its replies as they were, though the node uses their bytes again", async () => {
    const waiting: (() => void)[] = [];
    const running = await start({}, (reply) => waiting.push(reply));
    const connection = await client(running);
    connection.send(
      Buffer.concat([
        encodeRequest(["SET", "a", "first"]),
        encodeRequest(["SET", "b", "second"]),
        encodeRequest(["MGET", "a", "b"]),
        encodeRequest(["GET", "b"]),
      ]),
    );
    await waitFor("all commands are submitted", () => waiting.length === 4);
    const entry = running.database.view().get("b")!;
    for (const reply of waiting.toReversed()) reply();
    entry.bytes.fill(0x58, entry.start, entry.end);
    assert.deepEqual((await replies(connection, 4)).slice(2), [
      "*2\r\n$5\r\nfirst\r\n$6\r\nsecond\r\n",
      "$6\r\nsecond\r\n",
    ]);
  });

  it("speaks the protocol it chose from there on, also while earlier replies are on their way", async () => {
    const waiting: (() => void)[] = [];
    const running = await start({}, (reply) => waiting.push(reply));
    const connection = await client(running);
    const get = encodeRequest(["GET", "none"]);
    connection.send(Buffer.concat([get, encodeRequest(["HELLO", "3"]), get, encodeRequest(["RESET"]), get]));
    await waitFor("all commands are submitted", () => waiting.length === 3);
    for (const reply of waiting) reply();
    const [first, hello, second, reset, third] = await replies(connection, 5);
    assert.deepEqual([first, second, reset, third], ["$-1\r\n", "_\r\n", "+RESET\r\n", "$-1\r\n"]);
    assert.match(hello, /^%7\r\n\$6\r\nserver\r\n/);
  });

  it("is not answered while it wants no replies", async () => {
    const connection = await client(await start());
    connection.send(
      Buffer.from("CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\nCLIENT REPLY OFF\r\nINCR a\r\nNOSUCH\r\n"),
    );
    connection.send(Buffer.from("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nGET a\r\n"));
    assert.deepEqual(await replies(connection, 3), ["$1\r\n1\r\n", "+OK\r\n", "$1\r\n2\r\n"]);
  });

  it("gets its last replies when it has closed its side", async () => {
    const waiting: (() => void)[] = [];
    const running = await start({}, (reply) => waiting.push(reply));
    const socket = connect({ port: running.server.port, allowHalfOpen: true });
    let received = "";
    socket.setEncoding("latin1").on("data", (text) => {
      received += text;
    });
    socket.end("SET a 1\r\nGET a\r\nPING\r\n");
    await waitFor("all commands are submitted", () => waiting.length === 2);
    for (const reply of waiting) reply();
    await new Promise((resolve) => socket.once("end", resolve));
    assert.equal(received, "+OK\r\n$1\r\n1\r\n+PONG\r\n");
  });

  it("ends after QUIT's reply, and nothing behind it is carried out", async () => {
    const running = await start();
    const connection = await client(running);
    connection.send(Buffer.from("SET a 1\r\nQUIT\r\nSET a 2\r\n"));
    assert.deepEqual(await replies(connection, 2), ["+OK\r\n", "+OK\r\n"]);
    await connection.closed();
    assert.equal(await call(await client(running), "GET", "a"), "$1\r\n1\r\n");
  });

  it("waits with later commands for one that takes its time", async () => {
    const waiting: (() => void)[] = [];
    const connection = await client(await start({}, (reply) => waiting.push(reply)));
    connection.send(Buffer.from("KEYSPACE CREATE fresh STORAGE memory\r\nKEYSPACE LIST\r\nPING\r\n"));
    connection.send(Buffer.from("KEYSPACE CREATE fresh\r\n"));
    await waitFor("the keyspace is being made", () => waiting.length === 1);
    waiting.pop()?.();
    await waitFor("it is asked for again", () => waiting.length === 1);
    waiting.pop()?.();
    const [created, list, pong, again] = await replies(connection, 4);
    assert.equal(created, "+OK\r\n");
    assert.match(list, /\r\nfresh\r\n/);
    assert.equal(pong, "+PONG\r\n");
    assert.equal(again, "-ERR keyspace 'fresh' exists\r\n");
  });

  it("reads and writes in the keyspace that it selects", async () => {
    const running = await start();
    const [one, other] = [await client(running), await client(running)];
    await call(one, "SELECT", "1");
    await call(one, "SET", "a", "in k1");
    assert.equal(await call(other, "GET", "a"), "$-1\r\n");
    await call(other, "SELECT", "1");
    assert.equal(await call(other, "GET", "a"), "$5\r\nin k1\r\n");
    assert.equal(await call(other, "SELECT", "99"), "-ERR DB index is out of range\r\n");
  });

  it("chooses how consistent its reads and writes are", async () => {
    const connection = await client(await start());
    assert.equal(await call(connection, "CONSISTENCY", "READ"), "$12\r\nlinearizable\r\n");
    assert.equal(await call(connection, "CONSISTENCY", "read", "STALE"), "+OK\r\n");
    assert.equal(await call(connection, "CONSISTENCY", "READ"), "$5\r\nstale\r\n");
    assert.equal(await call(connection, "CONSISTENCY", "WRITE", "all"), "+OK\r\n");
    assert.equal(
      await call(connection, "CONSISTENCY", "WRITE", "stale"),
      "-ERR unknown write level 'stale': one of one, quorum, all, default\r\n",
    );
    await call(connection, "RESET");
    assert.equal(await call(connection, "CONSISTENCY", "READ"), "$12\r\nlinearizable\r\n");
  });

  it("can end another, or itself after its reply", async () => {
    const running = await start();
    const [one, other] = [await client(running), await client(running)];
    const id = Number((await call(other, "CLIENT", "ID")).slice(1));
    assert.equal(await call(one, "CLIENT", "KILL", "ID", `${id}`), ":1\r\n");
    await other.closed();
    assert.equal(await call(one, "CLIENT", "KILL", "ID", `${id}`), ":0\r\n");
    assert.equal(await call(one, "CLIENT", "KILL", "SKIPME", "no"), ":1\r\n");
    await one.closed();
  });
});

describe("bad input", () => {
  const OTHERS = "others are undisturbed";

  async function isUndisturbed(connection: RawConnection): Promise<void> {
    assert.equal(await call(connection, "ECHO", OTHERS), `$${OTHERS.length}\r\n${OTHERS}\r\n`);
  }

  for (const [what, input, reply] of [
    ["a wrong count", "*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
    ["a length of 2^63", "*1\r\n$9223372036854775808\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
    ["a negative length", "*2\r\n$3\r\nGET\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
    ["no length at all", "*1\r\nGET\r\n", "-ERR Protocol error: expected '$', got 'G'\r\n"],
    ["an open quote", 'GET "a\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  ] as const) {
    it(`${what} ends the connection, after what came before it is answered and an error that says so`, async () => {
      const running = await start();
      const [broken, other] = [await client(running), await client(running)];
      broken.send(Buffer.from(`PING\r\n${input}PING\r\n`));
      assert.deepEqual(await replies(broken, 2), ["+PONG\r\n", reply]);
      await assert.rejects(broken.reply());
      await isUndisturbed(other);
    });
  }

  it("100 MB without a line end are not kept", async () => {
    const running = await start();
    const [broken, other] = [await client(running), await client(running)];
    const before = process.memoryUsage().rss;
    const piece = Buffer.alloc(1024 * 1024, "a");
    for (let sent = 0; sent < 100; sent += 1) broken.send(piece);
    assert.equal((await broken.reply()).toString(), "-ERR Protocol error: too big inline request\r\n");
    await isUndisturbed(other);
    // This process sends, too: its own buffers are shared pieces.
    assert.ok(process.memoryUsage().rss - before < 60 * 1024 * 1024);
  });

  it("a value over the limit is refused by name, and the connection goes on", async () => {
    const running = await start();
    const connection = await client(running);
    connection.send(encodeRequest(["SET", "a", "x".repeat(VALUE_LIMIT + 1)]));
    connection.send(encodeRequest(["SET", "b", "x".repeat(VALUE_LIMIT)]));
    connection.send(encodeRequest(["STRLEN", "b"]));
    assert.deepEqual(await replies(connection, 3), [
      "-ERR value of 1048577 bytes is larger than the limit of 1048576 bytes\r\n",
      "+OK\r\n",
      `:${VALUE_LIMIT}\r\n`,
    ]);
    assert.equal(await call(connection, "EXISTS", "a"), ":0\r\n");
  });

  it("unknown commands, wrong numbers of arguments, empty and long keys get errors that name them", async () => {
    const connection = await client(await start());
    for (const [words, reply] of [
      [["NOSUCH", "a", "b"], "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' \r\n"],
      [["SCANPART", "a"], "-ERR unknown command 'SCANPART', with args beginning with: 'a' \r\n"],
      [["GET"], "-ERR wrong number of arguments for 'get' command\r\n"],
      [["ECHO"], "-ERR wrong number of arguments for 'echo' command\r\n"],
      [["GET", ""], "-ERR key is empty: keys have 1 to 1,024 bytes\r\n"],
      [["GET", "x".repeat(1025)], "-ERR key of 1025 bytes is larger than the limit of 1024 bytes\r\n"],
    ] as const) {
      assert.equal(await call(connection, ...words), reply);
    }
  });

  it("a web browser's request is dropped before the commands in its body", async () => {
    const running = await start();
    const connection = await client(running);
    connection.send(Buffer.from("POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a stolen\r\n"));
    await connection.closed();
    assert.equal(await call(await client(running), "EXISTS", "a"), ":0\r\n");
    assert.equal(running.logger.matching("web browser").length, 1);
  });
});

describe("bounds", () => {
  /** A client that reads nothing until told to. */
  function deafClient({ server }: Running): Socket {
    const socket = connect({ port: server.port });
    socket.on("error", () => socket.destroy());
    socket.pause();
    open.push({ stop: () => socket.destroy() });
    return socket;
  }

  const gets = (count: number): string => "GET big\r\n".repeat(count);

  it("no more commands are read while 1,024 wait for their replies", async () => {
    const waiting: (() => void)[] = [];
    const running = await start({}, (reply) => waiting.push(reply));
    const connection = await client(running);
    for (let i = 0; i < 20; i += 1) connection.send(Buffer.from("GET a\r\n".repeat(500)));
    await waitFor("the bound is reached", () => waiting.length >= 1_024);
    await sleep(50);
    assert.equal(waiting.length, 1_024);
    let answered = 0;
    const reading = replies(connection, 10_000);
    await waitFor("all are answered", () => {
      assert.ok(waiting.length <= 1_024);
      for (const reply of waiting.splice(0)) {
        reply();
        answered += 1;
      }
      return answered === 10_000;
    });
    assert.equal((await reading).length, 10_000);
  });

  it("big values behind a slow read are left with their sender, and carried out when their turn comes", async () => {
    const waiting: (() => void)[] = [];
    const running = await start({}, (reply) => waiting.push(reply), OrderedDatabase);
    const { database } = running;
    assert.ok(database instanceof OrderedDatabase);
    const connection = await client(running);
    const value = "v".repeat(VALUE_LIMIT);
    connection.send(encodeRequest(["GET", "slow"]));
    for (let i = 0; i < 64; i += 1) connection.send(encodeRequest(["SET", `k${i}`, value]));
    await waitFor("the bound is reached", () => database.keptBytes >= 4 * VALUE_LIMIT);
    await sleep(50);
    assert.ok(database.keptBytes < 5.5 * VALUE_LIMIT, `${database.keptBytes} bytes are kept`);
    const reading = replies(connection, 65);
    let keptMax = 0;
    await waitFor("all are answered", () => {
      keptMax = Math.max(keptMax, database.keptBytes);
      for (const reply of waiting.splice(0)) reply();
      return database.answered === 65;
    });
    assert.ok(keptMax < 5.5 * VALUE_LIMIT, `${keptMax} bytes were kept`);
    assert.deepEqual(await reading, ["$-1\r\n", ...Array.from({ length: 64 }, () => "+OK\r\n")]);
  });

  it("few commands are under way when their replies are large", async () => {
    const waiting: (() => void)[] = [];
    const running = await start({}, (reply) => waiting.push(reply));
    const connection = await client(running);
    const answerAll = async (count: number): Promise<void> => {
      let answered = 0;
      await waitFor(`${count} are answered`, () => {
        for (const reply of waiting.splice(0)) {
          reply();
          answered += 1;
        }
        return answered === count;
      });
    };
    connection.send(encodeRequest(["SET", "big", "x".repeat(VALUE_LIMIT)]));
    connection.send(encodeRequest(["GET", "big"]));
    await answerAll(2);
    await replies(connection, 2);
    connection.send(Buffer.from("GET big\r\n".repeat(100)));
    await waitFor("some are under way", () => waiting.length > 0);
    await sleep(30);
    assert.ok(waiting.length <= 5, `${waiting.length} replies of 1 MiB each are under way`);
    const reading = replies(connection, 100);
    await answerAll(100);
    assert.equal((await reading).length, 100);
  });

  it("a client that does not read its replies gets no more of them than a bound, then all of them", async () => {
    const running = await start();
    const writer = await client(running);
    await call(writer, "SET", "big", "x".repeat(100_000));
    const deaf = deafClient(running);
    const count = 2_000;
    const before = process.memoryUsage().rss;
    deaf.write("GET big\r\n".repeat(count));
    await sleep(200);
    const unsent = Number(/omem=(\d{2,})/.exec(await call(writer, "CLIENT", "LIST"))?.[1]);
    assert.ok(unsent > 0 && unsent < 8 * 1024 * 1024, `${unsent} bytes unsent`);
    assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
    let received = 0;
    deaf.on("data", (chunk) => {
      received += chunk.length;
    });
    deaf.resume();
    const expected = count * (100_000 + "$100000\r\n\r\n".length);
    await waitFor("all replies arrive", () => received === expected, { timeoutMs: 20_000 });
  });

  it("replies that wait for a slow reader stay as they are while others are answered", async () => {
    const running = await start();
    const other = await client(running);
    const values = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(100, "-"));
    for (const [i, value] of values.entries()) await call(other, "SET", `k${i}`, value);
    const deaf = deafClient(running);
    const round = values.map((_, i) => `GET k${i}\r\n`).join("");
    const reply = values.map((value) => `$100\r\n${value}\r\n`).join("");
    const unsent = async (): Promise<number> => {
      const lines = (await call(other, "CLIENT", "LIST")).split("\n");
      return Math.max(...lines.map((line) => Number(/omem=(\d+)/.exec(line)?.[1] ?? 0)));
    };
    let rounds = 0;
    // Each round is a write of its own, short enough for its buffer to be used again.
    await waitFor(
      "replies that the kernel does not take",
      async () => {
        for (let left = 20; left > 0; left -= 1, rounds += 1) {
          deaf.write(round);
          await unsent();
        }
        return (await unsent()) > 100_000;
      },
      { everyMs: 50 },
    );
    for (let i = 0; i < 200; i += 1) await call(other, "GET", `k${i % 100}`);
    let received = "";
    deaf.setEncoding("latin1").on("data", (text) => {
      received += text;
    });
    deaf.resume();
    await waitFor("all replies arrive", () => received.length === rounds * reply.length);
    assert.ok(received === reply.repeat(rounds), "replies were changed after they were made");
  });

  it("a client that never reads is disconnected past a limit, and that is logged", async () => {
    const waiting: (() => void)[] = [];
    let isDeferred = false;
    const running = await start({ outputBytesMax: 8 * VALUE_LIMIT }, (reply) => {
      if (isDeferred) waiting.push(reply);
      else reply();
    });
    const writer = await client(running);
    await call(writer, "SET", "big", "x".repeat(VALUE_LIMIT));
    isDeferred = true;
    const deaf = deafClient(running);
    const closed = new Promise((resolve) => deaf.once("close", resolve));
    deaf.write(gets(100));
    await waitFor("all commands are submitted", () => waiting.length === 100);
    // Each in a turn of its own: what is not taken is not taken for want of reading.
    for (const reply of waiting.splice(0)) {
      reply();
      await new Promise(setImmediate);
    }
    assert.equal(running.logger.matching("does not read its replies").length, 1);
    deaf.resume();
    await closed;
    assert.equal(await call(writer, "PING"), "+PONG\r\n");
  });

  const mget = (count: number): string => `MGET ${"big ".repeat(count)}\r\n`;
  for (const [what, requests, commands, order] of [
    ["many replies in one turn", gets(600), 600, "in turn"],
    ["many replies held for their turn", gets(600), 600, "reversed"],
    ["one reply", mget(600), 1, "in turn"],
    ["one reply held for its turn", gets(1) + mget(600), 2, "reversed"],
  ] as const) {
    it(`${what} past the limit disconnect the client before they take the memory`, async () => {
      const outputBytesMax = 32 * VALUE_LIMIT;
      const waiting: (() => void)[] = [];
      let isDeferred = false;
      const running = await start({ outputBytesMax }, (reply) => {
        if (isDeferred) waiting.push(reply);
        else reply();
      });
      const other = await client(running);
      await call(other, "SET", "big", "x".repeat(VALUE_LIMIT));
      isDeferred = true;
      const deaf = deafClient(running);
      const closed = new Promise((resolve) => deaf.once("close", resolve));
      deaf.write(requests);
      await waitFor("all commands are submitted", () => waiting.length === commands);
      const before = process.memoryUsage().arrayBuffers;
      for (const reply of order === "in turn" ? waiting : waiting.toReversed()) reply();
      // Buffers outgrown may not have been collected yet.
      const takenBytes = process.memoryUsage().arrayBuffers - before;
      assert.ok(takenBytes < 4 * outputBytesMax, `${takenBytes} bytes`);
      assert.equal(running.logger.matching("asked for more at once").length, 1);
      deaf.resume();
      await closed;
      isDeferred = false;
      assert.equal(await call(other, "STRLEN", "big"), `:${VALUE_LIMIT}\r\n`);
      assert.equal(running.logger.matching("asked for more at once").length, 1);
    });
  }

  it("replies held and released do not count twice", async () => {
    const waiting: (() => void)[] = [];
    const running = await start({ outputBytesMax: 1024 * 1024 }, (reply) => waiting.push(reply));
    const connection = await client(running);
    connection.send(encodeRequest(["SET", "a", "x".repeat(200_000)]));
    await waitFor("it is submitted", () => waiting.length === 1);
    waiting.pop()?.();
    assert.deepEqual(await replies(connection, 1), ["+OK\r\n"]);
    for (let round = 0; round < 10; round += 1) {
      connection.send(Buffer.from("GET a\r\n".repeat(3)));
      await waitFor("all commands are submitted", () => waiting.length === 3);
      for (const reply of waiting.splice(0).toReversed()) reply();
      assert.deepEqual(
        (await replies(connection, 3)).map((reply) => reply.length),
        [200_011, 200_011, 200_011],
      );
    }
  });

  it("no more is read while the node has too much to do", async () => {
    const running = await start({ pendingRequestsMax: 10 });
    const connection = await client(running);
    running.database.pendingRequests = 10;
    connection.send(Buffer.from("SET a 1\r\nSET b 1\r\nSET c 1\r\n"));
    assert.deepEqual(await replies(connection, 1), ["+OK\r\n"]);
    running.clock.advance(100);
    assert.equal(running.database.view().count(), 1);
    running.database.pendingRequests = 0;
    running.clock.advance(100);
    assert.deepEqual(await replies(connection, 2), ["+OK\r\n", "+OK\r\n"]);
  });

  it("no more clients are taken than the limit, and they are told", async () => {
    const running = await start({ clientsMax: 1 });
    const first = await client(running);
    assert.equal(await call(first, "PING"), "+PONG\r\n");
    const second = await client(running);
    assert.equal((await second.reply()).toString(), "-ERR max number of clients reached\r\n");
    await second.closed();
    first.close();
    await waitFor(
      "there is room again",
      async () => (await call(await client(running), "PING")) === "+PONG\r\n",
    );
  });
});

describe("the server", () => {
  it("names the port that is in use", async () => {
    const { server } = await start();
    const second = startRespServer({
      host: "127.0.0.1",
      port: server.port,
      database: new MemoryDatabase({ clock: systemClock() }),
      logger: new LogRecorder(),
      clock: systemClock(),
      limits: { valueBytesMax: VALUE_LIMIT },
    });
    await assert.rejects(second, (error) => {
      assert.ok(error instanceof MinikeyError);
      assert.equal(error.code, "PORT_IN_USE");
      assert.match(error.message, new RegExp(`\\b${server.port}\\b`));
      return true;
    });
  });

  it("answers what was asked before it stops, and takes nothing more", async () => {
    const waiting: (() => void)[] = [];
    const running = await start({}, (reply) => waiting.push(reply));
    const connection = await client(running);
    const idle = await client(running);
    connection.send(Buffer.from("SET a 1\r\nGET a\r\n"));
    await waitFor("both are submitted", () => waiting.length === 2);
    let stopped = false;
    const stop = running.server.stop().then(() => {
      stopped = true;
    });
    await idle.closed();
    await assert.rejects(RawConnection.open(running.server.port));
    assert.equal(stopped, false);
    for (const reply of waiting) reply();
    assert.deepEqual(await replies(connection, 2), ["+OK\r\n", "$1\r\n1\r\n"]);
    await connection.closed();
    await stop;
    assert.equal(running.clock.pendingTimers, 0);
  });
});
