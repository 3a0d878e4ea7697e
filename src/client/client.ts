/**
 * The library's client: typed methods over a `Channel`, so that a program talks the same way to a cluster
 * (`connect`) and to a node inside itself (`node.client()`).
 *
 * Every method rejects with a `MinikeyError`, whose `code` is stable, whose `retryable` says whether trying
 * again can help, and whose `outcome` says whether a write happened.
 */
import { MinikeyError } from "../core/errors.js";
import type { Clock } from "../ports/clock.js";
import { requestOf } from "./request.js";
import {
  expectArray,
  expectBytes,
  expectNumber,
  expectText,
  type Json,
  type KeyInput,
  type KeyspaceEntry,
  type PlainReply,
  putCommand,
  queried,
  type StoredEntry,
  toEntry,
  toKeyspaces,
  toPlain,
  type ValueInput,
} from "./values.js";
import type { Argument, Channel, ReadLevel, WireReply, WriteLevel } from "./wire.js";

export interface ReadOptions {
  /**
   * `linearizable` (a strong keyspace's default), `stale` (any replica, at once), or how many replicas to ask: `one`
   * (an eventual keyspace's default), `quorum`, `all`.
   */
  readonly consistency?: ReadLevel;
  /** For the whole call, retries included. */
  readonly timeoutMs?: number;
}

export interface WriteOptions {
  /** How many replicas must have it on disk before the answer; a strong keyspace never takes less than a majority. */
  readonly consistency?: WriteLevel;
  readonly timeoutMs?: number;
}

export interface PutOptions extends WriteOptions {
  /** The key is deleted this long after. */
  readonly ttlMs?: number;
  /** Store only when there is no such key, or only over this version of it. */
  readonly onlyIf?: "absent" | { readonly version: number };
}

export interface ScanOptions extends ReadOptions {
  readonly prefix?: string;
  /** A glob pattern as `KEYS` takes it; instead of `prefix`. */
  readonly match?: string;
  /** Keys asked for at a time. */
  readonly pageSize?: number;
}

export interface ComputeOptions extends ReadOptions {
  /** What sin, cos and tan take, and asin, acos and atan give; default `radians`. */
  readonly angle?: "radians" | "degrees";
}

export interface KeyspaceOptions {
  /** Default `strong`. An `eventual` keyspace takes writes on every side of a split; see docs/consistency.md. */
  readonly consistency?: "strong" | "eventual";
  /** Default `disk`. */
  readonly storage?: "disk" | "memory";
  /** Of each partition; the nodes' own default when absent. */
  readonly replicas?: number;
  readonly partitions?: number;
  readonly timeoutMs?: number;
}

export interface CommandOptions {
  readonly readConsistency?: ReadLevel;
  readonly writeConsistency?: WriteLevel;
  readonly timeoutMs?: number;
}

/** What a conditional write answers when its condition does not hold. */
const CONDITION_FAILED: ReadonlySet<string> = new Set(["KEY_EXISTS", "VERSION_MISMATCH"]);

export class Client {
  readonly #channel: Channel;
  readonly #clock: Pick<Clock, "wallMs">;

  constructor(channel: Channel, clock: Pick<Clock, "wallMs"> = { wallMs: Date.now }) {
    this.#channel = channel;
    this.#clock = clock;
  }

  /** Resolves when a node has answered; rejects with `CONNECTION_LOST` when none does. Calls need not wait for it. */
  async ready(): Promise<void> {
    await this.#channel.ready();
  }

  /**
   * Stores a value: bytes from a string or `Uint8Array`, a document from any other JSON value.
   * @returns whether it was stored; false only with `onlyIf`
   */
  async put(key: KeyInput, value: ValueInput, options: PutOptions = {}): Promise<boolean> {
    try {
      return (await this.#write(putCommand(key, value, options, this.#clock.wallMs()), options)) !== null;
    } catch (error) {
      if (error instanceof MinikeyError && CONDITION_FAILED.has(error.code)) return false;
      throw error;
    }
  }

  /** The same as `put`, by Redis's name. */
  set(key: KeyInput, value: ValueInput, options: PutOptions = {}): Promise<boolean> {
    return this.put(key, value, options);
  }

  /** The value: text for bytes, the JSON value of a document, null when there is no such key. */
  async get(key: KeyInput, options: ReadOptions = {}): Promise<Json> {
    return (await this.getEntry(key, options))?.value ?? null;
  }

  /** The value with its type, version and expiry; null when there is no such key. */
  async getEntry(key: KeyInput, options: ReadOptions = {}): Promise<StoredEntry | null> {
    return toEntry(await this.#read(["KV.GET", key], options));
  }

  /**
   * The value at a path such as `person2.address.number`: text for bytes, else the JSON value. `T` is what the caller
   * knows it to be; nothing checks it. Rejects with `PATH_NOT_FOUND`, whose message names the part that is missing.
   */
  async query<T extends Json = Json>(path: string, options: ReadOptions = {}): Promise<T> {
    return queried(await this.#read(["KV.QUERY", path], options)) as T;
  }

  /** The value's bytes, or null when there is none. A document comes as compact JSON. */
  async getBuffer(key: KeyInput, options: ReadOptions = {}): Promise<Buffer | null> {
    const bytes = expectBytes(await this.#read(["GET", key], options));
    return bytes === null ? null : Buffer.from(bytes);
  }

  /** Whether there was something to delete. */
  async delete(key: KeyInput, options: WriteOptions = {}): Promise<boolean> {
    return expectNumber(await this.#write(["DEL", key], options)) > 0;
  }

  /** How many of the keys there were. Each partition's keys are deleted at once, the partitions one by one. */
  async deleteMany(keys: readonly KeyInput[], options: WriteOptions = {}): Promise<number> {
    return keys.length === 0 ? 0 : expectNumber(await this.#write(["DEL", ...keys], options));
  }

  async exists(key: KeyInput, options: ReadOptions = {}): Promise<boolean> {
    return expectNumber(await this.#read(["EXISTS", key], options)) > 0;
  }

  /** `string` (bytes), `json` (a document), or null when there is no such key. */
  async type(key: KeyInput, options: ReadOptions = {}): Promise<"string" | "json" | null> {
    const name = expectText(await this.#read(["TYPE", key], options));
    return name === "none" ? null : (name as "string" | "json");
  }

  /** The texts of several values in the order asked for, all from one moment. */
  async mget(keys: readonly KeyInput[], options: ReadOptions = {}): Promise<(string | null)[]> {
    if (keys.length === 0) return [];
    const replies = expectArray(await this.#read(["MGET", ...keys], options));
    return replies.map((reply) => expectBytes(reply)?.toString("utf8") ?? null);
  }

  /**
   * The result of a formula such as `2*(x+3)`, whose variables are the numbers at the paths in `where`, all read at
   * one moment. Rejects with `COMPUTE_ERROR` when there is no number, with `PATH_NOT_FOUND` when there is nothing.
   */
  async compute(
    expression: string,
    where: Readonly<Record<string, string>> = {},
    options: ComputeOptions = {},
  ): Promise<number> {
    const args = ["KV.COMPUTE", options.angle ?? "radians", expression, ...Object.entries(where).flat()];
    return Number(expectText(await this.#read(args, options)));
  }

  /** Stores several strings or bytes: all of them or none. */
  async mset(
    entries:
      | Iterable<readonly [KeyInput, string | Uint8Array]>
      | Readonly<Record<string, string | Uint8Array>>,
    options: WriteOptions = {},
  ): Promise<void> {
    const pairs = Symbol.iterator in entries ? [...entries] : Object.entries(entries);
    if (pairs.length > 0) await this.#write(["MSET", ...pairs.flat()], options);
  }

  /** Adds `by` (an integer within ±2^53) to the number stored as text, 0 when absent; returns the sum. */
  async incr(key: KeyInput, by = 1, options: WriteOptions = {}): Promise<number> {
    return expectNumber(await this.#write(["INCRBY", key, by], options));
  }

  async decr(key: KeyInput, by = 1, options: WriteOptions = {}): Promise<number> {
    return expectNumber(await this.#write(["DECRBY", key, by], options));
  }

  /** Appends to the bytes; returns their new length. */
  async append(key: KeyInput, value: string | Uint8Array, options: WriteOptions = {}): Promise<number> {
    return expectNumber(await this.#write(["APPEND", key, value], options));
  }

  /** Deletes the key `ttlMs` from now; false when there is no such key. */
  async expire(key: KeyInput, ttlMs: number, options: WriteOptions = {}): Promise<boolean> {
    return expectNumber(await this.#write(["PEXPIRE", key, ttlMs], options)) === 1;
  }

  /** Takes the expiry away; false when there was none. */
  async persist(key: KeyInput, options: WriteOptions = {}): Promise<boolean> {
    return expectNumber(await this.#write(["PERSIST", key], options)) === 1;
  }

  /** Milliseconds left; `Infinity` without expiry; null when there is no such key. */
  async ttl(key: KeyInput, options: ReadOptions = {}): Promise<number | null> {
    const ttlMs = expectNumber(await this.#read(["PTTL", key], options));
    if (ttlMs === -2) return null;
    return ttlMs === -1 ? Number.POSITIVE_INFINITY : ttlMs;
  }

  /** Keys of the keyspace. */
  async count(options: ReadOptions = {}): Promise<number> {
    return expectNumber(await this.#read(["DBSIZE"], options));
  }

  /** Keys, page by page. A key that is there all the time comes at least once. */
  async *scan(options: ScanOptions = {}): AsyncGenerator<string, void, undefined> {
    const match = options.match ?? (options.prefix === undefined ? undefined : globOfPrefix(options.prefix));
    const filter = match === undefined ? [] : ["MATCH", match];
    let cursor = "0";
    do {
      const args = ["SCAN", cursor, ...filter, "COUNT", options.pageSize ?? 100];
      const [next, keys] = expectArray(await this.#read(args, options));
      cursor = expectText(next);
      for (const key of expectArray(keys)) yield expectText(key);
    } while (cursor !== "0");
  }

  async ping(options: ReadOptions = {}): Promise<void> {
    await this.#read(["PING"], options);
  }

  /** Any command of the server, such as `command("SETRANGE", "k", 3, "x")`; bytes of the reply read as UTF-8. */
  async command(...args: readonly Argument[]): Promise<PlainReply> {
    return toPlain(await this.request(args));
  }

  /** Any command, its reply as the wire gave it. Rejects when the reply is an error. */
  async request(args: readonly Argument[], options: CommandOptions = {}): Promise<WireReply> {
    if (args.length === 0) throw new MinikeyError("BAD_REQUEST", "a command needs a name");
    return requestOf(this.#channel, args, {
      readLevel: options.readConsistency,
      writeLevel: options.writeConsistency,
      timeoutMs: options.timeoutMs,
    });
  }

  /** Makes a keyspace; rejects with `KEYSPACE_EXISTS` when there is one of that name. */
  async createKeyspace(name: string, options: KeyspaceOptions = {}): Promise<void> {
    const words = (["consistency", "storage", "replicas", "partitions"] as const).flatMap((field) => {
      const value = options[field];
      return value === undefined ? [] : [field.toUpperCase(), value];
    });
    await requestOf(this.#channel, ["KEYSPACE", "CREATE", name, ...words], { timeoutMs: options.timeoutMs });
  }

  /** Removes a keyspace with all its keys; rejects with `KEYSPACE_NOT_FOUND` when there is none of that name. */
  async dropKeyspace(name: string, options: Pick<WriteOptions, "timeoutMs"> = {}): Promise<void> {
    await this.#write(["KEYSPACE", "DROP", name], options);
  }

  async keyspaces(options: Pick<ReadOptions, "timeoutMs"> = {}): Promise<KeyspaceEntry[]> {
    return toKeyspaces(await this.#read(["KEYSPACE", "LIST"], options));
  }

  /** A client of another keyspace, by name or number, with connections of its own: close it too. */
  keyspace(keyspace: string | number): Client {
    return new Client(this.#channel.forKeyspace(keyspace), this.#clock);
  }

  /** Refuses new calls, waits for those on their way (each has its timeout), and closes. */
  async close(): Promise<void> {
    await this.#channel.close();
  }

  #read(args: readonly Argument[], options: ReadOptions): Promise<WireReply> {
    return requestOf(this.#channel, args, { readLevel: options.consistency, timeoutMs: options.timeoutMs });
  }

  #write(args: readonly Argument[], options: WriteOptions): Promise<WireReply> {
    return requestOf(this.#channel, args, { writeLevel: options.consistency, timeoutMs: options.timeoutMs });
  }
}

/** The pattern that matches exactly what starts with `prefix`. */
function globOfPrefix(prefix: string): string {
  return `${prefix.replaceAll(/[\\*?[\]]/g, String.raw`\$&`)}*`;
}
