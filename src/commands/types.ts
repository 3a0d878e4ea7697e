/**
 * A command is one table entry: its name, arity, keys, flags, and a function over a view of one partition.
 * RESP, HTTP, shell and library all come from the table (as in Valkey's `commands/*.json`).
 */
import { type Bytes, copyBytes, type Key } from "../core/bytes.js";
import type { Int64 } from "../core/int64.js";
import type { Found } from "../document/found.js";
import type { Meanings } from "../document/meanings.js";
import type { PathList } from "../document/path-list.js";
import type { Limits } from "./check.js";
import type { Reply } from "./reply.js";

/** `json` values are documents in compact UTF-8 JSON; `string` values are bytes. */
export type ValueType = "string" | "json";

/** A key's value as the state machine keeps it. The value is `bytes[start, end)`: never change it. */
export interface Entry {
  readonly type: ValueType;
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
  /** Milliseconds since 1970 at which the key is gone; 0 for never. */
  readonly expiresAtMs: number;
  /** Grows with every write in the partition; never used twice for a key, not even after a delete. */
  readonly version: number;
}

/**
 * One partition of one keyspace at one moment. Expired keys are absent. Reads see the writes of the same
 * command. A command with several keys in one partition sees and changes all of them at once.
 */
export interface KeyValueView {
  /** The command's time in milliseconds since 1970: fixed by the leader, the same on every replica. */
  readonly nowMs: number;
  /** The longest value allowed, part of the keyspace's rules: the same on every replica. */
  readonly valueBytesMax: number;
  get(key: Key): Entry | undefined;
  has(key: Key): boolean;
  /** Stores `bytes[start, end)`, which the view keeps; returns the new version. */
  set(key: Key, type: ValueType, bytes: Bytes, start: number, end: number, expiresAtMs: number): number;
  /** Changes the expiry alone; the key exists. */
  setExpiry(key: Key, expiresAtMs: number): number;
  delete(key: Key): boolean;
  /**
   * Where additions of several replicas are to be merged (docs/adr/0014): adds to the integer that the key holds, or to
   * 0 when it is not there. That there is no other value, and that the sum is within 64 bits, the caller has made sure.
   * Absent where the value is all that there is: the sum is set.
   */
  increment?(key: Key, by: Int64): void;
  /** Removes a key whose expiry has come, which the other methods no longer show; false when there is none. */
  purge(key: Key): boolean;
  clear(): void;
  /** Keys of the partition, expired ones included. */
  count(): number;
  /** Keys in byte order after `after` (exclusive, when given), with this prefix; touches only what it yields. */
  keys(options: { after?: Key | undefined; prefix?: Key | undefined }): IterableIterator<Key>;
}

/** A command's arguments: positions in a buffer that belongs to somebody else and may change after the call. */
export class Args {
  bytes: Bytes;
  /** Start and end of argument i at `2i` and `2i + 1`. */
  readonly offsets: number[] = [];
  count = 0;

  constructor(bytes: Bytes) {
    this.bytes = bytes;
  }

  reset(bytes: Bytes): void {
    this.bytes = bytes;
    this.count = 0;
  }

  push(start: number, end: number): void {
    this.offsets[2 * this.count] = start;
    this.offsets[2 * this.count + 1] = end;
    this.count += 1;
  }

  start(i: number): number {
    return this.offsets[2 * i];
  }

  end(i: number): number {
    return this.offsets[2 * i + 1];
  }

  lengthBytes(i: number): number {
    return this.offsets[2 * i + 1] - this.offsets[2 * i];
  }

  /** Bytes of all arguments. */
  get bytesUsed(): number {
    let sizeBytes = 0;
    for (let i = 0; i < this.count; i += 1) sizeBytes += this.lengthBytes(i);
    return sizeBytes;
  }

  /** Argument i, one character a byte. */
  key(i: number): Key {
    return this.bytes.latin1Slice(this.offsets[2 * i], this.offsets[2 * i + 1]);
  }

  /** Argument i as UTF-8 text. */
  text(i: number): string {
    return this.bytes.utf8Slice(this.offsets[2 * i], this.offsets[2 * i + 1]);
  }
}

/** The same arguments in memory of their own. */
export function copyArgs(args: Args): Args {
  const start =
    args.count === 0 ? 0 : Math.min(...Array.from({ length: args.count }, (_, i) => args.start(i)));
  const end = args.count === 0 ? 0 : Math.max(...Array.from({ length: args.count }, (_, i) => args.end(i)));
  const copy = new Args(copyBytes(args.bytes, start, end));
  for (let i = 0; i < args.count; i += 1) copy.push(args.start(i) - start, args.end(i) - start);
  return copy;
}

/**
 * Where the keys are, as Redis's `COMMAND` reports it: `first` and `last` count arguments (the name is 0), a
 * negative `last` counts from the end, `step` is the distance. `first` 0: no keys.
 */
export interface KeyPositions {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/**
 * How a command whose keys lie in several partitions is carried out.
 * `single`: exactly one key. `sum`: split by partition, integer replies added up (DEL). `gather`: split, one
 * reply a key put back in order, all from one moment (MGET). `transaction`: all partitions or none (MSET,
 * RENAME). `query`: looks at places in the values of some keys, all at one moment, and answers from what it finds
 * (QUERY). `all-sum`: asked of every partition, added up (DBSIZE). `all`: the node drives it (SCAN, KEYS).
 * `local`: answered by the node or the connection without the data (PING).
 */
export type Spread = "single" | "sum" | "gather" | "transaction" | "query" | "all-sum" | "all" | "local";

/** What cannot be promised in an eventual keyspace, as an error's text begins with it, and why. */
export interface NotKept {
  readonly what: string;
  readonly why: string;
}

/**
 * How a command is carried out in an eventual keyspace (docs/adr/0014). `as is`: on what the replica has that is asked.
 * `each key`: so is each of its keys by itself, and some may be done when others cannot be. A function says what of
 * the command cannot be kept, for arguments that have passed its check; undefined: it is carried out as is.
 */
export type EventualRule = "as is" | "each key" | ((args: Args) => NotKept | undefined);

export interface CommandSpec {
  /** Upper case; `CLIENT` has its subcommands inside. */
  readonly name: string;
  /** In the log: never changed, never used again for another command. 0 for commands that are never logged. */
  readonly opcode: number;
  /** As Redis: n exactly n arguments with the name; −n at least n. */
  readonly arity: number;
  readonly keys: KeyPositions;
  /**
   * Keys that lie inside an argument and are written beside those of `keys`, in the same partition: their starts
   * and ends in `args.bytes`, in turns. Absent when every key is an argument.
   */
  readonly keysInside: ((args: Args) => readonly number[]) | undefined;
  readonly spread: Spread;
  /** `write`: replicated. `read`: needs no log entry. `none`: `local`. */
  readonly access: "write" | "read" | "none";
  readonly eventual: EventualRule;
  /** Redis's flags and categories, for `COMMAND`: `fast`, `denyoom`, `@string` … */
  readonly flags: readonly string[];
  readonly categories: readonly string[];
  readonly group: "string" | "generic" | "connection" | "server" | "cluster" | "json" | "minikey";
  readonly summary: string;
  /** Not listed, not accepted from RESP clients: the node's own. */
  readonly internal: boolean;
  /**
   * Checks what can be checked without the data, on the node that received the command: throws `MinikeyError`
   * (`SYNTAX`, `NOT_AN_INTEGER`, `OUT_OF_RANGE` …) with Redis's text, and nothing is replicated.
   */
  readonly check: ((args: Args) => void) | undefined;
  /**
   * Instead of `check`, for a command that is carried out in another form than clients may send it: checks it, and
   * gives it in that form, the same `args` when they have it. `run` and `plan` get no other form and trust it: what is
   * costly to find out is found out by one node, not by every replica.
   */
  readonly prepare: ((args: Args) => Args) | undefined;
  /**
   * Carries the command out on one partition. Deterministic. May throw `MinikeyError`; then it has changed
   * nothing. For `local` and `all`: absent.
   */
  readonly run: ((view: KeyValueView, args: Args) => Reply) | undefined;
  /** For `transaction`: the command as reads, a decision and writes, for keys in several partitions. */
  readonly plan: ((args: Args, limits: Limits) => TransactionPlan) | undefined;
  /**
   * For `query`: adds the paths that the command looks at, and tells what to answer. Called after `check`, which it
   * may rely on. When it throws, some paths may have been added.
   */
  readonly query: ((args: Args, paths: PathList) => QueryPlan) | undefined;
}

/** A place: in the value of `key`, the field that `path` leads to, or the whole value when `path` is empty. */
export interface Lookup {
  readonly key: Key;
  readonly path: readonly string[];
}

/** What a lookup came upon in a key that exists. `bytes` stay as they are while the plan answers, no longer. */
export interface Looked {
  /** Of the key's value: a field of a document is of type `json`, too. */
  readonly type: ValueType;
  readonly version: number;
  readonly expiresAtMs: number;
  /** Positions in `bytes`. Bytes that are no document are a text, as far as paths go. */
  readonly found: Found;
  readonly bytes: Bytes;
}

/** What a path was found to mean: `meaning` counts its keys, and that is the first of them that exists. */
export interface Resolved extends Looked {
  readonly meaning: number;
}

/** The paths of one command, in the order in which it has added them. */
export interface AskedPaths {
  meaningsAt(i: number): Meanings;
}

/**
 * What a command that looks at several places at one moment makes of what is there. Refers to nothing of the
 * arguments; one may serve many commands.
 */
export interface QueryPlan {
  /** Gets one result a path, in order; undefined: none of its keys exists. May throw `MinikeyError`. */
  answer(results: readonly (Resolved | undefined)[], paths: AskedPaths): Reply;
}

/** One change to one key. A put keeps its `bytes`, as `KeyValueView.set` does. */
export type Mutation =
  | {
      readonly kind: "put";
      readonly key: Key;
      readonly type: ValueType;
      readonly bytes: Bytes;
      readonly start: number;
      readonly end: number;
      readonly expiresAtMs: number;
    }
  | { readonly kind: "delete"; readonly key: Key };

export interface Decision {
  /** At most one for a key. Empty when the reply says that nothing is done. */
  readonly writes: readonly Mutation[];
  readonly reply: Reply;
}

/**
 * A command over several partitions: read the entries of `keys` at one moment, call `decide`, make all of its
 * writes or none while the entries are still those read. Refers to the bytes of the arguments it was made from.
 */
export interface TransactionPlan {
  /** Every key that is read or written, each once. */
  readonly keys: readonly Key[];
  /** Pure. `read` gives the entry of one of `keys`, undefined when the key does not exist. */
  decide(read: (key: Key) => Entry | undefined): Decision;
}
