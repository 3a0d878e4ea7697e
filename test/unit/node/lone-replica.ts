/** One real replica on a simulated disk; the test is the rest of its group and tells it what a leader would. */

import { DurableState, SimEngine, SimLog } from "../../../sim/disk/durable.js";
import { SimProcess, World } from "../../../sim/world/world.js";
import type { Configuration, Entry, Message, SnapshotMeta } from "../../../src/codec/raft-types.js";
import type { Bytes } from "../../../src/core/bytes.js";
import { logIndex, replicaId, term } from "../../../src/core/ids.js";
import { restore } from "../../../src/node/keeper.js";
import { PartitionMachine } from "../../../src/node/partition-machine.js";
import { type GroupHost, ReplicaGroup } from "../../../src/node/replica-group.js";
import { encodeFirstPiece } from "../../../src/node/snapshot-sender.js";
import { Raft } from "../../../src/raft/raft.js";
import type { RaftOptions } from "../../../src/raft/types.js";
import {
  batchOf,
  commandEntry,
  GROUP,
  lookup,
  machineOn,
  newStore,
  VALUE_BYTES_MAX,
} from "./partition-fixture.js";

export const SELF = replicaId(1);
export const LEADER = replicaId(2);
export const OTHER = replicaId(3);
export const CONFIGURATION: Configuration = {
  voters: [SELF, LEADER, OTHER],
  votersOutgoing: [],
  learners: [],
};

const RAFT: RaftOptions = {
  id: SELF,
  random: () => 0.5,
  electionTicks: 10,
  heartbeatTicks: 2,
  inflightMessagesMax: 64,
  appendBytesMax: 1 << 20,
  uncommittedBytesMax: 1 << 20,
  readMode: "quorum",
  preVote: true,
  checkQuorum: true,
};

export class LoneReplica {
  readonly world = new World(1);
  readonly durable: DurableState;
  readonly sent: Message[] = [];
  #engine: SimEngine | undefined;
  #group: ReplicaGroup | undefined;
  #process = new SimProcess(this.world, 0);

  constructor(durable = new DurableState()) {
    this.durable = durable;
  }

  get group(): ReplicaGroup {
    if (this.#group === undefined) throw new Error("the replica does not run");
    return this.#group;
  }

  get engine(): SimEngine {
    if (this.#engine === undefined) throw new Error("the replica does not run");
    return this.#engine;
  }

  /** Starts with what the disk holds. */
  async start(): Promise<this> {
    const process = new SimProcess(this.world, 0);
    this.#process = process;
    this.#engine = new SimEngine("disk", this.durable, process);
    const store = await this.#engine.openGroup(GROUP);
    const log = new SimLog(this.durable, process, this.world);
    const host: GroupHost = {
      log,
      logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      wallMs: () => 0,
      sendMessage: (_, message) => this.sent.push(message),
      wake: (group) => {
        process.later(0, () => {
          group.advance();
          log.flush();
        });
      },
      onApplied: ignore,
      onRoleChange: ignore,
      onInstalled: ignore,
      onDiskFailure: (error) => {
        throw error;
      },
    };
    const restored = restore(store, this.durable.recovered().get(GROUP), CONFIGURATION);
    const machine = new PartitionMachine(store, restored.snapshot.configuration, VALUE_BYTES_MAX, lookup);
    const group = new ReplicaGroup(GROUP, new Raft(RAFT, restored), machine, store, host);
    store.onCheckpoint(() => group.capture());
    this.#group = group;
    host.wake(group);
    await this.pass();
    return this;
  }

  crash(): void {
    this.#process.isAlive = false;
    this.#group = undefined;
    this.#engine = undefined;
  }

  /** Lets everything under way end. */
  async pass(timeMs = 50): Promise<void> {
    await this.world.run(timeMs, () => false);
  }

  /** A leader's entries, the first at `prevIndex + 1`. */
  append(
    leaderTerm: number,
    prev: { index: number; term: number },
    entries: readonly Entry[],
    commit: number,
  ): void {
    this.group.step({
      type: "append",
      from: leaderTerm % 2 === 0 ? OTHER : LEADER,
      to: SELF,
      term: term(leaderTerm),
      prevIndex: logIndex(prev.index),
      prevTerm: term(prev.term),
      entries,
      commit: logIndex(commit),
    });
  }

  snapshotPiece(
    leaderTerm: number,
    meta: SnapshotMeta,
    offsetBytes: number,
    data: Bytes,
    done: boolean,
  ): void {
    this.group.step({
      type: "snapshot",
      from: leaderTerm % 2 === 0 ? OTHER : LEADER,
      to: SELF,
      term: term(leaderTerm),
      meta,
      offsetBytes,
      data,
      done,
    });
  }
}

/** A write of `key`, as the entry `index` of every log. */
export function writeEntry(index: number, entryTerm = 1): Entry {
  const batch = batchOf({ session: 5, sequence: index, commands: [["SET", `key${index}`, `value${index}`]] });
  return { ...commandEntry(index, batch), term: term(entryTerm) };
}

export interface SnapshotPieces {
  readonly meta: SnapshotMeta;
  readonly first: Bytes;
  readonly rest: readonly Bytes[];
}

/** A snapshot of a replica that has applied `writeEntry(1)` to `writeEntry(index)`. */
export async function snapshotAt(index: number): Promise<SnapshotPieces> {
  const store = await newStore();
  const machine = machineOn(store, CONFIGURATION);
  store.onCheckpoint(() => machine.capture());
  for (let i = 1; i <= index; i += 1) machine.apply(writeEntry(i));
  const meta: SnapshotMeta = { index: logIndex(index), term: term(1), configuration: CONFIGURATION };
  const snapshot = await store.snapshot();
  const rest: Bytes[] = [];
  for (;;) {
    const piece = await snapshot.next(100);
    if (piece === undefined) break;
    rest.push(piece);
  }
  return { meta, first: encodeFirstPiece(snapshot.applied), rest };
}

function ignore(): void {
  // The test does not ask for it.
}
