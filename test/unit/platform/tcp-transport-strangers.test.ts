import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { encodeControlFrame, FRAME_BYTES_MAX } from "../../../src/codec/frame.js";
import { type Bytes, concatBytes } from "../../../src/core/bytes.js";
import { nodeId } from "../../../src/core/ids.js";
import {
  encodeGreetingFrame,
  encodeOpening,
  OpeningReader,
} from "../../../src/platform/tcp-transport-opening.js";
import { greetingOf } from "../../contract/transport.js";
import { patternBytes } from "../../support/pattern.js";
import { bytesOf, encodeFrames, helloOf, listenRaw, RawPeer } from "../../support/raw-peer.js";
import { TcpWorld, until } from "../../support/tcp-harness.js";

const A = nodeId("a");
const B = nodeId("b");

/** An opening like ours, of another version of the protocol. */
function openingOfVersion(version: number): Bytes {
  const opening = encodeOpening(helloOf(greetingOf("b")));
  opening[8] = version;
  return opening;
}

function encodeLength(length: number): Bytes {
  const bytes = bytesOf("00000000");
  bytes.writeUInt32LE(length, 0);
  return bytes;
}

describe("the TCP transport, and a peer that is not what it should be", () => {
  it("says once that another node answers at an address, and connects when the right one does", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const wrong = await world.start("x");
    const { port } = wrong.transport;
    a.connectTo([B, port]);
    const told = (): number => world.log.matching("the node at this address is x").length;
    await until(() => told() > 0, "said");
    await wrong.transport.stop();
    await world.start("b", { port });
    const reached = (): boolean => a.transport.isUp(B);
    await until(reached, "connected to the right one", () => world.clock.advance(100));
    assert.equal(told(), 1);
    assert.deepEqual(a.transitions("b"), ["up b"]);
  });

  it("says once that a peer speaks another version, and tells such a peer whom it reached", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const dialledAtMs: number[] = [];
    const newer = await listenRaw(t, (peer) => {
      dialledAtMs.push(world.clock.monotonicMs());
      peer.write(openingOfVersion(2));
    });
    a.connectTo([B, newer.port]);
    const told = "it speaks version 2 of the peer protocol, this node version 1";
    const redialled = (): boolean => newer.peers.length >= 3;
    await until(redialled, "it was dialled again", () => world.clock.advance(100));
    assert.equal(world.log.matching(told).length, 1);
    assert.ok(dialledAtMs[1] - dialledAtMs[0] >= 2_500, "not in a hurry");

    const dialler = await RawPeer.dial(t, a.transport.port);
    dialler.write(openingOfVersion(2));
    await until(() => dialler.closed, "turned away");
    const answer = new OpeningReader().push(dialler.received as unknown as Bytes);
    assert.equal(answer.state === "opened" && answer.hello.greeting.nodeId, "a");
    const refused = `refused a connection to the peer port: ${told}`;
    await until(() => world.log.matching(refused).length === 1, "said");
    assert.deepEqual(a.log, []);
  });

  it("says once that something else listens at an address", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    let connections = 0;
    const http = createHttpServer((_request, response) => response.end("hello"));
    http.on("connection", () => {
      connections += 1;
    });
    http.listen(0, "127.0.0.1");
    t.after(() => http.close());
    await once(http, "listening");
    a.connectTo([B, (http.address() as { port: number }).port]);
    await until(
      () => connections >= 3,
      "dialled again",
      () => world.clock.advance(100),
    );
    assert.equal(world.log.matching("not MinikeyDB's peer protocol").length, 1);
  });

  it("turns a client of another protocol away at its first byte", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const stranger = await RawPeer.dial(t, a.transport.port);
    stranger.write(Buffer.from("*"));
    await until(() => stranger.closed, "turned away");
    assert.equal(stranger.received.length, 0, "and tells it nothing");
    assert.equal(world.log.matching("not MinikeyDB's peer protocol").length, 1);
  });

  it("does not let strangers fill the log", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const refuse = async (version: number): Promise<void> => {
      const stranger = await RawPeer.dial(t, a.transport.port);
      stranger.write(openingOfVersion(version));
      await until(() => stranger.closed, "turned away");
    };
    for (let i = 0; i < 3; i += 1) await refuse(2);
    assert.equal(world.log.matching("refused").length, 1, "the same is said once");
    for (let version = 3; version < 30; version += 1) await refuse(version);
    assert.equal(world.log.matching("refused").length, 10, "and not too much in all");
    world.clock.advance(10_000);
    await refuse(2);
    // The stranger may notice the end before the node does.
    await until(() => world.log.matching("refused").length === 11, "said again after a while");
  });

  it("says that an address leads back to itself, or is none", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    a.connectTo([B, a.address], [nodeId("c"), "nowhere"], [nodeId("d"), "127.0.0.1:70000"]);
    await until(() => world.log.matching("leads back to this node").length === 1, "said");
    assert.equal(world.log.matching("not of the form host:port").length, 2);
    assert.deepEqual(a.log, []);
  });

  it("turns another node of its own name away", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const twin = await RawPeer.dial(t, a.transport.port);
    twin.open(helloOf(greetingOf("a")));
    await until(() => twin.closed, "turned away");
    assert.deepEqual(a.log, []);
    assert.equal(world.log.matching("another node has this node's name").length, 1);
  });

  it("keeps to the peer it has reached when another node comes with its name", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const right = await world.start("b");
    a.connectTo([B, right.address]);
    right.connectTo([A, a.address]);
    await world.until(() => a.transport.isUp(B) && right.transport.isUp(A), "connected");
    const twin = await world.start("b");
    twin.connectTo([A, a.address]);
    await world.until(() => world.log.matching("two nodes have one name").length === 1, "refused");
    right.transport.send(A, [patternBytes(5, 5)]);
    await until(() => a.frames.length === 1, "the right one is heard");
    assert.deepEqual(
      [a.transitions("b"), right.transitions("a"), twin.transitions("a")],
      [["up b"], ["up a"], []],
    );
  });

  it("drops a node with a peer's name once it has reached the peer", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const twin = await RawPeer.dial(t, a.transport.port);
    twin.open(helloOf(greetingOf("b")));
    await until(() => twin.received.length > 0, "greeted");
    const right = await world.start("b");
    a.connectTo([B, right.address]);
    await until(() => twin.closed, "dropped");
    assert.deepEqual(a.transitions("b"), ["up b"]);
  });

  it("leaves its connection with a node alone when another address leads to that node too", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const x = await world.start("x");
    a.connectTo([x.id, x.address], [B, x.address]);
    await world.until(() => a.transport.isUp(x.id), "connected");
    await until(() => world.log.matching("the node at this address is x").length === 1, "said");
    await until(() => world.log.matching("it looks for b here").length === 1, "said on the other side, too");
    const before = world.clock.monotonicMs();
    const passed = (): boolean => world.clock.monotonicMs() - before > 12_000;
    await until(passed, "it has been looked at again", () => world.clock.advance(50));
    a.transport.send(x.id, [patternBytes(5, 5)]);
    await until(() => x.frames.length === 1, "the frame arrived");
    assert.deepEqual(a.log, ["greeting x formed", "up x"]);
  });

  it("listens to the newest of two nodes with one name, without a storm", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const twins = [await world.start("b"), await world.start("b")];
    for (const twin of twins) twin.connectTo([A, a.address]);
    const startMs = world.clock.monotonicMs();
    const passed = (): boolean => world.clock.monotonicMs() - startMs > 3000;
    await until(passed, "three seconds have passed", () => world.clock.advance(5));
    const dials = twins.map((twin) => twin.log.filter((line) => line === "up a").length);
    assert.ok(dials[0] + dials[1] <= 40, `dialled ${dials.join(" and ")} times in 3 s`);
    await world.until(() => twins.some((twin) => twin.transport.isUp(A)), "one of them is connected");
  });

  it("gives up a connection whose opening stops half-way, in both directions", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const half = encodeOpening(helloOf(greetingOf("b"))).subarray(0, 20);
    const mute = await listenRaw(t, (peer) => peer.write(half));
    a.connectTo([B, mute.port]);
    const dialler = await RawPeer.dial(t, a.transport.port);
    dialler.write(half);
    await until(() => mute.peers.length === 1 && mute.peers[0].received.length > 0, "both are half open");
    const bothClosed = (): boolean => dialler.closed && mute.peers[0].closed;
    await until(bothClosed, "both are given up", () => world.clock.advance(100));
    assert.equal(world.log.matching("it does not answer").length, 1);
    assert.equal(world.log.matching("it did not greet in time").length, 1);
    assert.deepEqual(a.log, []);
  });

  it("refuses more connections that do not greet than it can bear, and takes peers again after", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const idle: RawPeer[] = [];
    for (let i = 0; i < 300; i += 1) idle.push(await RawPeer.dial(t, a.transport.port));
    const closed = (): number => idle.filter((peer) => peer.closed).length;
    await until(() => closed() >= 44, "the surplus is refused");
    assert.equal(closed(), 44);
    world.clock.advance(5_000);
    await until(() => closed() === 300, "the others ran out of time");
    const peers: RawPeer[] = [];
    for (let i = 0; i < 260; i += 1) {
      const peer = await RawPeer.dial(t, a.transport.port);
      peer.open(helloOf(greetingOf(`p${i}`)));
      await until(() => peer.received.length > 0, "greeted");
      peers.push(peer);
    }
    assert.equal(a.greetings.length, 260, "connections that greet do not count");
  });

  const laterGreeting = encodeControlFrame(
    encodeGreetingFrame(helloOf(greetingOf("b", { incarnation: 77 }), { sequence: 9 })),
  );
  const renamed = encodeControlFrame(encodeGreetingFrame(helloOf(greetingOf("z"), { sequence: 9 })));
  for (const [what, bytes] of [
    ["a frame beyond the size limit", encodeLength(FRAME_BYTES_MAX + 1)],
    ["an unknown control frame", bytesOf("0100008009")],
    ["an empty control frame", bytesOf("00000080")],
    ["a malformed greeting", bytesOf("030000800301ff")],
    ["a greeting of another name", renamed],
  ] as const) {
    it(`drops a peer that sends ${what}, in both directions`, async (t) => {
      const world = new TcpWorld(t);
      const a = await world.start("a");
      const send = (peer: RawPeer): void => {
        peer.open(helloOf(greetingOf("b")));
        // Nothing behind it may count, though it comes with it.
        peer.write(concatBytes([bytes, laterGreeting]));
      };
      const dialler = await RawPeer.dial(t, a.transport.port);
      send(dialler);
      await until(() => dialler.closed, "dropped");
      const listener = await listenRaw(t, send);
      a.connectTo([B, listener.port]);
      await until(() => listener.peers.length > 0 && listener.peers[0].closed, "dropped");
      assert.deepEqual(a.transitions("b"), ["up b", "down b"]);
      assert.deepEqual(a.greetings, [greetingOf("b"), greetingOf("b")]);
    });
  }

  it("drops a peer that sends frames where only answers belong", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const listener = await listenRaw(t, (peer) => {
      peer.open(helloOf(greetingOf("b")));
      peer.write(encodeFrames(patternBytes(3, 1), patternBytes(3, 1)));
    });
    a.connectTo([B, listener.port]);
    await until(() => listener.peers.length > 0 && listener.peers[0].closed, "dropped");
    assert.equal(a.frames.length, 0);
    assert.deepEqual(a.transitions("b"), ["up b", "down b"]);
  });

  it("survives any bytes on its port, and goes on with its peers", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const b = await world.start("b");
    a.connectTo([B, b.address]);
    b.connectTo([A, a.address]);
    await world.until(() => a.transport.isUp(B) && b.transport.isUp(A), "connected");
    const valid = concatBytes([
      encodeOpening(helloOf(greetingOf("g"))),
      encodeFrames(patternBytes(30, 1), patternBytes(0, 1)),
      encodeControlFrame(encodeGreetingFrame(helloOf(greetingOf("g"), { sequence: 2 }))),
    ]);
    const mutated = fc
      .record({ at: fc.nat(valid.length - 1), byte: fc.nat(255), end: fc.nat(valid.length) })
      .map(({ at, byte, end }) => {
        const copy = Buffer.from(valid);
        copy[at] = byte;
        return copy.subarray(0, end);
      });
    const anything = fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated);
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { maxLength: 4 }), async (writes) => {
        const stranger = await RawPeer.dial(t, a.transport.port);
        for (const bytes of writes) stranger.write(bytes);
        stranger.socket.end();
        await until(() => stranger.closed, "closed");
      }),
      { numRuns: 150 },
    );
    assert.equal(a.transport.send(B, [patternBytes(5, 5)]), true);
    await until(() => b.frames.length > 0, "a frame arrived");
    assert.deepEqual(a.transitions("b"), ["up b"]);
  });
});
