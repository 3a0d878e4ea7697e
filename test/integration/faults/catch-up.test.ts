import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Cluster, withCluster } from "../../support/cluster.js";
import { assertKept } from "../../support/history.js";
import { assertReplicaKeeps, staleReader } from "../../support/partitions.js";
import { waitFor } from "../../support/wait.js";
import { Workload } from "../../support/workload.js";

const MISSED_WRITES = 100_000;
const PIPELINE = 1000;
const CAUGHT_UP_WITHIN_MS = 60_000;
/** What a node logs. */
const SNAPSHOT = /installed a snapshot/;

/** One way of falling behind. */
interface Round {
  readonly name: string;
  readonly valueBytes: number;
}

/** Few enough bytes that the leaders still have all of them in their logs. */
const MISSED: Round = { name: "missed", valueBytes: 60 };
/** So many bytes that leaders have checkpointed and compacted their logs meanwhile: only a snapshot helps. */
const WIPED: Round = { name: "wiped", valueBytes: 700 };

const keyOf = (n: number): string => `missed:${n}`;
const valueOf = (n: number, { name, valueBytes }: Round): string => `${name} ${n} `.padEnd(valueBytes, "x");

/** Writes keys 0 to MISSED_WRITES - 1; every one is answered. */
async function writeMany(cluster: Cluster, viaId: string, round: Round): Promise<void> {
  const client = await cluster.resp(viaId);
  for (let first = 0; first < MISSED_WRITES; first += PIPELINE) {
    const commands = Array.from({ length: PIPELINE }, (_, i) => [
      "SET",
      keyOf(first + i),
      valueOf(first + i, round),
    ]);
    const replies = await client.pipeline(commands);
    for (const reply of replies) assert.equal(reply, "OK");
  }
  client.close();
}

/** How many of the keys the node's own replica holds with the round's value. */
async function countHeld(cluster: Cluster, id: string, round: Round): Promise<number> {
  const client = await staleReader(cluster, id);
  let held = 0;
  for (let first = 0; first < MISSED_WRITES; first += PIPELINE) {
    const replies = await client.pipeline(
      Array.from({ length: PIPELINE }, (_, i) => ["GET", keyOf(first + i)]),
    );
    for (const [i, reply] of replies.entries()) if (reply === valueOf(first + i, round)) held += 1;
  }
  client.close();
  return held;
}

async function incarnationOf(cluster: Cluster, id: string, viaId: string): Promise<number> {
  const { members } = await cluster.view(viaId);
  return members.find((member) => member.id === id)?.incarnation ?? -1;
}

/** Starts n3 under load, and waits until its replicas hold everything; then all must go on without n1. */
async function returnsAndCarriesOn(t: TestContext, cluster: Cluster, round: Round): Promise<void> {
  const workload = new Workload(cluster, { clients: 2, nodes: ["n1", "n2"], name: round.name });
  await workload.progress(50);
  const startMs = performance.now();
  cluster.startNode("n3");
  await cluster.waitReady(["n3"], CAUGHT_UP_WITHIN_MS);
  await waitFor(
    "n3 holds all that it missed",
    async () => (await countHeld(cluster, "n3", round)) === MISSED_WRITES,
    {
      timeoutMs: CAUGHT_UP_WITHIN_MS,
      everyMs: 200,
    },
  );
  t.diagnostic(
    `${round.name}: caught up with ${MISSED_WRITES} writes ${Math.round(performance.now() - startMs)} ms after its start, under load`,
  );
  await workload.progress(50);
  const history = await workload.stop();
  await assertReplicaKeeps(cluster, "n3", history);

  await cluster.kill("n1");
  const client = await cluster.resp("n3");
  await waitFor("n2 and n3 answer for all", async () => {
    assertKept(await history.check(client));
    return true;
  });
  await cluster.restart("n1");
}

test("a follower that missed 100,000 writes, and one that lost its disk, catch up by themselves while load goes on", async (t) => {
  await withCluster({}, async (cluster) => {
    await cluster.kill("n3");
    await writeMany(cluster, "n1", MISSED);
    await returnsAndCarriesOn(t, cluster, MISSED);

    assert.doesNotMatch(cluster.node("n3").lifeLog, SNAPSHOT, "what it missed came from the log");
    const before = await incarnationOf(cluster, "n3", "n1");
    await cluster.kill("n3");
    cluster.wipe("n3");
    await writeMany(cluster, "n2", WIPED);
    await returnsAndCarriesOn(t, cluster, WIPED);
    assert.match(cluster.node("n3").lifeLog, SNAPSHOT, "what it lost came by snapshot");
    const after = await incarnationOf(cluster, "n3", "n1");
    assert.ok(after > before, `n3 came back as a new incarnation: ${before}, then ${after}`);
  });
});
