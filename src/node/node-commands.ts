/**
 * What nodes write into a partition's log for themselves: replicated expiry, repeat-proof client commands, and
 * the steps of transactions. They need more of the state machine than a view of the data.
 */
import { ByteReader } from "../codec/byte-reader.js";
import { ByteWriter } from "../codec/byte-writer.js";
import { checkPassedOn } from "../commands/check.js";
import { OK, type Reply, Slice } from "../commands/reply.js";
import { runCommand } from "../commands/run.js";
import { COMMANDS } from "../commands/table.js";
import { Args, type Entry, type KeyPositions } from "../commands/types.js";
import { type Bytes, EMPTY_BYTES, type Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { type GroupId, groupId } from "../core/ids.js";
import type { PartitionMachine } from "./partition-machine.js";
import { retainReply } from "./retain-reply.js";
import { decodeWrite, encodeWrite, type StagedWrite, type TransactionId } from "./transactions.js";

export interface NodeCommandSpec {
  readonly name: string;
  /** In the log: never changed, never used again. Numbers from 200 on are these. */
  readonly opcode: number;
  /** As Redis counts: the name included; negative for at least so many. */
  readonly arity: number;
  readonly keys: KeyPositions;
  /** As `CommandSpec.keysInside`. */
  readonly keysInside?: (args: Args) => readonly number[];
  /** Runs whatever transactions hold. */
  readonly ignoresLocks: boolean;
  /** Throws `MinikeyError` for arguments that `apply` takes for granted to be otherwise. */
  readonly check?: (args: Args) => void;
  /** What it throws as `MinikeyError` is its reply, and it has then changed nothing. */
  apply(machine: PartitionMachine, args: Args): Reply;
}

const NO_KEYS: KeyPositions = { first: 0, last: 0, step: 0 };

/** `PURGE key`: removes a key whose time has come; 1 when it did. A locked key is left for the next round. */
export const PURGE: NodeCommandSpec = {
  name: "PURGE",
  opcode: 200,
  arity: 2,
  keys: { first: 1, last: 1, step: 1 },
  ignoresLocks: true,
  apply(machine, args) {
    const key = args.key(1);
    if (machine.transactions.holderOf(key) !== undefined) return 0;
    return machine.view.purge(key) ? 1 : 0;
  },
};

const ONCE_PREFIX_ARGS = 3;

/** `ONCE client number command …`: a write that a client may send again; a repeat gets the first reply. */
export const ONCE: NodeCommandSpec = {
  name: "ONCE",
  opcode: 201,
  arity: -5,
  keys: { first: ONCE_PREFIX_ARGS + 1, last: ONCE_PREFIX_ARGS + 1, step: 1 },
  keysInside(args) {
    const inner = innerArgs(args);
    return COMMANDS.lookup(inner.bytes, inner.start(0), inner.end(0))?.keysInside?.(inner) ?? [];
  },
  ignoresLocks: false,
  check(args) {
    const inner = innerArgs(args);
    const spec = COMMANDS.lookup(inner.bytes, inner.start(0), inner.end(0));
    if (spec?.access !== "write" || spec.run === undefined) {
      throw new MinikeyError("SYNTAX", "ONCE takes a session, a number and a write on one key");
    }
    onceNumber(args);
    checkPassedOn(spec, inner);
  },
  apply(machine, args) {
    const client = args.key(1);
    const sequence = onceNumber(args);
    const repeat = machine.sessions.repeatOf(client, sequence);
    if (repeat === "forgotten") {
      return new MinikeyError(
        "OUTCOME_UNKNOWN",
        `command ${sequence} of session ${client} is too old to be told from a repeat`,
      );
    }
    if (repeat !== undefined) return repeat.reply;
    const forgotten = machine.sessions.forgottenWith(client);
    if (forgotten !== undefined) {
      return new MinikeyError(
        "SESSION_FORGOTTEN",
        `session ${client} is not known, and sessions opened up to second ${forgotten} were forgotten`,
      );
    }
    if (machine.sessions.isAhead(client, machine.timeMs)) {
      return new MinikeyError(
        "BAD_REQUEST",
        `session ${client} says that it is opened in more than a year from now: its first part is a time in seconds`,
      );
    }
    const inner = innerArgs(args);
    const spec = COMMANDS.byName(inner.text(0));
    if (spec?.run === undefined) {
      return new MinikeyError("UNKNOWN_COMMAND", `unknown command '${inner.text(0)}'`);
    }
    const reply = retainReply(runCommand(spec, machine.view, inner));
    machine.sessions.remember(client, sequence, reply);
    return reply;
  },
};

/** Throws `SYNTAX` for what the sessions could not keep. */
function onceNumber(args: Args): number {
  const sequence = Number(args.key(2));
  if (Number.isSafeInteger(sequence) && sequence >= 0) return sequence;
  throw new MinikeyError("SYNTAX", "ONCE: the number is none");
}

/** The command inside a `ONCE`. */
export function innerArgs(args: Args): Args {
  const inner = new Args(args.bytes);
  for (let i = ONCE_PREFIX_ARGS; i < args.count; i += 1) inner.push(args.start(i), args.end(i));
  return inner;
}

/** `once` with another command inside; in memory of its own. */
export function onceOf(once: Args, inner: Args): Args {
  const parts: Bytes[] = [];
  for (let i = 0; i < ONCE_PREFIX_ARGS; i += 1) parts.push(once.bytes.subarray(once.start(i), once.end(i)));
  for (let i = 0; i < inner.count; i += 1) parts.push(inner.bytes.subarray(inner.start(i), inner.end(i)));
  return makeArgs(parts);
}

/** One partition's part of a transaction, as `TXN.PREPARE` carries it. */
export interface PreparePart {
  readonly participants: readonly GroupId[];
  /** Keys to hold, and the version that each must have (0: absent; −1: any). */
  readonly checks: readonly { readonly key: Key; readonly version: number }[];
  readonly writes: readonly StagedWrite[];
  /** The vote is to come with the keys' entries, as of now, for a read of one moment. */
  readonly wantsValues: boolean;
}

export function encodePreparePart(part: PreparePart): Bytes {
  const writer = new ByteWriter();
  writer.varint(part.participants.length);
  for (const group of part.participants) writer.varint(group);
  writer.varint(part.checks.length);
  for (const check of part.checks) {
    writer.latin1(check.key);
    writer.varint(check.version + 1);
  }
  writer.varint(part.writes.length);
  for (const write of part.writes) encodeWrite(write, writer);
  writer.u8(part.wantsValues ? 1 : 0);
  return writer.toBytes();
}

function decodePreparePart(bytes: Bytes): PreparePart {
  const reader = new ByteReader(bytes, "transaction");
  const participants = reader.list(() => groupId(reader.varint()));
  const checks = reader.list(() => ({ key: reader.latin1(), version: reader.varint() - 1 }));
  const writes = reader.list(decodeWrite);
  return { participants, checks, writes, wantsValues: reader.u8() === 1 };
}

/**
 * `FENCED`: not prepared, as nothing more of this generation is. `FULL`: too many wait to be confirmed. `FORGOTTEN`:
 * not voted for, or committed and confirmed by everyone; this partition cannot tell which.
 */
export type Vote =
  | "PREPARED"
  | "LOCKED"
  | "CONFLICT"
  | "FENCED"
  | "FULL"
  | "ABORTED"
  | "COMMITTED"
  | "FORGOTTEN";

/** `TXN.PREPARE id part`: locks and keeps, or says why not; `FENCED` comes with the generation up to which. */
export const TXN_PREPARE: NodeCommandSpec = {
  name: "TXN.PREPARE",
  opcode: 202,
  arity: 3,
  keys: NO_KEYS,
  ignoresLocks: true,
  apply(machine, args): Reply {
    const { transactions, view } = machine;
    const id: TransactionId = args.key(1);
    if (transactions.prepared(id) !== undefined) return "PREPARED";
    if (transactions.isCommitted(id)) return "COMMITTED";
    const fence = transactions.fenceOf(id);
    if (fence !== undefined) return ["FENCED", fence];
    if (transactions.isFull) return "FULL";
    const part = decodePreparePart(args.bytes.subarray(args.start(2), args.end(2)));
    const locked = part.checks.map((check) => check.key);
    if (locked.some((key) => transactions.holderOf(key) !== undefined)) return "LOCKED";
    for (const { key, version } of part.checks) {
      if (version !== -1 && (view.get(key)?.version ?? 0) !== version) return "CONFLICT";
    }
    transactions.prepare({ id, participants: part.participants, locked, writes: part.writes });
    if (!part.wantsValues) return "PREPARED";
    return ["PREPARED", ...locked.map((key) => entryReply(view.get(key)))];
  },
};

/** As `KV.GET` answers, with memory of its own. */
function entryReply(entry: Entry | undefined): Reply {
  if (entry === undefined) return null;
  const value = retainReply(new Slice(entry.bytes, entry.start, entry.end));
  return [entry.type, entry.version, entry.expiresAtMs, value];
}

/** `TXN.COMMIT id`: carries out what was prepared; harmless when it was already. */
export const TXN_COMMIT: NodeCommandSpec = {
  name: "TXN.COMMIT",
  opcode: 203,
  arity: 2,
  keys: NO_KEYS,
  ignoresLocks: true,
  apply(machine, args) {
    for (const write of machine.transactions.commit(args.key(1))) applyWrite(machine, write);
    return OK;
  },
};

function applyWrite(machine: PartitionMachine, write: StagedWrite): void {
  if (write.action === "delete") machine.view.delete(write.key);
  else machine.view.set(write.key, write.type, write.value, 0, write.value.length, write.expiresAtMs);
}

/** `TXN.ABORT id`: releases the keys. */
export const TXN_ABORT: NodeCommandSpec = {
  name: "TXN.ABORT",
  opcode: 204,
  arity: 2,
  keys: NO_KEYS,
  ignoresLocks: true,
  apply(machine, args) {
    machine.transactions.abort(args.key(1));
    return OK;
  },
};

/** `TXN.VOTE id`: for finishing what a coordinator left: a partition that has not voted votes no for good. */
export const TXN_VOTE: NodeCommandSpec = {
  name: "TXN.VOTE",
  opcode: 205,
  arity: 2,
  keys: NO_KEYS,
  ignoresLocks: true,
  apply(machine, args): Vote {
    const id = args.key(1);
    const { transactions } = machine;
    if (transactions.prepared(id) !== undefined) return "PREPARED";
    if (transactions.isCommitted(id)) return "COMMITTED";
    if (transactions.fenceOf(id) !== undefined) return "FORGOTTEN";
    transactions.fence(id);
    return "ABORTED";
  },
};

/**
 * `TXN.FORGET id [FENCE]`: every participant has confirmed the commit. With `FENCE` when that was found out by
 * another than the coordinator, who may ask yet, and must not be told that it was never voted for.
 */
export const TXN_FORGET: NodeCommandSpec = {
  name: "TXN.FORGET",
  opcode: 206,
  arity: -2,
  keys: NO_KEYS,
  ignoresLocks: true,
  apply(machine, args) {
    if (args.count > 2) machine.transactions.fence(args.key(1));
    machine.transactions.forget(args.key(1));
    return OK;
  },
};

export const NODE_COMMANDS: readonly NodeCommandSpec[] = [
  PURGE,
  ONCE,
  TXN_PREPARE,
  TXN_COMMIT,
  TXN_ABORT,
  TXN_VOTE,
  TXN_FORGET,
];

/** An `Args` over freshly made bytes, for commands that a node gives itself. */
export function makeArgs(parts: readonly (string | Bytes)[]): Args {
  const writer = new ByteWriter(64);
  const args = new Args(EMPTY_BYTES);
  for (const part of parts) {
    const sizeBytes = part.length;
    const at = writer.reserve(sizeBytes);
    if (typeof part === "string") writer.bytes.latin1Write(part, at, sizeBytes);
    else part.copy(writer.bytes, at);
    args.push(at, at + sizeBytes);
  }
  args.bytes = writer.toBytes();
  return args;
}
