/** One replica of an eventual partition on a simulated disk, told what to do in words; and how it may die. */
import { plain } from "../../../sim/cluster/client.js";
import { DurableState, SimEngine, SimLog, type SimStore } from "../../../sim/disk/durable.js";
import { SimProcess, World } from "../../../sim/world/world.js";
import type { Entry } from "../../../src/codec/raft-types.js";
import type { Reply } from "../../../src/commands/reply.js";
import { runCommand } from "../../../src/commands/run.js";
import { COMMANDS } from "../../../src/commands/table.js";
import type { CommandSpec } from "../../../src/commands/types.js";
import { type Bytes, copyBytes } from "../../../src/core/bytes.js";
import { groupId, type ReplicaId } from "../../../src/core/ids.js";
import type { StorageLag } from "../../../src/node/checkpoints.js";
import { EventualReplica } from "../../../src/node/eventual/replica.js";
import { EventualReplicas } from "../../../src/node/eventual/replicas.js";
import { makeArgs } from "../../../src/node/node-commands.js";

export const GROUP = groupId(7);
export const EPOCH_MS = 1_700_000_000_000;

export interface Answer {
  readonly reply: unknown;
  readonly number: number;
}

export interface LoneOptions {
  readonly isFounder?: boolean;
  readonly hintsMax?: number;
  /** Of its clock. */
  readonly aheadMs?: number;
  readonly durable?: DurableState;
}

export class LoneEventual {
  readonly world: World;
  readonly self: ReplicaId;
  readonly durable: DurableState;
  /** Own batches as they were told to the links, in order. */
  readonly written: { readonly batch: Bytes; readonly after: number; readonly upTo: number }[] = [];
  lag: StorageLag = "none";
  isTimeSure = true;
  /** Replicas that are of the group no more. */
  readonly gone = new Set<ReplicaId>();
  replicas!: EventualReplicas;
  replica!: EventualReplica;
  store!: SimStore;
  engine!: SimEngine;
  readonly #options: LoneOptions;
  #process!: SimProcess;
  #log!: SimLog;
  /** Every entry that was ever durable. */
  readonly #history: Entry[] = [];

  constructor(world: World, self: ReplicaId, options: LoneOptions = {}) {
    this.world = world;
    this.self = self;
    this.durable = options.durable ?? new DurableState();
    this.#options = options;
  }

  get nowMs(): number {
    return EPOCH_MS + Math.floor(this.world.nowMs) + (this.#options.aheadMs ?? 0);
  }

  /** Starts with what the disk holds. */
  async start(): Promise<this> {
    const process = new SimProcess(this.world, 0);
    this.#process = process;
    this.engine = new SimEngine("disk", this.durable, process);
    this.#log = new SimLog(this.durable, process, this.world);
    this.store = await this.engine.openGroup(GROUP);
    this.replicas = new EventualReplicas({
      log: this.#log,
      hintsMax: this.#options.hintsMax ?? 1_000,
      events: {
        onWritten: (_replica, batch, after, upTo) => this.written.push({ batch, after, upTo }),
      },
      nowMs: () => this.nowMs,
      isTimeSure: () => this.isTimeSure,
      isCurrent: (_group, replica) => !this.gone.has(replica),
      storageLag: () => this.lag,
      scheduleTurn: () => process.later(0, () => this.#turn()),
    });
    this.replica = this.replicas.open({
      group: GROUP,
      self: this.self,
      isFounder: this.#options.isFounder ?? true,
      store: this.store,
      recovered: this.durable.recovered().get(GROUP),
      valueBytesMax: 1_000,
    });
    return this;
  }

  /** The process dies at once. */
  crash(): void {
    this.#note();
    this.#process.isAlive = false;
  }

  /** Lets so much time pass. */
  async pass(timeMs = 50): Promise<void> {
    await this.world.run(timeMs, () => false);
    this.#note();
  }

  /** Asks for a write; the answer is in what is returned once it has come. */
  write(...words: readonly (string | Bytes)[]): { answer: Answer | undefined } {
    const result: { answer: Answer | undefined } = { answer: undefined };
    this.replica.write(specOf(words), makeArgs(words), (reply, number) => {
      result.answer = { reply: plain(reply), number };
    });
    return result;
  }

  /** Writes and waits for the answer. */
  async run(...words: readonly (string | Bytes)[]): Promise<unknown> {
    const result = this.write(...words);
    await this.pass();
    return result.answer?.reply;
  }

  read(...words: readonly (string | Bytes)[]): unknown {
    const reply: Reply = runCommand(specOf(words), this.replica.viewAt(this.nowMs), makeArgs(words));
    return plain(reply);
  }

  /** Resolves when a checkpoint has been made and the log been shortened. */
  async checkpointed(): Promise<void> {
    const done = this.checkpoint();
    await this.pass();
    await done;
    await this.pass();
  }

  /** As the node does after a while; goes on as time passes. */
  async checkpoint(): Promise<void> {
    const { replica, engine } = this;
    await engine.checkpoint();
    if (!this.#process.isAlive) return;
    // Before the log lets go of entries.
    this.#note();
    replica.onCheckpointed();
    this.#log.flush();
  }

  /** All entries that were ever durable, in order. */
  get history(): readonly Entry[] {
    this.#note();
    return this.#history;
  }

  #turn(): void {
    this.replicas.flush();
    this.#log.flush();
  }

  #note(): void {
    for (const entry of this.durable.log.get(GROUP)?.entries ?? []) {
      if (entry.index === this.#history.length + 1)
        this.#history.push({ ...entry, data: copyBytes(entry.data) });
    }
  }
}

export function specOf(words: readonly (string | Bytes)[]): CommandSpec {
  const spec = COMMANDS.byName(String(words[0]));
  if (spec === undefined) throw new Error(`no command is named ${String(words[0])}`);
  return spec;
}

/** The records of a store as text: key, then the record's bytes. */
export function recordsOf(store: Pick<SimStore, "range">): Map<string, string> {
  return new Map(
    [...store.range("data")].map(([key, { bytes, start, end }]) => [key, bytes.latin1Slice(start, end)]),
  );
}
