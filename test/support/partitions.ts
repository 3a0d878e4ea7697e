/** Keys and replicas chosen by partition, through what a cluster says of itself. */
import type { Cluster } from "./cluster.js";
import { assertKept, type History } from "./history.js";
import type { RespClient } from "./resp-client.js";
import { waitFor } from "./wait.js";

export interface PlacedKey {
  readonly key: string;
  readonly partition: number;
  readonly leader: string;
}

const CANDIDATES = 2000;

/** One key for each partition of the default keyspace, with its leader as `viaId` sees it; all have one. */
export async function keysByPartition(cluster: Cluster, viaId: string, name = "probe"): Promise<PlacedKey[]> {
  const view = await waitFor(`${viaId} knows all leaders`, async () => {
    const seen = await cluster.view(viaId);
    return seen.partitions.every(({ leader }) => leader !== null) ? seen : undefined;
  });
  const keys = Array.from({ length: CANDIDATES }, (_, i) => `${name}:${i}`);
  const client = await cluster.resp(viaId);
  const slots = (await client.pipeline(keys.map((key) => ["CLUSTER", "KEYSLOT", key]))).map(Number);
  client.close();
  return view.partitions
    .filter(({ keyspace }) => keyspace === 0)
    .map(({ partition, leader, slots: ranges }) => {
      const at = slots.findIndex((slot) => ranges.some(([first, last]) => first <= slot && slot <= last));
      const key = keys[at];
      if (key === undefined) throw new Error(`none of ${CANDIDATES} keys lies in partition ${partition}`);
      return { key, partition, leader: leader ?? "" };
    });
}

/** A connection on which reads are answered from the node's own replica, at once. */
export async function staleReader(cluster: Cluster, id: string): Promise<RespClient> {
  const client = await cluster.resp(id);
  await client.call("CONSISTENCY", "READ", "stale");
  return client;
}

/** Waits until the node's own replicas agree with the history. With as many replicas as nodes. */
export async function assertReplicaKeeps(cluster: Cluster, id: string, history: History): Promise<void> {
  const client = await staleReader(cluster, id);
  await waitFor(
    `the replicas on ${id} hold every answered write`,
    async () => {
      assertKept(await history.check(client));
      return true;
    },
    { everyMs: 250 },
  );
  client.close();
}
