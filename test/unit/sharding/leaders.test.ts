import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { keyspaceId, type NodeId, nodeId } from "../../../src/core/ids.js";
import { balanceLeaders, type LeaderBalance, type LeaderTransfer } from "../../../src/sharding/leaders.js";
import { placeReplicas } from "../../../src/sharding/ring.js";

const n = (number: number): NodeId => nodeId(`n${number}`);

function apply(
  current: readonly (NodeId | undefined)[],
  transfers: LeaderTransfer[],
): (NodeId | undefined)[] {
  const result = [...current];
  for (const { partition, to } of transfers) result[partition] = to;
  return result;
}

function loadsOf(leaders: readonly (NodeId | undefined)[], nodes: Iterable<NodeId>): number[] {
  return [...nodes].map((node) => leaders.filter((leader) => leader === node).length);
}

const spread = (loads: number[]): number => Math.max(...loads) - Math.min(...loads);
const squares = (loads: number[]): number => loads.reduce((sum, load) => sum + load * load, 0);

/** The least sum of squared loads of any assignment: the most even one. Tries them all. */
function bestSquares({ placement, current, available }: LeaderBalance): number {
  const loads = new Map([...available].map((node) => [node, 0]));
  const search = (partition: number): number => {
    if (partition === placement.length) return squares([...loads.values()]);
    const leader = current[partition];
    if (leader === undefined || !available.has(leader)) return search(partition + 1);
    let best = Number.POSITIVE_INFINITY;
    for (const node of placement[partition].filter((node) => available.has(node))) {
      loads.set(node, loads.get(node)! + 1);
      best = Math.min(best, search(partition + 1));
      loads.set(node, loads.get(node)! - 1);
    }
    return best;
  };
  return search(0);
}

/** Small clusters with any placement, leaders and failures. */
const balance: fc.Arbitrary<LeaderBalance> = fc
  .record({
    nodes: fc.integer({ min: 1, max: 5 }),
    partitions: fc.array(
      fc.record({
        replicas: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
        leader: fc.option(fc.nat(2)),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    down: fc.uniqueArray(fc.nat(4), { maxLength: 2 }),
  })
  .map(({ nodes, partitions, down }) => {
    const placement = partitions.map(({ replicas }) => [...new Set(replicas.map((i) => n(i % nodes)))]);
    const current = partitions.map(({ leader }, p) =>
      leader === null ? undefined : placement[p][leader % placement[p].length],
    );
    const available = new Set(
      Array.from({ length: nodes }, (_, i) => n(i)).filter((_, i) => !down.includes(i)),
    );
    return { placement, current, available };
  });

describe("balancing leaders", () => {
  it("spreads leaders that one node holds, with as few transfers as that takes", () => {
    const nodes = [n(1), n(2), n(3)];
    const placement = Array.from({ length: 9 }, () => nodes);
    const current = placement.map(() => n(1));
    const transfers = balanceLeaders({ placement, current, available: new Set(nodes) });
    assert.equal(transfers.length, 6);
    assert.deepEqual(loadsOf(apply(current, transfers), nodes), [3, 3, 3]);
  });

  it("gives a node that returned its share again", () => {
    const nodes = [n(1), n(2), n(3), n(4)];
    const placement = placeReplicas({ nodes, partitions: 64, replicas: 3, salt: keyspaceId(0) });
    const survivors = placement.map((replicas) => replicas.find((node) => node !== n(2)));
    const balanced = apply(
      survivors,
      balanceLeaders({ placement, current: survivors, available: new Set([n(1), n(3), n(4)]) }),
    );
    assert.ok(spread(loadsOf(balanced, [n(1), n(3), n(4)])) <= 1);
    const transfers = balanceLeaders({ placement, current: balanced, available: new Set(nodes) });
    assert.deepEqual(loadsOf(apply(balanced, transfers), nodes), [16, 16, 16, 16]);
    assert.equal(transfers.length, 16, "only what n2 gets moves");
    assert.ok(transfers.every(({ to }) => to === n(2)));
  });

  it("finds the chain when the idle node holds nothing of the busiest", () => {
    const placement = [
      [n(1), n(2)],
      [n(1), n(2)],
      [n(2), n(3)],
    ];
    const current = [n(1), n(1), n(2)];
    const transfers = balanceLeaders({ placement, current, available: new Set([n(1), n(2), n(3)]) });
    assert.deepEqual(loadsOf(apply(current, transfers), [n(1), n(2), n(3)]), [1, 1, 1]);
  });

  it("relieves a busy node also while a busier one cannot be", () => {
    const placement = [[n(1)], [n(1)], [n(1)], [n(1)], [n(2), n(3)], [n(2), n(3)]];
    const current = [n(1), n(1), n(1), n(1), n(2), n(2)];
    const transfers = balanceLeaders({ placement, current, available: new Set([n(1), n(2), n(3)]) });
    assert.deepEqual(loadsOf(apply(current, transfers), [n(1), n(2), n(3)]), [4, 1, 1]);
  });

  it("leaves an even spread alone", () => {
    const nodes = [n(1), n(2)];
    const placement = Array.from({ length: 5 }, () => nodes);
    assert.deepEqual(
      balanceLeaders({ placement, current: [n(1), n(2), n(1), n(2), n(1)], available: new Set(nodes) }),
      [],
    );
  });

  it("only moves leaders between available holders of the partition, and never one that has none", () => {
    fc.assert(
      fc.property(balance, (input) => {
        for (const { partition, from, to } of balanceLeaders(input)) {
          assert.equal(input.current[partition], from);
          assert.notEqual(from, to);
          assert.ok(input.placement[partition].includes(to));
          assert.ok(input.available.has(to) && input.available.has(from));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("reaches the most even spread there is", () => {
    fc.assert(
      fc.property(balance, (input) => {
        const leaders = apply(input.current, balanceLeaders(input));
        assert.equal(squares(loadsOf(leaders, input.available)), bestSquares(input));
      }),
      { numRuns: 300 },
    );
  });

  it("has nothing to do a second time, and gives the same answer to the same question", () => {
    fc.assert(
      fc.property(balance, (input) => {
        const transfers = balanceLeaders(input);
        assert.deepEqual(balanceLeaders(input), transfers);
        const shuffled = { ...input, available: new Set([...input.available].toReversed()) };
        assert.deepEqual(balanceLeaders(shuffled), transfers);
        const current = apply(input.current, transfers);
        assert.deepEqual(balanceLeaders({ ...input, current }), []);
      }),
    );
  });

  it("spreads the ring's placements to within one, whoever led before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 10 }),
        fc.array(fc.nat(2), { minLength: 64, maxLength: 64 }),
        (count, who) => {
          const nodes = Array.from({ length: count }, (_, i) => n(i));
          const placement = placeReplicas({ nodes, partitions: 64, replicas: 3, salt: keyspaceId(count) });
          const current = placement.map((replicas, p) => replicas[who[p]]);
          const transfers = balanceLeaders({ placement, current, available: new Set(nodes) });
          assert.ok(spread(loadsOf(apply(current, transfers), nodes)) <= 1);
        },
      ),
      { numRuns: 30 },
    );
  });
});
