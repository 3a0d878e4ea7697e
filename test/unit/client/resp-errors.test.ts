import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRespError } from "../../../src/client/resp-errors.js";
import { eventualRefusal } from "../../../src/commands/eventual.js";
import { COMMANDS } from "../../../src/commands/table.js";
import { ERROR_CLASSES, type ErrorCode, MinikeyError } from "../../../src/core/errors.js";
import { noLevelForScans, noSuchLevel } from "../../../src/node/eventual/levels.js";
import { argsOf } from "../../support/commands.js";

test("an error comes back from the wire claiming neither less harm nor more hope than it had", () => {
  for (const code of Object.keys(ERROR_CLASSES) as ErrorCode[]) {
    const sent = new MinikeyError(code, "something went wrong");
    const received = parseRespError(sent.toRespText());
    // `none` and `not-applied` both say that nothing happened.
    assert.equal(received.outcome === "unknown", sent.outcome === "unknown", code);
    if (received.retryable) assert.ok(sent.retryable, code);
  }
});

test("a code with a word of its own comes back as itself", () => {
  for (const code of [
    "WRONG_TYPE",
    "NO_QUORUM",
    "OUTCOME_UNKNOWN",
    "OVERLOADED",
    "STOPPING",
    "NO_AUTH",
  ] as const) {
    const received = parseRespError(new MinikeyError(code, "why it is so").toRespText());
    assert.equal(received.code, code);
    assert.equal(received.message, "why it is so");
  }
});

test("Redis's texts are known by their code", () => {
  const cases: [string, ErrorCode][] = [
    ["ERR unknown command 'foo', with args beginning with: ", "UNKNOWN_COMMAND"],
    ["ERR wrong number of arguments for 'get' command", "WRONG_ARITY"],
    ["ERR syntax error", "SYNTAX"],
    ["ERR value is not an integer or out of range", "NOT_AN_INTEGER"],
    ["ERR value is not a valid float", "NOT_A_FLOAT"],
    ["ERR increment or decrement would overflow", "OUT_OF_RANGE"],
    ["ERR no such key", "NOT_FOUND"],
    ["ERR anything else", "BAD_REQUEST"],
  ];
  for (const [line, code] of cases) assert.equal(parseRespError(line).code, code, line);
});

test("what is wrong with a keyspace is known by its code", () => {
  const cases: [string, ErrorCode][] = [
    ["ERR no keyspace is named 'cart'", "KEYSPACE_NOT_FOUND"],
    ["ERR no keyspace has the number 3", "KEYSPACE_NOT_FOUND"],
    ["ERR no such keyspace: it was dropped", "KEYSPACE_NOT_FOUND"],
    ["ERR DB index is out of range", "KEYSPACE_NOT_FOUND"],
    ["ERR the keyspace 'cart' exists already", "KEYSPACE_EXISTS"],
  ];
  for (const [line, code] of cases) assert.equal(parseRespError(line).code, code, line);
});

test("what an eventual keyspace refuses is known by its code", () => {
  const spec = COMMANDS.byName("SETNX");
  assert(spec !== undefined);
  const refusals = [
    eventualRefusal(spec, argsOf("SETNX", "k", "v"), "cart"),
    noSuchLevel("cart"),
    noLevelForScans("DBSIZE", "quorum"),
  ];
  for (const refusal of refusals) {
    assert.equal(refusal?.code, "UNSUPPORTED");
    const received = parseRespError(refusal.toRespText());
    assert.deepEqual([received.code, received.message], [refusal.code, refusal.message]);
  }
});

test("an unknown first word stays in the message", () => {
  const error = parseRespError("EXECABORT Transaction discarded");
  assert.equal(error.code, "BAD_REQUEST");
  assert.equal(error.message, "EXECABORT Transaction discarded");
});
