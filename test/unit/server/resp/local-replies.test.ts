/**
 * What a server says of itself and of its clients: TIME, COMMAND, CLUSTER, CLIENT, INFO, CONFIG, in RESP2 and in
 * RESP3. That the replies are of the kinds that redis-server's are is in test/integration/differential.test.ts.
 */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { DEFAULT_VALUE_BYTES_MAX } from "../../../../src/commands/check.js";
import { COMMANDS } from "../../../../src/commands/table.js";
import { keyspaceId } from "../../../../src/core/ids.js";
import { startRespServer } from "../../../../src/server/resp/server.js";
import { SLOT_COUNT, slotOfKey } from "../../../../src/sharding/slots.js";
import { HandClock } from "../../../support/hand-clock.js";
import { LogRecorder } from "../../../support/log-recorder.js";
import { MemoryDatabase } from "../../../support/memory-database.js";
import { RawConnection } from "../../../support/raw-replies.js";
import { type Decoded, decode, fieldsOf, plainOf } from "../../../support/reply-text.js";

const open: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.stop();
});

const NODES = 3;
const PARTITIONS = 6;

interface Door {
  readonly port: number;
  readonly clock: HandClock;
  readonly database: MemoryDatabase;
  readonly connection: RawConnection;
  /** Sends the words of `line`. */
  readonly ask: (line: string) => Promise<Decoded>;
  readonly plain: (line: string) => Promise<unknown>;
}

async function openDoor(protocol: 2 | 3): Promise<Door> {
  const clock = new HandClock();
  const database = new MemoryDatabase({ clock, partitions: PARTITIONS });
  const server = await startRespServer({
    host: "127.0.0.1",
    port: 0,
    database,
    logger: new LogRecorder(),
    clock,
    limits: { valueBytesMax: DEFAULT_VALUE_BYTES_MAX },
  });
  database.respAddresses = Array.from({ length: NODES }, (_, i) => `127.0.0.1:${server.port + i}`);
  const connection = await RawConnection.open(server.port);
  open.push({ stop: () => server.stop() }, { stop: () => connection.close() });
  await connection.call("HELLO", `${protocol}`);
  const ask = async (line: string): Promise<Decoded> => decode(await connection.call(...line.split(" ")));
  const plain = async (line: string): Promise<unknown> => plainOf(await ask(line));
  return { port: server.port, clock, database, connection, ask, plain };
}

/** Lines `name:value` by name. */
function linesOf(text: unknown): Map<string, string> {
  const lines = String(text)
    .split("\r\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

/** Words `name=value` by name. */
function wordsOf(line: string): Map<string, string> {
  return new Map(
    line.split(" ").map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]),
  );
}

for (const protocol of [2, 3] as const) {
  const map = protocol === 2 ? "*" : "%";
  const text = protocol === 2 ? "$" : "=";
  const set = protocol === 2 ? "*" : "~";

  describe(`in RESP${protocol}`, () => {
    it("TIME is the wall clock in seconds and the microseconds beyond", async () => {
      const { clock, plain } = await openDoor(protocol);
      const [seconds, micros] = (await plain("TIME")) as string[];
      assert.equal(Number(seconds) * 1_000 + Number(micros) / 1_000, clock.wallMs());
      clock.advance(1_234);
      const [later, laterMicros] = (await plain("TIME")) as string[];
      const passedMs =
        (Number(later) - Number(seconds)) * 1_000 + (Number(laterMicros) - Number(micros)) / 1_000;
      assert.equal(passedMs, 1_234);
    });

    it("COMMAND counts, lists, filters, describes and explains what the table holds", async () => {
      const { ask, plain } = await openDoor(protocol);
      const listed = COMMANDS.specs.filter((spec) => !spec.internal).map((spec) => spec.name.toLowerCase());
      assert.equal(await plain("COMMAND COUNT"), listed.length);
      assert.deepEqual(((await plain("COMMAND LIST")) as string[]).toSorted(), listed.toSorted());
      assert.deepEqual(((await plain("COMMAND LIST FILTERBY PATTERN getr*")) as string[]).toSorted(), [
        "getrange",
      ]);
      assert.ok(((await plain("COMMAND LIST FILTERBY ACLCAT write")) as string[]).includes("set"));
      assert.ok(!((await plain("COMMAND LIST FILTERBY ACLCAT write")) as string[]).includes("get"));
      assert.deepEqual(await plain("COMMAND LIST FILTERBY MODULE json"), []);
      assert.equal((await ask("COMMAND LIST FILTERBY")).type, "-");

      const info = await ask("COMMAND INFO mset nosuch");
      assert.equal(info.type, "*");
      const [mset, none] = (info as { items: readonly Decoded[] }).items;
      assert.equal(none.type, "null");
      const items = (mset as { items: readonly Decoded[] }).items;
      const [name, arity, flags, ...keys] = items.slice(0, 6);
      assert.deepEqual([name, arity, ...keys].map(plainOf), ["mset", -3, 1, -1, 2]);
      assert.equal(flags.type, set);
      assert.ok((plainOf(flags) as string[]).includes("write"));
      assert.equal((plainOf(await ask("COMMAND INFO")) as unknown[]).length, listed.length);

      const docs = await ask("COMMAND DOCS get nosuch set");
      assert.equal(docs.type, map);
      const fields = fieldsOf(docs);
      assert.deepEqual([...fields.keys()], ["get", "set"]);
      const get = fields.get("get");
      assert.ok(get !== undefined && get.type === map);
      assert.match(String(plainOf(fieldsOf(get).get("summary") ?? get)), /\w+ \w+/);
    });

    it("COMMAND GETKEYS finds the keys of a command, and refuses what has none", async () => {
      const { plain, ask } = await openDoor(protocol);
      assert.deepEqual(await plain("COMMAND GETKEYS GET a"), ["a"]);
      assert.deepEqual(await plain("COMMAND GETKEYS mset a 1 b 2"), ["a", "b"]);
      assert.deepEqual(await plain("COMMAND GETKEYS RENAME a b"), ["a", "b"]);
      for (const line of ["COMMAND GETKEYS PING", "COMMAND GETKEYS NOPE x", "COMMAND GETKEYS GET a b c"]) {
        assert.equal((await ask(line)).type, "-", line);
      }
    });

    it("CLUSTER KEYSLOT, MYID, NODES, SLOTS, SHARDS and INFO tell one story", async () => {
      const { ask, plain, port } = await openDoor(protocol);
      assert.equal(await plain("CLUSTER KEYSLOT hello"), slotOfKey("hello"));
      assert.equal(await plain("CLUSTER KEYSLOT 123456789"), 12_739);
      assert.equal(await plain("CLUSTER KEYSLOT {123456789}x"), 12_739);
      const myId = String(await plain("CLUSTER MYID"));
      assert.match(myId, /^[0-9a-f]{40}$/);

      const nodes = await ask("CLUSTER NODES");
      assert.equal(nodes.type, text);
      const lines = String(plainOf(nodes)).trimEnd().split("\n");
      assert.equal(lines.length, NODES);
      const parsed = lines.map((line) => line.split(" "));
      assert.deepEqual(
        parsed.map(([id, address, flags]) => [id === myId, address.split("@")[0], flags]),
        Array.from({ length: NODES }, (_, i) => [
          i === 0,
          `127.0.0.1:${port + i}`,
          i === 0 ? "myself,master" : "master",
        ]),
      );
      const owners = Array.from({ length: SLOT_COUNT }, () => "");
      for (const [id, , , , , , , link, ...ranges] of parsed) {
        assert.equal(link, "connected");
        for (const range of ranges) {
          const [first, last = first] = range.split("-");
          owners.fill(id, Number(first), Number(last) + 1);
        }
      }
      assert.ok(
        owners.every((id) => id !== ""),
        "every slot has an owner",
      );

      const slots = (await plain("CLUSTER SLOTS")) as [
        number,
        number,
        ...[string, number, string, string[]][],
      ][];
      assert.equal(
        slots.reduce((sum, [first, last]) => sum + last - first + 1, 0),
        SLOT_COUNT,
      );
      for (const [first, last, leader, ...followers] of slots) {
        assert.equal(leader[2], owners[first]);
        assert.equal(leader[2], owners[last]);
        assert.equal(followers.length, NODES - 1);
        assert.deepEqual([leader[0], leader[3][0]], ["127.0.0.1", "name"]);
      }

      const shards = await ask("CLUSTER SHARDS");
      assert.equal(shards.type, "*");
      for (const shard of (shards as { items: readonly Decoded[] }).items) {
        assert.equal(shard.type, map);
        const fields = fieldsOf(shard);
        const ranges = plainOf(fields.get("slots")!) as number[];
        const [node] = (fields.get("nodes") as { items: readonly Decoded[] }).items;
        assert.equal(node.type, map);
        const facts = fieldsOf(node);
        assert.deepEqual(
          ["role", "health", "ip"].map((name) => plainOf(facts.get(name)!)),
          ["master", "online", "127.0.0.1"],
        );
        for (let i = 0; i < ranges.length; i += 2) assert.equal(plainOf(facts.get("id")!), owners[ranges[i]]);
      }

      const info = await ask("CLUSTER INFO");
      assert.equal(info.type, text);
      const facts = linesOf(plainOf(info));
      assert.deepEqual(
        ["cluster_state", "cluster_slots_ok", "cluster_known_nodes", "cluster_size"].map((name) =>
          facts.get(name),
        ),
        ["ok", `${SLOT_COUNT}`, `${NODES}`, `${NODES}`],
      );
      for (const line of ["CLUSTER KEYSLOT", "CLUSTER COUNTKEYSINSLOT 99999", "CLUSTER NOPE"]) {
        assert.equal((await ask(line)).type, "-", line);
      }
    });

    it("CLUSTER shows partitions that need no leader with their first replica that is there", async () => {
      const { database, plain } = await openDoor(protocol);
      const { id } = await database.createKeyspace({ name: "s", consistency: "eventual", storage: "disk" });
      await plain(`SELECT ${id}`);
      const firsts = async (): Promise<string[]> => {
        const slots = (await plain("CLUSTER SLOTS")) as [
          number,
          number,
          ...[string, number, string, string[]][],
        ][];
        assert.equal(
          slots.reduce((sum, [first, last]) => sum + last - first + 1, 0),
          SLOT_COUNT,
        );
        for (const [, , ...nodes] of slots) assert.equal(nodes.length, NODES);
        return [...new Set(slots.map(([, , [, , , [, name]]]) => name))].sort();
      };
      const all = Array.from({ length: NODES }, (_, i) => `n${i + 1}`);
      assert.deepEqual(await firsts(), all);
      database.gone.add(1);
      assert.deepEqual(
        await firsts(),
        all.filter((name) => name !== "n2"),
      );
      assert.equal(linesOf(await plain("CLUSTER INFO")).get("cluster_state"), "ok");
    });

    it("CLIENT names, describes and lists connections", async () => {
      const { ask, plain, port } = await openDoor(protocol);
      const id = Number(await plain("CLIENT ID"));
      assert.equal((await ask("CLIENT GETNAME")).type, "null");
      assert.equal(await plain("CLIENT SETNAME tester"), "OK");
      assert.equal(await plain("CLIENT GETNAME"), "tester");
      assert.equal((await ask("CLIENT SETNAME two\nlines")).type, "-");
      assert.equal(await plain("CLIENT SETINFO LIB-NAME mylib"), "OK");
      assert.equal(await plain("CLIENT SETINFO lib-ver 1.2.3"), "OK");
      assert.equal((await ask("CLIENT SETINFO NOPE x")).type, "-");
      await plain("SELECT 2");

      const info = await ask("CLIENT INFO");
      assert.equal(info.type, text);
      const words = wordsOf(String(plainOf(info)).trimEnd());
      assert.deepEqual(
        ["id", "laddr", "name", "db", "cmd", "resp", "lib-name", "lib-ver"].map((name) => words.get(name)),
        [`${id}`, `127.0.0.1:${port}`, "tester", "2", "client", `${protocol}`, "mylib", "1.2.3"],
      );
      assert.match(words.get("addr") ?? "", /^127\.0\.0\.1:\d+$/);

      const other = await RawConnection.open(port);
      open.push({ stop: () => other.close() });
      const otherId = Number(plainOf(decode(await other.call("CLIENT", "ID"))));
      assert.ok(otherId > id);
      const ids = async (line: string): Promise<(string | undefined)[]> => {
        const list = await ask(line);
        assert.equal(list.type, text);
        const all = String(plainOf(list)).trimEnd();
        return all === "" ? [] : all.split("\n").map((each) => wordsOf(each).get("id"));
      };
      assert.deepEqual(await ids("CLIENT LIST"), [`${id}`, `${otherId}`]);
      assert.deepEqual(await ids(`CLIENT LIST ID ${otherId} 99999`), [`${otherId}`]);
      assert.deepEqual(await ids("CLIENT LIST TYPE NORMAL"), [`${id}`, `${otherId}`]);
      assert.deepEqual(await ids("CLIENT LIST TYPE pubsub"), []);
      for (const line of [
        "CLIENT LIST TYPE nosuch",
        "CLIENT LIST ID 0",
        "CLIENT LIST ID",
        "CLIENT LIST FOO",
      ]) {
        assert.equal((await ask(line)).type, "-", line);
      }
    });

    it("INFO has sections, of which some can be asked for", async () => {
      const { ask, plain, connection, port } = await openDoor(protocol);
      assert.equal((await ask("INFO")).type, text);
      const titles = async (line: string): Promise<string[]> =>
        [...String(await plain(line)).matchAll(/^# (\w+)\r$/gm)].map(([, title]) => title);
      const all = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Cluster",
        "Keyspace",
      ];
      for (const line of ["INFO", "INFO all", "INFO DEFAULT", "INFO everything"]) {
        assert.deepEqual(await titles(line), all, line);
      }
      assert.deepEqual(await titles("INFO memory SERVER"), ["Server", "Memory"]);
      assert.equal(await plain("INFO nosuch"), "");
      const server = linesOf(await plain("INFO server"));
      assert.equal(server.get("redis_version"), "7.0.15");
      assert.equal(server.get("tcp_port"), `${port}`);
      const before = Number(linesOf(await plain("INFO stats")).get("total_commands_processed"));
      await connection.call("SET", "a", "1");
      await connection.call("SELECT", "2");
      await connection.call("MSET", "a", "1", "b", "2");
      const after = Number(linesOf(await plain("INFO stats")).get("total_commands_processed"));
      assert.equal(after - before, 4);
      const keyspace = linesOf(await plain("INFO keyspace"));
      assert.deepEqual(
        [...keyspace],
        [
          ["db0", "keys=1"],
          ["db2", "keys=2"],
        ],
      );
    });

    it("INFO tells of eventual keyspaces when there are any", async () => {
      const { database, plain } = await openDoor(protocol);
      assert.doesNotMatch(String(await plain("INFO")), /# Eventual/);
      assert.equal(await plain("INFO eventual"), "");
      const counts = {
        lag: 9,
        lagMax: 8,
        hints: 7,
        tombstones: 6,
        readRepairs: 5,
        comparisons: 4,
        repaired: 3,
      };
      const lastRepair = {
        partition: 0,
        with: undefined,
        finishedMs: 1_234,
        durationMs: 1,
        recordsTaken: 20,
        recordsGiven: 3,
        bytes: 99,
      };
      database.replication = [
        { keyspace: keyspaceId(1), ...counts, lastRepair },
        { keyspace: keyspaceId(4), ...counts, lag: 0, lastRepair: undefined },
      ];
      assert.deepEqual(
        [...linesOf(await plain("INFO eventual"))],
        [
          [
            "db1",
            "lag=9,lag_max=8,hints=7,tombstones=6,read_repairs=5,comparisons=4,repaired=3," +
              "last_repair_ms=1234,last_repair_records=23,last_repair_bytes=99",
          ],
          [
            "db4",
            "lag=0,lag_max=8,hints=7,tombstones=6,read_repairs=5,comparisons=4,repaired=3," +
              "last_repair_ms=0,last_repair_records=0,last_repair_bytes=0",
          ],
        ],
      );
      assert.doesNotMatch(String(await plain("INFO server")), /# Eventual/);
      assert.match(String(await plain("INFO")), /# Cluster\r\n[^#]*# Eventual\r\ndb1:/);
    });

    it("CONFIG GET takes patterns, several, in any case", async () => {
      const { ask } = await openDoor(protocol);
      const got = async (line: string): Promise<Record<string, unknown>> => {
        const reply = await ask(line);
        assert.equal(reply.type, map);
        return Object.fromEntries([...fieldsOf(reply)].map(([name, value]) => [name, plainOf(value)]));
      };
      assert.deepEqual(await got("CONFIG GET maxmemory"), { maxmemory: "0" });
      assert.deepEqual(Object.keys(await got("CONFIG GET MAX*")), [
        "maxclients",
        "maxmemory",
        "maxmemory-policy",
      ]);
      assert.deepEqual(await got("CONFIG GET append* sav? nosuch"), {
        appendfsync: "always",
        appendonly: "yes",
        save: "",
      });
      assert.deepEqual(await got("CONFIG GET nosuch"), {});
      assert.ok(Object.keys(await got("CONFIG GET *")).length > 10);
      assert.equal((await ask("CONFIG GET")).type, "-");
      assert.equal((await ask("CONFIG SET maxmemory 1")).type, "-");
    });
  });
}
