/**
 * Opens and closes groups as the cluster map says, and restores each from its store and the log.
 */
import type { Configuration, SnapshotMeta } from "../codec/raft-types.js";
import {
  type GroupId,
  groupOf,
  keyspaceOf,
  logIndex,
  META_GROUP,
  partitionId,
  type ReplicaId,
  replicaId,
  term,
} from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { GroupStore, StorageEngine } from "../ports/storage-engine.js";
import { Raft } from "../raft/raft.js";
import { restoreState } from "../raft/restore.js";
import type { RaftOptions, RestoredState } from "../raft/types.js";
import type { RecoveredGroup } from "../storage/log/types.js";
import { TurnSlices } from "../storage/turn-slices.js";
import type { ClusterMap, Keyspace } from "./cluster-map.js";
import type { EventualReplicas } from "./eventual/replicas.js";
import type { Groups } from "./groups.js";
import { configurationOf, type OpcodeLookup, PartitionMachine } from "./partition-machine.js";
import { ReplicaGroup } from "./replica-group.js";

const NOBODY: Configuration = { voters: [], votersOutgoing: [], learners: [] };

export interface KeeperOptions {
  readonly self: ReplicaId;
  readonly raft: Omit<RaftOptions, "id">;
  readonly diskEngine: StorageEngine;
  readonly memoryEngine: StorageEngine;
  /** What the log held at start, by group. */
  readonly recovered: ReadonlyMap<GroupId, RecoveredGroup>;
  readonly lookup: OpcodeLookup;
  readonly clock: Clock;
  readonly onReplica?: (replica: ReplicaGroup) => void;
}

export class GroupKeeper {
  readonly #options: KeeperOptions;
  readonly #groups: Groups;
  readonly #eventual: EventualReplicas;
  #work: Promise<void> = Promise.resolve();

  constructor(options: KeeperOptions, groups: Groups, eventual: EventualReplicas) {
    this.#options = options;
    this.#groups = groups;
    this.#eventual = eventual;
  }

  /** `founders`: the voters that the metadata group starts with. */
  async openMeta(founders: readonly ReplicaId[], valueBytesMax: number): Promise<void> {
    await this.#open(META_GROUP, this.#options.diskEngine, founders, valueBytesMax);
  }

  /** Groups that `map` puts on the node `isHere` names are opened; groups of dropped keyspaces are removed. */
  async follow(
    map: ClusterMap,
    isHere: (keyspace: Keyspace, partition: number) => boolean,
    valueBytesMax: number,
    onRemoved: (group: GroupId) => void,
  ): Promise<void> {
    const done = this.#work.then(async () => {
      if (this.#hasNewEventual(map, isHere)) await this.#groups.get(META_GROUP)?.recordCommitted();
      const turns = new TurnSlices(this.#options.clock);
      for (const keyspace of map.keyspaces) {
        for (let i = 0; i < keyspace.partitions; i += 1) {
          const id = groupOf(keyspace.id, partitionId(i));
          if (!isHere(keyspace, i) || this.#isOpen(id)) continue;
          const founders = keyspace.placement[i].map((node) => keyspace.founders[node]);
          const engine = keyspace.storage === "disk" ? this.#options.diskEngine : this.#options.memoryEngine;
          if (keyspace.consistency === "eventual")
            await this.#openEventual(id, engine, founders, valueBytesMax);
          else await this.#open(id, engine, founders, valueBytesMax);
          // It now applies what it has of the log; peers are heard before the next one does.
          await turns.pause();
        }
      }
      await this.#removeDropped(map, onRemoved);
    });
    this.#work = done;
    await done;
  }

  #isOpen(id: GroupId): boolean {
    return this.#groups.get(id) !== undefined || this.#eventual.get(id) !== undefined;
  }

  /**
   * An eventual partition of this node has no log yet. It will be written without a majority, so a restart that finds
   * none must know the keyspace all the same: by what the log says to be committed.
   */
  #hasNewEventual(map: ClusterMap, isHere: (keyspace: Keyspace, partition: number) => boolean): boolean {
    const { recovered } = this.#options;
    return map.keyspaces.some((keyspace) => {
      if (keyspace.consistency !== "eventual") return false;
      for (let i = 0; i < keyspace.partitions; i += 1) {
        const id = groupOf(keyspace.id, partitionId(i));
        if (isHere(keyspace, i) && !this.#isOpen(id) && !recovered.has(id)) return true;
      }
      return false;
    });
  }

  async #removeDropped(map: ClusterMap, onRemoved: (group: GroupId) => void): Promise<void> {
    const kept = new Set<number>(map.keyspaces.map((keyspace) => keyspace.id));
    // After a restart the map is read as of some time ago first: what it does not know yet is not dropped.
    const isDropped = (id: GroupId) =>
      id !== META_GROUP && keyspaceOf(id) < map.nextKeyspace && !kept.has(keyspaceOf(id));
    const { diskEngine, memoryEngine, recovered } = this.#options;
    const open = [...this.#groups.all()].filter((group) => isDropped(group.id));
    const openEventual = [...this.#eventual.all()].filter((replica) => isDropped(replica.group));
    const logged = [...recovered.keys()].filter(isDropped);
    const engines = [diskEngine, memoryEngine];
    const listStored = async (engine: StorageEngine) => (await engine.listGroups()).filter(isDropped);
    const stored = await Promise.all(engines.map(listStored));
    const found = [open, openEventual, logged, ...stored];
    if (found.every((groups) => groups.length === 0)) return;
    // A restart must not go back to a map with the keyspace, for it would find its groups empty, and their votes gone.
    await this.#groups.get(META_GROUP)?.recordCommitted();
    for (const group of open) {
      this.#groups.remove(group.id);
      onRemoved(group.id);
      await group.close();
      await this.#forget(group.id);
    }
    for (const replica of openEventual) {
      await this.#eventual.remove(replica);
      onRemoved(replica.group);
      await this.#forget(replica.group);
    }
    for (const engine of engines) {
      // Listed again: a checkpoint that was under way may have stored what has been closed just now.
      for (const id of await listStored(engine)) {
        // First the log, then the state: a crash between the two leaves what can be gone on with.
        await this.#forget(id);
        await (await engine.openGroup(id)).destroy();
      }
    }
    for (const id of logged) await this.#forget(id);
  }

  /** Resolves once the log has durably let go of the group. */
  async #forget(id: GroupId): Promise<void> {
    const { log } = this.#groups;
    await new Promise<void>((resolve) => {
      log.dropGroup(id, resolve);
      log.flush();
    });
  }

  async #openEventual(
    id: GroupId,
    engine: StorageEngine,
    founders: readonly ReplicaId[],
    valueBytesMax: number,
  ): Promise<void> {
    const { self, recovered } = this.#options;
    const store = await engine.openGroup(id);
    this.#eventual.open({
      group: id,
      self,
      isFounder: founders.includes(self),
      store,
      recovered: recovered.get(id),
      valueBytesMax,
    });
  }

  async #open(
    id: GroupId,
    engine: StorageEngine,
    founders: readonly ReplicaId[],
    valueBytesMax: number,
  ): Promise<void> {
    const { self, raft, recovered, lookup } = this.#options;
    const store = await engine.openGroup(id);
    // A replica that came later (or again, on another disk) starts as nobody, and is told who it is.
    const founding = founders.includes(self) ? { ...NOBODY, voters: [...founders] } : NOBODY;
    const restored = restore(store, recovered.get(id), founding);
    const machine = new PartitionMachine(store, restored.snapshot.configuration, valueBytesMax, lookup);
    const core = new Raft({ ...raft, id: self }, restored);
    const group = new ReplicaGroup(id, core, machine, store, this.#groups);
    store.onCheckpoint(() => group.capture());
    this.#options.onReplica?.(group);
    this.#groups.add(group);
    // A new group need not wait for an election time-out: its first founder asks at once.
    if (founders[0] === self && restored.hardState.term === 0 && core.lastIndex === 0) core.campaign();
  }
}

/**
 * Where a replica goes on: what its store holds, then what the log holds after it.
 * Throws `DATA_CORRUPT` when there is a gap between the two.
 */
export function restore(
  store: Pick<GroupStore, "restored">,
  recovered: RecoveredGroup | undefined,
  founding: Configuration,
): RestoredState {
  const atStart: SnapshotMeta = { index: logIndex(0), term: term(0), configuration: founding };
  const hardState = recovered?.hardState ?? { term: term(0), vote: replicaId(0), commit: logIndex(0) };
  // A log that was never shortened does not name the members that the group began with.
  const snapshot = recovered === undefined || recovered.snapshot.index === 0 ? atStart : recovered.snapshot;
  const { restored } = store;
  const applied =
    restored === undefined
      ? atStart
      : { index: restored.index, term: restored.term, configuration: configurationOf(restored) };
  return restoreState({ hardState, snapshot, entries: recovered?.entries ?? [] }, applied);
}
