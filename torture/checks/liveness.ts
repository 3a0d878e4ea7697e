/** Liveness: when all faults are over, the nodes are ready, and each reads and writes in every partition, soon. */

import { Violation } from "../../sim/checks/violation.js";
import { isKnown } from "../../sim/cluster/client.js";
import type { RealCluster } from "../cluster/cluster.js";
import type { Clients } from "../load/clients.js";
import { keysOfPartitions } from "../load/probes.js";
import type { RealWorld } from "../load/real-world.js";

const READY_LIMIT_MS = 60_000;
const QUIET_LIMIT_MS = 30_000;
/** From when the nodes say that they are ready. */
const ANSWER_LIMIT_MS = 10_000;
const TRY_AGAIN_MS = 50;

export async function awaitReady(world: RealWorld, cluster: RealCluster): Promise<void> {
  const isReady = async () => cluster.ownEnds.length > 0 || (await cluster.isReady());
  if (await world.until(READY_LIMIT_MS, isReady)) return;
  const seen = await cluster.describe();
  throw new Violation("liveness", `the nodes were not ready within ${READY_LIMIT_MS} ms\n${seen}`);
}

export async function awaitQuiet(world: RealWorld, clients: Clients): Promise<void> {
  if (await world.run(QUIET_LIMIT_MS, () => clients.open === 0)) return;
  throw new Violation("liveness", `${clients.open} commands were never answered`);
}

/** Every node reads and writes in every partition. */
export async function awaitAnswers(world: RealWorld, cluster: RealCluster, clients: Clients): Promise<void> {
  const waiting = new Map<string, string>();
  const ask = (node: number, words: readonly string[]) => {
    const name = `n${node + 1}: ${words.join(" ")}`;
    waiting.set(name, waiting.get(name) ?? "no answer");
    clients.sendTo(node, {}, words, (answer) => {
      if (isKnown(answer)) waiting.delete(name);
      else {
        waiting.set(name, String(answer));
        world.schedule(TRY_AGAIN_MS, () => ask(node, words));
      }
    });
  };
  for (const node of cluster.nodes.keys()) {
    for (const key of keysOfPartitions("alive", cluster.shape.partitions)) {
      ask(node, ["SET", key, "alive"]);
      ask(node, ["GET", key]);
    }
  }
  if (await world.run(ANSWER_LIMIT_MS, () => waiting.size === 0)) return;
  const texts = [...waiting].map(([name, why]) => `${name} (${why})`);
  throw new Violation("liveness", `not carried out within ${ANSWER_LIMIT_MS} ms: ${texts.join("; ")}`);
}
