import { equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure, assert } from "../../../src/core/assert.js";

test("an assertion that does not hold tells its details where its message wants them", () => {
  const failing = (message: string, ...details: unknown[]): string => {
    try {
      assert(false, message, ...details);
    } catch (error) {
      return error instanceof AssertionFailure ? error.message : "another error";
    }
    return "no error";
  };
  equal(failing("entry % does not follow %", 7, 5), "entry 7 does not follow 5");
  equal(failing("% of %", "$& 100 %", undefined), "$& 100 % of undefined");
  equal(failing("no details"), "no details");
});

test("an assertion that holds does not even look at its details", () => {
  const detail = {
    toString(): string {
      throw new Error("asked for");
    },
  };
  assert(true, "it is %", detail);
  throws(() => assert(false, "it is %", detail), /asked for/);
});
