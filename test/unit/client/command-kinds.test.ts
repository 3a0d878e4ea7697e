import assert from "node:assert/strict";
import { test } from "node:test";
import { kindOf } from "../../../src/client/command-kinds.js";

test("reads may be sent again, writes of one key with a number, others never", () => {
  assert.equal(kindOf(["get", "k"]), "read");
  assert.equal(kindOf(["Set", "k", "v"]), "write-once");
  assert.equal(kindOf(["MSET", "a", "1", "b", "2"]), "write");
  assert.equal(kindOf(["FLUSHDB"]), "write");
});

test("a list of keys is a write of one key only when it holds one", () => {
  assert.equal(kindOf(["DEL", "a"]), "write-once");
  assert.equal(kindOf(["DEL", "a", "b"]), "write");
});

test("a write without its key is sent as it is, so that the error names it", () => {
  assert.equal(kindOf(["SET"]), "write");
  assert.equal(kindOf(["DEL"]), "write");
});

test("a write that its caller numbered is not numbered again", () => {
  assert.equal(kindOf(["ONCE", "s", "1", "SET", "k", "v"]), "write");
});

test("an unknown command is never sent again", () => {
  assert.equal(kindOf(["NO.SUCH", "k"]), "write");
});
