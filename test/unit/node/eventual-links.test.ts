/** Replicas of an eventual partition become the same, whatever lies between them, and nothing deleted comes back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../sim/world/world.js";
import { BatchReader } from "../../../src/eventual/batch.js";
import { ownRange, rangeOf } from "../../../src/node/eventual/sync-batches.js";
import { EventualPartition, type PartitionNode } from "./eventual-partition.js";

async function put(node: PartitionNode, ...words: readonly string[]): Promise<number> {
  let written: number | undefined;
  node.write(words, (_reply, number) => {
    written = number;
  });
  await node.partition.until(() => written !== undefined, 1_000, "answered");
  return written ?? 0;
}

test("a write is on all replicas a moment later, and is known to be", async () => {
  const partition = await new EventualPartition(new World(1)).start();
  await partition.pass(100);
  const [first, second, third] = partition.nodes;
  const number = await put(first, "SET", "k", "v");
  let copies = 0;
  const beganMs = partition.world.nowMs;
  first.links.awaitCopies(first.replica.group, number, 3, Number.POSITIVE_INFINITY, (count) => {
    copies = count;
  });
  await partition.until(() => copies === 3, 50, "three copies");
  assert.ok(partition.world.nowMs - beganMs < 20);
  assert.equal(second.read("GET", "k"), "v");
  assert.equal(third.read("GET", "k"), "v");
});

test("who waits for copies that do not come hears at its time how many there are", async () => {
  const partition = await new EventualPartition(new World(2)).start();
  await partition.pass(100);
  const [first, , third] = partition.nodes;
  assert.equal(first.links.reachable(first.replica.group), 3);
  partition.crash(third);
  assert.equal(first.links.reachable(first.replica.group), 2);
  const number = await put(first, "SET", "k", "v");
  let copies = 0;
  first.links.awaitCopies(first.replica.group, number, 3, partition.world.nowMs + 500, (count) => {
    copies = count;
  });
  await partition.pass(400);
  assert.equal(copies, 0);
  await partition.pass(200);
  assert.equal(copies, 2);
});

test("three nodes that were cut off from one another are equal soon after, without any read", async () => {
  const partition = await new EventualPartition(new World(3)).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  for (const [x, y] of [
    [a, b],
    [a, c],
    [b, c],
  ])
    partition.cut(x, y);
  for (let i = 0; i < 300; i += 1) await put(partition.nodes[i % 3], "SET", `k${i % 70}`, `v${i}`);
  for (let i = 0; i < 30; i += 1) await put(partition.nodes[i % 3], "INCR", "count");
  partition.heal();
  await partition.until(() => partition.isEqual, 1_000, "equal");
  for (const node of partition.nodes) assert.equal(node.read("GET", "count"), "30");
});

test("who was away gets what it lacks by hints, each key once, and the hints go", async () => {
  const partition = await new EventualPartition(new World(4)).start();
  const [a, , c] = partition.nodes;
  await partition.pass(100);
  partition.crash(c);
  for (let i = 0; i < 2_000; i += 1) await put(a, "SET", `k${i % 10}`, "v".repeat(100));
  assert.equal(a.replica.state.hints.count, 2_000);
  const before = partition.sentBytes;
  await partition.restart(c);
  await partition.until(() => partition.isEqual, 2_000, "equal");
  assert.ok(partition.sentBytes - before < 30_000, `${partition.sentBytes - before} bytes`);
  await partition.until(() => a.replica.state.hints.count === 0, 1_000, "no hints");
});

test("who was away for longer than the hints reach is mended by trees", async () => {
  const partition = await new EventualPartition(new World(5), { hintsMax: 100 }).start();
  const [a, , c] = partition.nodes;
  await partition.pass(100);
  for (let i = 0; i < 500; i += 1) await put(a, "SET", `k${i}`, "old");
  await partition.pass(100);
  partition.crash(c);
  for (let i = 0; i < 400; i += 1) await put(a, "SET", `k${i}`, "new");
  assert.equal(a.replica.state.hints.count, 100);
  await partition.restart(c);
  await partition.until(() => partition.isEqual, 4_000, "equal");
  assert.equal(c.read("GET", "k1"), "new");
  const repair = [...a.links.all()][0].trees.lastRepair ?? [...c.links.all()][0].trees.lastRepair;
  assert.ok(repair !== undefined && repair.leavesCompared > 0);
});

test("what an origin that has died told only one other reaches the third by trees", async () => {
  const partition = await new EventualPartition(new World(6)).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  partition.cut(a, c);
  await put(a, "SET", "k", "v");
  await partition.pass(50);
  assert.equal(b.read("GET", "k"), "v");
  partition.crash(a);
  await partition.until(() => c.read("GET", "k") === "v", 5_000, "there");
});

test("a replica with an empty disk answers once it has compared with the others, and has everything then", async () => {
  const partition = await new EventualPartition(new World(7)).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  for (let i = 0; i < 1_000; i += 1) await put(partition.nodes[i % 3], "SET", `k${i}`, `v${i}`);
  await partition.pass(100);
  await partition.wipe(c);
  assert.equal(c.replica.isComplete, false);
  partition.crash(b);
  await partition.pass(5_000);
  assert.equal(c.replica.isComplete, false, "one other of three is not enough");
  await partition.restart(b);
  await partition.until(() => c.replica.isComplete, 5_000, "complete");
  assert.deepEqual(c.content, a.content);
  assert.equal(c.content.size, 1_000);
  await partition.until(() => partition.isEqual, 5_000, "equal, and of one mind of who is gone");
});

test("a replica that has become complete counts for the others a moment later", async () => {
  const partition = await new EventualPartition(new World(7), { nodes: 5 }).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  for (let i = 0; i < 100; i += 1) await put(partition.nodes[i % 5], "SET", `k${i}`, `v${i}`);
  // Of the others one cannot be compared with: nothing but its being complete is news.
  partition.crash(b);
  await partition.wipe(c);
  await partition.until(() => c.replica.isComplete, 10_000, "complete");
  await partition.until(() => a.links.reachable(a.replica.group) === 4, 200, "reachable");
});

test("when all others are as empty as it is, an empty replica has nothing to wait for", async () => {
  const partition = await new EventualPartition(new World(8)).start();
  await partition.pass(100);
  for (const node of partition.nodes) await partition.wipe(node);
  await partition.until(() => partition.nodes.every((node) => node.replica.isComplete), 10_000, "complete");
  await put(partition.node(1), "SET", "k", "v");
  await partition.until(() => partition.isEqual, 5_000, "equal");
});

test("a tombstone goes when every replica has it, and not while one is away", async () => {
  const partition = await new EventualPartition(new World(9)).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  await put(a, "SET", "k", "v");
  await partition.pass(100);
  partition.crash(c);
  await put(b, "DEL", "k");
  await partition.pass(30_000);
  assert.equal(a.replica.state.tombstones, 1);
  assert.equal(b.replica.state.tombstones, 1);
  await partition.restart(c);
  await partition.until(
    () => partition.nodes.every(({ replica }) => replica.state.tombstones === 0),
    10_000,
    "no tombstones",
  );
  for (const node of partition.nodes) assert.equal(node.read("GET", "k"), null);
});

test("an incomplete replica counts for no level", async () => {
  const partition = await new EventualPartition(new World(10)).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  partition.crash(b);
  await partition.wipe(c);
  await partition.pass(2_000);
  assert.equal(c.replica.isComplete, false);
  assert.equal(a.links.reachable(a.replica.group), 1);
  const number = await put(a, "SET", "k", "v");
  let copies = 0;
  a.links.awaitCopies(a.replica.group, number, 2, partition.world.nowMs + 300, (count) => {
    copies = count;
  });
  await partition.pass(500);
  assert.equal(c.read("GET", "k"), "v", "it has the write, though");
  assert.equal(copies, 1);
});

test("a floor is told: a key that was deleted by a clock far ahead is written anew on whoever dropped that", async () => {
  const partition = await new EventualPartition(new World(11), {
    aheadMs: (number) => (number === 1 ? 3_600_000 : 0),
  }).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  await put(a, "SET", "k", "v");
  await put(a, "DEL", "k");
  await partition.until(
    () => partition.nodes.every(({ replica }) => replica.state.tombstones === 0),
    10_000,
    "no tombstones",
  );
  const floor = a.replica.state.floor;
  assert.ok(floor > 0);
  await partition.wipe(c);
  await partition.until(() => c.replica.isComplete, 5_000, "complete");
  assert.equal(c.replica.state.floor, floor, "who came later knows it, too");
  await put(b, "SET", "k", "anew");
  await partition.until(() => partition.isEqual, 5_000, "equal");
  for (const node of partition.nodes) assert.equal(node.read("GET", "k"), "anew");
});

test("of a disk that is gone nothing is taken any more, however late it comes", async () => {
  const partition = await new EventualPartition(new World(12)).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  partition.weather = { lost: 0, twice: 0, late: 1_000 };
  await put(c, "SET", "k", "v");
  await partition.wipe(c);
  partition.weather = { lost: 0, twice: 0, late: 0 };
  for (const node of [a, b]) {
    node.known[3] = 2;
    node.epoch += 1;
  }
  await partition.pass(5_000);
  for (const node of partition.nodes) assert.equal(node.read("GET", "k"), null);
  await partition.until(() => partition.isEqual, 5_000, "equal");
});

test("a tombstone waits for what was taken before its round was settled", async () => {
  const partition = await new EventualPartition(new World(14)).start();
  const [a, b, c] = partition.nodes;
  await partition.pass(100);
  await put(a, "SET", "k", "v");
  await partition.pass(100);
  partition.cut(a, c);
  await put(a, "DEL", "k");
  await partition.pass(500);
  // What this disk is given now takes up to a minute; what another has written is on its way to it.
  a.durable.slowUntilMs = partition.world.nowMs + 100;
  a.durable.slowMs = 60_000;
  await put(b, "SET", "other", "v");
  await partition.pass(50);
  partition.heal();
  await partition.pass(2_500);
  assert.equal(a.read("GET", "other"), null);
  assert.equal(a.replica.state.tombstones, 1);
  await partition.until(() => a.replica.state.tombstones === 0, 90_000, "dropped");
  assert.equal(a.read("GET", "other"), "v");
});

test("a range that is handed off ends with its last hint, whatever has been written since", async () => {
  const partition = await new EventualPartition(new World(15)).start();
  const [a] = partition.nodes;
  await partition.pass(100);
  partition.crash(partition.node(3));
  for (let i = 0; i < 20; i += 1) await put(a, "SET", `k${i % 4}`, "v".repeat(100));
  const { state, self } = a.replica;
  const { batch, upTo } = ownRange(state, self, 5, state.hints.after(5, 8), 1_000_000);
  assert.equal(upTo, 13);
  assert.deepEqual(rangeOf(batch, self), { after: 5, upTo: 13 });
  const reader = new BatchReader(batch);
  const keys = new Set<string>();
  while (reader.next()) keys.add(reader.key);
  assert.deepEqual([...keys].sort(compareKeys), ["k0", "k1", "k2", "k3"]);
  assert.equal(reader.advances, 1);
  const short = ownRange(state, self, 5, state.hints.after(5, 8), 150);
  assert.equal(short.upTo, 7, "it is full after two");
  assert.throws(() => rangeOf(batch, partition.node(2).self), { code: "PROTOCOL" });
});

const compareKeys = (a: string, b: string): number => (a < b ? -1 : 1);

test("hints are bounded for the whole node, the oldest go first, and trees mend what they were about", async () => {
  const partition = await new EventualPartition(new World(13), { limits: { hintsMax: 50 } }).start();
  const [a, , c] = partition.nodes;
  await partition.pass(100);
  partition.crash(c);
  for (let i = 0; i < 200; i += 1) await put(a, "SET", `k${i}`, "v");
  await partition.pass(200);
  const { hints } = a.replica.state;
  assert.ok(hints.count <= 50 && hints.count > 40, `${hints.count} hints`);
  assert.equal(hints.from, 200 - hints.count);
  await partition.restart(c);
  await partition.until(() => partition.isEqual, 5_000, "equal");
});

/** One random life. */
class Life {
  readonly partition: EventualPartition;
  readonly world: World;
  readonly mayWipe: boolean;
  /** The later of the answered writes to a key, by its stamp, and additions asked for and answered. */
  readonly asked = new Map<string, number>();
  readonly answered = new Map<string, number>();
  readonly failures: unknown[] = [];
  writes = 0;

  constructor(seed: number) {
    this.world = new World(seed);
    const { random } = this.world;
    this.mayWipe = random.chance(0.5);
    const skews = [0, random.pick([0, 0, 7_200_000]), random.pick([0, 0, -3_600_000]), 0];
    this.partition = new EventualPartition(this.world, {
      nodes: random.pick([2, 3, 3, 3, 4]),
      hintsMax: random.pick([3, 20, 100_000]),
      limits: { repairIntervalMs: random.pick([2_000, 600_000]), hintsMax: random.pick([10, 1_000_000]) },
      aheadMs: (number) => skews[number - 1],
    });
  }

  async run(): Promise<void> {
    const { partition, world } = this;
    const { random } = world;
    await partition.start();
    let events = 0;
    world.afterEvent = () => {
      events += 1;
      if (events % 7 === 0) partition.check();
    };
    for (let step = 0; step < 150; step += 1) {
      await this.#step();
      await partition.pass(random.pick([0, 1, 5, 20, 100, 400]));
    }
    await this.#heal();
    world.afterEvent = undefined;
    assert.deepEqual(this.failures, []);
  }

  async #step(): Promise<void> {
    const { partition } = this;
    const { random } = this.world;
    const node = random.pick(partition.nodes);
    const what = random.below(100);
    if (what < 60) this.#write(node);
    else if (what < 68) {
      const other = random.pick(partition.nodes);
      if (other !== node && node.isAlive) {
        partition.repairLate(node, other, `k${random.below(6)}`, random.below(8_000));
      }
    } else if (what < 74)
      partition.weather = { lost: random.below(200), twice: random.below(200), late: random.below(200) };
    else if (what < 79) partition.weather = { lost: 0, twice: 0, late: 0 };
    else if (what < 84) partition.cut(node, random.pick(partition.nodes.filter((other) => other !== node)));
    else if (what < 88) partition.heal();
    else if (what < 91) {
      if (node.isAlive) partition.crash(node);
    } else if (what < 96) {
      for (const dead of partition.nodes) if (!dead.isAlive) await partition.restart(dead);
    } else if (what < 98) {
      // Goes on as time passes, unless the node dies.
      if (node.isAlive) node.checkpoint().catch((error: unknown) => this.failures.push(error));
    } else if (this.mayWipe && partition.alive.length === partition.nodes.length) await partition.wipe(node);
  }

  #write(node: PartitionNode): void {
    if (!node.isAlive || !node.replica.isComplete) return;
    const { random } = this.world;
    const key = `k${random.below(6)}`;
    this.writes += 1;
    if (random.chance(0.2)) {
      const counter = `c${random.below(2)}`;
      this.asked.set(counter, (this.asked.get(counter) ?? 0) + 1);
      node.write(["INCR", counter], () => this.answered.set(counter, (this.answered.get(counter) ?? 0) + 1));
    } else if (random.chance(0.4)) node.write(["DEL", key], () => undefined);
    else node.write(["SET", key, `v${this.writes}`], () => undefined);
  }

  /** In the end all is well again, and all are equal. */
  async #heal(): Promise<void> {
    const { partition } = this;
    partition.weather = { lost: 0, twice: 0, late: 0 };
    for (const dead of partition.nodes) if (!dead.isAlive) await partition.restart(dead);
    partition.heal();
    await partition.pass(8_000);
    await partition.until(() => partition.isEqual, 60_000, "equal");
    const [first, ...others] = partition.nodes;
    for (const other of others) assert.deepEqual(other.content, first.content);
    if (this.mayWipe) return;
    for (const [counter, asked] of this.asked) {
      const count = Number(first.content.get(counter) ?? 0);
      const answered = this.answered.get(counter) ?? 0;
      assert.ok(
        count >= answered && count <= asked,
        `${counter} is ${count}: ${answered} answered of ${asked}`,
      );
    }
  }
}

test("in no random life does something deleted come back, and each ends with equal replicas", async (t) => {
  const first = Number(process.env["SEED"] ?? 1);
  const count = Number(process.env["SEEDS"] ?? 150);
  let dropped = 0;
  let writes = 0;
  for (let seed = first; seed < first + count; seed += 1) {
    const life = new Life(seed);
    try {
      await life.run();
    } catch (error) {
      throw new Error(`SEED=${seed} SEEDS=1 npm test -- eventual-links: ${String(error)}`, { cause: error });
    }
    dropped += life.partition.droppedKeys;
    writes += life.writes;
  }
  t.diagnostic(`${count} lives: ${writes} writes, ${dropped} keys dropped`);
});
