/** A partition's state machine over a store in memory, fed with batches that a test writes down as words. */

import { DurableState, SimEngine, type SimStore, type StoredGroup } from "../../../sim/disk/durable.js";
import { SimProcess, World } from "../../../sim/world/world.js";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import type { Configuration, Entry } from "../../../src/codec/raft-types.js";
import { encodeCommand } from "../../../src/commands/encoding.js";
import { COMMANDS } from "../../../src/commands/table.js";
import type { Args } from "../../../src/commands/types.js";
import { type Bytes, copyBytes } from "../../../src/core/bytes.js";
import { groupId, logIndex, replicaId, term } from "../../../src/core/ids.js";
import { type BatchLevel, makeBatch, stampBatch, tagBatch } from "../../../src/node/batch.js";
import { MAP_CHANGE } from "../../../src/node/cluster-map.js";
import { makeArgs, NODE_COMMANDS } from "../../../src/node/node-commands.js";
import { type OpcodeLookup, PartitionMachine } from "../../../src/node/partition-machine.js";
import type { GroupStore } from "../../../src/ports/storage-engine.js";

export const GROUP = groupId(7);
export const VALUE_BYTES_MAX = 1 << 20;

export const CONFIGURATION: Configuration = { voters: [replicaId(1)], votersOutgoing: [], learners: [] };

const nodeCommands = new Map([...NODE_COMMANDS, MAP_CHANGE].map((spec) => [spec.opcode, spec]));

export const lookup: OpcodeLookup = (opcode) => nodeCommands.get(opcode) ?? COMMANDS.byOpcode(opcode);

/** A command by its words; a node's own goes by its name too. */
export type Words = readonly (string | Bytes)[];

function opcodeOf(name: string): number {
  const own = [...nodeCommands.values()].find((spec) => spec.name === name);
  const opcode = own?.opcode ?? COMMANDS.byName(name)?.opcode;
  if (opcode === undefined) throw new Error(`no command is named ${name}`);
  return opcode;
}

export function encodeWords(commands: readonly Words[]): Bytes {
  const writer = new ByteWriter();
  for (const words of commands) encodeCommand(writer, opcodeOf(String(words[0])), makeArgs(words));
  return copyBytes(writer.bytes, 0, writer.length);
}

export interface BatchSpec {
  readonly session: number;
  readonly sequence: number;
  readonly commands: readonly Words[];
  readonly acked?: number;
  readonly timeMs?: number;
  readonly level?: BatchLevel;
}

export function batchOf(spec: BatchSpec): Bytes {
  const commands = encodeWords(spec.commands);
  const batch = makeBatch(spec.level ?? "majority", commands, 0, commands.length);
  tagBatch(batch, spec.session, spec.sequence, spec.acked ?? 0);
  stampBatch(batch, spec.timeMs ?? 0);
  return batch;
}

export function commandEntry(index: number, data: Bytes): Entry {
  return { index: logIndex(index), term: term(1), kind: "command", data };
}

/** Takes no simulated time. */
class InstantEngine extends SimEngine {
  override async pause(): Promise<void> {
    await Promise.resolve();
  }
}

/** A store that starts with `content`, as after a restart or an installation. */
export async function newStore(content?: StoredGroup): Promise<SimStore> {
  const durable = new DurableState();
  if (content !== undefined) durable.stores.disk.set(GROUP, content);
  const engine = new InstantEngine("disk", durable, new SimProcess(new World(1), 0));
  return await engine.openGroup(GROUP);
}

export function machineOn(store: GroupStore, configuration = CONFIGURATION): PartitionMachine {
  return new PartitionMachine(store, configuration, VALUE_BYTES_MAX, lookup);
}

export async function newMachine(): Promise<PartitionMachine> {
  return machineOn(await newStore());
}

/** Applies `spec` as the machine's next entry. */
export function apply(machine: PartitionMachine, spec: BatchSpec): ReturnType<PartitionMachine["apply"]> {
  return machine.apply(commandEntry(machine.appliedIndex + 1, batchOf(spec)));
}

/** A read's arguments and specification. */
export function readOf(...words: readonly string[]): {
  args: Args;
  spec: NonNullable<ReturnType<typeof COMMANDS.byName>>;
} {
  const spec = COMMANDS.byName(words[0]);
  if (spec === undefined) throw new Error(`no command is named ${words[0]}`);
  return { args: makeArgs(words), spec };
}
