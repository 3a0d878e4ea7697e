/** What a node finds out about a command before it sends it anywhere. */
import { checkCommand, type Limits } from "../commands/check.js";
import { eventualRefusal } from "../commands/eventual.js";
import { commonPartition, keyIndexes, type PartitionOf } from "../commands/plan.js";
import { COMMANDS } from "../commands/table.js";
import type { Args, CommandSpec } from "../commands/types.js";
import { MinikeyError } from "../core/errors.js";
import { slotOfBytes } from "../sharding/slots.js";
import type { CommandKind } from "./context-order.js";
import type { Route } from "./coordinator.js";
import { innerArgs, ONCE, onceOf } from "./node-commands.js";

/** The partition that carries the command out, or −1 when several do, or the node from what they say. */
export function partitionFor(spec: CommandSpec, args: Args, route: Route): number {
  return spec.keys.first === 0 || spec.spread === "query"
    ? -1
    : commonPartition(spec, args, route.partitionOf);
}

/** How the command counts in the order of its context. */
export function kindOf(spec: CommandSpec, partition: number): CommandKind {
  if (partition === -1 && (spec.spread === "transaction" || spec.spread === "all")) return "alone";
  return spec.access === "write" ? "write" : "read";
}

/**
 * The command as it is carried out, which may be `args` themselves. Throws `MinikeyError` for what can be told to be
 * wrong without the data.
 */
export function admit(spec: CommandSpec, args: Args, limits: Limits, partitionOf: PartitionOf): Args {
  const admitted = checkCommand(spec, args, limits);
  checkKeysInside(spec, admitted, partitionOf);
  return spec.opcode === ONCE.opcode ? admitOnce(admitted, limits, partitionOf) : admitted;
}

/** What names one partition writes to no other: nobody would find it there. */
export function checkKeysInside(spec: CommandSpec, args: Args, partitionOf: PartitionOf): void {
  if (spec.keysInside === undefined) return;
  const partition = commonPartition(spec, args, partitionOf);
  const positions = spec.keysInside(args);
  for (let i = 0; i < positions.length; i += 2) {
    if (partitionOf(slotOfBytes(args.bytes, positions[i], positions[i + 1])) !== partition) {
      throw new MinikeyError("BAD_REQUEST", "the records lie in several partitions");
    }
  }
}

/** Why a command that was admitted cannot be kept in the route's keyspace, which is eventual. */
export function refusedEventually(spec: CommandSpec, args: Args, route: Route): MinikeyError | undefined {
  const { name } = route.keyspace;
  if (spec.opcode !== ONCE.opcode) return eventualRefusal(spec, args, name);
  const inner = innerArgs(args);
  const innerSpec = COMMANDS.lookup(inner.bytes, inner.start(0), inner.end(0));
  return innerSpec && eventualRefusal(innerSpec, inner, name);
}

/** `ONCE session number command …`: the command is checked as if it came alone. */
function admitOnce(args: Args, limits: Limits, partitionOf: PartitionOf): Args {
  const inner = innerArgs(args);
  const spec = COMMANDS.lookup(inner.bytes, inner.start(0), inner.end(0));
  const isNumber = /^[0-9]{1,15}$/.test(args.text(2));
  const isUsable = spec?.access === "write" && spec.opcode !== ONCE.opcode;
  if (!isNumber || !isUsable || keyIndexes(spec, inner).length !== 1) {
    throw new MinikeyError("SYNTAX", "ONCE takes a session, a number and a write on one key");
  }
  const admitted = checkCommand(spec, inner, limits);
  checkKeysInside(spec, admitted, partitionOf);
  return admitted === inner ? args : onceOf(args, admitted);
}
