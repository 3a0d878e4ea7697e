/** Bringing a node into its cluster: what it writes down, and whom it believes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MapDisk } from "../../../sim/disk/map-disk.js";
import { SimProcess, World } from "../../../sim/world/world.js";
import { concatBytes } from "../../../src/core/bytes.js";
import { nodeId } from "../../../src/core/ids.js";
import { Formation, greetingOf } from "../../../src/node/formation.js";
import { type Identity, readIdentity } from "../../../src/node/identity.js";
import { decodeFrame } from "../../../src/node/peer-frames.js";
import type { Greeting, Transport } from "../../../src/ports/transport.js";

const N1 = nodeId("n1");
const N2 = nodeId("n2");
const FRESH: Identity = {
  nodeId: N2,
  clusterId: "",
  memberNumber: 0,
  incarnation: 0,
  disk: "second disk",
  stage: "fresh",
};
const PEER: Greeting = greetingOf(
  { nodeId: N1, clusterId: "C", memberNumber: 1, incarnation: 1, disk: "x", stage: "formed" },
  "n1:1",
);

function silently(): void {
  // Nobody reads it.
}

class Newcomer {
  readonly world = new World(1);
  readonly disk = new MapDisk();
  readonly notes: unknown[] = [];
  readonly greetings: Greeting[] = [];
  readonly formation: Formation;
  outcome: unknown;

  constructor(identity = FRESH) {
    const process = new SimProcess(this.world, 0);
    const transport: Transport = {
      start: async () => await Promise.resolve(),
      setPeers: silently,
      updateGreeting: (greeting) => this.greetings.push(greeting),
      send: (_, parts) => {
        const frame = decodeFrame(concatBytes(parts));
        this.notes.push(frame.type === "note" ? JSON.parse(frame.text) : frame);
        return true;
      },
      flush: silently,
      isUp: () => true,
      stop: async () => await Promise.resolve(),
    };
    const logger = { debug: silently, info: silently, warn: silently, error: silently };
    this.formation = new Formation(
      { identity, founders: [N1, N2], address: "n2:1", freshClusterId: "NEW" },
      { clock: process.clock, disk: this.disk.of(process), transport, logger },
    );
    this.formation.run().then(
      (identity) => {
        this.outcome = identity;
      },
      (error: unknown) => {
        this.outcome = error;
      },
    );
  }

  async pass(timeMs: number): Promise<void> {
    await this.world.run(timeMs, () => false);
  }
}

test("a node that lost its disk asks for another incarnation, again and again, and takes the one it is given", async () => {
  const node = new Newcomer();
  node.formation.onGreeting(PEER);
  await node.pass(4_500);
  assert.deepEqual(
    node.notes,
    Array.from({ length: 3 }, () => ({ kind: "rejoin", disk: "second disk" })),
  );
  const rejoined = { kind: "rejoined", disk: "second disk", memberNumber: 2, incarnation: 3 } as const;
  // Two questions, two answers, one right behind the other.
  node.formation.onRejoined(N1, rejoined);
  node.formation.onRejoined(N1, rejoined);
  await node.pass(100);
  const member: Identity = { ...FRESH, clusterId: "C", memberNumber: 2, incarnation: 3, stage: "formed" };
  assert.deepEqual(node.outcome, member);
  assert.deepEqual(await readIdentity(node.disk), member);
  assert.deepEqual(node.greetings, [greetingOf(member, "n2:1")]);
});

test("an answer to what was asked for another disk is not taken", async () => {
  const node = new Newcomer();
  node.formation.onGreeting(PEER);
  node.formation.onRejoined(N1, { kind: "rejoined", disk: "first disk", memberNumber: 2, incarnation: 2 });
  await node.pass(100);
  assert.equal(node.outcome, undefined, "that incarnation may have voted");
  assert.equal(await readIdentity(node.disk), undefined);
});

test("a stage is on disk before anyone hears of it", async () => {
  const node = new Newcomer();
  const first = { ...PEER, stage: "forming" as const };
  node.formation.onGreeting(first);
  await node.world.run(100, () => node.greetings.length > 0);
  assert.equal(node.greetings[0].stage, "forming");
  assert.equal((await readIdentity(node.disk))?.stage, "forming");
  node.formation.onGreeting(PEER);
  await node.pass(100);
  assert.equal((await readIdentity(node.disk))?.stage, "formed");
  assert.deepEqual((node.outcome as Identity).stage, "formed");
});

test("a node that is rebuilt waits for its own cluster", async () => {
  const node = new Newcomer({ ...FRESH, clusterId: "C" });
  node.formation.onGreeting({ ...PEER, stage: "forming" });
  await node.pass(5_000);
  assert.deepEqual([node.outcome, node.notes], [undefined, []]);
  node.formation.onGreeting(PEER);
  await node.pass(100);
  assert.deepEqual(node.notes, [{ kind: "rejoin", disk: "second disk" }]);
});

test("a node that is stopped meanwhile says why it never became a member", async () => {
  const node = new Newcomer();
  node.formation.stop();
  await node.pass(100);
  assert.match(String(node.outcome), /stopping/);
});
