/**
 * All replicas of one eventual partition, with their links, on simulated disks and a network that is worse than any
 * real one: frames are lost, there twice and out of order, on connections that seem to be well. Replicas die and come
 * back, lose their disks, are cut off; repairs of reads come late.
 *
 * `check` holds them to what must be true at any moment: what one replica has dropped, no replica ever shows an
 * earlier version of.
 */
import assert from "node:assert/strict";
import { plain } from "../../../sim/cluster/client.js";
import { DurableState, SimEngine, SimLog, type SimStore } from "../../../sim/disk/durable.js";
import { SimProcess, type World } from "../../../sim/world/world.js";
import { runCommand } from "../../../src/commands/run.js";
import { COMMANDS } from "../../../src/commands/table.js";
import { asBytes, concatBytes, type Key } from "../../../src/core/bytes.js";
import { groupId, type NodeId, nodeId, type ReplicaId, replicaOf } from "../../../src/core/ids.js";
import { BatchWriter } from "../../../src/eventual/batch.js";
import { isTombstone, numberOf, originOf, stampOf } from "../../../src/eventual/record.js";
import { EventualLinks, LINK_LIMITS, type LinkLimits } from "../../../src/node/eventual/links.js";
import type { EventualReplica } from "../../../src/node/eventual/replica.js";
import { EventualReplicas } from "../../../src/node/eventual/replicas.js";
import { makeArgs } from "../../../src/node/node-commands.js";
import { decodeFrame } from "../../../src/node/peer-frames.js";
import type { Transport } from "../../../src/ports/transport.js";

const GROUP = groupId(7);
const EPOCH_MS = 1_700_000_000_000;
const SWEEP_MS = 50;

/** How bad the network is: of a thousand frames. */
export interface Weather {
  lost: number;
  twice: number;
  late: number;
}

/** The version of a key that a replica was seen to have. */
interface Seen {
  readonly stamp: number;
  readonly isTombstone: boolean;
  /** The key and the write. */
  readonly version: string;
}

export interface PartitionOptions {
  readonly nodes?: number;
  readonly hintsMax?: number;
  readonly limits?: Partial<LinkLimits>;
  /** What the clock of a node shows too much. */
  readonly aheadMs?: (number: number) => number;
}

/** One node: what it has on disk, and while it lives what it does. */
export class PartitionNode {
  readonly number: number;
  readonly id: NodeId;
  readonly partition: EventualPartition;
  durable = new DurableState();
  incarnation = 1;
  /** As it knows the others': their incarnations, by number. */
  readonly known: number[] = [];
  epoch = 1;
  replicas!: EventualReplicas;
  replica!: EventualReplica;
  links!: EventualLinks;
  store!: SimStore;
  #engine!: SimEngine;
  #log!: SimLog;
  #process: SimProcess | undefined;
  /** What it was seen to have: stamps and whether they were of tombstones, by key. */
  readonly seen = new Map<Key, Seen>();

  constructor(partition: EventualPartition, number: number) {
    this.partition = partition;
    this.number = number;
    this.id = nodeId(`n${number}`);
  }

  get self(): ReplicaId {
    return replicaOf(this.number, this.incarnation);
  }

  get isAlive(): boolean {
    return this.#process?.isAlive === true;
  }

  get nowMs(): number {
    return (
      EPOCH_MS + Math.floor(this.partition.world.nowMs) + (this.partition.options.aheadMs?.(this.number) ?? 0)
    );
  }

  async start(): Promise<void> {
    const { world, nodes, options } = this.partition;
    const process = new SimProcess(world, 0);
    this.#process = process;
    this.seen.clear();
    this.#engine = new SimEngine("disk", this.durable, process);
    this.#log = new SimLog(this.durable, process, world);
    this.store = await this.#engine.openGroup(GROUP);
    const { clock } = process;
    this.replicas = new EventualReplicas({
      log: this.#log,
      hintsMax: options.hintsMax ?? 100_000,
      events: {
        onWritten: (replica, batch, after, upTo) => this.links.onWritten(replica, batch, after, upTo),
      },
      nowMs: () => this.nowMs,
      isTimeSure: () => true,
      isCurrent: (_group, replica) => this.#members().includes(replica),
      storageLag: () => "none",
      scheduleTurn: () => process.later(0, () => this.#turn()),
    });
    this.links = new EventualLinks({
      clock,
      random: world.random.fork(),
      logger: {
        debug: () => undefined,
        info: () => undefined,
        warn: () => undefined,
        error: () => undefined,
      },
      transport: this.#transport(),
      limits: { ...LINK_LIMITS, ...options.limits },
      replica: (group) => this.replicas.get(group),
      replicas: () => this.replicas.all(),
      replicasOf: () => this.#members(),
      retiredOf: () =>
        nodes.flatMap(({ number }) =>
          Array.from({ length: this.known[number] - 1 }, (_, i) => replicaOf(number, i + 1)),
        ),
      epoch: () => this.epoch,
      nodeOf: (replica) => nodes.find(({ number }) => number === Math.floor(replica / 65_536))?.id,
      scheduleTurn: () => process.later(0, () => this.#turn()),
    });
    this.replica = this.replicas.open({
      group: GROUP,
      self: this.self,
      isFounder: this.incarnation === 1,
      store: this.store,
      recovered: this.durable.recovered().get(GROUP),
      valueBytesMax: 1_000_000,
    });
    clock.every(SWEEP_MS, () => {
      // Whatever goes, goes in a sweep: so it is known as what it was.
      this.partition.check();
      this.replicas.sweep();
      this.links.sweep();
    });
  }

  crash(): void {
    assert(this.#process !== undefined);
    this.#process.end();
  }

  deliver(run: () => void): void {
    this.#process?.deliver(run);
  }

  async checkpoint(): Promise<void> {
    await this.#engine.checkpoint();
    if (!this.isAlive) return;
    this.replica.onCheckpointed();
    this.#log.flush();
  }

  #members(): ReplicaId[] {
    return this.partition.nodes.map(({ number }) => replicaOf(number, this.known[number]));
  }

  #turn(): void {
    this.replicas.flush();
    this.links.flush();
    this.#log.flush();
  }

  #transport(): Transport {
    const done = async (): Promise<void> => await Promise.resolve();
    return {
      start: done,
      stop: done,
      setPeers: () => undefined,
      updateGreeting: () => undefined,
      flush: () => undefined,
      isUp: (peer) => this.partition.isUp(this.id, peer),
      send: (peer, parts) => this.partition.send(this, peer, parts),
    };
  }

  write(words: readonly string[], onDone: (reply: unknown, number: number) => void): void {
    const spec = COMMANDS.byName(words[0]);
    assert(spec !== undefined);
    this.replica.write(spec, makeArgs(words), (reply, number) => onDone(plain(reply), number));
  }

  read(...words: readonly string[]): unknown {
    const spec = COMMANDS.byName(words[0]);
    assert(spec !== undefined);
    return plain(runCommand(spec, this.replica.viewAt(this.nowMs), makeArgs(words)));
  }

  /** All keys that are there, with their values. */
  get content(): Map<string, unknown> {
    const content = new Map<string, unknown>();
    for (const [key] of this.store.range("data")) {
      const value = this.read("GET", key);
      if (value !== null) content.set(key, value);
    }
    return content;
  }
}

export class EventualPartition {
  readonly world: World;
  readonly options: PartitionOptions;
  readonly nodes: PartitionNode[] = [];
  weather: Weather = { lost: 0, twice: 0, late: 0 };
  /** Bytes that were handed to the network. */
  sentBytes = 0;
  readonly #cut = new Set<string>();
  /** The latest stamp of what was dropped, by key. */
  readonly #dropped = new Map<Key, number>();
  /** All versions that were ever seen, as of the last check. */
  readonly #versions = new Set<string>();
  /** A disk was lost: with it may have gone what nobody else knew of deletions by clocks far ahead. */
  #hasLostDisk = false;

  constructor(world: World, options: PartitionOptions = {}) {
    this.world = world;
    this.options = options;
    for (let number = 1; number <= (options.nodes ?? 3); number += 1) {
      this.nodes.push(new PartitionNode(this, number));
    }
    for (const node of this.nodes) for (const { number } of this.nodes) node.known[number] = 1;
  }

  async start(): Promise<this> {
    for (const node of this.nodes) await node.start();
    for (const node of this.nodes) this.#meet(node);
    return this;
  }

  node(number: number): PartitionNode {
    return this.nodes[number - 1];
  }

  get alive(): PartitionNode[] {
    return this.nodes.filter((node) => node.isAlive);
  }

  async pass(timeMs: number): Promise<void> {
    await this.world.run(timeMs, () => false);
  }

  async until(isDone: () => boolean, limitMs: number, what: string): Promise<void> {
    assert.ok(await this.world.run(limitMs, isDone), `${what} within ${limitMs} ms`);
  }

  // --- Faults ---

  cut(a: PartitionNode, b: PartitionNode): void {
    if (!this.isUp(a.id, b.id)) return;
    this.#cut.add(`${a.id} ${b.id}`).add(`${b.id} ${a.id}`);
    for (const [node, other] of [
      [a, b],
      [b, a],
    ])
      if (node.isAlive) node.links.onDown(other.id);
  }

  heal(): void {
    this.#cut.clear();
    for (const node of this.alive) this.#meet(node);
  }

  crash(node: PartitionNode): void {
    node.crash();
    for (const other of this.alive) other.links.onDown(node.id);
  }

  async restart(node: PartitionNode): Promise<void> {
    await node.start();
    this.#meet(node);
  }

  /** It comes back with an empty disk, under another id, of which the others hear after some time. */
  async wipe(node: PartitionNode): Promise<void> {
    if (node.isAlive) this.crash(node);
    this.#hasLostDisk = true;
    node.durable = new DurableState();
    node.incarnation += 1;
    for (const other of this.nodes) {
      const learn = () => {
        other.known[node.number] = Math.max(other.known[node.number], node.incarnation);
        other.epoch += 1;
      };
      if (other === node) learn();
      else this.world.schedule(this.world.random.below(600), learn);
    }
    await this.restart(node);
  }

  isUp(a: NodeId, b: NodeId): boolean {
    const isAlive = (id: NodeId) => this.nodes.some((node) => node.id === id && node.isAlive);
    return !this.#cut.has(`${a} ${b}`) && isAlive(a) && isAlive(b);
  }

  #meet(node: PartitionNode): void {
    for (const other of this.alive) {
      if (other === node || !this.isUp(node.id, other.id)) continue;
      node.links.onUp(other.id);
      other.links.onUp(node.id);
    }
  }

  send(from: PartitionNode, to: NodeId, parts: readonly Uint8Array[]): boolean {
    if (!this.isUp(from.id, to)) return false;
    const { random } = this.world;
    const { lost, twice, late } = this.weather;
    const frame = concatBytes(parts);
    this.sentBytes += frame.length;
    if (random.below(1000) < lost) return true;
    const copies = random.below(1000) < twice ? 2 : 1;
    for (let i = 0; i < copies; i += 1) {
      const delayMs = random.below(1000) < late ? random.below(3_000) : 1;
      this.world.schedule(delayMs, () => this.#arrive(from, to, asBytes(frame)));
    }
    return true;
  }

  #arrive(from: PartitionNode, to: NodeId, bytes: ReturnType<typeof asBytes>): void {
    const node = this.nodes.find(({ id }) => id === to);
    node?.deliver(() => {
      const frame = decodeFrame(bytes);
      assert(frame.type === "sync");
      node.links.onFrame(from.id, frame.group, frame.body);
    });
  }

  /** A read of `key` that found out what `from` has, and repairs `to` after some time. */
  repairLate(from: PartitionNode, to: PartitionNode, key: Key, delayMs: number): void {
    const stored = from.store.get("data", key);
    if (stored === undefined) return;
    const writer = new BatchWriter();
    writer.stored(key, stored);
    const batch = writer.take();
    const { incarnation } = to;
    this.world.schedule(delayMs, () => {
      if (to.incarnation === incarnation) to.deliver(() => to.replica.repair(batch));
    });
  }

  // --- What must be true ---

  /** Throws when a replica shows an earlier version of what some replica has dropped. */
  check(): void {
    for (const node of this.alive) {
      const now = new Map<Key, Seen>();
      for (const [key, stored] of node.store.range("data")) {
        const version = `${key} ${originOf(stored)}:${numberOf(stored)}`;
        now.set(key, { stamp: stampOf(stored), isTombstone: isTombstone(stored), version });
      }
      for (const [key, was] of node.seen) {
        if (now.has(key)) continue;
        assert.ok(was.isTombstone, `${node.id} lost the value of ${key}`);
        this.#dropped.set(key, Math.max(this.#dropped.get(key) ?? 0, was.stamp));
      }
      node.seen.clear();
      for (const [key, each] of now) node.seen.set(key, each);
    }
    for (const node of this.alive) {
      for (const [key, { stamp, version }] of node.seen) {
        const dropped = this.#dropped.get(key) ?? 0;
        // What is written anew comes after what its replica knows to have been dropped.
        const isNew = this.#hasLostDisk && !this.#versions.has(version);
        assert.ok(
          stamp === 0 || stamp >= dropped || isNew,
          `${node.id} has ${key} of ${stamp} (${version}), dropped was ${dropped}`,
        );
        if (stamp >= dropped) this.#versions.add(version);
      }
    }
  }

  get droppedKeys(): number {
    return this.#dropped.size;
  }

  /** All replicas have the same, as far as anybody can see, and say so. */
  get isEqual(): boolean {
    const [first, ...others] = this.nodes;
    if (!first.isAlive || !first.replica.isComplete) return false;
    const { state } = first.replica;
    return others.every(
      ({ isAlive, replica }) =>
        isAlive &&
        replica.isComplete &&
        replica.state.vector.equals(state.vector) &&
        replica.state.fingerprints.sameRoot(state.fingerprints),
    );
  }
}
