/** Whether nodes show one order of writes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OrderWatch } from "../../../../src/cli/workload/order-watch.js";

test("a node may show later versions, and the same again, and never earlier ones", () => {
  const order = new OrderWatch(2);
  assert.equal(order.fits(0, "k", 3, "a"), true);
  assert.equal(order.fits(0, "k", 3, "a"), true);
  assert.equal(order.fits(0, "k", 5, "b"), true);
  assert.equal(order.fits(1, "k", 3, "a"), true, "another node may be behind");
  assert.equal(order.fits(0, "k", 3, "a"), false);
  assert.equal(order.fits(0, "l", 1, "a"), true, "another key");
});

test("what a node has shown as deleted does not come back; what is written later does", () => {
  const order = new OrderWatch(1);
  assert.equal(order.fits(0, "k", 3, "a"), true);
  assert.equal(order.fits(0, "k", 0, null), true);
  assert.equal(order.fits(0, "k", 0, null), true);
  assert.equal(order.fits(0, "k", 3, "a"), false);
  assert.equal(order.fits(0, "k", 4, "b"), true);
});

test("one version is one value on all nodes", () => {
  const order = new OrderWatch(2);
  assert.equal(order.fits(0, "k", 3, "a"), true);
  assert.equal(order.fits(1, "k", 3, "b"), false);
});

test("a node that was lost may come back with less than it had shown", () => {
  const order = new OrderWatch(1);
  assert.equal(order.fits(0, "k", 3, "a"), true);
  order.lost(0);
  assert.equal(order.fits(0, "k", 2, "z"), true);
});
