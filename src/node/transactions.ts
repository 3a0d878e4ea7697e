/**
 * Writes over several partitions, all or nothing (Sinfonia's minitransactions; Aguilera et al., 2007).
 *
 * The coordinator reads, decides, and sends each partition its part: versions that must still hold, and the
 * writes to make. A partition that can do its part locks the keys, keeps the writes and votes yes, in its log.
 * The transaction is committed exactly when all partitions have voted yes; then each is told to carry it out.
 * A coordinator that dies leaves locks behind: any partition's leader then asks all others for their votes
 * (a partition that never voted votes no, for good) and finishes the transaction.
 *
 * This is one partition's share of that: locks, kept writes, votes. Replicated state.
 */
import type { ByteReader } from "../codec/byte-reader.js";
import type { ByteWriter } from "../codec/byte-writer.js";
import type { Args, CommandSpec, KeyPositions, ValueType } from "../commands/types.js";
import { type Bytes, copyBytes, type Key } from "../core/bytes.js";
import { type GroupId, groupId } from "../core/ids.js";
import type { NodeCommandSpec } from "./node-commands.js";

export type TransactionId = string;

export type StagedWrite =
  | { readonly action: "delete"; readonly key: Key }
  | {
      readonly action: "put";
      readonly key: Key;
      readonly type: ValueType;
      readonly expiresAtMs: number;
      readonly value: Bytes;
    };

export interface Prepared {
  readonly id: TransactionId;
  /** All groups that take part, this one included. */
  readonly participants: readonly GroupId[];
  readonly locked: readonly Key[];
  readonly writes: readonly StagedWrite[];
}

export type Decision = "committed" | "aborted";

/** Decisions are told to be forgotten by their coordinator; past this many, the oldest go. */
const DECISIONS_MAX = 65_536;

export class Transactions {
  readonly #locks = new Map<Key, TransactionId>();
  readonly #prepared = new Map<TransactionId, Prepared>();
  readonly #decided = new Map<TransactionId, Decision>();

  get isIdle(): boolean {
    return this.#locks.size === 0;
  }

  holderOf(key: Key): TransactionId | undefined {
    return this.#locks.get(key);
  }

  /** True when the command must not run now, because a transaction holds a key that it names. */
  blocks(spec: CommandSpec | NodeCommandSpec, args: Args): boolean {
    if (this.#locks.size === 0) return false;
    if ("apply" in spec && spec.ignoresLocks) return false;
    // A command over all keys of the partition.
    if (spec.keys.first === 0) return true;
    for (const position of keyArguments(spec.keys, args)) {
      if (this.#locks.has(args.key(position))) return true;
    }
    const inside = spec.keysInside?.(args) ?? [];
    for (let i = 0; i < inside.length; i += 2) {
      if (this.#locks.has(args.bytes.latin1Slice(inside[i], inside[i + 1]))) return true;
    }
    return false;
  }

  /** Votes yes: holds the keys until `decide`. The caller has checked that all of them are free. */
  prepare(transaction: Prepared): void {
    this.#prepared.set(transaction.id, transaction);
    for (const key of transaction.locked) this.#locks.set(key, transaction.id);
  }

  prepared(id: TransactionId): Prepared | undefined {
    return this.#prepared.get(id);
  }

  allPrepared(): IterableIterator<Prepared> {
    return this.#prepared.values();
  }

  decision(id: TransactionId): Decision | undefined {
    return this.#decided.get(id);
  }

  /** Ends a transaction here and releases its keys; returns what was prepared. */
  decide(id: TransactionId, decision: Decision): Prepared | undefined {
    const transaction = this.#prepared.get(id);
    if (transaction !== undefined) {
      this.#prepared.delete(id);
      for (const key of transaction.locked) this.#locks.delete(key);
    }
    this.#decided.set(id, decision);
    if (this.#decided.size > DECISIONS_MAX) {
      const [oldest] = this.#decided.keys();
      this.#decided.delete(oldest);
    }
    return transaction;
  }

  /** Every participant knows the decision: nobody will ask again. */
  forget(id: TransactionId): void {
    this.#decided.delete(id);
  }

  encode(writer: ByteWriter): void {
    writer.varint(this.#prepared.size);
    for (const transaction of this.#prepared.values()) {
      writer.latin1(transaction.id);
      writer.varint(transaction.participants.length);
      for (const group of transaction.participants) writer.varint(group);
      writer.varint(transaction.locked.length);
      for (const key of transaction.locked) writer.latin1(key);
      writer.varint(transaction.writes.length);
      for (const write of transaction.writes) encodeWrite(write, writer);
    }
    writer.varint(this.#decided.size);
    for (const [id, decision] of this.#decided) {
      writer.latin1(id);
      writer.u8(decision === "committed" ? 1 : 0);
    }
  }

  decode(reader: ByteReader): void {
    this.#locks.clear();
    this.#prepared.clear();
    this.#decided.clear();
    for (let left = reader.varint(); left > 0; left -= 1) {
      const id = reader.latin1();
      const participants = Array.from({ length: reader.varint() }, () => groupId(reader.varint()));
      const locked = Array.from({ length: reader.varint() }, () => reader.latin1());
      const writes = Array.from({ length: reader.varint() }, () => decodeWrite(reader));
      this.prepare({ id, participants, locked, writes });
    }
    for (let left = reader.varint(); left > 0; left -= 1) {
      const id = reader.latin1();
      this.#decided.set(id, reader.u8() === 1 ? "committed" : "aborted");
    }
  }
}

/** The arguments that are keys. */
export function keyArguments(keys: KeyPositions, args: Args): number[] {
  const positions: number[] = [];
  if (keys.first === 0) return positions;
  const last = keys.last < 0 ? args.count + keys.last : keys.last;
  for (let i = keys.first; i <= last; i += keys.step) positions.push(i);
  return positions;
}

export function encodeWrite(write: StagedWrite, writer: ByteWriter): void {
  writer.u8(write.action === "delete" ? 0 : write.type === "string" ? 1 : 2);
  writer.latin1(write.key);
  if (write.action === "delete") return;
  writer.f64(write.expiresAtMs);
  writer.blob(write.value);
}

export function decodeWrite(reader: ByteReader): StagedWrite {
  const action = reader.u8();
  const key = reader.latin1();
  if (action === 0) return { action: "delete", key };
  const expiresAtMs = reader.f64();
  const value = copyBytes(reader.blob());
  return { action: "put", key, type: action === 1 ? "string" : "json", expiresAtMs, value };
}
