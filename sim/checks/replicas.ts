/** What must hold of the replicas of a cluster in which nothing is under way any more. */
import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte-reader.js";
import { readConfiguration } from "../../src/codec/raft-entry.js";
import type { Key } from "../../src/core/bytes.js";
import type { GroupId } from "../../src/core/ids.js";
import { expiryKey, readRecord } from "../../src/node/record.js";
import { Sessions } from "../../src/node/sessions.js";
import { Transactions } from "../../src/node/transactions.js";
import type { AppliedState } from "../../src/ports/storage-engine.js";
import type { SimCluster } from "../cluster/cluster.js";
import { type StoredGroup, TABLES } from "../disk/durable.js";

interface Replica extends StoredGroup {
  readonly node: string;
}

/** Every open group, with its replicas as of now. */
function replicasOf(cluster: SimCluster): Map<GroupId, Replica[]> {
  const groups = new Map<GroupId, Replica[]>();
  for (const { id, diskEngine, memoryEngine } of cluster.nodes) {
    for (const engine of [diskEngine, memoryEngine]) {
      for (const store of engine?.groups.values() ?? []) {
        const state = store.capture();
        if (state === undefined) continue;
        const replicas = groups.get(store.group) ?? [];
        replicas.push({ node: id, ...state });
        groups.set(store.group, replicas);
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
  for (const table of TABLES) {
    if (a.tables[table].size !== b.tables[table].size) return `another number of entries in ${table}`;
    for (const [key, value] of a.tables[table]) {
      if (b.tables[table].get(key)?.equals(value) !== true) return `another value of ${key} in ${table}`;
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
  return [...replicasOf(cluster)].flatMap(([group, [{ applied }]]) => {
    const { transactions } = stateOf(applied);
    const prepared = [...transactions.allPrepared()].map(({ id }) => `${id} prepared in ${group}`);
    const committed = [...transactions.allCommitted()].map(([id]) => `${id} committed in ${group}`);
    return prepared.concat(committed);
  });
}

interface PartitionState {
  readonly revision: number;
  readonly transactions: Transactions;
}

function stateOf({ state }: AppliedState): PartitionState {
  const reader = new ByteReader(state, "state");
  reader.u8();
  reader.u48();
  const revision = reader.u48();
  readConfiguration(reader);
  new Sessions().decode(reader);
  const transactions = new Transactions();
  transactions.decode(reader);
  reader.expectEnd();
  return { revision, transactions };
}

/** Versions are given once, and the expiry table lists exactly the keys that expire. */
export function checkTables(cluster: SimCluster): void {
  for (const [group, [{ applied, tables }]] of replicasOf(cluster)) {
    const { revision } = stateOf(applied);
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
