import assert from "node:assert/strict";
import { test } from "node:test";
import { doubtOf, knowEachOther, type Sight, thresholdOf } from "../../../../src/cli/shell/guarantee.js";

function sight(ids: string, replicas: number, holders: readonly [number, number, string][] = []): Sight {
  return {
    self: ids[0],
    epoch: 1,
    members: ids.split("").map((id) => ({ id, address: `host:${id}` })),
    names: new Map(),
    holders: holders.map(([first, last, nodes]) => ({ first, last, nodes: nodes.split("") })),
    replicas,
  };
}

const downIs =
  (ids: string) =>
  (id: string): boolean =>
    ids.includes(id);

test("k is what makes a majority impossible, unless the user wants to be warned earlier", () => {
  const own = [1, 2, 3, 4, 5, 6, 7].map((replicas) => thresholdOf(replicas, undefined));
  assert.deepEqual(own, [1, 1, 2, 2, 3, 3, 4]);
  for (let replicas = 1; replicas <= 9; replicas += 1) {
    const majority = Math.floor(replicas / 2) + 1;
    const k = thresholdOf(replicas, undefined);
    assert.ok(replicas - k < majority && replicas - (k - 1) >= majority, `${replicas} replicas`);
  }
  assert.equal(thresholdOf(3, 1), 1);
  assert.equal(thresholdOf(3, 2), 2);
  // A promise that the keyspace cannot keep is not made.
  assert.equal(thresholdOf(3, 3), 2);
});

test("with a replica on every node, answers are in doubt from k nodes down on", () => {
  const sights = [sight("abc", 3)];
  assert.equal(doubtOf(sights, downIs(""), [7], undefined), undefined);
  assert.equal(doubtOf(sights, downIs("a"), [7], undefined), undefined);
  assert.deepEqual(doubtOf(sights, downIs("a"), [7], 1), { down: ["a"], holders: 3 });
  assert.deepEqual(doubtOf(sights, downIs("ac"), [7], undefined), { down: ["a", "c"], holders: 3 });
  assert.deepEqual(doubtOf(sights, downIs("ac"), "all", 3), { down: ["a", "c"], holders: 3 });
});

test("only the replicas of what is asked for count", () => {
  const sights = [
    sight("abcde", 3, [
      [0, 8191, "abc"],
      [8192, 16_383, "cde"],
    ]),
  ];
  assert.deepEqual(doubtOf(sights, downIs("ab"), [100], undefined), { down: ["a", "b"], holders: 3 });
  assert.equal(doubtOf(sights, downIs("ab"), [9000], undefined), undefined);
  assert.notEqual(doubtOf(sights, downIs("ab"), [9000, 100], undefined), undefined);
  assert.notEqual(doubtOf(sights, downIs("ab"), "all", undefined), undefined);
  assert.equal(doubtOf(sights, downIs("ad"), "all", undefined), undefined);
  assert.equal(doubtOf(sights, downIs("ab"), [], undefined), undefined);
});

test("where nobody says who holds a slot, it may be any of those that are down", () => {
  const leaderless = sight("abcde", 3, [[8192, 16_383, "cde"]]);
  assert.deepEqual(doubtOf([leaderless], downIs("ab"), [100], undefined), { down: ["a", "b"], holders: 5 });
  assert.equal(doubtOf([leaderless], downIs("a"), [100], undefined), undefined);
  assert.notEqual(doubtOf([leaderless], downIs("ab"), "all", undefined), undefined);
  // A row without all of its nodes, for some have no known address, says nothing.
  const partial = sight("abcde", 3, [[0, 16_383, "cd"]]);
  assert.notEqual(doubtOf([partial], downIs("ab"), [100], undefined), undefined);
  // Another node knows.
  const other = sight("abcde", 3, [[0, 8191, "cde"]]);
  assert.equal(doubtOf([leaderless, other], downIs("ab"), [100], undefined), undefined);
});

test("a keyspace with more replicas than there are nodes has one on each", () => {
  assert.deepEqual(doubtOf([sight("a", 3)], downIs("a"), [1], undefined), { down: ["a"], holders: 1 });
});

test("two nodes are of one cluster when each knows the other where it says that it is", () => {
  const a = sight("ab", 2);
  const b = { ...sight("ab", 2), self: "b" };
  assert.ok(knowEachOther(a, b));
  assert.ok(!knowEachOther(a, { ...sight("bc", 2), self: "b" }), "b does not know a");
  const sameNames = { ...b, members: [a.members[0], { id: "b", address: "host:elsewhere" }] };
  assert.ok(!knowEachOther(a, sameNames), "another node with the same name");
  const unheard = { ...a, members: [a.members[0], { id: "b", address: "" }] };
  assert.ok(knowEachOther(unheard, b), "an address that has not come round yet");
});
