/** Whether a node is ready: it votes everywhere, knows the leaders, and has what they have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type GroupId, META_GROUP, nodeId } from "../../../src/core/ids.js";
import { type ClusterMap, foundingMap } from "../../../src/node/cluster-map.js";
import { ClusterView } from "../../../src/node/cluster-view.js";
import { isReady, memberInfos, partitionInfos, type StatusSource } from "../../../src/node/status.js";
import { LEADER, LoneReplica, snapshotAt, writeEntry } from "./lone-replica.js";

const N1 = nodeId("n1");
const N2 = nodeId("n2");
const N3 = nodeId("n3");

/** The replicas of lone-replica.ts are numbers, not members with incarnations: here they are both. */
const MAP: ClusterMap = {
  ...foundingMap({
    members: [N1, N2, N3].map((id) => ({ id, peerAddress: `${id}:1` })),
    replicas: 3,
    partitions: 1,
    valueBytesMax: 100,
  }),
  members: [N1, N2, N3].map((id, i) => ({
    id,
    number: 0,
    incarnation: i + 1,
    disk: "",
    peerAddress: "",
    respAddress: "",
    httpAddress: "",
  })),
};
const PARTITION = 0 as GroupId;

/** No eventual keyspaces. */
const NO_EVENTUAL: StatusSource["eventual"] = {
  replicas: { get: () => undefined },
  links: { known: () => undefined },
  commands: { repairs: { of: () => 0 } },
};

/** A follower of n2 that has applied three entries, as every group of its node. */
async function sourceOf(replica: LoneReplica): Promise<StatusSource & { view: ClusterView }> {
  replica.append(
    1,
    { index: 0, term: 0 },
    [1, 2, 3].map((index) => writeEntry(index)),
    3,
  );
  await replica.pass();
  const { group } = replica;
  return {
    self: N1,
    map: MAP,
    view: new ClusterView({
      wallMs: () => 0,
      monotonicMs: () => replica.world.nowMs,
      after: () => () => undefined,
      every: () => () => undefined,
      atTurnEnd: () => undefined,
    }),
    groups: { get: () => group },
    eventual: NO_EVENTUAL,
    leaderOf: () => (group.core.leader === LEADER ? N2 : undefined),
  };
}

function report(view: ClusterView, commit: number, term = 1): void {
  for (const id of [META_GROUP, PARTITION])
    view.onReport(N2, { kind: "report", led: [[id, term, commit, [1, 3]]] });
}

test("a follower is ready once its leader has said how far it is, and it is not far behind", async () => {
  const source = await sourceOf(await new LoneReplica().start());
  assert.equal(isReady(source), false, "it may have missed anything while it was away");
  report(source.view, 3);
  assert.equal(isReady(source), true);
  report(source.view, 10_002);
  assert.equal(isReady(source), true);
  report(source.view, 10_003);
  assert.equal(isReady(source), false);
});

test("an old leader's report does not count against a new one's", async () => {
  const source = await sourceOf(await new LoneReplica().start());
  report(source.view, 20_000, 2);
  report(source.view, 3, 1);
  assert.equal(isReady(source), false);
});

test("a node that knows no leader, learns, or is installing a snapshot is not ready", async () => {
  const replica = await new LoneReplica().start();
  const source = await sourceOf(replica);
  report(source.view, 3);
  assert.equal(isReady({ ...source, leaderOf: () => undefined }), false);
  assert.equal(isReady({ ...source, groups: { get: () => undefined } }), false);
  assert.equal(isReady({ ...source, self: nodeId("stranger") }), false);
  // Another incarnation is not the voter.
  const members = MAP.members.map((member) => (member.id === N1 ? { ...member, incarnation: 9 } : member));
  assert.equal(isReady({ ...source, map: { ...MAP, members } }), false);
  const { meta, first } = await snapshotAt(9);
  replica.snapshotPiece(1, meta, 0, first, false);
  await replica.pass();
  assert.equal(isReady(source), false);
});

test("roles and lags are told as the leader sees them", async () => {
  const source = await sourceOf(await new LoneReplica().start());
  report(source.view, 7);
  const [{ leader, replicas }] = partitionInfos(source);
  assert.equal(leader, N2);
  const byNode = new Map(replicas.map(({ node, role, lag }) => [node, [role, lag]]));
  assert.deepEqual(byNode.get(N1), ["follower", 4]);
  assert.deepEqual(byNode.get(N2), ["leader", 0]);
  assert.deepEqual(byNode.get(N3), ["follower", -1]);
});

test("a member is active while it is heard from, then suspect, then inactive", async () => {
  const replica = await new LoneReplica().start();
  const source = await sourceOf(replica);
  const states = () => memberInfos(source).map(({ state }) => state);
  assert.deepEqual(states(), ["active", "inactive", "inactive"]);
  source.view.onHeard(N2);
  assert.deepEqual(states(), ["active", "active", "inactive"]);
  await replica.pass(1_600);
  assert.deepEqual(states(), ["active", "suspect", "inactive"]);
  await replica.pass(5_000);
  assert.deepEqual(states(), ["active", "inactive", "inactive"]);
});
