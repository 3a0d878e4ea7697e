import assert from "node:assert/strict";
import { test } from "node:test";
import { shorten } from "../../../src/core/text.js";

test("a text is cut only when it is longer than allowed, and says so", () => {
  assert.equal(shorten("", 0), "");
  assert.equal(shorten("abc", 3), "abc");
  assert.equal(shorten("abcd", 3), "abc…");
});
