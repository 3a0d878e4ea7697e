/** A replica that has lost its disk, or was away for long, and the writes that go on meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "../../../sim/cluster/client.js";
import { SimCluster, type SimNode } from "../../../sim/cluster/cluster.js";
import { ask, pass, until } from "./scenario.js";

/** What happened, as the nodes log it. */
interface Story {
  readonly cluster: SimCluster;
  readonly lines: string[];
}

async function started(seed: number): Promise<Story> {
  const lines: string[] = [];
  const cluster = new SimCluster({
    seed,
    partitions: 1,
    logBytesKept: 4_096,
    log: (line) => lines.push(line),
  });
  await cluster.startAll();
  await until(cluster, "the cluster is ready", () => cluster.isReady);
  return { cluster, lines };
}

const KEYS = 300;

/** A state of so many pieces that they take longer over a slow link than it is from one checkpoint to the next. */
async function fill(cluster: SimCluster, via: SimNode): Promise<void> {
  for (let i = 0; i < KEYS; i += 100) {
    const words = Array.from({ length: 100 }, (_, j) => [`key-${i + j}`, "v".repeat(200)]).flat();
    assert.equal(await ask(cluster, via, ["MSET", ...words]), "OK");
  }
}

/** Writes much, again and again, and leaves little: the log grows, and the state does not. */
function writeOn(cluster: SimCluster, via: SimNode, bytesPerSecond: number): () => void {
  const context = newContext();
  const value = "w".repeat(bytesPerSecond / 2);
  let isOver = false;
  const write = () => {
    for (const words of [
      ["SET", "busy", value],
      ["DEL", "busy"],
    ]) {
      cluster.submissions.submit(via, words, context, () => undefined);
    }
    if (!isOver) cluster.world.schedule(500, write);
  };
  write();
  return () => {
    isOver = true;
  };
}

/** The third node loses its disk and returns over a slow link, while the first is written to. */
async function returnFarAway({ cluster, lines }: Story, distanceMs: number, bytesPerSecond: number) {
  const [first, second, third] = cluster.nodes;
  await fill(cluster, first);
  // So that checkpoints have cut the log.
  await pass(cluster, 70_000);
  cluster.crash(third);
  cluster.wipe(third);
  for (const { id } of [first, second]) cluster.world.network.setDistance(id, third.id, distanceMs);
  cluster.startSoon(third);
  const stop = writeOn(cluster, first, bytesPerSecond);
  const isCaughtUp = () =>
    linesWith(lines, "installed a snapshot").length > 0 &&
    [first, second].some(
      ({ node }) =>
        node
          ?.status()
          .partitions[0].replicas.some(
            ({ node: id, role, lag }) => id === third.id && role === "follower" && lag >= 0 && lag < 20,
          ) === true,
    );
  return { stop, isCaughtUp };
}

/** Of the only partition, not of the metadata. */
const linesWith = (lines: readonly string[], words: string): string[] =>
  lines.filter((line) => line.includes(words) && line.includes('"group":0'));

test("a replica on a slow link gets one snapshot, however long it takes, while writes and checkpoints go on", async () => {
  for (let seed = 1; seed <= 3; seed += 1) {
    const { cluster, lines } = await started(seed);
    const { stop, isCaughtUp } = await returnFarAway({ cluster, lines }, 100, 400_000);
    const startMs = cluster.world.nowMs;
    await until(cluster, "it has caught up", isCaughtUp, 200_000);
    stop();
    assert(cluster.world.nowMs - startMs > 60_000, "a checkpoint came in between");
    assert.equal(linesWith(lines, "sending a snapshot").length, 1, `seed ${seed}`);
    // It votes once it has the data, not before.
    const installedAt = lines.indexOf(linesWith(lines, "installed a snapshot")[0]);
    const voters = linesWith(lines, '"learners":""').map((line) => lines.indexOf(line));
    assert(voters.length > 0 && voters.every((at) => at > installedAt), `seed ${seed}`);
  }
});

test("a snapshot that writes outrun by more than memory may hold is given up, and sent when they allow it", async () => {
  const { cluster, lines } = await started(1);
  const { stop, isCaughtUp } = await returnFarAway({ cluster, lines }, 250, 1_900_000);
  const isOutrun = () => linesWith(lines, "writes have outrun a snapshot").length > 0;
  await until(cluster, "the snapshot is given up", isOutrun, 150_000);
  stop();
  await until(cluster, "it has caught up", isCaughtUp, 300_000);
  assert.equal(linesWith(lines, "installed a snapshot").length, 1);
});
