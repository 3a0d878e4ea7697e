/**
 * Three nodes that carry out commands of one eventual partition on real replicas, which nothing keeps alike but what
 * commands themselves do: so a test says who has what. A frame takes a millisecond.
 */
import { type ClientLevels, newContext, plain } from "../../../../sim/cluster/client.js";
import { SimProcess, World } from "../../../../sim/world/world.js";
import { ScanCursors } from "../../../../src/commands/scan-cursor.js";
import { type Bytes, concatBytes } from "../../../../src/core/bytes.js";
import { keyspaceId, type NodeId, nodeId, replicaOf } from "../../../../src/core/ids.js";
import { partitionFor } from "../../../../src/node/admission.js";
import type { Route } from "../../../../src/node/coordinator.js";
import { EventualCoordinator } from "../../../../src/node/eventual/coordinator.js";
import { eventualLevels } from "../../../../src/node/eventual/levels.js";
import type { EventualHost } from "../../../../src/node/eventual/parts.js";
import { makeArgs } from "../../../../src/node/node-commands.js";
import { decodeFrame } from "../../../../src/node/peer-frames.js";
import type { Transport } from "../../../../src/ports/transport.js";
import { slotOfKey } from "../../../../src/sharding/slots.js";
import { GROUP, LoneEventual, specOf } from "../eventual-fixture.js";

export const REQUEST_TIMEOUT_MS = 2_500;
/** A key of another partition than that of the replicas. */
export const ELSEWHERE = "elsewhere";

const PARTITION = 7;

export class Peers {
  readonly world = new World(1);
  readonly nodes: Peer[] = [];
  /** From where to where nothing goes just now, though both seem to be up. */
  readonly silent = new Set<string>();

  static async start(options: readonly { readonly hasReplica?: boolean; readonly isFounder?: boolean }[]) {
    const peers = new Peers();
    for (const [i, { hasReplica = true, isFounder = true }] of options.entries()) {
      const lone = new LoneEventual(peers.world, replicaOf(i + 1, 1), { isFounder });
      if (hasReplica) await lone.start();
      peers.nodes.push(new Peer(nodeId(`n${i + 1}`), peers, hasReplica ? lone : undefined));
    }
    return peers;
  }

  get holders(): NodeId[] {
    return this.nodes.filter(({ lone }) => lone !== undefined).map(({ id }) => id);
  }

  async pass(timeMs: number): Promise<void> {
    await this.world.run(timeMs, () => false);
  }

  deliver(from: NodeId, to: NodeId, frame: Bytes): void {
    if (this.silent.has(`${from}>${to}`)) return;
    this.world.schedule(1, () => {
      const target = this.nodes.find(({ id }) => id === to);
      if (target === undefined || target.isDown) return;
      const { body, group, type } = decodeFrame(frame) as { body: Bytes; group: typeof GROUP; type: string };
      if (type !== "request") throw new Error(`a frame of type ${type}`);
      target.sent.push(frame);
      target.commands.onFrame(from, group, body);
    });
  }
}

export class Peer {
  readonly id: NodeId;
  readonly lone: LoneEventual | undefined;
  readonly commands: EventualCoordinator;
  /** Frames that came. */
  readonly sent: Bytes[] = [];
  isDown = false;
  readonly #peers: Peers;

  constructor(id: NodeId, peers: Peers, lone: LoneEventual | undefined) {
    this.id = id;
    this.#peers = peers;
    this.lone = lone;
    const { clock } = new SimProcess(peers.world, 0);
    const host: EventualHost = {
      self: id,
      clock,
      random: peers.world.random,
      transport: this.#transport(),
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      copies: {
        reachable: () => peers.nodes.filter((peer) => peer.lone !== undefined && !peer.isDown).length,
        awaitCopies: (_group, _number, _count, deadlineMs, done) => {
          clock.after(deadlineMs - clock.monotonicMs(), () => done(1));
        },
      },
      replica: (group) => (group === GROUP ? lone?.replica : undefined),
      holdersOf: () => peers.holders,
      routeOf: () => routeAt({}),
      nowMs: () => (lone ?? peers.nodes.find((peer) => peer.lone !== undefined)?.lone)?.nowMs ?? 0,
    };
    this.commands = new EventualCoordinator(host, new ScanCursors());
    clock.every(50, () => this.commands.sweep());
  }

  #transport(): Transport {
    const { id } = this;
    const peers = this.#peers;
    const isUp = (to: NodeId) => peers.nodes.some((peer) => peer.id === to && !peer.isDown);
    return {
      start: async () => undefined,
      setPeers: () => undefined,
      updateGreeting: () => undefined,
      send(to, parts) {
        if (!isUp(to)) return false;
        peers.deliver(id, to, concatBytes(parts));
        return true;
      },
      flush: () => undefined,
      isUp,
      stop: async () => undefined,
    };
  }

  /** Everybody sees that it is gone. */
  goDown(): void {
    this.isDown = true;
    for (const peer of this.#peers.nodes) if (peer !== this) peer.commands.onPeerDown(this.id);
  }

  /** The answer is in what is returned once it has come. */
  submit(words: readonly string[], levels: ClientLevels = {}): { answers: unknown[] } {
    const answers: unknown[] = [];
    const route = routeAt(levels);
    const spec = specOf(words);
    const args = makeArgs(words);
    const context = newContext(levels);
    this.commands.start(spec, args, partitionFor(spec, args, route), route, context, {
      onReply: (reply) => answers.push(plain(reply)),
    });
    return { answers };
  }

  async ask(words: readonly string[], levels: ClientLevels = {}): Promise<unknown> {
    const { answers } = this.submit(words, levels);
    await this.#peers.world.run(2 * REQUEST_TIMEOUT_MS, () => answers.length > 0);
    if (answers.length !== 1) throw new Error(`${answers.length} answers to ${words.join(" ")}`);
    return answers[0];
  }
}

function routeAt({ readLevel = "one", writeLevel = "one" }: ClientLevels): Route {
  return {
    keyspace: {
      id: keyspaceId(0),
      name: "sessions",
      consistency: "eventual",
      storage: "disk",
      replicas: 3,
      partitions: 8,
      placement: [],
      founders: {},
    },
    guarantee: "stale",
    level: "majority",
    partitionOf: (slot) => (slot === slotOfKey(ELSEWHERE) ? 0 : PARTITION),
    eventual: eventualLevels(readLevel, writeLevel),
  };
}
