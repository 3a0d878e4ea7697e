/** What a node tells of its replicas of eventual keyspaces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type GroupId,
  groupOf,
  type KeyspaceId,
  keyspaceId,
  type NodeId,
  nodeId,
  partitionId,
  type ReplicaId,
  replicaOf,
} from "../../../../src/core/ids.js";
import type { PeerLag } from "../../../../src/node/eventual/partition-links.js";
import {
  type EventualSource,
  eventualReplicaInfo,
  type LinksSource,
  replicationInfo,
} from "../../../../src/node/eventual/status.js";

const KEYSPACE = { id: keyspaceId(3), partitions: 3 };
const N1 = nodeId("n1");
const N2 = nodeId("n2");
const N3 = nodeId("n3");
const replica = (number: number): ReplicaId => replicaOf(number, 1);
const nodeOf = (of: ReplicaId): NodeId | undefined => [N1, N2][[replica(0), replica(1)].indexOf(of)];

interface Told {
  readonly lags: readonly (number | undefined)[];
  readonly hints?: number;
  readonly tombstones?: number;
  readonly repair?: { readonly finishedMs: number; readonly with: ReplicaId };
}

/** A partition whose other replicas are 1, 2 …, so many of this replica's writes behind. */
function links({ lags, hints = 0, tombstones = 0, repair }: Told): LinksSource {
  return {
    replica: { state: { hints: { count: hints }, tombstones } },
    lags: lags.map(
      (lag, i): PeerLag => ({
        replica: replica(i + 1),
        lag,
        isComplete: lag === undefined ? undefined : lag < 100,
      }),
    ),
    trees: {
      compared: 2,
      recordsTaken: 5,
      lastRepair: repair && {
        with: repair.with,
        finishedWallMs: repair.finishedMs,
        durationMs: 7,
        bytes: 1000,
        leavesCompared: 1,
        recordsTaken: 3,
        recordsGiven: 4,
      },
    },
  };
}

function source(partitions: readonly (LinksSource | undefined)[], isComplete = true): EventualSource {
  const at = new Map<GroupId, LinksSource>();
  partitions.forEach((one, i) => {
    if (one !== undefined) at.set(groupOf(KEYSPACE.id, partitionId(i)), one);
  });
  return {
    replicas: { get: (group) => (at.has(group) ? { isComplete } : undefined) },
    links: { known: (group) => at.get(group) },
    commands: { repairs: { of: (keyspace: KeyspaceId) => (keyspace === KEYSPACE.id ? 9 : 0) } },
  };
}

test("the lag of a keyspace is what the replica that has least lacks, over its partitions, and the most of one", () => {
  const info = replicationInfo(
    source([
      links({ lags: [2, 50], hints: 60 }),
      undefined,
      links({ lags: [8, 0], hints: 3, tombstones: 4 }),
    ]),
    KEYSPACE,
    nodeOf,
  );
  assert.deepEqual(info, {
    keyspace: KEYSPACE.id,
    lag: 58,
    lagMax: 50,
    // Of the first partition ten are known to be everywhere; of the second five are no longer remembered.
    hints: 53,
    tombstones: 4,
    comparisons: 4,
    repaired: 10,
    readRepairs: 9,
    lastRepair: undefined,
  });
});

test("of a replica that was not heard yet, all that is remembered may be missing", () => {
  const info = replicationInfo(source([links({ lags: [0, undefined], hints: 12 })]), KEYSPACE, nodeOf);
  assert.equal(info?.lag, 12);
  assert.equal(info.hints, 12);
});

test("the last repair is the latest of any partition, with the node that it was with", () => {
  const info = replicationInfo(
    source([
      links({ lags: [], repair: { finishedMs: 1000, with: replica(0) } }),
      links({ lags: [], repair: { finishedMs: 3000, with: replica(1) } }),
      links({ lags: [], repair: { finishedMs: 2000, with: replica(0) } }),
    ]),
    KEYSPACE,
    nodeOf,
  );
  assert.deepEqual(info?.lastRepair, {
    partition: 1,
    with: N2,
    finishedMs: 3000,
    durationMs: 7,
    recordsTaken: 3,
    recordsGiven: 4,
    bytes: 1000,
  });
});

test("a node without a replica of the keyspace tells nothing of it", () => {
  assert.equal(replicationInfo(source([undefined, undefined, undefined]), KEYSPACE, nodeOf), undefined);
});

test("a replica is shown with what it lacks of this node's writes, and as a learner while it cannot answer", () => {
  const group = groupOf(KEYSPACE.id, partitionId(0));
  const here = source([links({ lags: [7, 100, undefined] })]);
  const shown = (node: NodeId, of: ReplicaId | undefined, at = here) =>
    eventualReplicaInfo(at, N1, group, node, of);
  assert.deepEqual(shown(N1, replica(0)), { node: N1, role: "replica", lag: 0 });
  assert.deepEqual(shown(N1, replica(0), source([links({ lags: [] })], false)).role, "learner");
  assert.deepEqual(shown(N2, replica(1)), { node: N2, role: "replica", lag: 7 });
  assert.deepEqual(shown(N3, replica(2)), { node: N3, role: "learner", lag: 100 });
  assert.deepEqual(shown(N3, replica(3)), { node: N3, role: "replica", lag: -1 }, "not heard yet");
  // Another disk is another replica.
  assert.equal(shown(N2, replicaOf(1, 2)).lag, -1);
  assert.equal(shown(N2, undefined, source([])).lag, -1);
});
