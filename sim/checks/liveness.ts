/** Liveness: when all faults are over, every node carries out a read and a write in every partition, soon. */
import { partitionOfSlot } from "../../src/sharding/partitions.js";
import { slotOfKey } from "../../src/sharding/slots.js";
import { isKnown, newContext } from "../cluster/client.js";
import type { SimCluster, SimNode } from "../cluster/cluster.js";
import { Violation } from "./violation.js";

/** From when the cluster says that it is ready. */
const ANSWER_LIMIT_MS = 10_000;
const TRY_AGAIN_MS = 50;

/** Throws when something is not answered in time. */
export async function awaitAnswers(cluster: SimCluster): Promise<void> {
  const { world } = cluster;
  const waiting = new Set<string>();
  const refusals = new Map<string, string>();
  const ask = (sim: SimNode, words: readonly string[]) => {
    const name = `${sim.id}: ${words.join(" ")}`;
    waiting.add(name);
    if (sim.node === undefined) {
      world.schedule(TRY_AGAIN_MS, () => ask(sim, words));
      return;
    }
    cluster.submissions.submit(sim, words, newContext(), (answer) => {
      if (isKnown(answer)) waiting.delete(name);
      else {
        refusals.set(name, String(answer));
        world.schedule(TRY_AGAIN_MS, () => ask(sim, words));
      }
    });
  };
  for (const sim of cluster.nodes) {
    for (const key of keysOfPartitions(cluster.partitions)) {
      ask(sim, ["SET", key, sim.id]);
      ask(sim, ["GET", key]);
    }
  }
  const isDone = await world.run(ANSWER_LIMIT_MS, () => waiting.size === 0 || cluster.fatal.length > 0);
  if (isDone) return;
  const texts = [...waiting].map((name) => `${name} (${refusals.get(name) ?? "no answer"})`);
  throw new Violation("liveness", `not carried out in ${ANSWER_LIMIT_MS} ms: ${texts.join("; ")}`);
}

/** One key of each partition. */
function keysOfPartitions(partitions: number): string[] {
  const byPartition = new Map<number, string>();
  for (let i = 0; byPartition.size < partitions; i += 1) {
    const key = `alive-${i}`;
    const partition = partitionOfSlot(slotOfKey(key), partitions);
    if (!byPartition.has(partition)) byPartition.set(partition, key);
  }
  return [...byPartition.values()];
}
