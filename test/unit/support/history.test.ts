import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checkKey,
  type Operation,
  type OperationKind,
  type OperationOutcome,
} from "../../support/history.js";

function operation(kind: OperationKind, value: string, outcome: OperationOutcome, answer = ""): Operation {
  return { kind, key: "k", value, node: "n1", invokedMs: 0, endedMs: 1, outcome, answer };
}

/** The problems found when the key holds `content` after these operations. */
function problemsOf(content: string | undefined, ...operations: Operation[]): string[] {
  return checkKey("k", content, operations);
}

describe("the checker of histories", () => {
  it("finds a value that was answered and is lost", () => {
    assert.deepEqual(problemsOf(undefined, operation("set", "v", "answered")), [
      "k: answered, but not there",
    ]);
    assert.deepEqual(problemsOf("v", operation("set", "v", "answered")), []);
  });

  it("finds a value that nobody wrote", () => {
    assert.deepEqual(problemsOf("w", operation("set", "v", "unknown")), ["k: holds w instead of v"]);
  });

  it("finds a value that was refused and is there", () => {
    assert.equal(problemsOf("v", operation("set", "v", "refused", "CLUSTERDOWN")).length, 1);
    assert.deepEqual(problemsOf(undefined, operation("set", "v", "refused")), []);
  });

  it("lets an unknown outcome be either", () => {
    assert.deepEqual(problemsOf("v", operation("set", "v", "unknown")), []);
    assert.deepEqual(problemsOf(undefined, operation("set", "v", "unknown")), []);
    assert.deepEqual(problemsOf("", operation("append", "1;", "unknown")), []);
    assert.deepEqual(problemsOf("1;", operation("append", "1;", "unknown")), []);
  });

  it("finds an append that happened twice, was lost, was refused and done, or is nobody's", () => {
    const one = operation("append", "1;", "answered");
    assert.deepEqual(problemsOf("1;", one), []);
    assert.deepEqual(problemsOf("1;1;", one), ["k: 1 was appended 2 times"]);
    assert.deepEqual(problemsOf("", one), ["k: 1 was answered, but is not there"]);
    assert.deepEqual(problemsOf("1;2;", one), ["k: holds 2, which nobody appended"]);
    assert.equal(problemsOf("1;", operation("append", "1;", "refused", "CLUSTERDOWN")).length, 1);
    assert.equal(problemsOf("1;1;", operation("append", "1;", "unknown")).length, 1);
  });

  it("finds appends of one client that changed places", () => {
    const one = operation("append", "1;", "answered");
    const two = operation("append", "2;", "answered");
    assert.deepEqual(problemsOf("1;2;", one, two), []);
    assert.deepEqual(problemsOf("2;1;", one, two), ["k: 2 stands before an earlier one"]);
  });

  it("finds increments that were lost or repeated", () => {
    const first = operation("incr", "", "answered", "1");
    const second = operation("incr", "", "answered", "2");
    const unknown = operation("incr", "", "unknown");
    assert.deepEqual(problemsOf("2", first, second), []);
    assert.deepEqual(problemsOf("3", first, second, unknown), []);
    assert.equal(problemsOf("1", first, second).length, 2);
    assert.equal(problemsOf("3", first, second).length, 1);
    assert.equal(problemsOf("4", first, second, unknown).length, 1);
    assert.deepEqual(problemsOf("2", first, first), ["k: two increments got the same answer"]);
  });
});
