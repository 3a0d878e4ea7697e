import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeViews, type NodeView, type PartitionView } from "../../../../src/cli/status/cluster-view.js";
import { describeSeconds } from "../../../../src/cli/status/status-command.js";

const MEMBERS = ["n1", "n2", "n3"].map((id, i) => ({
  id,
  state: "active",
  peerAddress: `h:738${i}`,
  respAddress: `h:638${i}`,
  httpAddress: `h:800${i}`,
}));

function partition(leader: string | null, lags: readonly number[], keyspace = 0): PartitionView {
  const replicas = lags.map((lag, i) => ({ node: `n${i + 1}`, role: "follower", lag }));
  return { keyspace, partition: 0, slots: [[0, 16_383]], leader, replicas };
}

function view(
  nodeId: string,
  partitions: readonly PartitionView[],
  fields: Partial<NodeView> = {},
): NodeView {
  return {
    clusterId: "c",
    nodeId,
    epoch: 1,
    version: "0.1.0",
    uptimeSeconds: 10,
    ready: true,
    members: MEMBERS,
    keyspaces: [
      { id: 0, name: "default", consistency: "strong", storage: "disk", replicas: 3, partitions: 1 },
    ],
    partitions,
    ...fields,
  };
}

test("a partition is shown as its leader sees it", () => {
  const merged = mergeViews([
    view("n1", [partition("n2", [-1, -1, -1])]),
    view("n2", [partition("n2", [5, 0, 2])]),
  ]);
  assert.deepEqual(
    merged.nodes.map(({ id, state, leads, holds, lag }) => [id, state, leads, holds, lag]),
    [
      ["n1", "ready", 0, 1, 5],
      ["n2", "ready", 1, 1, 0],
      ["n3", "down", 0, 1, 2],
    ],
  );
});

test("a node that answers and is not ready is starting", () => {
  const merged = mergeViews([view("n1", [partition("n1", [0, 0, 0])], { ready: false })]);
  assert.equal(merged.nodes[0].state, "starting");
});

test("a leader that answers is believed before one that only others remember", () => {
  const merged = mergeViews([
    view("n1", [partition("n3", [0, 0, 0])]),
    view("n2", [partition("n2", [0, 0, 0])]),
  ]);
  assert.equal(merged.partitions[0].leader, "n2");
});

test("partitions without a leader are counted in their keyspace, and lag nobody knows is not a number", () => {
  const merged = mergeViews([view("n1", [partition(null, [-1, -1, -1])])]);
  assert.equal(merged.keyspaces[0].withoutLeader, 1);
  assert.equal(merged.nodes[0].lag, undefined);
});

test("members and keyspaces are those of the newest epoch", () => {
  const newer = view("n2", [], { epoch: 2, members: MEMBERS.slice(0, 2) });
  assert.equal(mergeViews([view("n1", []), newer]).nodes.length, 2);
});

test("a time is told in its two largest units", () => {
  for (const [seconds, text] of [
    [0.4, "0s"],
    [59, "59s"],
    [61, "1m 1s"],
    [3_600, "1h 0m"],
    [90_061, "1d 1h"],
  ] as const) {
    assert.equal(describeSeconds(seconds), text);
  }
});
