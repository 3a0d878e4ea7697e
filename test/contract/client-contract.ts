/** What a `Client` does, wherever it runs: over a socket to a cluster, or inside the process of a node. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { runInNewContext } from "node:vm";
import type { Client } from "../../src/client/client.js";
import type { Json } from "../../src/client/values.js";
import { MinikeyError } from "../../src/core/errors.js";

/** What JavaScript passes where TypeScript sees a key. */
const absent = [undefined] as unknown as [string];

class Hidden {
  readonly #secret = 1;

  get secret(): number {
    return this.#secret;
  }
}

/** Tests a client of an empty database, made by `open`, which also sees to its end. */
export function testClient(name: string, open: (t: TestContext) => Promise<Client>): void {
  const testIt = (sentence: string, body: (client: Client, t: TestContext) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async (t) => {
      await body(await open(t), t);
    });
  };

  testIt("text and bytes come back as they were, documents as JSON values", async (client) => {
    await client.put("text", "hé");
    assert.equal(await client.get("text"), "hé");
    assert.equal(await client.type("text"), "string");
    const bytes = Buffer.from([0, 255, 13, 10]);
    await client.put(Buffer.from([0xff, 0x00]), bytes);
    assert.deepEqual(await client.getBuffer(Buffer.from([0xff, 0x00])), bytes);
    for (const document of [{ a: [1, null, "x"] }, [], 12.5, true, null]) {
      await client.put("doc", document);
      assert.deepEqual(await client.get("doc"), document);
      assert.equal(await client.type("doc"), "json");
    }
    assert.equal(await client.get("none"), null);
    assert.equal(await client.getEntry("none"), null);
    assert.equal(await client.type("none"), null);
  });

  testIt("half of a surrogate pair is sent as nothing else", async (client) => {
    const half = "ab\ud800c";
    const refused = (what: string): { code: string; message: string } => ({
      code: "BAD_REQUEST",
      message: `${what} holds half of a surrogate pair at position 2 ("ab\\ud800"): UTF-8 has no bytes for it`,
    });
    await assert.rejects(client.put(half, "x"), refused("the key"));
    await assert.rejects(client.put(half, {}), refused("the key"));
    await assert.rejects(client.put("k", half), refused("the value"));
    await assert.rejects(client.get(half), refused("the key"));
    await assert.rejects(client.getBuffer(half), refused("the key"));
    await assert.rejects(client.query(half), refused("the path"));
    await assert.rejects(client.compute(half), refused("the formula"));
    await assert.rejects(
      client.mset([
        ["k", "v"],
        ["l", half],
      ]),
      refused("argument 4 of MSET"),
    );
    await assert.rejects(client.command("APPEND", "k", half), refused("argument 2 of APPEND"));
    assert.equal(await client.get("k"), null);
    const document = { [half]: [half, "\udc00"], whole: "\ud83d\ude00" };
    await client.put("\ud83d\ude00", document);
    assert.deepEqual(await client.get("\ud83d\ude00"), document, "in a document it is an escape");
    assert.equal(await client.query("\ud83d\ude00.whole"), "\ud83d\ude00");
    assert.deepEqual(await client.query("\ud83d\ude00"), document);
  });

  testIt("what JSON cannot hold is refused by its place", async (client) => {
    const holdsItself: Record<string, unknown> = {};
    holdsItself["me"] = holdsItself;
    const cases: [value: unknown, message: RegExp][] = [
      [{ a: { b: [0, 1, Number.NaN] } }, /a\.b\[2\] is NaN: JSON has no such number$/],
      [[[Number.NEGATIVE_INFINITY]], /\[0\]\[0\] is -Infinity: /],
      [{ "x y": { __proto__: null, z: Number.POSITIVE_INFINITY } }, /: \["x y"\]\.z is Infinity: /],
      [{ a: [undefined] }, /a\[0\] is undefined$/],
      [Array(1), /\[0\] is undefined$/],
      [{ a: () => 1 }, /a is a function$/],
      [{ a: Symbol("s") }, /a is a symbol$/],
      [{ a: [{ n: 1n }] }, /a\[0\]\.n is a bigint: /],
      [{ m: new Map([[1, 2]]) }, /m is a Map, of which JSON would keep nothing$/],
      [{ s: new Set([1]) }, /s is a Set, /],
      [{ a: [/x/] }, /a\[0\] is a RegExp, of which JSON would keep nothing$/],
      [{ a: new Error("lost") }, /a is an Error, of which JSON would keep nothing$/],
      [{ a: new ArrayBuffer(8) }, /a is an ArrayBuffer, /],
      [{ a: new Hidden() }, /a is a Hidden, /],
      [{ a: Object.create({ inherited: 1 }) }, /a is an Object, /],
      [{ a: Object(Number.NaN) }, /a is NaN/],
      [{ a: { toJSON: () => [Number.NaN] } }, /a\[0\] is NaN/],
      [{ a: new Date(Number.NaN), b: Number.NaN }, /b is NaN/],
      [holdsItself, /me is nested more than 128 deep, or holds itself$|me… is nested/],
      [Number.NaN, /: the value is NaN: /],
      [undefined, /: the value is undefined$/],
      [5n, /: the value is a bigint: /],
    ];
    for (const [value, message] of cases) {
      const error = { name: "MinikeyError", code: "BAD_REQUEST", message };
      await assert.rejects(client.put("k", value as Json), error, String(message));
    }
    assert.equal(await client.get("k"), null);
    const shared = { x: 1 };
    const gone = { toJSON: () => undefined };
    const taken = {
      kept: 1,
      left: undefined,
      gone,
      date: new Date(0),
      twice: [shared, shared],
      boxed: [Object(1), Object("x"), Object(false)],
      empty: [{}, Object.create(null), runInNewContext("({})")],
    };
    await client.put("k", taken as unknown as Json);
    const text = '{"kept":1,"date":"1970-01-01T00:00:00.000Z","twice":[{"x":1},{"x":1}],';
    const rest = '"boxed":[1,"x",false],"empty":[{},{},{}]}';
    assert.equal(String(await client.getBuffer("k")), text + rest);
  });

  testIt("what the types forbid is refused, and nothing is done", async (client) => {
    await client.put("k", { kept: true });
    const cases: [call: () => Promise<unknown>, message: string][] = [
      [() => client.put("k", "v", { ttlMs: 0 }), "ttlMs: expected more than 0, got 0"],
      [() => client.put("k", { gone: true }, { ttlMs: -5 }), "ttlMs: expected more than 0, got -5"],
      [() => client.get(...absent), "the key is of type undefined: expected text, bytes or a number"],
      [() => client.delete(...absent), "the key is of type undefined: expected text, bytes or a number"],
      [
        () => client.command("SET", "k", ...absent),
        "the value is of type undefined: expected text, bytes or a number",
      ],
      [
        () => client.put("k", "v", { consistency: "most" as "all" }),
        "consistency: expected one of one, quorum, all, got most",
      ],
    ];
    for (const [call, message] of cases) {
      await assert.rejects(call, { name: "MinikeyError", code: "BAD_REQUEST", message });
    }
    assert.deepEqual(await client.get("k"), { kept: true });
    assert.equal(await client.exists("undefined"), false);
  });

  testIt("a path leads to one value of a document, and to the part that is missing", async (client) => {
    await client.put("person2", { address: { number: 12, street: "1st" }, tags: ["a", null] });
    await client.put("twelve", "12");
    const doubled = 2 * (await client.query<number>("person2.address.number"));
    assert.equal(doubled, 24);
    assert.equal(await client.query("person2.address.street"), "1st");
    assert.deepEqual(await client.query("person2.address"), { number: 12, street: "1st" });
    assert.equal(await client.query("person2.tags.1", { consistency: "stale" }), null);
    assert.equal(await client.query("twelve"), "12", "bytes are text, whatever they look like");
    for (const [path, message] of [
      ["person9.age", "no such key: person9"],
      ["person2.address.nr", 'person2.address has no field "nr"'],
      ["person2.tags.2", "person2.tags has 2 elements: no position 2"],
    ]) {
      await assert.rejects(client.query(path), { name: "MinikeyError", code: "PATH_NOT_FOUND", message });
    }
    await assert.rejects(client.query(""), { code: "BAD_REQUEST" });
  });

  testIt("an empty value is a value", async (client) => {
    await client.put("empty", "");
    assert.equal(await client.get("empty"), "");
    assert.equal(await client.exists("empty"), true);
  });

  testIt("a condition decides whether a value is stored", async (client) => {
    for (const [first, second] of [
      ["a", "b"],
      [{ n: 1 }, { n: 2 }],
    ]) {
      await client.delete("k");
      assert.equal(await client.put("k", first, { onlyIf: "absent" }), true);
      assert.equal(await client.put("k", second, { onlyIf: "absent" }), false);
      const entry = await client.getEntry("k");
      assert.ok(entry !== null);
      assert.equal(await client.put("k", second, { onlyIf: { version: entry.version } }), true);
      assert.equal(await client.put("k", first, { onlyIf: { version: entry.version } }), false);
      assert.deepEqual(await client.get("k"), second);
    }
    assert.equal(await client.put("none", "x", { onlyIf: { version: 7 } }), false);
    assert.equal(await client.exists("none"), false);
  });

  testIt("keys are deleted, counted and looked up", async (client) => {
    await client.mset({ a: "1", b: "2" });
    await client.mset([[Buffer.from("c"), Buffer.from("3")]]);
    assert.deepEqual(await client.mget(["c", "none", "a"]), ["3", null, "1"]);
    assert.equal(await client.count(), 3);
    assert.equal(await client.delete("a"), true);
    assert.equal(await client.delete("a"), false);
    assert.equal(await client.deleteMany(["a", "b", "c"]), 2);
    assert.equal(await client.deleteMany([]), 0);
    assert.deepEqual(await client.mget([]), []);
  });

  testIt("numbers are counted and text appended", async (client) => {
    assert.equal(await client.incr("n"), 1);
    assert.equal(await client.incr("n", 10), 11);
    assert.equal(await client.decr("n", 20), -9);
    assert.equal(await client.append("s", "ab"), 2);
    assert.equal(await client.append("s", "cd"), 4);
    assert.equal(await client.get("s"), "abcd");
  });

  testIt(
    "a formula is computed over what is stored, and its mistakes are errors with codes",
    async (client) => {
      await client.put("person2", { address: { number: 12 }, name: "Mary" });
      await client.incr("n", 30);
      assert.equal(await client.compute("1/3"), 1 / 3);
      assert.equal(await client.compute("2*x", { x: "person2.address.number" }), 24);
      assert.equal(await client.compute("sin(n)", { n: "n" }, { angle: "degrees" }), 0.5);
      assert.equal(
        await client.compute("x+n", { x: "person2.address.number", n: "n" }, { consistency: "all" }),
        42,
      );
      const fails = async (code: string, expression: string, where?: Record<string, string>): Promise<void> =>
        assert.rejects(client.compute(expression, where), {
          name: "MinikeyError",
          code,
          outcome: "not-applied",
        });
      await fails("BAD_REQUEST", "1+");
      await fails("BAD_REQUEST", "x");
      await fails("COMPUTE_ERROR", "1/0");
      await fails("COMPUTE_ERROR", "x", { x: "person2.name" });
      await fails("PATH_NOT_FOUND", "x", { x: "person2.age" });
    },
  );

  testIt("a time to live is set, read and taken away", async (client) => {
    await client.put("text", "x", { ttlMs: 60_000 });
    await client.put("doc", { x: 1 }, { ttlMs: 60_000 });
    for (const key of ["text", "doc"]) {
      const leftMs = await client.ttl(key);
      assert.ok(leftMs !== null && leftMs > 50_000 && leftMs <= 60_000, `${leftMs}`);
      assert.equal(await client.persist(key), true);
      assert.equal(await client.ttl(key), Number.POSITIVE_INFINITY);
      assert.equal(await client.persist(key), false);
    }
    assert.equal(await client.ttl("none"), null);
    assert.equal(await client.expire("none", 1_000), false);
    assert.equal(await client.expire("text", 60_000), true);
  });

  testIt("scan yields every key with the prefix, whatever characters it has", async (client) => {
    const keys = Array.from({ length: 250 }, (_, i) => `[a*]:${i}`);
    await client.mset(keys.map((key) => [key, "v"] as const));
    await client.put("xa:1", "v");
    const found = new Set<string>();
    for await (const key of client.scan({ prefix: "[a*]:", pageSize: 20 })) found.add(key);
    assert.deepEqual([...found].toSorted(), keys.toSorted());
    const matched: string[] = [];
    for await (const key of client.scan({ match: "x?:*" })) matched.push(key);
    assert.deepEqual(matched, ["xa:1"]);
  });

  testIt("calls that are not awaited are carried out in their order", async (client) => {
    const answers = await Promise.all([
      client.put("k", "1"),
      client.incr("k"),
      client.get("k"),
      client.delete("k"),
      client.get("k"),
    ]);
    assert.deepEqual(answers, [true, 2, "2", true, null]);
  });

  testIt("any command may be sent, and its reply is plain JavaScript", async (client) => {
    assert.equal(await client.command("SET", "k", "hello"), "OK");
    assert.equal(await client.command("getrange", "k", 1, 3), "ell");
    assert.deepEqual(await client.command("MGET", "k", "none"), ["hello", null]);
    assert.equal(await client.command("STRLEN", Buffer.from("k")), 5);
  });

  testIt("documents are edited in place, one or several at once", async (client) => {
    const keys = Array.from({ length: 8 }, (_, i) => `doc${i}`);
    const all = keys.flatMap((key, i) => [key, "$", JSON.stringify({ n: i, tags: [] })]);
    assert.equal(await client.command("JSON.MSET", ...all), "OK");
    assert.deepEqual(await client.command("JSON.MGET", ...keys, "none", "$.n"), [
      ...keys.map((_, i) => `[${i}]`),
      null,
    ]);
    assert.deepEqual(await client.command("JSON.NUMINCRBY", "doc1", "$.n", 1.5), [2.5]);
    assert.deepEqual(await client.command("JSON.ARRAPPEND", "doc1", "$.tags", '"x"'), [1]);
    await assert.rejects(client.command("JSON.MSET", "doc1", "$.n", "0", "none", "$.n", "0"), {
      message: "new objects must be created at the root",
    });
    assert.deepEqual(await client.get("doc1"), { n: 2.5, tags: ["x"] });
    assert.equal(await client.query("doc1.tags.0"), "x");
    await client.put("text", "x");
    await assert.rejects(client.command("JSON.GET", "text"), { code: "WRONG_TYPE" });
    await assert.rejects(client.command("JSON.GET", "doc1", ".x"), { code: "NOT_FOUND" });
  });

  testIt("an error has a code, and says that nothing was done", async (client) => {
    await client.put("text", "x");
    for (const [call, code] of [
      [(): Promise<unknown> => client.incr("text"), "NOT_AN_INTEGER"],
      [(): Promise<unknown> => client.command("NOPE"), "UNKNOWN_COMMAND"],
      [(): Promise<unknown> => client.command("GET"), "WRONG_ARITY"],
      [(): Promise<unknown> => client.command("SET", "k", "v", "PX"), "SYNTAX"],
      [(): Promise<unknown> => client.put("", "v"), "KEY_EMPTY"],
      [(): Promise<unknown> => client.put("k".repeat(1_025), "v"), "KEY_TOO_LARGE"],
      [(): Promise<unknown> => client.put("k", "v".repeat((8 << 20) + 1)), "VALUE_TOO_LARGE"],
      [(): Promise<unknown> => client.put("k", (() => 0) as never), "BAD_REQUEST"],
      [(): Promise<unknown> => client.put("k", { n: 1n } as never), "BAD_REQUEST"],
      [(): Promise<unknown> => client.command(), "BAD_REQUEST"],
    ] as const) {
      await assert.rejects(call, (error: unknown) => {
        assert.ok(error instanceof MinikeyError, String(error));
        assert.equal(error.code, code);
        assert.notEqual(error.outcome, "unknown", code);
        assert.equal(error.retryable, false, code);
        return true;
      });
    }
    await client.put("doc", { a: 1 });
    await assert.rejects(client.incr("doc"), { code: "WRONG_TYPE" });
  });

  testIt("a keyspace keeps its keys to itself, by name and by number", async (client, t) => {
    await client.ping();
    await client.command("KEYSPACE", "CREATE", "cart");
    const list = (await client.command("KEYSPACE", "LIST")) as Map<string, unknown>[];
    const number = list.find((one) => one.get("name") === "cart")?.get("id") as number;
    for (const keyspace of ["cart", number, String(number)]) {
      const other = client.keyspace(keyspace);
      t.after(() => other.close());
      await other.put("k", "theirs");
      await client.put("k", "ours");
      assert.equal(await other.get("k"), "theirs");
      assert.equal(await client.get("k"), "ours");
    }
    const missing = client.keyspace("nope");
    t.after(() => missing.close());
    await assert.rejects(missing.get("k"), { code: "KEYSPACE_NOT_FOUND" });
  });

  testIt("after close every call is refused", async (client) => {
    await client.put("k", "v");
    await client.close();
    await assert.rejects(client.get("k"), { message: "the client is closed", outcome: "not-applied" });
    await assert.rejects(client.ready(), { message: "the client is closed" });
  });

  testIt("whoever closes, and however often, waits for what is on its way", async (client) => {
    await client.ready();
    const put = client.put("k", "v");
    await Promise.all([client.close(), client.close(), put]);
    await client.close();
  });
}
