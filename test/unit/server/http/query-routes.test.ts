import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Harness, startHarness } from "./harness.js";

const PERSON = {
  age: 22,
  address: { street: 'Rue "A"', number: 12 },
  tags: ["x", null, true],
  "a.b": { c: 1.5 },
};

async function withPerson(harness: Harness): Promise<Harness> {
  await harness.send("PUT", "/kv/person", { body: { value: PERSON } });
  return harness;
}

describe("GET /query/{path}", () => {
  it("answers what is at the path, of whatever type, as it is stored", async (t) => {
    const { send } = await withPerson(await startHarness(t));
    const values = [
      ["person.age", "22"],
      ["person.address", JSON.stringify(PERSON.address)],
      ["person.address.street", JSON.stringify(PERSON.address.street)],
      ["person.tags.1", "null"],
      ["person.tags.2", "true"],
      ['person."a.b".c', "1.5"],
      ["person", JSON.stringify(PERSON)],
    ];
    for (const [path, value] of values) {
      const answer = await send("GET", `/query/${encodeURIComponent(path)}`);
      assert.equal(answer.status, 200, path);
      assert.equal(answer.text, `{"path":${JSON.stringify(path)},"value":${value}}`);
      assert.equal(answer.headers["content-type"], "application/json; charset=utf-8");
      assert.equal(answer.headers["cache-control"], "no-cache");
    }
  });

  it("answers a key of bytes as text, or in base64 when it is none", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/text", { body: { value: "12" } });
    assert.equal((await send("GET", "/query/text")).text, '{"path":"text","value":"12"}');
    await send("PUT", "/kv/bytes", {
      body: Buffer.from([0, 255]),
      headers: { "content-type": "application/octet-stream" },
    });
    assert.equal(
      (await send("GET", "/query/bytes")).text,
      '{"path":"bytes","value":"AP8=","encoding":"base64"}',
    );
    const long = "é".repeat(300_000);
    await send("PUT", "/kv/long", { body: { value: long } });
    assert.deepEqual((await send("GET", "/query/long")).json(), { path: "long", value: long });
  });

  it("means the longest key that exists, and everything after /query/", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/a", { body: { value: { b: { c: 1 } } } });
    const ask = async (path: string) => ((await send("GET", path)).json() as { value: unknown }).value;
    assert.equal(await ask("/query/a.b.c"), 1);
    await send("PUT", "/kv/a.b", { body: { value: { c: 2 } } });
    assert.equal(await ask("/query/a.b.c"), 2);
    assert.equal(await ask("/query/%22a%22.b.c"), 1);
    await send("PUT", "/kv/x/y", { body: { value: { z: 3 } } });
    assert.equal(await ask("/query/x/y.z"), 3);
    assert.equal(await ask("/query/x%2Fy.z?"), 3);
  });

  it("says which part is missing, with 404", async (t) => {
    const { send } = await withPerson(await startHarness(t));
    await send("PUT", "/kv/hello", { body: { value: "world" } });
    const missing = [
      ["person9.age", "no such key: person9"],
      ["person.address.nr", 'person.address has no field "nr"'],
      ["person.age.x", 'person.age is a number and has no field "x"'],
      ["person.tags.7", "person.tags has 3 elements: no position 7"],
      ["hello.x", 'hello is text and has no field "x"'],
    ];
    for (const [path, error] of missing) {
      const answer = await send("GET", `/query/${path}`);
      assert.equal(answer.status, 404, path);
      assert.deepEqual(answer.json(), { error, code: "PATH_NOT_FOUND" });
    }
  });

  it("refuses what is no path, and names what is wrong", async (t) => {
    const { send } = await startHarness(t);
    const wrong = [
      ["/query/", 400, "BAD_REQUEST", /^the path is empty/],
      ["/query/%zz", 400, "BAD_REQUEST", /^invalid percent-encoding "%zz" in the path$/],
      ["/query/a%FF", 400, "BAD_REQUEST", /^the path is not valid UTF-8 at byte 8$/],
      ["/query/%22a", 400, "BAD_REQUEST", /^path, column 1: the quotes are not closed$/],
      ["/query/.a", 404, "PATH_NOT_FOUND", /^no such key: /],
      [`/query/${"a.".repeat(2_100)}`, 400, "BAD_REQUEST", /^the path has 4200 bytes: 4096 are the most$/],
      [`/query/${"k".repeat(1_025)}`, 400, "KEY_TOO_LARGE", /^key of 1025 bytes/],
      ["/query/a?consistency=soon", 400, "BAD_REQUEST", /^consistency: expected linearizable, stale/],
      ["/query/a?limit=1", 400, "BAD_REQUEST", /^unknown query parameter "limit"/],
      ["/keyspaces/none/query/a", 404, "KEYSPACE_NOT_FOUND", /^there is no keyspace "none"$/],
    ] as const;
    for (const [path, status, code, text] of wrong) {
      const answer = await send("GET", path);
      const { error, code: got } = answer.json() as { error: string; code: string };
      assert.deepEqual([answer.status, got], [status, code], path.slice(0, 40));
      assert.match(error, text);
    }
    assert.equal((await send("POST", "/query/a", { body: {} })).status, 405);
  });

  it("reads at the level asked for, in the keyspace asked for", async (t) => {
    const { send, database } = await startHarness(t);
    await send("PUT", "/keyspaces/k1/kv/a", { body: { value: { b: 1 } } });
    const answer = await send("GET", "/keyspaces/k1/query/a.b?consistency=stale");
    assert.deepEqual(answer.json(), { path: "a.b", value: 1 });
    const { keyspace, readLevel } = database.contexts.at(-1)!;
    assert.deepEqual([keyspace, readLevel], [database.keyspaceByName("k1")!.id, "stale"]);
    assert.equal((await send("GET", "/query/a.b")).status, 404);
    assert.equal(database.contexts.at(-1)?.readLevel, "linearizable");
  });
});
