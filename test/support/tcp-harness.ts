/** Transports over real sockets, for tests: their timers fire as fast as the test needs them to. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type NodeId, nodeId } from "../../src/core/ids.js";
import { TcpTransport } from "../../src/platform/tcp-transport.js";
import type { Greeting, Transport } from "../../src/ports/transport.js";
import { greetingOf, RecordingNode, type TransportHarness } from "../contract/transport.js";
import { HandClock } from "./hand-clock.js";
import { LogRecorder } from "./log-recorder.js";

const DEADLINE_MS = 20_000;

/** Waits for something that real sockets bring about; `step` runs between two looks. */
export async function until(
  condition: () => boolean,
  what: string,
  step: () => void = () => {},
): Promise<void> {
  const startMs = performance.now();
  while (!condition()) {
    assert.ok(performance.now() - startMs < DEADLINE_MS, `waited in vain until ${what}`);
    step();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export class TcpHarness implements TransportHarness {
  readonly clock = new HandClock();
  readonly log = new LogRecorder();
  readonly #transports: TcpTransport[] = [];

  make(greeting: Greeting, queueBytesMax = 64 * 1024 * 1024, port = 0): TcpTransport {
    const { clock, log: logger } = this;
    const listen = { host: "127.0.0.1", port };
    const transport = new TcpTransport({ greeting, listen, clock, logger, queueBytesMax });
    this.#transports.push(transport);
    return transport;
  }

  addressOf(transport: Transport): string {
    assert.ok(transport instanceof TcpTransport);
    return `127.0.0.1:${transport.port}`;
  }

  /** Waits while delays pass, at about the speed of real ones. */
  async until(condition: () => boolean, what: string): Promise<void> {
    await until(condition, what, () => this.clock.advance(1));
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.map((transport) => transport.stop()));
    assert.equal(this.clock.pendingTimers, 0, "stopped transports leave no timer behind");
  }
}

/** The nodes of a test of this transport alone; stopped when the test ends. */
export class TcpWorld extends TcpHarness {
  constructor(t: Pick<TestContext, "after">) {
    super();
    t.after(() => this.close());
  }

  async start(id: string, options: { queueBytesMax?: number; port?: number } = {}): Promise<TcpNode> {
    const node = new TcpNode(nodeId(id), this.make(greetingOf(id), options.queueBytesMax, options.port));
    await node.transport.start(node);
    return node;
  }
}

export class TcpNode extends RecordingNode {
  declare readonly transport: TcpTransport;

  get address(): string {
    return `127.0.0.1:${this.transport.port}`;
  }

  /** Takes each peer's address, or its port on this machine. */
  connectTo(...peers: [NodeId, string | number][]): void {
    const addresses = peers.map(([id, at]): [NodeId, string] => [
      id,
      typeof at === "number" ? `127.0.0.1:${at}` : at,
    ]);
    this.transport.setPeers(new Map(addresses));
  }
}
