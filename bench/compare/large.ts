/** What a cluster with a million keys needs in memory, and how soon it is back after a restart. */
import { readFileSync } from "node:fs";
import { type Cluster, type ClusterNode, withCluster } from "../../test/support/cluster.js";
import { VALUE_BYTES } from "./redis.js";
import type { Row } from "./report.js";

const RESIDENT_MIB_MAX = 500;
const READY_MS_MAX = 2000;
const CONNECTIONS = 8;
const PIPELINE = 500;
const KIB_PER_MIB = 1024;

export interface LargeOptions {
  readonly keys: number;
}

/** A field of /proc/PID/status in MiB, such as `VmRSS`. */
function residentMib(node: ClusterNode, field: string): number {
  const status = readFileSync(`/proc/${node.pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / KIB_PER_MIB;
}

/** Writes `keys` keys of 16 bytes to the keyspace with that number. */
export async function loadKeys(cluster: Cluster, keys: number, keyspace = 0): Promise<void> {
  const value = "x".repeat(VALUE_BYTES);
  let next = 0;
  const fill = async (id: string): Promise<void> => {
    const client = await cluster.resp(id, { replyTimeoutMs: 60_000 });
    await client.call("SELECT", String(keyspace));
    while (next < keys) {
      const first = next;
      next += PIPELINE;
      const count = Math.min(PIPELINE, keys - first);
      const commands = Array.from({ length: count }, (_, i) => [
        "SET",
        `key:${`${first + i}`.padStart(12, "0")}`,
        value,
      ]);
      for (const reply of await client.pipeline(commands)) {
        if (reply !== "OK") throw new Error(`SET was answered with ${String(reply)}`);
      }
    }
    client.close();
  };
  await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, i) => fill(cluster.ids[i % cluster.ids.length] ?? "n1")),
  );
}

/** Milliseconds from the start of the processes to the last one's readiness. */
async function timeStart(cluster: Cluster, ids: readonly string[]): Promise<number> {
  const startMs = performance.now();
  for (const id of ids) cluster.startNode(id);
  await cluster.waitReady(ids, 120_000);
  return performance.now() - startMs;
}

export async function measureLarge({ keys }: LargeOptions): Promise<Row[]> {
  const rows: Row[] = [];
  const what = `${keys.toLocaleString("en")} keys of 16 bytes, values of ${VALUE_BYTES}`;
  const command = "npm run bench -- compare --only large";
  await withCluster({}, async (cluster) => {
    await loadKeys(cluster, keys);
    const highest = Math.max(...cluster.nodes.map((node) => residentMib(node, "VmRSS")));
    const own = Math.max(...cluster.nodes.map((node) => residentMib(node, "RssAnon")));
    rows.push({
      what: `${what}: resident memory a node, the highest`,
      ours: `${highest.toFixed(0)} MiB (${own.toFixed(0)} MiB without mapped files)`,
      theirs: "",
      bound: `≤ ${RESIDENT_MIB_MAX} MiB`,
      kept: highest <= RESIDENT_MIB_MAX,
      command,
    });
    const addRestart = (how: string, tookMs: number): void => {
      rows.push({
        what: `${what}: ready after ${how}`,
        ours: `${tookMs.toFixed(0)} ms`,
        theirs: "",
        bound: `≤ ${READY_MS_MAX} ms`,
        kept: tookMs <= READY_MS_MAX,
        command,
      });
    };
    await cluster.stop("n2");
    addRestart("a stop and start of one node", await timeStart(cluster, ["n2"]));
    await cluster.kill("n3");
    addRestart("kill -9 and start of one node", await timeStart(cluster, ["n3"]));
    await cluster.killAll();
    addRestart("kill -9 and start of all three", await timeStart(cluster, cluster.ids));
  });
  return rows;
}
