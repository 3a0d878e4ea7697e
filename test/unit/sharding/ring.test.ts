import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { keyspaceId, type NodeId, nodeId } from "../../../src/core/ids.js";
import { placeReplicas } from "../../../src/sharding/ring.js";

const nodesNamed = (count: number, prefix = "n"): NodeId[] =>
  Array.from({ length: count }, (_, i) => nodeId(`${prefix}${i + 1}`));

const place = (nodes: NodeId[], partitions: number, replicas: number, salt = 0): NodeId[][] =>
  placeReplicas({ nodes, partitions, replicas, salt: keyspaceId(salt) });

function loadsOf(placement: NodeId[][], nodes: NodeId[]): number[] {
  return nodes.map((node) => placement.filter((replicas) => replicas.includes(node)).length);
}

/** Replicas that `after` has and `before` has not. */
function movesBetween(before: NodeId[][], after: NodeId[][]): number {
  let moves = 0;
  for (const [partition, nodes] of after.entries()) {
    moves += nodes.filter((node) => !before[partition].includes(node)).length;
  }
  return moves;
}

const cluster = fc.record({
  nodes: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 12 }),
  partitions: fc.integer({ min: 1, max: 80 }),
  replicas: fc.integer({ min: 1, max: 7 }),
  salt: fc.integer({ min: 0, max: 65_534 }),
});

describe("the ring", () => {
  it("places each partition on distinct nodes: as many as wanted, or all there are", () => {
    fc.assert(
      fc.property(cluster, ({ nodes, partitions, replicas, salt }) => {
        const placement = place(nodes.map(nodeId), partitions, replicas, salt);
        assert.equal(placement.length, partitions);
        for (const chosen of placement) {
          assert.equal(chosen.length, Math.min(replicas, nodes.length));
          assert.equal(new Set(chosen).size, chosen.length);
          for (const node of chosen) assert.ok(nodes.includes(node));
        }
      }),
    );
  });

  it("does not depend on the order in which nodes are named", () => {
    fc.assert(
      fc.property(cluster, ({ nodes, partitions, replicas, salt }) => {
        const named = nodes.map(nodeId);
        assert.deepEqual(
          place([...named].toReversed(), partitions, replicas, salt),
          place(named, partitions, replicas, salt),
        );
      }),
    );
  });

  it("places as it always has: a changed hash would move every cluster's data", () => {
    const texts = place(nodesNamed(5), 8, 3).map((nodes) => nodes.join(" "));
    assert.deepEqual(texts, [
      "n3 n5 n2",
      "n2 n3 n4",
      "n4 n2 n5",
      "n3 n2 n4",
      "n5 n3 n4",
      "n1 n3 n2",
      "n3 n5 n1",
      "n4 n2 n1",
    ]);
  });

  it("gives no node much more than its share", () => {
    fc.assert(
      fc.property(cluster, ({ nodes, partitions, replicas, salt }) => {
        const placement = place(nodes.map(nodeId), partitions, replicas, salt);
        const mean = (partitions * Math.min(replicas, nodes.length)) / nodes.length;
        const fullest = Math.max(...loadsOf(placement, nodes.map(nodeId)));
        assert.ok(fullest <= Math.ceil(1.25 * mean), `${fullest} replicas, mean ${mean}`);
      }),
      { numRuns: 300 },
    );
  });

  it("gives every partition its replicas even where a lopsided ring leaves too few nodes with room", () => {
    const nodes = nodesNamed(4);
    const salt = keyspaceId(2);
    const placement = placeReplicas({ nodes, partitions: 40, replicas: 3, salt, virtualNodes: 1 });
    for (const chosen of placement) assert.equal(new Set(chosen).size, 3);
    // Room for 35 each: n3 and n4 are full before the last partitions have their three.
    assert.deepEqual(loadsOf(placement, nodes), [27, 20, 36, 37]);
  });

  it("moves about 1/N of the replicas when a node joins or leaves, and stays balanced", (t: TestContext) => {
    for (const [count, partitions] of [
      [3, 64],
      [4, 64],
      [5, 64],
      [9, 64],
      [9, 256],
      [19, 256],
    ]) {
      let moved = 0;
      let worst = 0;
      let imbalance = 0;
      const trials = 20;
      for (let trial = 0; trial < trials; trial += 1) {
        const nodes = nodesNamed(count, `trial${trial}-`);
        const more = [...nodes, nodeId(`trial${trial}-new`)];
        const before = place(nodes, partitions, 3, trial);
        const after = place(more, partitions, 3, trial);
        const ideal = (partitions * 3) / (count + 1);
        // A node that joins takes what the one that leaves gives back: one figure for both.
        const ratio = movesBetween(before, after) / ideal;
        moved += ratio / trials;
        worst = Math.max(worst, ratio);
        imbalance = Math.max(imbalance, Math.max(...loadsOf(after, more)) / ideal);
      }
      t.diagnostic(
        `${count} ⇄ ${count + 1} nodes, ${partitions} partitions: moved ${moved.toFixed(2)} times the ideal 1/N ` +
          `(worst of ${trials}: ${worst.toFixed(2)}), fullest node ${imbalance.toFixed(2)} times the mean`,
      );
      assert.ok(moved < 1.25, `moved ${moved} times the ideal`);
      assert.ok(worst < 1.6, `once moved ${worst} times the ideal`);
      assert.ok(imbalance <= 1.25, `the fullest node has ${imbalance} times the mean`);
    }
  });

  it("places the partitions of different keyspaces differently", () => {
    const nodes = nodesNamed(6);
    assert.notDeepEqual(place(nodes, 64, 3, 0), place(nodes, 64, 3, 1));
  });

  it("refuses a node that is named twice", () => {
    assert.throws(() => place([nodeId("n1"), nodeId("n1")], 4, 1), /named twice/);
  });

  it("places nothing on no nodes", () => {
    assert.deepEqual(place([], 2, 3), [[], []]);
  });
});
