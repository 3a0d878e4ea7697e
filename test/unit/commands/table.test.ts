import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { checkCommand, DEFAULT_VALUE_BYTES_MAX } from "../../../src/commands/check.js";
import { COMMANDS } from "../../../src/commands/table.js";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import { argsOf } from "../../support/commands.js";

const LIMITS = { valueBytesMax: DEFAULT_VALUE_BYTES_MAX };

/** Opcodes are in logs on users' disks: a line may be added here, never changed or removed. */
const OPCODES: Readonly<Record<string, number>> = {
  SET: 1,
  PUT: 2,
  GET: 3,
  SETNX: 4,
  SETEX: 5,
  PSETEX: 6,
  GETSET: 7,
  GETDEL: 8,
  GETEX: 9,
  APPEND: 10,
  STRLEN: 11,
  GETRANGE: 12,
  SETRANGE: 13,
  INCR: 20,
  DECR: 21,
  INCRBY: 22,
  DECRBY: 23,
  INCRBYFLOAT: 24,
  DEL: 30,
  UNLINK: 31,
  DELETE: 32,
  EXISTS: 33,
  TOUCH: 34,
  TYPE: 35,
  EXPIRE: 36,
  PEXPIRE: 37,
  EXPIREAT: 38,
  PEXPIREAT: 39,
  TTL: 40,
  PTTL: 41,
  EXPIRETIME: 42,
  PEXPIRETIME: 43,
  PERSIST: 44,
  MGET: 50,
  MSET: 51,
  MSETNX: 52,
  RENAME: 53,
  RENAMENX: 54,
  COPY: 55,
  SCAN: 60,
  KEYS: 61,
  RANDOMKEY: 62,
  DBSIZE: 63,
  FLUSHDB: 64,
  "KV.GET": 100,
  "KV.PUT": 101,
  "KV.DELETE": 102,
  "KV.LIST": 103,
  QUERY: 160,
  "KV.QUERY": 161,
  COMPUTE: 170,
  "KV.COMPUTE": 171,
  SCANPART: 104,
  SCANFIND: 105,
  RANDOMPART: 106,
  FLUSHPART: 107,
  COUNT: 108,
  ENDKEY: 110,
  "KV.LOAD": 109,
  "JSON.GET": 120,
  "JSON.TYPE": 121,
  "JSON.SET": 122,
  "JSON.MERGE": 123,
  "JSON.DEL": 124,
  "JSON.FORGET": 125,
  "JSON.CLEAR": 126,
  "JSON.NUMINCRBY": 127,
  "JSON.NUMMULTBY": 128,
  "JSON.TOGGLE": 129,
  "JSON.STRAPPEND": 130,
  "JSON.STRLEN": 131,
  "JSON.ARRAPPEND": 132,
  "JSON.ARRINSERT": 133,
  "JSON.ARRPOP": 134,
  "JSON.ARRTRIM": 135,
  "JSON.ARRINDEX": 136,
  "JSON.ARRLEN": 137,
  "JSON.OBJKEYS": 138,
  "JSON.OBJLEN": 139,
  "JSON.MGET": 140,
  "JSON.MSET": 141,
  ONCE: 201,
};

const LISTED =
  "SET GET SETNX SETEX PSETEX GETSET GETDEL GETEX MGET MSET MSETNX APPEND STRLEN GETRANGE SETRANGE INCR DECR INCRBY " +
  "DECRBY INCRBYFLOAT DEL UNLINK EXISTS TYPE EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL EXPIRETIME PEXPIRETIME " +
  "PERSIST RENAME RENAMENX COPY KEYS SCAN RANDOMKEY DBSIZE FLUSHDB TOUCH PING ECHO HELLO AUTH SELECT QUIT RESET " +
  "CLIENT COMMAND INFO CONFIG TIME CLUSTER PUT DELETE CONSISTENCY KEYSPACE KV.GET KV.PUT KV.DELETE KV.LIST KV.LOAD ONCE " +
  "QUERY KV.QUERY COMPUTE KV.COMPUTE " +
  "JSON.GET JSON.TYPE JSON.SET JSON.MERGE JSON.DEL JSON.FORGET JSON.CLEAR JSON.NUMINCRBY JSON.NUMMULTBY JSON.TOGGLE " +
  "JSON.STRAPPEND JSON.STRLEN JSON.ARRAPPEND JSON.ARRINSERT JSON.ARRPOP JSON.ARRTRIM JSON.ARRINDEX JSON.ARRLEN " +
  "JSON.OBJKEYS JSON.OBJLEN JSON.MGET JSON.MSET";

describe("the command table", () => {
  it("has every command of the interface, and hides the node's own", () => {
    for (const name of LISTED.split(" ")) assert.equal(COMMANDS.byName(name)?.internal, false, name);
    for (const name of ["SCANPART", "FLUSHPART", "COUNT", "ENDKEY"])
      assert.equal(COMMANDS.byName(name)?.internal, true);
  });

  it("gives every command that reaches a log or another node the opcode it has always had", () => {
    for (const spec of COMMANDS.specs) {
      assert.equal(spec.opcode, OPCODES[spec.name] ?? 0, spec.name);
      if (spec.opcode !== 0) assert.equal(COMMANDS.byOpcode(spec.opcode), spec);
      assert.equal(spec.opcode === 0, spec.spread === "local");
    }
  });

  it("finds a command in any case, anywhere in a buffer, and nothing else", () => {
    const names = new Set(COMMANDS.specs.map((spec) => spec.name));
    const mixedCase = fc
      .tuple(fc.constantFrom(...names), fc.infiniteStream(fc.boolean()))
      .map(([name, lower]) =>
        Array.from(name, (letter) => (lower.next().value ? letter.toLowerCase() : letter)).join(""),
      );
    const nearly = fc.tuple(mixedCase, fc.constantFrom("", "X", " ", "\0")).map(([a, b]) => a + b);
    fc.assert(
      fc.property(fc.oneof(mixedCase, nearly, fc.string()), (word) => {
        const bytes = latin1ToBytes(`SET${word}GET`);
        const expected = names.has(word.toUpperCase()) ? COMMANDS.byName(word) : undefined;
        assert.equal(COMMANDS.lookup(bytes, 3, bytes.length - 3), expected);
        assert.equal(expected?.name, expected && word.toUpperCase());
      }),
      { numRuns: 2_000 },
    );
  });

  it("says how each command is carried out, without contradiction", () => {
    for (const spec of COMMANDS.specs) {
      const { name, spread, access, keys } = spec;
      const isDialogue = spread === "all" && !spec.internal && name !== "KV.LIST";
      // Carried out by the node, which remembers sessions.
      const hasRun = spread !== "local" && spread !== "query" && !isDialogue && name !== "ONCE";
      assert.equal(spec.run !== undefined, hasRun, name);
      assert.equal(spec.plan !== undefined, spread === "transaction", name);
      assert.equal(spec.query !== undefined, spread === "query", name);
      if (spread === "query") assert.equal(access, "read", name);
      assert.equal(access === "none", spread === "local", name);
      // Those of a query may lie inside of its arguments.
      if (spread !== "query") {
        assert.equal(keys.first > 0, !["all", "all-sum", "local"].includes(spread), name);
      }
      if (spread === "single" && name !== "ONCE")
        assert.deepEqual(keys, { first: 1, last: 1, step: 1 }, name);
    }
  });
});

function refusal(...words: string[]): string | undefined {
  const args = argsOf(...words);
  try {
    checkCommand(COMMANDS.lookup(args.bytes, args.start(0), args.end(0))!, args, LIMITS);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe("the check before a command goes anywhere", () => {
  it("counts arguments", () => {
    const message = "wrong number of arguments for 'get' command";
    assert.equal(refusal("GET"), message);
    assert.equal(refusal("get", "a", "b"), message);
    assert.equal(refusal("GET", "a"), undefined);
    assert.equal(refusal("MSET", "a", "1", "b"), "wrong number of arguments for 'mset' command");
  });

  it("refuses an empty key and one over 1,024 bytes, in every place where a key can be", () => {
    const long = "x".repeat(1025);
    const tooLong = "key of 1025 bytes is larger than the limit of 1024 bytes";
    for (const before of [["GET"], ["RENAME", "a"], ["MGET", "a", "b"], ["MSET", "a", "1"], ["KV.GET"]]) {
      const rest = before[0] === "MSET" ? ["1"] : [];
      assert.match(refusal(...before, "", ...rest)!, /^key is empty/);
      assert.equal(refusal(...before, long, ...rest), tooLong);
      assert.equal(refusal(...before, "x".repeat(1024), ...rest), undefined);
    }
    assert.equal(refusal("SET", "a", long), undefined);
    assert.equal(refusal("MSET", "a", ""), undefined);
    assert.equal(refusal("GET", "ä".repeat(513)), "key of 1026 bytes is larger than the limit of 1024 bytes");
  });

  it("refuses a value over the limit and says both sizes", () => {
    const message = "value of 8388609 bytes is larger than the limit of 8388608 bytes";
    assert.equal(refusal("SET", "a", "x".repeat(8_388_609)), message);
    assert.equal(refusal("SET", "a", "x".repeat(8_388_608)), undefined);
    assert.equal(refusal("KV.PUT", "a", "json", "any", "0", "0", "x".repeat(8_388_609)), message);
  });

  it("refuses what is wrong in itself, before anything is replicated", () => {
    assert.equal(refusal("SET", "a", "1", "EX", "0"), "invalid expire time in 'set' command");
    assert.equal(refusal("SET", "a", "1", "NX", "XX"), "syntax error");
    assert.equal(refusal("INCRBY", "a", "x"), "value is not an integer or out of range");
    assert.equal(refusal("INCRBYFLOAT", "a", "x"), "value is not a valid float");
    assert.equal(refusal("SETRANGE", "a", "-1", "x"), "offset is out of range");
    assert.equal(
      refusal("EXPIRE", "a", "1", "NX", "GT"),
      "NX and XX, GT or LT options at the same time are not compatible",
    );
    assert.equal(refusal("PEXPIREAT", "a", "9007199254740992"), "invalid expire time in 'pexpireat' command");
    assert.equal(
      refusal("COPY", "a", "b", "DB", "1"),
      "COPY to another keyspace (the option DB) is not supported",
    );
    assert.equal(refusal("SCAN", "18446744073709551615"), "invalid cursor");
  });
});
