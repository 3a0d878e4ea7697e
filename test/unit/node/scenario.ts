/** Simulated clusters for tests that tell one story: ask, wait for a condition, look. */
import assert from "node:assert/strict";
import { type ClientLevels, newContext } from "../../../sim/cluster/client.js";
import { SimCluster, type SimClusterOptions, type SimNode } from "../../../sim/cluster/cluster.js";
import { makeArgs } from "../../../src/node/node-commands.js";
import { partitionTable } from "../../../src/sharding/partitions.js";
import { slotOfBytes } from "../../../src/sharding/slots.js";

export async function startedCluster(options: Partial<SimClusterOptions> = {}): Promise<SimCluster> {
  const cluster = new SimCluster({ seed: 1, ...options });
  await cluster.startAll();
  await until(cluster, "the cluster is ready", () => cluster.isReady);
  return cluster;
}

/** Lets time go on until `isTrue`. */
export async function until(
  cluster: SimCluster,
  what: string,
  isTrue: () => boolean,
  limitMs = 30_000,
): Promise<void> {
  const isDone = await cluster.world.run(limitMs, () => isTrue() || cluster.fatal.length > 0);
  assert.deepEqual(cluster.fatal, [], "a node ended");
  assert.deepEqual(cluster.submissions.violations, []);
  assert(isDone, `in ${limitMs} ms it never came that ${what}`);
}

export async function pass(cluster: SimCluster, timeMs: number): Promise<void> {
  await cluster.world.run(timeMs, () => false);
  assert.deepEqual(cluster.fatal, [], "a node ended");
}

/** What `sim` answers. */
export async function ask(
  cluster: SimCluster,
  sim: SimNode,
  words: readonly string[],
  levels: ClientLevels = {},
): Promise<unknown> {
  const answers: unknown[] = [];
  cluster.submissions.submit(sim, words, newContext(levels), (answer) => answers.push(answer));
  await until(cluster, `${sim.id} answers ${words.join(" ")}`, () => answers.length > 0);
  return answers[0];
}

export function partitionOfKey(key: string, partitions: number): number {
  const { bytes } = makeArgs([key]);
  return partitionTable(partitions)[slotOfBytes(bytes, 0, bytes.length)];
}

/** `count` keys that lie in different partitions. */
export function keysApart(partitions: number, count: number, prefix = "key"): string[] {
  const byPartition = new Map<number, string>();
  for (let i = 0; byPartition.size < count; i += 1) {
    const key = `${prefix}${i}`;
    const partition = partitionOfKey(key, partitions);
    if (!byPartition.has(partition)) byPartition.set(partition, key);
  }
  return [...byPartition.values()];
}
