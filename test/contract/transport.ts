/**
 * What every `Transport` does: the suite runs on real sockets and on the simulated network alike. A harness makes
 * nodes and lets time pass; the suite only ever waits for conditions.
 */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Bytes, utf8ToBytes } from "../../src/core/bytes.js";
import { type NodeId, nodeId } from "../../src/core/ids.js";
import type { Greeting, Transport, TransportEvents } from "../../src/ports/transport.js";
import { patternBytes } from "../support/pattern.js";

export interface TransportHarness {
  /** Makes a transport whose greeting is `greeting`, but for its address; not started. */
  make(greeting: Greeting, queueBytesMax: number): Transport;
  /** Where a started transport is reached by others. */
  addressOf(transport: Transport): string;
  /** Lets time pass until `condition` holds; fails with `what` when it never does. */
  until(condition: () => boolean, what: string): Promise<void>;
  close(): Promise<void>;
}

/** A node of the suite: its transport, and all it was told, in order. */
export class RecordingNode implements TransportEvents {
  readonly id: NodeId;
  readonly transport: Transport;
  readonly log: string[] = [];
  readonly frames: { from: NodeId; frame: Bytes }[] = [];
  readonly greetings: Greeting[] = [];
  onEach: (event: string) => void = () => {};

  constructor(id: NodeId, transport: Transport) {
    this.id = id;
    this.transport = transport;
  }

  onFrame(from: NodeId, frame: Bytes): void {
    this.frames.push({ from, frame });
    this.#record(`frame ${from}`);
  }

  onGreeting(greeting: Greeting): void {
    this.greetings.push(greeting);
    this.#record(`greeting ${greeting.nodeId} ${greeting.stage}`);
  }

  onUp(peer: NodeId): void {
    this.#record(`up ${peer}`);
  }

  onDown(peer: NodeId): void {
    this.#record(`down ${peer}`);
  }

  /** The ups and downs of one peer. */
  transitions(peer: string): string[] {
    return this.log.filter((line) => line === `up ${peer}` || line === `down ${peer}`);
  }

  #record(event: string): void {
    this.log.push(event);
    this.onEach(event);
  }
}

export function greetingOf(id: string, extra: Partial<Greeting> = {}): Greeting {
  return { nodeId: nodeId(id), incarnation: 1, clusterId: "c1", stage: "formed", address: "", ...extra };
}

const QUEUE_BYTES_MAX = 64 * 1024 * 1024;

/** The nodes of one test, and their addresses. */
class World {
  readonly harness: TransportHarness;
  readonly addresses = new Map<NodeId, string>();

  constructor(harness: TransportHarness) {
    this.harness = harness;
  }

  async add(id: string, queueBytesMax = QUEUE_BYTES_MAX): Promise<RecordingNode> {
    const transport = this.harness.make(greetingOf(id), queueBytesMax);
    const node = new RecordingNode(nodeId(id), transport);
    await transport.start(node);
    this.addresses.set(node.id, this.harness.addressOf(transport));
    return node;
  }

  /** Nodes that are all connected with each other. */
  async addConnected(...ids: string[]): Promise<RecordingNode[]> {
    const nodes = await Promise.all(ids.map((id) => this.add(id)));
    for (const node of nodes) node.transport.setPeers(this.addresses);
    await this.untilConnected(nodes);
    return nodes;
  }

  async untilConnected(nodes: readonly RecordingNode[]): Promise<void> {
    await this.harness.until(
      () => nodes.every((a) => nodes.every((b) => a === b || a.transport.isUp(b.id))),
      "all nodes are connected",
    );
  }
}

export function transportContract(name: string, open: (t: TestContext) => TransportHarness): void {
  const test = (title: string, run: (world: World) => Promise<void>): void => {
    it(title, async (t) => {
      const harness = open(t);
      try {
        await run(new World(harness));
      } finally {
        await harness.close();
      }
    });
  };

  describe(`the transport contract, ${name}`, () => {
    test("frames of every size arrive whole and in the order sent", async (world) => {
      const [a, b] = await world.addConnected("a", "b");
      const sent = [0, 1, 3, 4, 200, 4096, 65_535, 65_536, 65_537, 3_000_000, 5].map((size, n) =>
        patternBytes(size, n),
      );
      for (const frame of sent) assert.equal(a.transport.send(b.id, splitInThree(frame)), true);
      await world.harness.until(() => b.frames.length === sent.length, "all frames arrived");
      for (const [i, frame] of sent.entries()) {
        assert.equal(b.frames[i].from, a.id);
        assert.equal(frame.equals(b.frames[i].frame), true, `frame ${i} of ${frame.length} bytes`);
      }
    });

    test("frames flow both ways between three nodes, over many turns", async (world) => {
      const nodes = await world.addConnected("a", "b", "c");
      for (let round = 0; round < 20; round += 1) {
        for (const from of nodes) {
          for (const to of nodes) {
            if (from !== to) from.transport.send(to.id, [utf8ToBytes(`${from.id} ${round}`)]);
          }
        }
        await world.harness.until(() => nodes.every((n) => n.frames.length === 2 * (round + 1)), "a round");
      }
      for (const node of nodes) {
        for (const peer of nodes.filter((n) => n !== node)) {
          const texts = node.frames.filter((f) => f.from === peer.id).map((f) => f.frame.utf8Slice());
          assert.deepEqual(
            texts,
            Array.from({ length: 20 }, (_, round) => `${peer.id} ${round}`),
          );
        }
      }
    });

    test("a frame that is kept does not change", async (world) => {
      const [a, b] = await world.addConnected("a", "b");
      for (let i = 0; i < 300; i += 1) {
        a.transport.send(b.id, [patternBytes(200, i)]);
        if (i % 10 === 0) await world.harness.until(() => b.frames.length === i + 1, "frames arrive");
      }
      await world.harness.until(() => b.frames.length === 300, "all frames arrived");
      for (const [i, { frame }] of b.frames.entries())
        assert.equal(frame.equals(patternBytes(200, i)), true, `frame ${i}`);
    });

    test("a peer's greeting comes first, then that it is up, each once", async (world) => {
      const [a, b] = await world.addConnected("a", "b");
      b.transport.send(a.id, [patternBytes(1, 1)]);
      await world.harness.until(() => a.frames.length === 1, "the frame arrived");
      assert.deepEqual(a.log, ["greeting b formed", "up b", "frame b"]);
    });

    test("a frame can be sent as soon as the peer is up, and not before", async (world) => {
      const a = await world.add("a");
      const b = await world.add("b");
      assert.equal(a.transport.send(b.id, [patternBytes(1, 1)]), false, "an unknown peer");
      const sent: boolean[] = [];
      a.onEach = (event) => {
        if (event === "greeting b formed") sent.push(a.transport.isUp(b.id));
        if (event === "up b") sent.push(a.transport.isUp(b.id), a.transport.send(b.id, [patternBytes(1, 2)]));
      };
      a.transport.setPeers(world.addresses);
      assert.equal(a.transport.isUp(b.id), false);
      assert.equal(a.transport.send(b.id, [patternBytes(1, 1)]), false, "a peer that is not up yet");
      await world.harness.until(() => b.frames.length === 1, "the frame arrived");
      assert.deepEqual(b.frames[0].frame[0], patternBytes(1, 2)[0]);
      assert.deepEqual(sent.slice(-2), [true, true]);
    });

    test("a changed greeting reaches every peer, the last state last, an unchanged one nobody", async (world) => {
      const [a, b, c] = await world.addConnected("a", "b", "c");
      a.transport.updateGreeting(greetingOf("a"));
      a.transport.updateGreeting(greetingOf("a", { stage: "forming" }));
      a.transport.updateGreeting(greetingOf("a", { clusterId: "c2", incarnation: 7 }));
      for (const peer of [b, c]) {
        await world.harness.until(() => peer.greetings.at(-1)?.incarnation === 7, "the greeting arrived");
        const last = peer.greetings.filter((g) => g.nodeId === a.id);
        assert.deepEqual(last.at(-1), greetingOf("a", { clusterId: "c2", incarnation: 7, address: "" }));
        assert.equal(peer.log.filter((line) => line === "greeting a formed").length, 2);
        assert.deepEqual(peer.transitions("a"), ["up a"]);
      }
    });

    test("a changed greeting reaches the other side, whichever has dialled", async (world) => {
      const a = await world.add("a");
      const b = await world.add("b");
      a.transport.setPeers(world.addresses);
      await world.harness.until(() => a.transport.isUp(b.id), "a has reached b");
      a.transport.updateGreeting(greetingOf("a", { incarnation: 2 }));
      b.transport.updateGreeting(greetingOf("b", { incarnation: 3 }));
      await world.harness.until(() => b.greetings.at(-1)?.incarnation === 2, "b knows of a");
      await world.harness.until(() => a.greetings.at(-1)?.incarnation === 3, "a knows of b");
    });

    test("a greeting changed while a connection opens is not missed", async (world) => {
      const a = await world.add("a");
      const b = await world.add("b");
      a.transport.setPeers(world.addresses);
      a.transport.updateGreeting(greetingOf("a", { incarnation: 2 }));
      await world.harness.until(() => a.transport.isUp(b.id), "a has reached b");
      a.onEach = () => {};
      await world.harness.until(() => b.greetings.at(-1)?.incarnation === 2, "b knows the new greeting");
    });

    test("frames queued at the end of a turn leave at once with a flush", async (world) => {
      const [a, b] = await world.addConnected("a", "b");
      assert.equal(a.transport.send(b.id, [patternBytes(7, 1)]), true);
      a.transport.flush();
      a.transport.send(b.id, [patternBytes(8, 2)]);
      a.transport.flush();
      a.transport.flush();
      await world.harness.until(() => b.frames.length === 2, "the frames arrived");
      assert.deepEqual(
        b.frames.map(({ frame }) => frame.length),
        [7, 8],
      );
    });

    test("a peer that stops goes down once, and one that returns is greeted and up again", async (world) => {
      const [a, b] = await world.addConnected("a", "b");
      await b.transport.stop();
      await world.harness.until(() => a.log.includes("down b"), "a missed b");
      assert.equal(a.transport.isUp(b.id), false);
      assert.equal(a.transport.send(b.id, [patternBytes(1, 1)]), false);
      const returned = await world.add("b");
      a.transport.setPeers(world.addresses);
      returned.transport.setPeers(world.addresses);
      await world.untilConnected([a, returned]);
      a.transport.send(returned.id, [patternBytes(9, 9)]);
      await world.harness.until(() => returned.frames.length === 1, "a frame arrived");
      assert.deepEqual(a.transitions("b"), ["up b", "down b", "up b"]);
      assert.equal(a.greetings.length, 2);
      assert.equal(b.log.includes("down a"), false, "a stopped transport tells nothing");
    });

    test("frames for one peer beyond the bound are refused, those for others are not", async (world) => {
      const a = await world.add("a", 100_000);
      const b = await world.add("b");
      const c = await world.add("c");
      a.transport.setPeers(world.addresses);
      await world.harness.until(() => a.transport.isUp(b.id) && a.transport.isUp(c.id), "a is connected");
      const frame = patternBytes(10_000, 1);
      let accepted = 0;
      while (a.transport.send(b.id, [frame])) accepted += 1;
      assert.equal(accepted, 9);
      assert.equal(a.transport.send(c.id, [frame]), true);
      await world.harness.until(
        () => b.frames.length === accepted && c.frames.length === 1,
        "what was taken",
      );
      assert.equal(a.transport.send(b.id, [frame]), true, "room again");
    });

    test("a peer that is no longer one goes down, and frames of nobody's peer arrive", async (world) => {
      const [a, b] = await world.addConnected("a", "b");
      a.transport.setPeers(new Map());
      assert.deepEqual(a.transitions("b"), ["up b", "down b"]);
      assert.equal(a.transport.send(b.id, [patternBytes(1, 1)]), false);
      await world.harness.until(() => b.transitions("a").length === 3, "b dialled again");
      assert.deepEqual(b.transitions("a"), ["up a", "down a", "up a"]);
      b.transport.send(a.id, [patternBytes(1, 1)]);
      await world.harness.until(() => a.frames.length === 1, "the frame arrived");
      assert.equal(a.transport.isUp(b.id), false);
    });

    test("setting the same peers, and oneself, changes nothing", async (world) => {
      const [a, b] = await world.addConnected("a", "b");
      a.transport.setPeers(world.addresses);
      a.transport.setPeers(new Map(world.addresses));
      b.transport.send(a.id, [patternBytes(1, 1)]);
      await world.harness.until(() => a.frames.length === 1, "a frame arrived");
      assert.deepEqual(a.log, ["greeting b formed", "up b", "frame b"]);
      assert.equal(a.transport.isUp(a.id), false);
    });

    test("an event handler may remove the peer it is told of", async (world) => {
      for (const event of ["greeting b formed", "up b", "frame b"]) {
        const a = await world.add("a");
        const b = await world.add("b");
        a.onEach = (seen) => {
          if (seen === event) a.transport.setPeers(new Map());
        };
        b.onEach = (seen) => {
          if (seen === "up a") for (let i = 0; i < 3; i += 1) b.transport.send(a.id, [patternBytes(5, i)]);
        };
        a.transport.setPeers(world.addresses);
        b.transport.setPeers(world.addresses);
        await world.harness.until(() => a.log.includes(event) && b.log.includes("up a"), event);
        const ups = a.transitions("b");
        assert.equal(a.transport.isUp(b.id), false);
        assert.deepEqual(ups, ups.length === 0 ? [] : ["up b", "down b"], event);
        await Promise.all([a.transport.stop(), b.transport.stop()]);
      }
    });

    test("a stopped transport stays silent and stops again without harm", async (world) => {
      const [a, b] = await world.addConnected("a", "b");
      b.transport.send(a.id, [patternBytes(5, 1)]);
      await Promise.all([a.transport.stop(), a.transport.stop()]);
      const seen = a.log.length;
      await world.harness.until(() => b.log.includes("down a"), "b missed a");
      assert.equal(a.log.length, seen);
      assert.equal(a.transport.send(b.id, [patternBytes(1, 1)]), false);
      assert.equal(a.transport.isUp(b.id), false);
    });
  });
}

function splitInThree(frame: Bytes): Uint8Array[] {
  const first = Math.floor(frame.length / 3);
  return [frame.subarray(0, first), frame.subarray(first, first), frame.subarray(first)];
}
