import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeViews, type NodeView, type PartitionView } from "../../../../src/cli/status/cluster-view.js";
import { describeLag, describeRepair, type ReplicationView } from "../../../../src/cli/status/replication.js";
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
    replication: [],
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

const EVENTUAL = [
  { id: 1, name: "sessions", consistency: "eventual", storage: "disk", replicas: 3, partitions: 1 },
];

/** What `nodeId` knows of a partition without leader; the lags are those of n1, n2, n3. */
function eventualView(
  nodeId: string,
  lags: readonly number[],
  fields: Partial<ReplicationView> = {},
): NodeView {
  const replicas = lags.map((lag, i) => ({ node: `n${i + 1}`, role: "replica", lag }));
  const own: ReplicationView = {
    keyspace: 1,
    lag: 0,
    lagMax: 0,
    hints: 0,
    tombstones: 0,
    readRepairs: 0,
    comparisons: 0,
    repaired: 0,
    lastRepair: null,
    ...fields,
  };
  const partitions = [{ ...partition(null, [], 1), replicas }];
  return view(nodeId, partitions, { keyspaces: EVENTUAL, replication: [own] });
}

const repair = (finishedMs: number, recordsTaken: number) => ({
  partition: 0,
  with: "n3",
  finishedMs,
  durationMs: 5,
  recordsTaken,
  recordsGiven: 1,
  bytes: 14_210,
});

test("in an eventual keyspace a replica lacks what all others miss of their writes, and nobody needs a leader", () => {
  const merged = mergeViews([eventualView("n1", [0, 2, 30]), eventualView("n2", [5, 0, 4])]);
  assert.equal(merged.keyspaces[0].withoutLeader, 0);
  assert.deepEqual(
    merged.nodes.map(({ state, lag }) => [state, lag]),
    [
      ["ready", 5],
      ["ready", 2],
      ["down", 34],
    ],
  );
});

test("a node that is up lacks nothing that is known when no other replica of its partition answers", () => {
  const merged = mergeViews([eventualView("n1", [0, -1, -1])]);
  assert.deepEqual(
    merged.nodes.map(({ lag }) => lag),
    [0, undefined, undefined],
  );
});

test("a replica that says that it cannot answer yet is shown as a learner", () => {
  const fresh = eventualView("n2", [0, 0, 0]);
  const [one] = fresh.partitions;
  const replicas = one.replicas.map((replica) =>
    replica.node === "n2" ? { ...replica, role: "learner" } : replica,
  );
  const merged = mergeViews([
    eventualView("n1", [0, 9, 0]),
    { ...fresh, partitions: [{ ...one, replicas }] },
  ]);
  assert.deepEqual(merged.partitions[0].replicas[1], { node: "n2", role: "learner", lag: 9 });
  // It knows better than who has not heard yet that it is done.
  const late = mergeViews([
    { ...eventualView("n1", []), partitions: [{ ...one, replicas }] },
    eventualView("n2", [0, 0, 0]),
  ]);
  assert.equal(late.partitions[0].replicas[1].role, "replica");
});

test("an eventual keyspace shows what all of its nodes count, and the latest repair", () => {
  const merged = mergeViews([
    eventualView("n1", [0, 0, 7], {
      lag: 7,
      lagMax: 4,
      hints: 6,
      tombstones: 2,
      readRepairs: 1,
      repaired: 3,
    }),
    eventualView("n2", [0, 0, 5], {
      lag: 5,
      lagMax: 5,
      hints: 5,
      tombstones: 3,
      lastRepair: repair(2000, 9),
    }),
    eventualView("n3", [0, 0, 0], { lastRepair: repair(1000, 1), repaired: 4, comparisons: 2 }),
  ]);
  const { replication } = merged.keyspaces[0];
  assert(replication !== undefined);
  assert.deepEqual(replication, {
    keyspace: 1,
    lag: 12,
    lagMax: 5,
    hints: 11,
    tombstones: 5,
    readRepairs: 1,
    comparisons: 2,
    repaired: 7,
    lastRepair: { ...repair(2000, 9), node: "n2" },
  });
  assert.equal(describeLag(replication), "12 (5 in one partition)");
  assert.equal(
    describeRepair(replication.lastRepair, 65_000, describeSeconds),
    "1m 3s ago, n2 and n3: 10 records, 14.2 kB",
  );
});

test("what nobody can tell of an eventual keyspace is not shown as nothing", () => {
  const merged = mergeViews([{ ...eventualView("n1", [-1, -1, -1]), replication: [] }]);
  assert.equal(merged.keyspaces[0].replication, undefined);
  assert.equal(describeRepair(null, 0, describeSeconds), "none");
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
