/**
 * A `Database` without Raft, disk or peers, for tests of the commands and servers above it. Everything that is
 * product code in a real node is the product's here too: the table, the checks, the encoding of writes, the split
 * over partitions, plans and fan-outs. Only the partitions are maps.
 */

import { ByteWriter } from "../../src/codec/byte-writer.js";
import { checkCommand, DEFAULT_VALUE_BYTES_MAX } from "../../src/commands/check.js";
import { decodeCommand, encodeCommand } from "../../src/commands/encoding.js";
import { fanOut } from "../../src/commands/fan-out.js";
import { lookIn, lookupsOf, resolveAll } from "../../src/commands/look.js";
import { commonPartition, planQuery, planTransaction, splitByPartition } from "../../src/commands/plan.js";
import type { Reply } from "../../src/commands/reply.js";
import { runCommand } from "../../src/commands/run.js";
import { ScanCursors } from "../../src/commands/scan-cursor.js";
import { COMMANDS } from "../../src/commands/table.js";
import {
  Args,
  type CommandSpec,
  type Entry,
  type KeyValueView,
  type ValueType,
} from "../../src/commands/types.js";
import { allocOwnBytes, type Bytes, copyBytes, EMPTY_BYTES, type Key } from "../../src/core/bytes.js";
import { MinikeyError } from "../../src/core/errors.js";
import { type KeyspaceId, keyspaceId, type NodeId, nodeId } from "../../src/core/ids.js";
import { PathList } from "../../src/document/path-list.js";
import type {
  ClusterStatus,
  Database,
  KeyspaceInfo,
  PartitionInfo,
  ReplicationInfo,
  ReplySink,
  RequestContext,
} from "../../src/node/database.js";
import { innerArgs } from "../../src/node/node-commands.js";
import type { Clock } from "../../src/ports/clock.js";
import { SLOT_COUNT, slotOfKey } from "../../src/sharding/slots.js";

/** One partition: a map, and its keys in order while nobody adds or removes one. */
export class MemoryView implements KeyValueView {
  readonly #entries = new Map<Key, Entry>();
  readonly valueBytesMax: number;
  nowMs = 0;
  #version = 0;
  #sorted: Key[] | undefined;

  constructor(valueBytesMax = DEFAULT_VALUE_BYTES_MAX) {
    this.valueBytesMax = valueBytesMax;
  }

  get(key: Key): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || this.#isExpired(entry) ? undefined : entry;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  set(key: Key, type: ValueType, bytes: Bytes, start: number, end: number, expiresAtMs: number): number {
    if (!this.#entries.has(key)) this.#sorted = undefined;
    this.#version += 1;
    this.#entries.set(key, { type, bytes, start, end, expiresAtMs, version: this.#version });
    return this.#version;
  }

  setExpiry(key: Key, expiresAtMs: number): number {
    const { type, bytes, start, end } = this.#entries.get(key)!;
    return this.set(key, type, bytes, start, end, expiresAtMs);
  }

  delete(key: Key): boolean {
    return this.has(key) && this.#remove(key);
  }

  purge(key: Key): boolean {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#isExpired(entry) && this.#remove(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#sorted = undefined;
  }

  count(): number {
    return this.#entries.size;
  }

  *keys({
    after,
    prefix = "",
  }: {
    after?: Key | undefined;
    prefix?: Key | undefined;
  }): IterableIterator<Key> {
    this.#sorted ??= [...this.#entries.keys()].sort();
    const sorted = this.#sorted;
    const start = after === undefined || after < prefix ? prefix : after;
    for (let i = lowerBound(sorted, start); i < sorted.length && sorted[i].startsWith(prefix); i += 1) {
      if (sorted[i] !== after && this.has(sorted[i])) yield sorted[i];
    }
  }

  /** Removes what has expired, as a node does in the background. */
  purgeAll(): void {
    for (const key of this.#entries.keys()) this.purge(key);
  }

  #isExpired(entry: Entry): boolean {
    return entry.expiresAtMs !== 0 && entry.expiresAtMs <= this.nowMs;
  }

  #remove(key: Key): boolean {
    this.#sorted = undefined;
    return this.#entries.delete(key);
  }
}

function lowerBound(sorted: readonly Key[], key: Key): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

const LOG_PIECE_BYTES = 256 * 1024;

export interface MemoryDatabaseOptions {
  readonly clock: Clock;
  readonly partitions?: number;
  readonly valueBytesMax?: number;
  /** When a reply is given: at once, unless this keeps `reply` for later. */
  readonly defer?: (reply: () => void) => void;
}

export class MemoryDatabase implements Database {
  pendingRequests = 0;
  /** Of the nodes `n1`, `n2` … that `status` shows, the first being this one; they lead the partitions by turns, or come first in them. */
  respAddresses = [""];
  /** Of those, the places of nodes that have not been heard for long. */
  readonly gone = new Set<number>();
  /** What `status` shows of eventual keyspaces. */
  replication: readonly ReplicationInfo[] = [];
  readonly #clock: Clock;
  readonly #partitionCount: number;
  readonly #valueBytesMax: number;
  readonly #defer: ((reply: () => void) => void) | undefined;
  readonly #keyspaces: KeyspaceInfo[] = [];
  readonly #views = new Map<KeyspaceId, MemoryView[]>();
  readonly #cursors = new Map<KeyspaceId, ScanCursors>();
  readonly #partitionOf: (slot: number) => number;
  /** By session and number. */
  readonly #answered = new Map<string, Reply>();
  readonly #writer = new ByteWriter();
  #log: Bytes = EMPTY_BYTES;
  #logEnd = 0;
  readonly #decoded = new Args(EMPTY_BYTES);

  constructor({
    clock,
    partitions = 1,
    valueBytesMax = DEFAULT_VALUE_BYTES_MAX,
    defer,
  }: MemoryDatabaseOptions) {
    this.#clock = clock;
    this.#partitionCount = partitions;
    this.#valueBytesMax = valueBytesMax;
    this.#defer = defer;
    this.#partitionOf = (slot) => Math.floor((slot * partitions) / SLOT_COUNT);
    for (const name of ["default", "k1", "k2", "k3"]) this.#addKeyspace(name, "strong", "disk");
  }

  /** Of the only node. */
  get respAddress(): string {
    return this.respAddresses[0];
  }

  set respAddress(address: string) {
    this.respAddresses = [address];
  }

  submit(args: Args, context: RequestContext, sink: ReplySink): void {
    if (this.#defer === undefined) {
      sink.onReply(this.execute(args, context.keyspace));
      return;
    }
    this.pendingRequests += 1;
    const reply = this.execute(args, context.keyspace);
    this.#defer(() => {
      this.pendingRequests -= 1;
      sink.onReply(reply);
    });
  }

  /** The reply to a command, at once. */
  execute(args: Args, keyspace = keyspaceId(0)): Reply {
    try {
      const spec = COMMANDS.lookup(args.bytes, args.start(0), args.end(0));
      if (spec === undefined) throw new MinikeyError("UNKNOWN_COMMAND", `unknown command '${args.text(0)}'`);
      const checked = checkCommand(spec, args, { valueBytesMax: this.#valueBytesMax });
      if (spec.name === "ONCE") return this.#once(args, keyspace);
      const nowMs = this.#clock.wallMs();
      const views = this.#views.get(keyspace)!;
      for (const view of views) view.nowMs = nowMs;
      return this.#dispatch(spec, checked, views, this.#cursors.get(keyspace)!);
    } catch (error) {
      if (error instanceof MinikeyError) return error;
      throw error;
    }
  }

  /** Replies are remembered for good. */
  #once(args: Args, keyspace: KeyspaceId): Reply {
    const id = `${args.key(1)} ${args.key(2)}`;
    const remembered = this.#answered.get(id);
    if (remembered !== undefined) return remembered;
    const reply = this.execute(innerArgs(args), keyspace);
    this.#answered.set(id, reply);
    return reply;
  }

  view(partition = 0, keyspace = keyspaceId(0)): MemoryView {
    return this.#views.get(keyspace)![partition];
  }

  #dispatch(spec: CommandSpec, args: Args, views: readonly MemoryView[], cursors: ScanCursors): Reply {
    if (spec.spread === "all") return this.#runFanOut(spec, args, views, cursors);
    if (spec.spread === "all-sum") return sum(views.map((view) => runCommand(spec, view, args)));
    if (spec.spread === "query") return this.#runQuery(spec, args, views);
    const partition = commonPartition(spec, args, this.#partitionOf);
    if (partition !== -1) return this.#run(spec, views[partition], args);
    if (spec.spread === "transaction") return this.#runTransaction(spec, args, views);
    const shares = splitByPartition(spec, args, this.#partitionOf);
    const replies = shares.map((share) => this.#run(spec, views[share.partition], share.args));
    if (spec.spread === "sum") return sum(replies);
    const gathered: Reply[] = [];
    for (const [i, { positions }] of shares.entries()) {
      const reply = replies[i] as readonly Reply[];
      for (const [j, position] of positions.entries()) gathered[position] = reply[j];
    }
    return gathered;
  }

  /** A write goes through its log form, in memory that values may keep. */
  #run(spec: CommandSpec, view: MemoryView, args: Args): Reply {
    if (spec.access !== "write") return runCommand(spec, view, args);
    this.#writer.clear();
    encodeCommand(this.#writer, spec.opcode, args);
    const start = this.#appendToLog(this.#writer);
    const opcode = decodeCommand(this.#log, start, this.#logEnd, this.#decoded);
    return runCommand(COMMANDS.byOpcode(opcode)!, view, this.#decoded);
  }

  /** Copies an entry into memory that is never written again; returns where it starts. */
  #appendToLog(entry: ByteWriter): number {
    if (this.#logEnd + entry.length > this.#log.length) {
      this.#log = allocOwnBytes(Math.max(LOG_PIECE_BYTES, entry.length));
      this.#logEnd = 0;
    }
    const start = this.#logEnd;
    entry.bytes.copy(this.#log, start, 0, entry.length);
    this.#logEnd += entry.length;
    return start;
  }

  #runTransaction(spec: CommandSpec, args: Args, views: readonly MemoryView[]): Reply {
    const viewOf = (key: Key): MemoryView => views[this.#partitionOf(slotOfKey(key))];
    const { writes, reply } = planTransaction(spec, args, views[0]).decide((key) => viewOf(key).get(key));
    for (const write of writes) {
      const view = viewOf(write.key);
      if (write.kind === "delete") view.delete(write.key);
      else {
        const value = copyBytes(write.bytes, write.start, write.end);
        view.set(write.key, write.type, value, 0, value.length, write.expiresAtMs);
      }
    }
    return reply;
  }

  #runQuery(spec: CommandSpec, args: Args, views: readonly MemoryView[]): Reply {
    const list = new PathList();
    const plan = planQuery(spec, args, list);
    const paths = Array.from({ length: list.count }, (_, i) => list.meaningsAt(i));
    const looked = lookupsOf(paths).map((lookup) =>
      lookIn(views[this.#partitionOf(slotOfKey(lookup.key))].get(lookup.key), lookup),
    );
    return plan.answer(resolveAll(paths, looked), list);
  }

  #runFanOut(spec: CommandSpec, args: Args, views: readonly MemoryView[], cursors: ScanCursors): Reply {
    const context = { partitions: views.length, cursors, random: Math.random, isEventual: false };
    const dialogue = fanOut(spec, args, context);
    let step = dialogue.next([]);
    while (step.kind === "ask") {
      step = dialogue.next(
        step.questions.map((question) => {
          const piece = question.args;
          const pieceSpec = COMMANDS.lookup(piece.bytes, piece.start(0), piece.end(0))!;
          return this.#run(pieceSpec, views[question.partition], piece);
        }),
      );
    }
    return step.reply;
  }

  // --- The rest of a database ---

  status(): ClusterStatus {
    return {
      clusterId: "test",
      nodeId: nodeId("n1"),
      epoch: 1,
      version: "0.0.0",
      uptimeSeconds: 1,
      ready: true,
      members: this.respAddresses.map((respAddress, i) => ({
        id: nodeId(`n${i + 1}`),
        incarnation: 1,
        state: this.gone.has(i) ? "inactive" : "active",
        peerAddress: "",
        respAddress,
        httpAddress: "",
        self: i === 0,
      })),
      keyspaces: this.#keyspaces,
      partitions: this.#keyspaces.flatMap((keyspace) => this.#partitionInfos(keyspace)),
      replication: this.replication,
    };
  }

  #partitionInfos({ id: keyspace, consistency }: KeyspaceInfo): PartitionInfo[] {
    const nodes = this.respAddresses.map((_, i) => nodeId(`n${i + 1}`));
    return Array.from({ length: this.#partitionCount }, (_, partition) => {
      const slots = Array.from({ length: SLOT_COUNT }, (_, slot) => slot).filter(
        (slot) => this.#partitionOf(slot) === partition,
      );
      const first = nodes[partition % nodes.length];
      const leader = consistency === "strong" ? first : undefined;
      const others = nodes.filter((node) => node !== first);
      const role = (node: NodeId) => (node === leader ? "leader" : "follower");
      return {
        keyspace,
        partition,
        slots: [[slots[0], slots[slots.length - 1]]],
        leader,
        replicas: [first, ...others].map((node) => ({
          node,
          role: consistency === "strong" ? role(node) : "replica",
          lag: 0,
        })),
      };
    });
  }

  keyspaceByName(name: string): KeyspaceInfo | undefined {
    return this.#keyspaces.find((keyspace) => keyspace.name === name);
  }

  keyspaceById(id: number): KeyspaceInfo | undefined {
    return this.#keyspaces.find((keyspace) => keyspace.id === id);
  }

  /** Takes as long as other replies do. */
  async createKeyspace({
    name,
    consistency,
    storage,
  }: Parameters<Database["createKeyspace"]>[0]): Promise<KeyspaceInfo> {
    const defer = this.#defer;
    if (defer !== undefined) await new Promise<void>((resolve) => defer(resolve));
    if (this.keyspaceByName(name) === undefined) return this.#addKeyspace(name, consistency, storage);
    throw new MinikeyError("KEYSPACE_EXISTS", `keyspace '${name}' exists`);
  }

  dropKeyspace(name: string): Promise<void> {
    const index = this.#keyspaces.findIndex((keyspace) => keyspace.name === name);
    if (index === -1) {
      return Promise.reject(new MinikeyError("KEYSPACE_NOT_FOUND", `no keyspace '${name}'`));
    }
    this.#views.delete(this.#keyspaces[index].id);
    this.#keyspaces.splice(index, 1);
    return Promise.resolve();
  }

  #addKeyspace(
    name: string,
    consistency: KeyspaceInfo["consistency"],
    storage: KeyspaceInfo["storage"],
  ): KeyspaceInfo {
    const id = keyspaceId(this.#keyspaces.length === 0 ? 0 : this.#keyspaces.at(-1)!.id + 1);
    const partitions = this.#partitionCount;
    const info: KeyspaceInfo = { id, name, consistency, storage, replicas: 1, partitions };
    this.#keyspaces.push(info);
    this.#views.set(
      id,
      Array.from({ length: partitions }, () => new MemoryView(this.#valueBytesMax)),
    );
    this.#cursors.set(id, new ScanCursors());
    return info;
  }
}

function sum(replies: readonly Reply[]): Reply {
  let total = 0;
  for (const reply of replies) {
    if (typeof reply !== "number") return reply;
    total += reply;
  }
  return total;
}
