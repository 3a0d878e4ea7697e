/** A simulated cluster with an eventual keyspace. */
import assert from "node:assert/strict";
import type { ClientLevels } from "../../../sim/cluster/client.js";
import type { SimCluster, SimClusterOptions, SimNode } from "../../../sim/cluster/cluster.js";
import { MinikeyError } from "../../../src/core/errors.js";
import type { KeyspaceId } from "../../../src/core/ids.js";
import { ask, startedCluster, until } from "./scenario.js";

export interface EventualCluster {
  readonly cluster: SimCluster;
  readonly keyspace: KeyspaceId;
}

/** The keyspace `sessions` has 3 partitions. */
export async function eventualCluster(
  replicas: number,
  options: Partial<SimClusterOptions> = {},
): Promise<EventualCluster> {
  const cluster = await startedCluster(options);
  let keyspace: KeyspaceId | undefined;
  const made = {
    name: "sessions",
    consistency: "eventual",
    storage: "disk",
    replicas,
    partitions: 3,
  } as const;
  cluster.nodes[0].node?.createKeyspace(made).then(
    ({ id }) => {
      keyspace = id;
    },
    (error: unknown) => cluster.fatal.push(String(error)),
  );
  await until(cluster, "the keyspace is made", () => keyspace !== undefined);
  await until(cluster, "all know it", () =>
    cluster.nodes.every(({ node }) => node?.keyspaceByName("sessions") !== undefined),
  );
  assert(keyspace !== undefined);
  return { cluster, keyspace };
}

/** The error that `words` get, in time. */
export async function refusal(
  cluster: SimCluster,
  sim: SimNode,
  words: readonly string[],
  levels: ClientLevels,
): Promise<MinikeyError> {
  const startMs = cluster.world.nowMs;
  const answer = await ask(cluster, sim, words, levels);
  assert(answer instanceof MinikeyError, `${words.join(" ")} got ${String(answer)}`);
  const tookMs = cluster.world.nowMs - startMs;
  assert(tookMs < cluster.requestTimeoutMs, `${words.join(" ")} was refused after ${tookMs} ms`);
  return answer;
}
