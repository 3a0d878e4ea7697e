/**
 * What commands do to values, in a few examples each. The whole of their behaviour is compared with a real
 * redis-server's by the differential test; here is what that cannot show: documents, versions, limits, time.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { argsOf, type Plain, plain } from "../../support/commands.js";
import { HandClock } from "../../support/hand-clock.js";
import { MemoryDatabase } from "../../support/memory-database.js";

const LIMIT = 1_000;
const WRONG_TYPE = "-WRONG_TYPE Operation against a key holding the wrong kind of value";

describe("commands on values", () => {
  let clock: HandClock;
  let database: MemoryDatabase;
  const call = (...words: string[]): Plain => plain(database.execute(argsOf(...words)));
  const calls = (...lines: string[]): Plain[] => lines.map((line) => call(...line.split(" ")));

  beforeEach(() => {
    clock = new HandClock();
    database = new MemoryDatabase({ clock, valueBytesMax: LIMIT });
  });

  it("SET honours its conditions and returns what was there", () => {
    assert.deepEqual(
      calls(
        "SET a 1 XX",
        "SET a 1 NX",
        "SET a 2 NX",
        "SET a 2 XX GET",
        "SET a 3 NX GET",
        "SET b 1 NX GET",
        "GET a",
      ),
      [null, "+OK", null, "1", "2", null, "2"],
    );
  });

  it("PUT is SET and DELETE is DEL", () => {
    assert.deepEqual(calls("PUT a 1", "GET a", "DELETE a", "DELETE a"), ["+OK", "1", 1, 0]);
  });

  it("counters keep to 64 bits, exactly", () => {
    assert.deepEqual(
      calls(
        "SET n 9223372036854775806",
        "INCR n",
        "INCR n",
        "GET n",
        "DECRBY n -1",
        "INCRBY m -9223372036854775808",
      ),
      [
        "+OK",
        9_223_372_036_854_775_807n,
        "-OUT_OF_RANGE increment or decrement would overflow",
        "9223372036854775807",
        "-OUT_OF_RANGE increment or decrement would overflow",
        -9_223_372_036_854_775_808n,
      ],
    );
    assert.deepEqual(calls("DECRBY z -9223372036854775808"), ["-OUT_OF_RANGE decrement would overflow"]);
    assert.deepEqual(calls("SET t 10 EX 100", "INCR t", "TTL t"), ["+OK", 11, 100]);
  });

  it("a value does not grow over the limit, and stays as it was", () => {
    call("SET", "a", "x".repeat(LIMIT - 1));
    assert.equal(call("APPEND", "a", "y"), LIMIT);
    const tooLong = "-VALUE_TOO_LARGE string exceeds maximum allowed size (proto-max-bulk-len)";
    assert.equal(call("APPEND", "a", "z"), tooLong);
    assert.equal(call("SETRANGE", "b", `${LIMIT}`, "x"), tooLong);
    assert.equal(call("SETRANGE", "b", `${LIMIT - 1}`, "x"), LIMIT);
    assert.equal(call("SETRANGE", "c", "9223372036854775807", "x"), tooLong);
    assert.equal(call("STRLEN", "a"), LIMIT);
    assert.equal(call("EXISTS", "c"), 0);
  });

  it("an expiry comes at its time and not before, by the clock of the command alone", () => {
    calls("SET a 1 PX 100", "SET b 1 EX 1", "SET c 1", "PEXPIRE c 50");
    clock.advance(49);
    assert.deepEqual(calls("PTTL a", "PTTL c", "EXISTS a b c"), [51, 1, 3]);
    clock.advance(1);
    assert.deepEqual(calls("GET c", "TTL c", "EXISTS a b c", "PERSIST c"), [null, -2, 2, 0]);
    clock.advance(50);
    assert.deepEqual(calls("SET a 2 NX", "TTL a", "TTL b"), ["+OK", -1, 1]);
  });

  it("what has expired on arrival leaves nothing behind", () => {
    call("SET", "a", "1");
    assert.equal(call("SET", "a", "2", "PXAT", "1"), "+OK");
    assert.equal(call("EXPIREAT", "a", "1"), 0);
    assert.equal(call("DBSIZE"), 0);
  });

  it("documents read as JSON, and are no strings to be cut or counted", () => {
    call("KV.PUT", "d", "json", "any", "0", "0", '{"a":1}');
    assert.deepEqual(calls("GET d", "MGET d x", "TYPE d", "GETEX d"), [
      '{"a":1}',
      ['{"a":1}', null],
      "+json",
      '{"a":1}',
    ]);
    for (const line of [
      "INCR d",
      "APPEND d x",
      "STRLEN d",
      "GETRANGE d 0 1",
      "SETRANGE d 0 x",
      "INCRBYFLOAT d 1",
    ]) {
      assert.equal(calls(line)[0], WRONG_TYPE, line);
    }
    assert.deepEqual(calls("RENAME d e", "TYPE e", "COPY e f", "TYPE f", "GETSET f x", "TYPE f"), [
      "+OK",
      "+json",
      1,
      "+json",
      '{"a":1}',
      "+string",
    ]);
  });

  it("KV.PUT takes a document only as it is to be stored, and says what is wrong with it", () => {
    const put = (text: string): Plain => call("KV.PUT", "d", "json", "any", "0", "0", text);
    const spaces = "-BAD_REQUEST a value is not compact JSON: it has whitespace between its parts";
    for (const [text, error] of [
      ['{"a":}', "-BAD_REQUEST a value is not JSON"],
      ["[".repeat(129), "-BAD_REQUEST a value is nested more than 128 deep"],
      ["[".repeat(128), "-BAD_REQUEST a value is not JSON"],
      ["", "-BAD_REQUEST a value is not JSON"],
      ['{"a": 1}', spaces],
      [" 1", spaces],
      ["1\n", spaces],
      ['{"a":1,"b":{"é":1,"\\u00e9":2}}', '-BAD_REQUEST the name "é" comes twice in one object'],
    ]) {
      assert.equal(put(text), error, text);
    }
    assert.equal(call("EXISTS", "d"), 0);
  });

  it("KV.PUT creates, updates, and compares versions", () => {
    const put = (mode: string, version: number): Plain =>
      call("KV.PUT", "k", "string", mode, `${version}`, "0", "v");
    assert.deepEqual(put("match", 1), "-VERSION_MISMATCH version is not 1: the key does not exist");
    const [created, first] = put("any", 0) as [number, number];
    assert.equal(created, 1);
    assert.equal(put("nx", 0), "-KEY_EXISTS Key already exists");
    const [again, second] = put("match", first) as [number, number];
    assert.equal(again, 0);
    assert.ok(second > first);
    assert.equal(put("match", first), `-VERSION_MISMATCH version is ${second}, not ${first}`);
    assert.deepEqual(call("KV.GET", "k"), ["string", second, 0, "v"]);
    assert.equal(call("KV.PUT", "k", "float", "any", "0", "0", "v"), "-SYNTAX syntax error");
    assert.equal(call("KV.PUT", "k", "string", "maybe", "0", "0", "v"), "-SYNTAX syntax error");
  });

  it("KV.DELETE deletes the version it is told, or any", () => {
    const [, version] = call("KV.PUT", "k", "string", "any", "0", "0", "v") as number[];
    assert.equal(
      call("KV.DELETE", "k", `${version + 1}`),
      `-VERSION_MISMATCH version is ${version}, not ${version + 1}`,
    );
    assert.equal(call("KV.DELETE", "k", `${version}`), version);
    assert.equal(call("KV.DELETE", "k", "0"), 0);
    assert.equal(call("KV.GET", "k"), null);
  });

  it("KV.PUT keeps the expiry it is told, and replaces an old one", () => {
    const at = clock.wallMs() + 100;
    call("KV.PUT", "k", "string", "any", "0", `${at}`, "v");
    assert.deepEqual((call("KV.GET", "k") as Plain[])[2], at);
    call("KV.PUT", "k", "string", "any", "0", "0", "v");
    clock.advance(200);
    assert.equal(call("GET", "k"), "v");
  });

  it("keys and values are bytes: any of them come back as they were", () => {
    const key = "ключ\0\r\n";
    assert.equal(call("SET", key, "\0\r\nü"), "+OK");
    assert.equal(call("GET", key), "\0\r\nü");
    assert.deepEqual(call("KEYS", "*"), [key]);
  });
});
