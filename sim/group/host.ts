/**
 * A replica with the host that the consensus core needs, for a life of one group: a disk that loses what was not written
 * yet, a state machine that is durable up to its last checkpoint, snapshots in small pieces.
 *
 * Nothing happens by itself: `turn` takes what the core wants, `writeNext` makes the oldest append durable.
 */
import assert from "node:assert/strict";
import { decodeMessage, encodeMessage } from "../../src/codec/raft-message.js";
import type { Configuration, Entry, HardState, Message, SnapshotMeta } from "../../src/codec/raft-types.js";
import { concatBytes, latin1ToBytes } from "../../src/core/bytes.js";
import { type LogIndex, logIndex, type ReplicaId, replicaId, term } from "../../src/core/ids.js";
import { Raft } from "../../src/raft/raft.js";
import { restoreState } from "../../src/raft/restore.js";
import type {
  Append,
  RaftOptions,
  ReadState,
  Ready,
  RestoredState,
  SnapshotRead,
  SnapshotWrite,
} from "../../src/raft/types.js";

/** One entry as the state machine saw it. */
export interface Applied {
  readonly index: number;
  readonly term: number;
  readonly text: string;
}

/** The state machine: everything applied, in order; a snapshot of it is itself. */
interface Machine {
  readonly meta: SnapshotMeta;
  readonly applied: readonly Applied[];
}

interface Disk {
  hardState: HardState;
  /** The log starts after this. */
  start: SnapshotMeta;
  entries: Entry[];
  checkpoint: Machine;
}

export interface HostEvents {
  onMessage(message: Message): void;
  onReadState(state: ReadState): void;
  onApplied(entry: Applied): void;
  onRole(change: NonNullable<Ready["roleChange"]>): void;
  onReady?(ready: Ready): void;
}

export interface HostOptions {
  readonly raft: RaftOptions;
  readonly pieceBytes: number;
  /** Appends are durable as soon as they are asked for. */
  isDiskInstant: boolean;
}

export class Host {
  readonly id: ReplicaId;
  readonly options: HostOptions;
  readonly disk: Disk;
  readonly #events: HostEvents;
  raft: Raft;
  applied: Applied[];
  /** The configuration as of what is applied. */
  machineMeta: SnapshotMeta;
  /** Asked for and not durable yet. */
  appends: Append[] = [];
  /** Snapshots being sent, by receiver: cut off when a new one begins. */
  #outgoing = new Map<number, Machine>();
  #incoming = "";
  snapshotReads: SnapshotRead[] = [];
  snapshotWrites: SnapshotWrite[] = [];

  constructor(options: HostOptions, initial: RestoredState, events: HostEvents) {
    this.id = options.raft.id;
    this.options = options;
    this.#events = events;
    this.disk = {
      hardState: initial.hardState,
      start: initial.snapshot,
      entries: [...initial.entries],
      checkpoint: { meta: initial.snapshot, applied: [] },
    };
    this.raft = new Raft(options.raft, initial);
    this.applied = [];
    this.machineMeta = initial.snapshot;
  }

  get lastApplied(): LogIndex {
    return this.machineMeta.index;
  }

  /** Takes everything that the core asks for, until it asks for nothing more. */
  turn(): void {
    while (this.raft.hasReady()) this.#take(this.raft.ready());
  }

  /** Makes the oldest append durable. */
  writeNext(): void {
    const append = this.appends.shift();
    assert.ok(append !== undefined, "nothing to write");
    this.#persist(append);
    for (const message of append.messages) this.#events.onMessage(message);
    this.raft.appended(append.number);
  }

  /** Everything not durable is gone; the first `survivors` appends under way were just in time. */
  crash(survivors: number): void {
    for (const append of this.appends.slice(0, survivors)) this.#persist(append);
    this.appends = [];
  }

  restart(): void {
    this.#outgoing.clear();
    this.#incoming = "";
    this.snapshotReads = [];
    this.snapshotWrites = [];
    const { hardState, start, entries, checkpoint } = this.disk;
    this.applied = [...checkpoint.applied];
    this.machineMeta = checkpoint.meta;
    const recovered = { hardState, snapshot: start, entries: [...entries] };
    this.raft = new Raft(this.options.raft, restoreState(recovered, checkpoint.meta));
  }

  /** Makes the state machine durable and drops the log up to `index`. */
  compact(index: number): void {
    assert.ok(index <= this.lastApplied, `compaction at ${index}, applied up to ${this.lastApplied}`);
    this.disk.checkpoint = { meta: this.machineMeta, applied: [...this.applied] };
    if (index < this.raft.status().firstIndex) return;
    const start = this.raft.metaAt(logIndex(index));
    if (start.configuration.voters.length === 0) return;
    this.disk.start = start;
    this.disk.entries = this.disk.entries.filter((entry) => entry.index > index);
    this.raft.compact(logIndex(index));
  }

  readPiece({ to, offsetBytes }: SnapshotRead): void {
    if (offsetBytes === 0) {
      this.#outgoing.set(to, { meta: this.machineMeta, applied: [...this.applied] });
    }
    const machine = this.#outgoing.get(to);
    assert.ok(machine !== undefined, `no snapshot is being sent to ${to}`);
    const text = JSON.stringify(machine.applied);
    const end = Math.min(text.length, offsetBytes + this.options.pieceBytes);
    const data = latin1ToBytes(text.slice(offsetBytes, end));
    this.raft.snapshotPiece(to, machine.meta, offsetBytes, data, end === text.length);
  }

  storePiece({ meta, offsetBytes, data, done }: SnapshotWrite): void {
    if (offsetBytes === 0) this.#incoming = "";
    assert.equal(offsetBytes, this.#incoming.length, "a piece of a snapshot is missing");
    this.#incoming += data.latin1Slice();
    if (done) {
      assert.ok(meta.index > this.lastApplied, "a snapshot takes the state machine back");
      this.applied = JSON.parse(this.#incoming) as Applied[];
      this.machineMeta = meta;
      this.disk.checkpoint = { meta, applied: [...this.applied] };
    }
    this.raft.snapshotStored(meta, this.#incoming.length, done);
  }

  #take(ready: Ready): void {
    this.#events.onReady?.(ready);
    if (ready.roleChange !== undefined) this.#events.onRole(ready.roleChange);
    if (ready.append !== undefined) this.appends.push(ready.append);
    for (const message of ready.messages) this.#events.onMessage(message);
    this.#apply(ready.committed);
    for (const state of ready.readStates) this.#events.onReadState(state);
    this.snapshotReads.push(...ready.snapshotReads);
    this.snapshotWrites.push(...ready.snapshotWrites);
    this.finishDiskIfInstant();
  }

  finishDiskIfInstant(): void {
    if (this.options.isDiskInstant) this.finishDisk();
  }

  /** All appends, snapshot reads and writes asked for. */
  finishDisk(): void {
    while (this.appends.length > 0) this.writeNext();
    while (this.snapshotReads.length > 0) this.readPiece(this.snapshotReads.shift()!);
    while (this.snapshotWrites.length > 0) this.storePiece(this.snapshotWrites.shift()!);
  }

  #apply(entries: readonly Entry[]): void {
    for (const { index, term, kind, data } of entries) {
      assert.equal(index, this.lastApplied + 1, `${this.id} is to apply ${index} after ${this.lastApplied}`);
      const text = kind === "command" ? data.utf8Slice() : kind;
      this.machineMeta = this.raft.metaAt(index);
      this.applied.push({ index, term, text });
      this.#events.onApplied({ index, term, text });
    }
    if (entries.length > 0) this.raft.applied(this.lastApplied);
  }

  #persist({ hardState, entries, snapshot }: Append): void {
    const { disk } = this;
    if (hardState !== undefined) disk.hardState = hardState;
    if (snapshot !== undefined) {
      disk.start = snapshot;
      disk.entries = [];
    }
    if (entries.length === 0) return;
    const kept: number = entries[0].index - disk.start.index - 1;
    assert.ok(kept >= 0 && kept <= disk.entries.length, "an append leaves a gap in the log");
    disk.entries.length = kept;
    for (const entry of entries) disk.entries.push(entry);
  }
}

/** Of a replica of a new group with these voters, before anything has happened. */
export function freshState(voters: readonly ReplicaId[]): RestoredState {
  const configuration: Configuration = { voters, votersOutgoing: [], learners: [] };
  return {
    hardState: { term: term(0), vote: replicaId(0), commit: logIndex(0) },
    snapshot: { index: logIndex(0), term: term(0), configuration },
    entries: [],
    appliedIndex: logIndex(0),
  };
}

/** What arrives is what the codec makes of what was sent. */
export function throughCodec(message: Message): Message {
  return decodeMessage(concatBytes(encodeMessage(message)));
}
