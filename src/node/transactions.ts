/**
 * Writes over several partitions, all or nothing (Sinfonia's minitransactions; Aguilera et al., 2007).
 *
 * The coordinator reads, decides, and sends each partition its part: versions that must still hold, and the
 * writes to make. A partition that can do its part locks the keys, keeps the writes and votes yes, in its log.
 * The transaction is committed exactly when all partitions have voted yes; then each is told to carry it out.
 * A coordinator that dies leaves locks behind: any partition's leader then asks all others for their votes
 * (a partition that never voted votes no, for good) and finishes the transaction.
 *
 * This is one partition's share of that: locks, kept writes, votes. Replicated state. What it remembers, and how
 * long, so that no late message can have a transaction done here and undone there, without trust in any clock:
 *
 * - A commit, until every participant has confirmed it: then no one holds the transaction, and no one asks.
 *   Commits that are not confirmed are bounded by refusing new transactions, not by forgetting.
 * - Of aborts, nothing. Who votes no for good, or forgets a commit in the place of its coordinator, *fences* that
 *   coordinator's generation instead: no transaction of it, or of an earlier one, is prepared here again. A
 *   coordinator that lives goes on in a new generation. That is one number a node, however much is aborted.
 */
import type { ByteReader } from "../codec/byte-reader.js";
import type { ByteWriter } from "../codec/byte-writer.js";
import type { Args, CommandSpec, KeyPositions, ValueType } from "../commands/types.js";
import { type Bytes, copyBytes, type Key } from "../core/bytes.js";
import { type GroupId, groupId, type NodeId } from "../core/ids.js";
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

/** Prepared, or committed and not confirmed by all participants: past this many, no more are prepared. */
const OPEN_MAX = 16_384;

/** Who coordinates a transaction: a node, and how often it has had to begin anew. */
interface Coordinator {
  readonly name: string;
  readonly generation: number;
}

/** `node.generation.random`; of another form: a coordinator of its own. */
export function newTransactionId(node: NodeId, generation: number, random: number): TransactionId {
  return `${node}.${generation}.${random.toString(36)}`;
}

function coordinatorOf(id: TransactionId): Coordinator {
  const match = /^(.*)\.([0-9]{1,14})\.[0-9a-z]+$/s.exec(id);
  return match === null ? { name: id, generation: 0 } : { name: match[1], generation: Number(match[2]) };
}

export class Transactions {
  readonly #locks = new Map<Key, TransactionId>();
  readonly #prepared = new Map<TransactionId, Prepared>();
  /** Committed here, and perhaps not known to all participants. */
  readonly #committed = new Map<TransactionId, readonly GroupId[]>();
  /** By node: the latest generation of which nothing more is prepared. */
  readonly #fences = new Map<string, number>();

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

  /** Votes yes: holds the keys until the end. The caller has checked that all of them are free. */
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

  /** No room for more: somewhere participants cannot be reached that commits wait for. */
  get isFull(): boolean {
    return this.#prepared.size + this.#committed.size >= OPEN_MAX;
  }

  isCommitted(id: TransactionId): boolean {
    return this.#committed.has(id);
  }

  /** Those that not all participants are known to have confirmed, and who they are. */
  allCommitted(): IterableIterator<[TransactionId, readonly GroupId[]]> {
    return this.#committed.entries();
  }

  /** Releases the keys and remembers the commit; returns the writes to make, none when it is done already. */
  commit(id: TransactionId): readonly StagedWrite[] {
    const transaction = this.#release(id);
    // Told to commit without having voted, or since having forgotten: every participant has confirmed.
    if (transaction === undefined) return [];
    this.#committed.set(id, transaction.participants);
    return transaction.writes;
  }

  /** Releases the keys. A commit stays one. */
  abort(id: TransactionId): void {
    this.#release(id);
  }

  #release(id: TransactionId): Prepared | undefined {
    const transaction = this.#prepared.get(id);
    if (transaction === undefined) return undefined;
    this.#prepared.delete(id);
    for (const key of transaction.locked) this.#locks.delete(key);
    return transaction;
  }

  /** Every participant has the commit: nobody will ask again. */
  forget(id: TransactionId): void {
    this.#committed.delete(id);
  }

  /** The generation up to which nothing of the transaction's coordinator is prepared; undefined when it may be. */
  fenceOf(id: TransactionId): number | undefined {
    const { name, generation } = coordinatorOf(id);
    const fence = this.#fences.get(name);
    return fence === undefined || fence < generation ? undefined : fence;
  }

  /** From now on nothing is prepared of the transaction's coordinator up to this generation. */
  fence(id: TransactionId): void {
    const { name, generation } = coordinatorOf(id);
    const fence = this.#fences.get(name);
    if (fence === undefined || fence < generation) this.#fences.set(name, generation);
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
    writer.varint(this.#committed.size);
    for (const [id, participants] of this.#committed) {
      writer.latin1(id);
      writer.varint(participants.length);
      for (const group of participants) writer.varint(group);
    }
    writer.varint(this.#fences.size);
    for (const [name, generation] of this.#fences) {
      writer.latin1(name);
      writer.u48(generation);
    }
  }

  decode(reader: ByteReader): void {
    this.#locks.clear();
    this.#prepared.clear();
    this.#committed.clear();
    this.#fences.clear();
    for (let left = reader.varint(); left > 0; left -= 1) {
      const id = reader.latin1();
      const participants = reader.list(() => groupId(reader.varint()));
      const locked = reader.list(() => reader.latin1());
      const writes = reader.list(decodeWrite);
      this.prepare({ id, participants, locked, writes });
    }
    for (let left = reader.varint(); left > 0; left -= 1) {
      const id = reader.latin1();
      this.#committed.set(
        id,
        reader.list(() => groupId(reader.varint())),
      );
    }
    for (let left = reader.varint(); left > 0; left -= 1) {
      const name = reader.latin1();
      this.#fences.set(name, reader.u48());
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
