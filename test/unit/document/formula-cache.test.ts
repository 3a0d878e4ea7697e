import assert from "node:assert/strict";
import { test } from "node:test";
import { FormulaCache } from "../../../src/document/formula-cache.js";

test("a formula that is asked for again is not compiled again", () => {
  const cache = new FormulaCache();
  const first = cache.get("2*x");
  assert.equal(cache.get("2*x"), first);
  assert.notEqual(cache.get("2*y"), first);
  assert.equal(cache.count, 2);
});

test("the formulas used longest ago go when there are too many", () => {
  const cache = new FormulaCache(3);
  const [a, b] = [cache.get("a"), cache.get("b")];
  cache.get("c");
  assert.equal(cache.get("a"), a);
  cache.get("d");
  assert.equal(cache.count, 3);
  assert.equal(cache.get("a"), a, "used since");
  assert.notEqual(cache.get("b"), b, "used longest ago");
});

test("the formulas kept stay within the bytes allowed, and what was counted is given back", () => {
  const cache = new FormulaCache(1_000_000, 100_000);
  for (let i = 0; i < 2000; i += 1) {
    cache.get(`${"1+".repeat(i % 500)}${i}`);
    assert.ok(cache.sizeBytes <= 100_000, `${cache.sizeBytes} bytes after ${i}`);
    assert.ok(cache.count >= 1);
  }
  const small = new FormulaCache(1, 100_000);
  small.get("1");
  const { sizeBytes } = small;
  small.get("2+2+2+2");
  small.get("1");
  assert.equal(small.sizeBytes, sizeBytes);
});

test("what is no formula pushes nothing out", () => {
  const cache = new FormulaCache(1);
  const formula = cache.get("x");
  for (let i = 0; i < 10; i += 1) assert.throws(() => cache.get(`${i}+`));
  assert.equal(cache.get("x"), formula);
});
