import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { FrameReader } from "../../../src/codec/frame.js";
import { type Bytes, concatBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { nodeId } from "../../../src/core/ids.js";
import {
  encodeGreetingFrame,
  encodeOpening,
  OpeningReader,
} from "../../../src/platform/tcp-transport-opening.js";
import { greetingOf, RecordingNode } from "../../contract/transport.js";
import { patternBytes } from "../../support/pattern.js";
import { encodeFrames, helloOf, listenRaw, RawPeer } from "../../support/raw-peer.js";
import { repositoryRoot } from "../../support/repository.js";
import { TcpWorld, until } from "../../support/tcp-harness.js";

const A = nodeId("a");
const B = nodeId("b");

async function startProcess(t: TestContext, id: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(join(repositoryRoot, "dist/test/support/transport-process.js"), [id]);
  t.after(() => child.kill("SIGKILL"));
  const [message] = (await once(child, "message")) as [{ port: number }];
  return { child, port: message.port };
}

describe("the TCP transport, and a peer that comes and goes", () => {
  it("misses a killed process within milliseconds, with no clock", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const { child, port } = await startProcess(t, "b");
    a.connectTo([B, port]);
    await world.until(() => a.transport.isUp(B), "connected");
    const startMs = performance.now();
    let noticedMs = 0;
    a.onEach = () => {
      noticedMs = performance.now() - startMs;
    };
    child.kill("SIGKILL");
    await until(() => a.log.includes("down b"), "missed");
    t.diagnostic(`noticed ${noticedMs.toFixed(1)} ms after the kill was asked for`);
    assert.deepEqual(a.transitions("b"), ["up b", "down b"]);
  });

  it("holds no more than its bound for a stopped process, gives it up, and finds it again", async (t) => {
    const world = new TcpWorld(t);
    const queueBytesMax = 8 * 1024 * 1024;
    const a = await world.start("a", { queueBytesMax });
    const { child, port } = await startProcess(t, "b");
    a.connectTo([B, port]);
    await world.until(() => a.transport.isUp(B), "connected");
    child.kill("SIGSTOP");
    const frame = patternBytes(100_000, 1);
    let accepted = 0;
    let refused = 0;
    const sendOne = (): void => {
      if (a.transport.send(B, [frame])) accepted += 1;
      else refused += 1;
    };
    await until(() => refused > 50, "the queue is full", sendOne);
    // The kernel's buffers on both sides hold some more.
    assert.ok(accepted * frame.length < queueBytesMax + 24 * 1024 * 1024, `${accepted} frames accepted`);
    await until(
      () => a.log.includes("down b"),
      "given up",
      () => world.clock.advance(100),
    );
    assert.equal(world.log.matching("no sign of life").length, 1);
    assert.equal(a.transport.send(B, [frame]), false);
    child.kill("SIGCONT");
    await world.until(() => a.transport.isUp(B), "found again");
    let lastFrameBytes = 0;
    child.on("message", (message: { frameBytes: number }) => {
      lastFrameBytes = message.frameBytes;
    });
    a.transport.send(B, [patternBytes(7, 7)]);
    await until(() => lastFrameBytes === 7, "a frame arrived");
    assert.deepEqual(a.transitions("b"), ["up b", "down b", "up b"]);
  });

  it("goes down and dials anew when only the peer's connection to it breaks", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const listener = await listenRaw(t, (peer) => peer.open(helloOf(greetingOf("b"))));
    a.connectTo([B, listener.port]);
    const dialler = await RawPeer.dial(t, a.transport.port);
    dialler.open(helloOf(greetingOf("b")));
    await world.until(() => a.transport.isUp(B) && dialler.received.length > 0, "connected both ways");
    dialler.socket.destroy();
    await until(() => a.log.includes("down b"), "missed");
    await until(() => listener.peers[0].closed, "the other connection is closed too");
    await world.until(() => listener.peers.length === 2 && a.transport.isUp(B), "dialled anew");
    assert.deepEqual(a.transitions("b"), ["up b", "down b", "up b"]);
  });

  it("hears nothing of a peer that went down before that has greeted again", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const listener = await listenRaw(t, (peer) => peer.open(helloOf(greetingOf("b"))));
    a.connectTo([B, listener.port]);
    const dialler = await RawPeer.dial(t, a.transport.port);
    dialler.open(helloOf(greetingOf("b")));
    await world.until(() => a.transport.isUp(B) && dialler.received.length > 0, "connected both ways");
    listener.peers[0].socket.destroy();
    dialler.write(encodeFrames(patternBytes(3, 1)));
    await until(() => dialler.closed, "the peer's own connection is closed too");
    await world.until(() => a.transitions("b").length === 3, "up again");
    const heard = a.log.filter((line) => line !== "frame b");
    assert.deepEqual(heard, ["greeting b formed", "up b", "down b", "greeting b formed", "up b"]);
    assert.ok(a.log.lastIndexOf("frame b") < a.log.indexOf("down b"));
  });

  it("does not mind when a peer's older connection ends after the newer came", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const b = await listenRaw(t, (peer) => peer.open(helloOf(greetingOf("b"))));
    a.connectTo([B, b.port]);
    await world.until(() => a.transport.isUp(B), "connected");
    const older = await RawPeer.dial(t, a.transport.port);
    older.open(helloOf(greetingOf("b")));
    await until(() => older.received.length > 0, "greeted");
    const newer = await RawPeer.dial(t, a.transport.port);
    newer.open(helloOf(greetingOf("b")));
    await until(() => older.closed, "the older one is closed");
    newer.write(encodeFrames(patternBytes(3, 3)));
    await until(() => a.frames.length === 1, "the newer one is heard");
    assert.deepEqual(a.transitions("b"), ["up b"]);
  });

  it("dials at once a peer that dials it, whatever the delay it was waiting for", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const b = await world.start("b");
    const { port } = b.transport;
    await b.transport.stop();
    a.connectTo([B, port]);
    await until(() => world.log.matching("a peer is not reachable").length === 1, "refused");
    const returned = await world.start("b", { port });
    returned.connectTo([A, a.address]);
    await until(() => a.transport.isUp(B), "connected without a delay");
  });

  it("dials again soon at first, then more rarely, and says only once that nobody answers", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const dialledAtMs: number[] = [];
    const listener = await listenRaw(t, (peer) => {
      dialledAtMs.push(world.clock.monotonicMs());
      peer.socket.destroy();
    });
    a.connectTo([B, listener.port]);
    await until(
      () => dialledAtMs.length >= 15,
      "dialled 15 times",
      () => world.clock.advance(5),
    );
    const delays = dialledAtMs.slice(1).map((atMs, i) => atMs - dialledAtMs[i]);
    assert.ok(delays[0] >= 10 && delays[0] < 60, `first ${delays[0]} ms`);
    for (const delay of delays.slice(6)) assert.ok(delay >= 250 && delay < 600, `later ${delay} ms`);
    assert.equal(world.log.matching("a peer is not reachable").length, 1);
  });

  it("dials the new address of a peer that has moved", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const first = await world.start("b");
    const second = await world.start("b");
    a.connectTo([B, first.address]);
    await world.until(() => a.transport.isUp(B), "connected");
    a.connectTo([B, second.address]);
    assert.equal(a.transport.isUp(B), false);
    await world.until(() => a.transport.isUp(B), "connected again");
    a.transport.send(B, [patternBytes(3, 1)]);
    await until(() => second.frames.length === 1, "the frame arrived");
    assert.deepEqual(a.transitions("b"), ["up b", "down b", "up b"]);
  });

  it("drops a peer that has fallen silent, and keeps one that pings", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const b = await world.start("b");
    b.connectTo([A, a.address]);
    await world.until(() => b.transport.isUp(A), "connected");
    const silent = await RawPeer.dial(t, a.transport.port);
    silent.open(helloOf(greetingOf("s")));
    await until(() => silent.received.length > 0, "greeted");
    for (let second = 0; second < 30; second += 1) {
      world.clock.advance(1000);
      // A frame there proves that the ping before it has been read.
      b.transport.send(A, [patternBytes(1, 1)]);
      await until(() => a.frames.length === second + 1, "the ping and a frame arrived");
    }
    await until(() => silent.closed, "dropped");
    assert.deepEqual(b.transitions("a"), ["up a"]);
  });

  it("drops a peer that does not read its answers", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const deaf = await RawPeer.dial(t, a.transport.port);
    deaf.open(helloOf(greetingOf("b")));
    await until(() => deaf.received.length > 0, "greeted");
    deaf.socket.pause();
    let incarnation = 1;
    const greetOften = (): void => {
      for (let i = 0; i < 500; i += 1) {
        incarnation += 1;
        a.transport.updateGreeting(greetingOf("a", { incarnation, clusterId: "x".repeat(900) }));
      }
    };
    await until(() => world.log.matching("does not read").length > 0, "dropped", greetOften);
    assert.ok(incarnation < 50_000, `${incarnation} greetings went to a peer that reads none`);
  });

  it("takes the newest greeting of a process, whichever connection brings it", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const peer = await RawPeer.dial(t, a.transport.port);
    const greet = (sequence: number, incarnation: number): void => {
      peer.control(encodeGreetingFrame(helloOf(greetingOf("b", { incarnation }), { sequence })));
    };
    peer.open(helloOf(greetingOf("b", { incarnation: 1 }), { sequence: 5 }));
    greet(4, 99);
    greet(7, 3);
    greet(6, 2);
    greet(7, 98);
    peer.write(encodeFrames(patternBytes(1, 1)));
    await until(() => a.frames.length === 1, "all was read");
    assert.deepEqual(
      a.greetings.map((greeting) => greeting.incarnation),
      [1, 3],
    );
    const restarted = await RawPeer.dial(t, a.transport.port);
    restarted.open(helloOf(greetingOf("b", { incarnation: 3 }), { sequence: 1, instance: 4712 }));
    await until(() => a.greetings.length === 3, "a new process is a first contact");
  });

  it("tells nothing more of a peer that the handler of its greeting removed", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const b = await world.start("b");
    a.onEach = () => a.connectTo();
    a.connectTo([B, b.address]);
    await until(() => a.log.length > 0 && b.log.length > 0, "greeted");
    const c = await world.start("c");
    a.connectTo([nodeId("c"), c.address]);
    await until(() => a.log.includes("greeting c formed"), "greeted by another");
    assert.deepEqual(a.log, ["greeting b formed", "greeting c formed"]);
  });

  it("leaves the frames of a broken connection behind", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const listener = await listenRaw(t, (peer) => {
      peer.open(helloOf(greetingOf("b")));
      peer.socket.pause();
    });
    a.connectTo([B, listener.port]);
    await world.until(() => a.transport.isUp(B), "connected");
    const frame = patternBytes(10_000, 1);
    const sendSome = (): void => {
      for (let i = 0; i < 50; i += 1) a.transport.send(B, [frame]);
    };
    let turns = 0;
    await until(() => turns++ > 40, "more is queued than the system takes", sendSome);
    listener.peers[0].socket.destroy();
    a.transport.send(B, [frame]);
    await world.until(() => a.log.includes("down b") && a.transport.isUp(B), "connected again");
    a.transport.send(B, [patternBytes(3, 3)]);
    const [, second] = listener.peers;
    second.socket.resume();
    const opening = encodeOpening(helloOf(greetingOf("a"))).length;
    await until(() => second.received.length >= opening + 7, "the frame arrived");
    assert.deepEqual(second.received.subarray(opening), Buffer.from(encodeFrames(patternBytes(3, 3))));
  });

  it("does not touch what the system has not taken yet", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const bodies: Bytes[] = [];
    const reader = new FrameReader({ onFrame: (body) => bodies.push(body), onControlFrame() {} });
    const opening = new OpeningReader();
    let opened = false;
    const listener = await listenRaw(t, (peer) => {
      peer.open(helloOf(greetingOf("b")));
      peer.socket.removeAllListeners("data").on("data", (chunk: Buffer) => {
        const result = opened ? undefined : opening.push(chunk as unknown as Bytes);
        if (result?.state === "opened") reader.push(result.rest);
        else reader.push(chunk as unknown as Bytes);
        opened = true;
      });
    });
    a.connectTo([B, listener.port]);
    await world.until(() => a.transport.isUp(B) && opened, "connected");
    listener.peers[0].socket.pause();
    const sent: Bytes[] = [];
    // Small frames, so that they are copied together; more than the kernel's buffers hold, while nobody reads.
    const sendSome = (): void => {
      for (let i = 0; i < 40; i += 1) {
        const frame = patternBytes(8_000 + (sent.length % 100), sent.length);
        assert.equal(a.transport.send(B, [frame]), true);
        sent.push(frame);
      }
    };
    await until(() => sent.length >= 3_000, "much is sent", sendSome);
    listener.peers[0].socket.resume();
    await until(() => bodies.length === sent.length, "all frames arrived");
    for (const [i, body] of bodies.entries()) assert.equal(body.equals(sent[i]), true, `frame ${i}`);
  });

  it("writes what the system takes only piece by piece, whole and in order", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const b = await world.start("b");
    a.connectTo([B, b.address]);
    await world.until(() => a.transport.isUp(B), "connected");
    const sizes = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 1_500_000 + i : 100 + i));
    for (const [i, size] of sizes.entries()) {
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(a.transport.send(B, [patternBytes(size, i)]), true);
    }
    await until(() => b.frames.length === sizes.length, "all frames arrived");
    for (const [i, { frame }] of b.frames.entries()) {
      assert.equal(frame.equals(patternBytes(sizes[i], i)), true, `frame ${i}`);
    }
  });
});

describe("the TCP transport, and its own port", () => {
  it("says that its port is in use", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const inUse = world.make(greetingOf("b"), undefined, a.transport.port);
    await assert.rejects(inUse.start(new RecordingNode(B, inUse)), (error) => {
      assert.ok(error instanceof MinikeyError);
      assert.equal(error.code, "PORT_IN_USE");
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${a.transport.port}`));
      return true;
    });
  });

  it("flushes before the turn's end when asked to", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const b = await world.start("b");
    const c = await world.start("c");
    a.connectTo([B, b.address], [c.id, c.address]);
    await world.until(() => a.transport.isUp(B) && a.transport.isUp(c.id), "connected");
    let turns = 0;
    t.mock.method(world.clock, "atTurnEnd", () => {
      turns += 1;
    });
    a.transport.send(B, [patternBytes(1, 1)]);
    a.transport.send(B, [patternBytes(2, 1)]);
    a.transport.send(c.id, [patternBytes(2, 1)]);
    assert.equal(turns, 1, "one turn end for all frames");
    a.transport.flush();
    await until(() => b.frames.length === 2 && c.frames.length === 1, "the frames arrived");
  });

  it("stops while it starts", async (t) => {
    const world = new TcpWorld(t);
    const transport = world.make(greetingOf("a"));
    const starting = transport.start(new RecordingNode(A, transport));
    await transport.stop();
    await starting;
    assert.throws(() => transport.port, /does not listen/);
    assert.equal(world.clock.pendingTimers, 0);
  });

  it("stops while connections are half open on both sides", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const half = encodeOpening(helloOf(greetingOf("b"))).subarray(0, 20);
    const mute = await listenRaw(t, (peer) => peer.write(half));
    a.connectTo([B, mute.port], [nodeId("c"), "127.0.0.1:1"]);
    const dialler = await RawPeer.dial(t, a.transport.port);
    dialler.write(half);
    await until(() => mute.peers.length === 1 && mute.peers[0].received.length > 0, "both are half open");
    await a.transport.stop();
    assert.equal(world.clock.pendingTimers, 0);
    await until(() => dialler.closed && mute.peers[0].closed, "all are closed");
  });

  it("sends what is queued before it stops", async (t) => {
    const world = new TcpWorld(t);
    const a = await world.start("a");
    const b = await world.start("b");
    a.connectTo([B, b.address]);
    await world.until(() => a.transport.isUp(B), "connected");
    a.transport.send(B, [concatBytes([patternBytes(1, 1)])]);
    await a.transport.stop();
    await until(() => b.frames.length === 1, "the frame arrived");
  });
});
