/** The other end of a peer connection, which says and does whatever the test wants, to node a unless told else. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { encodeControlFrame, FrameBatch } from "../../src/codec/frame.js";
import { type Bytes, concatBytes } from "../../src/core/bytes.js";
import { nodeId } from "../../src/core/ids.js";
import { encodeOpening, type Hello } from "../../src/platform/tcp-transport-opening.js";
import type { Greeting } from "../../src/ports/transport.js";

export const helloOf = (greeting: Greeting, extra: Partial<Hello> = {}): Hello => ({
  greeting,
  instance: 4711,
  sequence: 1,
  to: nodeId("a"),
  ...extra,
});

/** A socket that keeps what it reads and knows when it was closed. */
export class RawPeer {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    // A reset is one of the ways in which the transport may end a connection.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.closed = true;
    });
  }

  /** Dials `port`. */
  static async dial(t: Pick<TestContext, "after">, port: number): Promise<RawPeer> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    t.after(() => socket.destroy());
    const peer = new RawPeer(socket);
    await once(socket, "connect");
    return peer;
  }

  open(hello: Hello): void {
    this.write(encodeOpening(hello));
  }

  control(body: Uint8Array): void {
    this.write(encodeControlFrame(body));
  }

  write(bytes: Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes);
  }
}

/** Listens, and hands each connection to `onPeer`. */
export async function listenRaw(
  t: Pick<TestContext, "after">,
  onPeer: (peer: RawPeer) => void,
): Promise<{ port: number; peers: RawPeer[]; server: Server }> {
  const peers: RawPeer[] = [];
  const server = createServer((socket) => {
    const peer = new RawPeer(socket);
    peers.push(peer);
    onPeer(peer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const peer of peers) peer.socket.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, peers, server };
}

export const bytesOf = (hex: string): Bytes => Buffer.from(hex, "hex") as unknown as Bytes;

/** Frames of a node, as a peer writes them. */
export function encodeFrames(...bodies: Uint8Array[]): Bytes {
  const batch = new FrameBatch();
  for (const body of bodies) batch.add([body], body.length);
  return concatBytes(batch.take(Number.MAX_SAFE_INTEGER));
}
