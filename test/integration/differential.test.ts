/**
 * The replies of the RESP server and of every command against those of a real redis-server 7.0. The data lies in
 * memory here, in one partition and in several; the same comparison runs against a cluster of real processes
 * with `compareServers` and its port.
 *
 * `DIFFERENTIAL_SEED=n` repeats a run; `DIFFERENTIAL_COMMANDS=n` makes it longer.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Redis } from "ioredis";
import { DEFAULT_VALUE_BYTES_MAX } from "../../src/commands/check.js";
import { COMMANDS } from "../../src/commands/table.js";
import { systemClock } from "../../src/platform/clock.js";
import { type RespServer, startRespServer } from "../../src/server/resp/server.js";
import { becomeAlike, compareServers } from "../support/differential.js";
import { LogRecorder } from "../support/log-recorder.js";
import { MemoryDatabase } from "../support/memory-database.js";
import { RawConnection } from "../support/raw-replies.js";
import { type RedisServer, skipWithoutRedis, startRedis } from "../support/redis-server.js";
import { decode, shapeOf } from "../support/reply-text.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";

const SEED = Number(process.env["DIFFERENTIAL_SEED"] ?? Date.now() % 2 ** 32);
const COMMAND_COUNT = Number(process.env["DIFFERENTIAL_COMMANDS"] ?? 2_000);

/** Commands whose replies say different things on different servers, in the same form, looked at so deep. */
const SELF_DESCRIPTIONS: readonly { readonly words: string[]; readonly depth: number }[] = [
  ...["TIME", "INFO", "INFO server", "INFO nosuch", "INFO SERVER CLIENTS", "HELLO"],
  ...[
    "COMMAND COUNT",
    "COMMAND LIST",
    "COMMAND LIST FILTERBY PATTERN xyz*",
    "COMMAND LIST FILTERBY ACLCAT nosuch",
  ],
  ...["COMMAND DOCS nosuch", "COMMAND GETKEYS MSET a 1 b 2", "CONFIG GET nosuch"],
  ...["CONFIG GET maxmemory", "CONFIG GET max*", "CONFIG GET MAXMEMORY port", "CLIENT ID", "CLIENT INFO"],
  ...[
    "CLIENT LIST",
    "CLIENT LIST TYPE normal",
    "CLIENT LIST TYPE pubsub",
    "CLIENT LIST ID 999999",
    "CLIENT GETNAME",
  ],
  ...[
    "CLIENT SETNAME me",
    "CLIENT GETNAME",
    "CLIENT SETNAME",
    "CLIENT LIST TYPE nosuch",
    "CLIENT KILL 1.2.3.4:5",
  ],
  ...["CLIENT KILL ID 999999", "CLIENT NO-EVICT on", "CLIENT NO-EVICT off", "CLIENT HELP", "CONFIG HELP"],
  ...["COMMAND HELP", "CLUSTER HELP", "CLUSTER MYID", "CLUSTER NODES", "CLUSTER INFO"],
  ...["CLUSTER SHARDS", "CLUSTER KEYSLOT hello", "CLUSTER KEYSLOT {tag}x", "CLUSTER KEYSLOT", "SELECT 0"],
]
  .map((line) => ({ words: line.split(" "), depth: Infinity }))
  // What a command's description may hold, Redis has more of.
  .concat([
    { words: ["COMMAND", "DOCS", "get"], depth: 1 },
    { words: ["COMMAND", "INFO", "get", "nosuch"], depth: 2 },
    { words: ["COMMAND"], depth: 1 },
    // A node's further facts: its name here.
    { words: ["CLUSTER", "SLOTS"], depth: 3 },
    // Last: it changes the protocol.
    { words: ["RESET"], depth: 0 },
  ]);

/** Waits until the reply holds `text`. */
async function becomes(connection: RawConnection, text: string, ...words: string[]): Promise<void> {
  await waitFor(`${words.join(" ")} says ${text}`, async () =>
    (await connection.call(...words)).includes(text),
  );
}

describe("replies, compared with those of redis-server", { skip: skipWithoutRedis() }, () => {
  const servers: RespServer[] = [];
  let redis: RedisServer;

  async function startServer(partitions: number): Promise<number> {
    const clock = systemClock();
    const database = new MemoryDatabase({ clock, partitions });
    const server = await startRespServer({
      host: "127.0.0.1",
      port: 0,
      database,
      logger: new LogRecorder(),
      clock,
      limits: { valueBytesMax: DEFAULT_VALUE_BYTES_MAX },
    });
    database.respAddresses = [`127.0.0.1:${server.port}`];
    servers.push(server);
    return server.port;
  }

  before(async () => {
    redis = await startRedis(DEFAULT_VALUE_BYTES_MAX);
  });

  after(async () => {
    await redis.stop();
    for (const server of servers) await server.stop();
  });

  let run = 0;
  for (const partitions of [1, 7]) {
    for (const protocol of [2, 3] as const) {
      for (const mode of ["single", "pipelined", "inline"] as const) {
        const seed = SEED + run;
        run += 1;
        it(`are equal: RESP${protocol}, ${mode}, ${partitions} partitions (seed ${seed})`, async () => {
          const testedPort = await startServer(partitions);
          await compareServers({
            seed,
            redisPort: redis.port,
            testedPort,
            commands: COMMAND_COUNT,
            protocol,
            mode,
            databases: [0, 1, 2],
          });
        });
      }
    }
  }

  it("the table says of its commands what redis-server says of them: arity, flags, keys, categories", async () => {
    const own = new Set(["minikey", "json"]);
    const names = COMMANDS.specs
      .filter((spec) => !spec.internal && !own.has(spec.group))
      .map((spec) => spec.name.toLowerCase());
    assert.ok(names.length > 50);
    const descriptions = async (port: number): Promise<unknown[]> => {
      const client = new Redis({ port });
      const infos = (await client.call("COMMAND", "INFO", ...names)) as [
        string,
        number,
        string[],
        ...unknown[],
      ][];
      await client.quit();
      return infos.map(([name, arity, flags, first, last, step, categories]) => ({
        name,
        arity,
        flags: flags.toSorted(),
        keys: [first, last, step],
        categories: (categories as string[]).toSorted(),
      }));
    };
    assert.deepEqual(await descriptions(await startServer(1)), await descriptions(redis.port));
  });

  it("what servers say of themselves is made of the same kinds of replies", async (t) => {
    const clustered = await startRedis(DEFAULT_VALUE_BYTES_MAX, [
      ...["--cluster-enabled", "yes", "--cluster-config-file", join(makeTempDir(t), "nodes.conf")],
    ]);
    const testedPort = await startServer(3);
    const different: { words: string; protocol: number; shapes: string[] }[] = [];
    try {
      for (const protocol of [2, 3]) {
        const own = await RawConnection.open(testedPort);
        const theirs = {
          single: await RawConnection.open(redis.port),
          cluster: await RawConnection.open(clustered.port),
        };
        await theirs.cluster.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
        await becomes(theirs.cluster, "cluster_state:ok", "CLUSTER", "INFO");
        for (const connection of [own, theirs.single, theirs.cluster])
          await connection.call("HELLO", `${protocol}`);
        for (const { words, depth } of SELF_DESCRIPTIONS) {
          const reference = words[0] === "CLUSTER" ? theirs.cluster : theirs.single;
          const [expected, actual] = await Promise.all([reference.call(...words), own.call(...words)]);
          const shapes = [expected, actual].map((reply) => shapeOf(decode(reply), depth));
          if (shapes[0] !== shapes[1]) different.push({ words: words.join(" "), protocol, shapes });
        }
        for (const connection of [own, theirs.single, theirs.cluster]) connection.close();
      }
    } finally {
      await clustered.stop();
    }
    assert.deepEqual(different, [], "redis-server's, then ours");
  });

  it("keys expire as they do in redis-server", async () => {
    const connections = [
      await RawConnection.open(redis.port),
      await RawConnection.open(await startServer(3)),
    ] as const;
    const both = async (...words: string[]): Promise<void> => {
      const [expected, actual] = await Promise.all(
        connections.map((connection) => connection.call(...words)),
      );
      assert.equal(actual.toString(), expected.toString(), words.join(" "));
    };
    await both("FLUSHDB");
    await both("SET", "brief", "1", "PX", "40");
    await both("SET", "kept", "1", "EX", "1000");
    await both("SET", "touched", "1");
    await both("PEXPIRE", "touched", "40");
    for (const key of ["brief", "touched", "kept"]) await becomeAlike(["EXISTS", key], ...connections);
    await becomeAlike(["MGET", "brief", "touched", "kept"], ...connections);
    await both("SET", "brief", "2", "XX");
    await both("SET", "brief", "3", "NX");
    await both("TTL", "brief");
    for (const connection of connections) connection.close();
  });
});
