/**
 * A peer whose bytes are wrong: in whole clusters under load, one frame of one node is changed on its way. Whoever
 * gets it may refuse it or believe it, but goes on; nothing that is thrown gets out of the node.
 *
 * Two kinds of bytes are left alone, as no replica can tell that they are wrong: the data of log entries on their
 * way from the leader, and what is carried out by all alike (a changed value is another value).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "../../../sim/cluster/client.js";
import { SimCluster } from "../../../sim/cluster/cluster.js";
import { SeededRandom } from "../../../sim/world/random.js";
import { type Bytes, copyBytes } from "../../../src/core/bytes.js";
import type { NodeId } from "../../../src/core/ids.js";
import { decodeFrame } from "../../../src/node/peer-frames.js";
import { pass, startedCluster, until } from "./scenario.js";

const COMMANDS: readonly (readonly string[])[] = [
  ["SET", "a", "1"],
  ["GET", "a"],
  ["INCR", "n"],
  ["MSET", "a", "2", "b", "3", "c", "4"],
  ["MGET", "a", "b", "c", "d"],
  ["APPEND", "b", "more"],
  ["DEL", "c", "d"],
  ["SET", "e", "5", "PX", "40"],
  ["KEYS", "*"],
  ["DBSIZE"],
  ["ONCE", "client", "1", "SET", "f", "1"],
];

/** Bytes at the end of a frame that may not be changed. */
function dataBytesOf(frame: Bytes): number {
  const decoded = decodeFrame(frame);
  if (decoded.type !== "raft" || decoded.message.type !== "append") return 0;
  return decoded.message.entries.reduce((sum, entry) => sum + entry.data.length, 0);
}

function change(frame: Bytes, random: SeededRandom): Bytes {
  const length = frame.length - dataBytesOf(frame);
  let changed = copyBytes(frame);
  for (let left = 1 + random.below(3); left > 0; left -= 1) {
    const at = random.below(Math.min(length, random.chance(0.5) ? 32 : length));
    if (random.chance(0.1)) changed = copyBytes(changed, 0, at);
    else if (random.chance(0.5) && at < changed.length) changed[at] ^= 1 << random.below(8);
    else if (at < changed.length) changed[at] = random.pick([0, 1, 2, 0x7f, 0x80, 0xff, random.below(256)]);
  }
  return changed;
}

/** The kind of frame, to see that all were tried. */
function kindOf(frame: Bytes): string {
  const decoded = decodeFrame(frame);
  return decoded.type === "raft" ? decoded.message.type : decoded.type;
}

function load(cluster: SimCluster, random: SeededRandom): void {
  for (const sim of cluster.nodes) {
    if (sim.node === undefined) continue;
    for (let i = 0; i < 6; i += 1) {
      const context = newContext({ readLevel: random.pick(["linearizable", "stale"] as const) });
      cluster.submissions.submit(sim, random.pick(COMMANDS), context, () => undefined);
    }
  }
}

const KINDS = [
  "append",
  "append-response",
  "heartbeat",
  "heartbeat-response",
  "read-index",
  "read-index-response",
  "write",
  "write-result",
  "read",
  "read-result",
  "note",
];
const LIVES = 55;
/** Each life is that of a few lies only: what they lead to later is another matter. */
const LIES_PER_LIFE = 5;

test("no changed frame of a peer ends a node", async () => {
  const told = new Map<string, number>();
  for (let seed = 1; seed <= LIVES; seed += 1) {
    const random = new SeededRandom(seed);
    const cluster = await startedCluster({ seed, nodes: 5, partitions: 4 });
    const kind = KINDS[seed % KINDS.length];
    let due = 0;
    let last = "nothing";
    cluster.world.network.tamper = (_from: NodeId, _to: NodeId, frame: Bytes) => {
      if (due === 0 || kindOf(frame) !== kind || random.chance(0.3)) return frame;
      due -= 1;
      const changed = change(frame, random);
      last = `${kind} ${Buffer.from(frame).toString("hex")} as ${Buffer.from(changed).toString("hex")}`;
      told.set(kind, (told.get(kind) ?? 0) + 1);
      return changed;
    };
    try {
      for (let lie = 0; lie < LIES_PER_LIFE; lie += 1) {
        due = 1;
        load(cluster, random);
        await pass(cluster, 30);
      }
      await pass(cluster, 600);
      assert(cluster.nodes.every(({ process }) => process?.isAlive === true));
    } catch (error) {
      console.error(`seed ${seed}, told ${last}`);
      throw error;
    }
  }
  for (const kind of KINDS) assert((told.get(kind) ?? 0) > 2, `too few lies in ${kind}`);
});

test("a changed piece of a snapshot ends the transfer, which begins anew and comes to its end", async () => {
  let told = 0;
  for (let seed = 1; seed <= 16; seed += 1) {
    const random = new SeededRandom(seed);
    const lines: string[] = [];
    const cluster = await startedCluster({
      seed,
      partitions: 2,
      storage: "files",
      logBytesKept: 0,
      unsavedBytesMax: 1 << 20,
      log: (line) => lines.push(line),
    });
    const [first, , last] = cluster.nodes;
    for (let i = 0; i < 20; i += 1) {
      cluster.submissions.submit(first, ["SET", `key${i}`, "v".repeat(100)], newContext(), () => undefined);
    }
    // The log is not kept for those that are away: whoever begins anew needs a snapshot.
    await pass(cluster, 200);
    cluster.crash(last);
    await pass(cluster, 2_000);
    cluster.wipe(last);
    let isDue = true;
    cluster.world.network.tamper = (_from, to, frame) => {
      if (!isDue || to !== last.id || kindOf(frame) !== "snapshot" || random.chance(0.5)) return frame;
      isDue = false;
      told += 1;
      return change(frame, random);
    };
    try {
      await cluster.start(last);
      await until(cluster, "it is back", () => cluster.isReady);
    } catch (error) {
      console.error(`seed ${seed}\n${lines.slice(-20).join("\n")}`);
      throw error;
    }
  }
  assert(told > 8, `only ${told} pieces were changed`);
});
