/**
 * A `Database` of one node in a Map: just the commands that the HTTP server sends, with the promises that it
 * relies on (replies borrowed for the call only, versions that grow, keys in byte order).
 */
import { type Reply, Slice } from "../../../../src/commands/reply.js";
import type { Args } from "../../../../src/commands/types.js";
import { type Bytes, type Key, latin1ToBytes } from "../../../../src/core/bytes.js";
import { type ErrorCode, MinikeyError } from "../../../../src/core/errors.js";
import { keyspaceId, nodeId } from "../../../../src/core/ids.js";
import type {
  ClusterStatus,
  Database,
  KeyspaceInfo,
  PartitionInfo,
  ReplySink,
  RequestContext,
} from "../../../../src/node/database.js";

interface Row {
  readonly type: string;
  readonly version: number;
  readonly expiresAtMs: number;
  readonly value: string;
}

const DEFAULT: KeyspaceInfo = {
  id: keyspaceId(0),
  name: "default",
  consistency: "strong",
  storage: "disk",
  replicas: 3,
  partitions: 12,
};

export class TinyDatabase implements Database {
  readonly keyspaces: KeyspaceInfo[] = [DEFAULT];
  readonly contexts: RequestContext[] = [];
  nowMs = 1_000_000;
  ready = true;
  partitions: PartitionInfo[] = [];
  pendingRequests = 0;
  /** When set: the next command is answered with it. */
  fail: ErrorCode | undefined;
  /** While set, replies wait for `release`. */
  holding = false;
  readonly #held: (() => void)[] = [];
  #version = 0;
  readonly #rows = new Map<string, Map<Key, Row>>();
  readonly #borrowed = Buffer.alloc(20_000_000) as unknown as Bytes;

  submit(args: Args, context: RequestContext, sink: ReplySink): void {
    this.contexts.push({ ...context });
    const words = Array.from({ length: args.count }, (_, i) => args.key(i));
    const reply = (): void => {
      sink.onReply(this.#run(words, this.#table(context)));
      this.#borrowed.fill(0x58, 0, 100);
    };
    if (this.holding) this.#held.push(reply);
    else reply();
  }

  status(): ClusterStatus {
    return {
      clusterId: "c1",
      nodeId: nodeId("n1"),
      epoch: 7,
      version: "0.1.0",
      uptimeSeconds: 12,
      ready: this.ready,
      members: [],
      keyspaces: this.keyspaces,
      partitions: this.partitions,
    };
  }

  keyspaceByName(name: string): KeyspaceInfo | undefined {
    return this.keyspaces.find((one) => one.name === name);
  }

  keyspaceById(id: number): KeyspaceInfo | undefined {
    return this.keyspaces.find((one) => one.id === id);
  }

  release(): void {
    this.holding = false;
    for (const reply of this.#held.splice(0)) reply();
  }

  created: unknown;

  async createKeyspace(options: Parameters<Database["createKeyspace"]>[0]): Promise<KeyspaceInfo> {
    this.created = options;
    if (this.keyspaceByName(options.name) !== undefined) {
      throw new MinikeyError("KEYSPACE_EXISTS", `keyspace ${options.name} exists`);
    }
    const created = { ...DEFAULT, ...options, id: keyspaceId(this.keyspaces.length) };
    this.keyspaces.push(created);
    return created;
  }

  async dropKeyspace(name: string): Promise<void> {
    if (name === "default") throw new MinikeyError("UNSUPPORTED", "default cannot be dropped");
    this.keyspaces.splice(
      this.keyspaces.findIndex((one) => one.name === name),
      1,
    );
  }

  /** Stores a key that a path cannot name. */
  insert(key: Key): void {
    this.#version += 1;
    const row = { type: "string", version: this.#version, expiresAtMs: 0, value: "" };
    this.#table({ keyspace: DEFAULT.id, readLevel: "one", writeLevel: "one" }).set(key, row);
  }

  #table(context: RequestContext): Map<Key, Row> {
    const id = String(context.keyspace);
    const table = this.#rows.get(id) ?? new Map<Key, Row>();
    this.#rows.set(id, table);
    return table;
  }

  #run(words: readonly string[], table: Map<Key, Row>): Reply {
    if (this.fail !== undefined) {
      const code = this.fail;
      this.fail = undefined;
      return new MinikeyError(code, `told to fail with ${code}`);
    }
    const [name, key] = words;
    for (const [one, { expiresAtMs }] of table) {
      if (expiresAtMs !== 0 && expiresAtMs <= this.nowMs) table.delete(one);
    }
    const row = table.get(key);
    if (name === "KV.GET") {
      return row === undefined ? null : [row.type, row.version, row.expiresAtMs, this.#lend(row.value)];
    }
    if (name === "KV.PUT") return this.#put(words, table, row);
    if (name === "KV.DELETE") return this.#delete(words, table, row);
    if (name === "KV.LIST") return this.#list(words, table);
    return new MinikeyError("UNKNOWN_COMMAND", `unknown command ${name}`);
  }

  #put(words: readonly string[], table: Map<Key, Row>, row: Row | undefined): Reply {
    const [, key, type, mode, version, expiresAtMs, value] = words;
    if (mode === "nx" && row !== undefined) return new MinikeyError("KEY_EXISTS", "Key already exists");
    if (mode === "match" && row?.version !== Number(version)) return mismatch(row);
    this.#version += 1;
    table.set(key, { type, version: this.#version, expiresAtMs: Number(expiresAtMs), value });
    return [row === undefined ? 1 : 0, this.#version];
  }

  #delete(words: readonly string[], table: Map<Key, Row>, row: Row | undefined): Reply {
    const [, key, version] = words;
    if (version !== "0" && row?.version !== Number(version)) return mismatch(row);
    table.delete(key);
    return row?.version ?? 0;
  }

  #list([, prefix, after, limit]: readonly string[], table: Map<Key, Row>): Reply {
    const keys = [...table.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, Number(limit));
    return [
      page.map((key) => new Slice(latin1ToBytes(key), 0, key.length)),
      keys.length > page.length ? 1 : 0,
    ];
  }

  #lend(value: string): Slice {
    this.#borrowed.latin1Write(value, 0);
    return new Slice(this.#borrowed, 0, value.length);
  }
}

function mismatch(row: Row | undefined): MinikeyError {
  return new MinikeyError("VERSION_MISMATCH", `version is ${row?.version ?? 0}`);
}
