import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ClusterClock, HELD_WITHIN_MS, STALE_AFTER_MS } from "../../../src/core/cluster-clock.js";
import { nodeId } from "../../../src/core/ids.js";

const NOW = Date.UTC(2031, 4, 1, 12);
const HOUR_MS = 3_600_000;

/** A node whose clock is off, and what it was told of others. */
class Node {
  readonly said: string[] = [];
  readonly clock: ClusterClock;
  #elapsedMs = 0;
  #offMs: number;

  constructor(offMs = 0) {
    this.#offMs = offMs;
    this.clock = new ClusterClock({
      wallMs: () => this.trueMs + this.#offMs,
      monotonicMs: () => 777 + this.#elapsedMs,
      onHeld: (aheadMs) => this.said.push(`held, ${aheadMs} ms ahead`),
      onReleased: () => this.said.push("released"),
    });
  }

  get trueMs(): number {
    return NOW + this.#elapsedMs;
  }

  /** How far what it calls now is off. */
  get offMs(): number {
    return this.clock.nowMs() - this.trueMs;
  }

  jump(byMs: number): void {
    this.#offMs += byMs;
  }

  pass(ms: number): void {
    this.#elapsedMs += ms;
  }

  hear(node: string, offMs: number): void {
    this.clock.onHeard(nodeId(node), this.trueMs + offMs);
  }
}

test("a node that has heard of no other has its own clock", () => {
  const node = new Node(5 * HOUR_MS);
  assert.equal(node.offMs, 5 * HOUR_MS);
  node.jump(-9 * HOUR_MS);
  assert.equal(node.offMs, -4 * HOUR_MS);
  assert.deepEqual(node.said, []);
});

test("of two clocks the earlier counts", () => {
  const ahead = new Node(HOUR_MS);
  ahead.hear("n2", 0);
  assert.equal(ahead.offMs, HELD_WITHIN_MS);
  const behind = new Node(0);
  behind.hear("n2", HOUR_MS);
  assert.equal(behind.offMs, 0);
});

test("of three clocks the one that is hours off is overruled, whichever it is", () => {
  for (const sign of [1, -1]) {
    const wrong = new Node(sign * 5 * HOUR_MS);
    wrong.hear("n2", 20);
    wrong.hear("n3", -10);
    assert.equal(wrong.offMs, (sign > 0 ? 20 : -10) + sign * HELD_WITHIN_MS);
    const right = new Node(0);
    right.hear("n2", sign * 5 * HOUR_MS);
    right.hear("n3", -10);
    assert.equal(right.offMs, 0);
    assert.deepEqual(right.said, []);
  }
});

test("of five clocks two that are hours off are overruled", () => {
  const node = new Node(-HOUR_MS);
  node.hear("n2", -2 * HOUR_MS);
  node.hear("n3", 5);
  node.hear("n4", 0);
  node.hear("n5", 1);
  assert.equal(node.offMs, -HELD_WITHIN_MS);
});

test("what is called now is within half a second of the median, and the own clock if that is", () => {
  const offs = fc.oneof(fc.integer({ min: -2000, max: 2000 }), fc.integer({ min: -1e8, max: 1e8 }));
  fc.assert(
    fc.property(offs, fc.array(offs, { maxLength: 8 }), (own, others) => {
      const node = new Node(own);
      for (const [i, off] of others.entries()) node.hear(`n${i}`, off);
      const sorted = [own, ...others].toSorted((a, b) => a - b);
      const median = sorted[Math.floor((sorted.length - 1) / 2)];
      const held = Math.min(Math.max(own, median - HELD_WITHIN_MS), median + HELD_WITHIN_MS);
      assert.equal(node.offMs, held);
    }),
  );
});

test("a clock that jumps is held at once, follows its old way, and is told of once", () => {
  const node = new Node(3);
  node.hear("n2", 0);
  node.hear("n3", 10);
  assert.equal(node.offMs, 3);
  node.jump(HOUR_MS);
  assert.equal(node.offMs, 10 + HELD_WITHIN_MS);
  node.pass(60_000);
  assert.equal(node.offMs, 10 + HELD_WITHIN_MS);
  node.jump(-HOUR_MS);
  assert.equal(node.offMs, 3);
  assert.deepEqual(node.said, [`held, ${HOUR_MS - 7} ms ahead`, "released"]);
});

test("the latest that was heard of a node counts", () => {
  const node = new Node(0);
  node.hear("n2", -HOUR_MS);
  node.hear("n2", 0);
  assert.equal(node.offMs, 0);
  assert.equal(node.clock.others, 1);
});

test("what was heard long ago, or of a node that has left, says nothing any more", () => {
  const node = new Node(0);
  node.hear("n2", -HOUR_MS);
  node.pass(STALE_AFTER_MS / 2);
  node.hear("n3", -HOUR_MS);
  assert.equal(node.offMs, -HOUR_MS + HELD_WITHIN_MS);
  node.pass(STALE_AFTER_MS / 2);
  assert.equal(node.offMs, -HOUR_MS + HELD_WITHIN_MS);
  assert.equal(node.clock.others, 1);
  node.clock.forget(nodeId("n3"));
  assert.equal(node.offMs, 0);
  assert.deepEqual(node.said, [`held, ${HOUR_MS} ms ahead`, "released"]);
  node.hear("n2", -HOUR_MS);
  node.pass(STALE_AFTER_MS);
  assert.equal(node.offMs, 0);
});

test("a time that is none is not listened to", () => {
  const node = new Node(0);
  node.clock.onHeard(nodeId("n2"), Number.NaN);
  node.clock.onHeard(nodeId("n2"), Number.NEGATIVE_INFINITY);
  assert.equal(node.offMs, 0);
});
