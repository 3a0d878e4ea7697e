import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkCommand, DEFAULT_VALUE_BYTES_MAX } from "../../../src/commands/check.js";
import { eventualRefusal } from "../../../src/commands/eventual.js";
import { COMMANDS } from "../../../src/commands/table.js";
import { argsOf } from "../../support/commands.js";

const LIMITS = { valueBytesMax: DEFAULT_VALUE_BYTES_MAX };

/** What every write is in an eventual keyspace: one that is not here has not been decided about. */
const AS_IS = [
  ...["SET", "PUT", "SETEX", "PSETEX", "GETSET", "GETDEL", "GETEX", "APPEND", "SETRANGE"],
  ...["INCR", "DECR", "INCRBY", "DECRBY", "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "PERSIST"],
  ...["KV.PUT", "KV.DELETE", "ONCE", "FLUSHPART", "ENDKEY"],
  ...["JSON.SET", "JSON.MERGE", "JSON.DEL", "JSON.FORGET", "JSON.CLEAR", "JSON.TOGGLE", "JSON.STRAPPEND"],
  ...["JSON.ARRAPPEND", "JSON.ARRINSERT", "JSON.ARRPOP", "JSON.ARRTRIM"],
];
const EACH_KEY = ["DEL", "UNLINK", "DELETE", "MSET", "JSON.MSET", "KV.LOAD", "FLUSHDB"];
const REFUSED = [
  ...["SETNX", "MSETNX", "RENAME", "RENAMENX", "COPY", "INCRBYFLOAT", "JSON.NUMINCRBY", "JSON.NUMMULTBY"],
];

/** The refusal of a command as a client sends it; undefined when there is none. */
function refusalOf(...words: string[]): string | undefined {
  const spec = COMMANDS.byName(words[0]);
  assert(spec !== undefined);
  const args = checkCommand(spec, argsOf(...words), LIMITS);
  const error = eventualRefusal(spec, args, "sessions");
  assert(error === undefined || (error.code === "UNSUPPORTED" && error.outcome === "not-applied"));
  return error?.message;
}

describe("Commands in an eventual keyspace", () => {
  it("have a rule, each write one that was decided", () => {
    const writes = COMMANDS.specs.filter((spec) => spec.access === "write").map((spec) => spec.name);
    assert.deepEqual(writes.sort(), [...AS_IS, ...EACH_KEY, ...REFUSED].sort());
    for (const spec of COMMANDS.specs) {
      if (EACH_KEY.includes(spec.name)) assert.equal(spec.eventual, "each key", spec.name);
      else if (spec.access !== "write") assert.equal(spec.eventual, "as is", spec.name);
    }
  });

  it("that change several keys at once or hold none may be done key by key only", () => {
    for (const spec of COMMANDS.specs) {
      if (spec.spread !== "transaction" || REFUSED.includes(spec.name)) continue;
      assert.equal(spec.eventual, "each key", spec.name);
    }
  });

  it("are refused with the reason and the way out when they cannot be kept", () => {
    assert.equal(
      refusalOf("SETNX", "k", "v"),
      "SETNX cannot be kept in the eventual keyspace 'sessions': two replicas may both find the key absent; " +
        "use a keyspace of consistency strong",
    );
    const refused = [
      ["MSETNX", "k", "v"],
      ["RENAME", "a", "b"],
      ["RENAMENX", "a", "b"],
      ["COPY", "a", "b"],
      ["INCRBYFLOAT", "k", "0.5"],
      ["JSON.NUMINCRBY", "k", "$", "1"],
      ["JSON.NUMMULTBY", "k", "$", "2"],
    ];
    assert.deepEqual(["SETNX", ...refused.map(([name]) => name)].sort(), [...REFUSED].sort());
    for (const words of refused) {
      const text = refusalOf(...words) ?? "";
      assert.match(text, /^\S+ cannot be kept in the eventual keyspace 'sessions': .+; use a keyspace of/);
      assert(text.startsWith(words[0]), text);
    }
  });

  it("are refused with a condition, and taken without", () => {
    assert.equal(refusalOf("SET", "k", "NX"), undefined);
    assert.equal(refusalOf("SET", "NX", "XX", "GET", "EX", "5"), undefined);
    assert.match(refusalOf("SET", "k", "v", "EX", "5", "nx") ?? "", /^SET with NX cannot/);
    assert.match(refusalOf("SET", "k", "v", "XX") ?? "", /^SET with XX cannot/);
    assert.equal(refusalOf("JSON.SET", "k", "$", '"NX"'), undefined);
    assert.match(refusalOf("JSON.SET", "k", "$", "1", "NX") ?? "", /^JSON.SET with NX cannot/);
    for (const name of ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]) {
      assert.equal(refusalOf(name, "k", "5"), undefined);
      for (const word of ["NX", "XX", "GT", "LT"]) {
        assert.match(refusalOf(name, "k", "5", word) ?? "", new RegExp(`^${name} with ${word} cannot`));
      }
    }
    assert.equal(refusalOf("KV.PUT", "k", "string", "any", "0", "0", "v"), undefined);
    for (const condition of ["nx", "xx", "match"]) {
      assert.match(
        refusalOf("KV.PUT", "k", "string", condition, "7", "0", "v") ?? "",
        /^a write under a con/,
      );
    }
    assert.equal(refusalOf("KV.DELETE", "k", "0"), undefined);
    assert.match(refusalOf("KV.DELETE", "k", "7") ?? "", /^a delete under a condition cannot/);
  });
});
