/** What must hold of the replicas of a cluster in which nothing is under way any more. */
import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte-reader.js";
import { readConfiguration } from "../../src/codec/raft-entry.js";
import type { Configuration } from "../../src/codec/raft-types.js";
import type { Key } from "../../src/core/bytes.js";
import type { GroupId } from "../../src/core/ids.js";
import { expiryKey, readRecord } from "../../src/node/record.js";
import { Sessions } from "../../src/node/sessions.js";
import { Transactions } from "../../src/node/transactions.js";
import type { AppliedState } from "../../src/ports/storage-engine.js";
import type { SimCluster, SimNode } from "../cluster/cluster.js";
import { TABLES } from "../disk/durable.js";
import type { InspectedGroup } from "../disk/slow-disk.js";

interface Replica {
  readonly node: string;
  readonly applied: AppliedState;
  readonly group: InspectedGroup;
}

/** Every open group of consensus, or only `wanted`, with its replicas as of now. */
function replicasOf(cluster: SimCluster, wanted?: GroupId): Map<GroupId, Replica[]> {
  const groups = new Map<GroupId, Replica[]>();
  for (const { id, diskEngine, memoryEngine } of cluster.nodes) {
    for (const engine of [diskEngine, memoryEngine]) {
      for (const group of engine?.groups.values() ?? []) {
        if (cluster.isEventual(group.group) || (wanted !== undefined && group.group !== wanted)) continue;
        const applied = group.captureApplied();
        if (applied === undefined) continue;
        const replicas = groups.get(group.group) ?? [];
        replicas.push({ node: id, applied, group });
        groups.set(group.group, replicas);
      }
    }
  }
  return groups;
}

/** Replicas that differ, in words; empty when all are equal. */
export function differences(cluster: SimCluster): string[] {
  const found: string[] = [];
  for (const [group, [first, ...others]] of replicasOf(cluster)) {
    for (const other of others) {
      const difference = differenceOf(first, other);
      if (difference !== undefined)
        found.push(`group ${group}, ${first.node} and ${other.node}: ${difference}`);
    }
  }
  return found;
}

function differenceOf(a: Replica, b: Replica): string | undefined {
  if (a.applied.index !== b.applied.index) return `applied up to ${a.applied.index} and ${b.applied.index}`;
  if (!a.applied.state.equals(b.applied.state)) return "other sessions, transactions or members";
  const [ours, theirs] = [a.group.captureTables(), b.group.captureTables()];
  for (const table of TABLES) {
    if (ours[table].size !== theirs[table].size) return `another number of entries in ${table}`;
    for (const [key, value] of ours[table]) {
      if (theirs[table].get(key)?.equals(value) !== true) return `another value of ${key} in ${table}`;
    }
  }
  return undefined;
}

/** Keys that transactions still hold, anywhere. */
export function lockedKeys(cluster: SimCluster): Key[] {
  return [...replicasOf(cluster).values()].flatMap(([{ applied }]) =>
    [...stateOf(applied).transactions.allPrepared()].flatMap(({ locked }) => locked),
  );
}

/** Transactions that some partition has not forgotten, anywhere. */
export function openTransactions(cluster: SimCluster): string[] {
  return [...replicasOf(cluster)].flatMap(([group, [{ applied }]]) => openIn(group, applied));
}

/** A group that has not forgotten some transaction. To be asked after every event, it looks at the `last` first. */
export function findOpenTransaction(cluster: SimCluster, last?: GroupId): GroupId | undefined {
  const isOpenIn = ([group, [{ applied }]]: [GroupId, Replica[]]) => openIn(group, applied).length > 0;
  if (last !== undefined && [...replicasOf(cluster, last)].some(isOpenIn)) return last;
  return [...replicasOf(cluster)].find(isOpenIn)?.[0];
}

function openIn(group: GroupId, applied: AppliedState): string[] {
  const { transactions } = stateOf(applied);
  const prepared = [...transactions.allPrepared()].map(({ id }) => `${id} prepared in ${group}`);
  const committed = [...transactions.allCommitted()].map(([id]) => `${id} committed in ${group}`);
  return prepared.concat(committed);
}

/** What a node's state machine says of a group's members; undefined while the group is not open there. */
export function configurationOn(
  { diskEngine, memoryEngine }: SimNode,
  group: GroupId,
): Configuration | undefined {
  const open = diskEngine?.groups.get(group) ?? memoryEngine?.groups.get(group);
  const applied = open?.captureApplied();
  return applied && stateOf(applied).configuration;
}

interface PartitionState {
  readonly revision: number;
  readonly configuration: Configuration;
  readonly transactions: Transactions;
}

function stateOf({ state }: AppliedState): PartitionState {
  const reader = new ByteReader(state, "state");
  reader.u8();
  reader.u48();
  const revision = reader.u48();
  const configuration = readConfiguration(reader);
  new Sessions().decode(reader);
  const transactions = new Transactions();
  transactions.decode(reader);
  reader.expectEnd();
  return { revision, configuration, transactions };
}

/** Versions are given once, and the expiry table lists exactly the keys that expire. */
export function checkTables(cluster: SimCluster): void {
  for (const [group, [{ applied, group: store }]] of replicasOf(cluster)) {
    const { revision } = stateOf(applied);
    const tables = store.captureTables();
    const versions = new Set<number>();
    const expiring = new Set<Key>();
    for (const [key, bytes] of tables.data) {
      const { version, expiresAtMs } = readRecord({ bytes, start: 0, end: bytes.length });
      assert(
        version <= revision,
        `group ${group}: ${key} has version ${version}, ${revision} was given last`,
      );
      assert(!versions.has(version), `group ${group}: version ${version} was given twice`);
      versions.add(version);
      if (expiresAtMs !== 0) expiring.add(expiryKey(expiresAtMs, key));
    }
    assert.deepEqual(new Set(tables.expiry.keys()), expiring, `group ${group}: the expiry table`);
  }
}
