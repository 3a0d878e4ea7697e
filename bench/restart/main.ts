/**
 * `npm run bench -- restart`: how long a cluster is away after `kill -9`. Loads keys, then ends and starts all
 * nodes at once, and one alone, several times; prints the time until the last is ready and the processor time
 * that a node has used until then. What must be replayed stays the same from round to round.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Cluster, withCluster } from "../../test/support/cluster.js";
import { loadKeys } from "../compare/large.js";
import { median } from "../compare/report.js";

const { values: flags } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "5" },
    partitions: { type: "string" },
  },
});

/** Fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms, behind the name in brackets. */
const UTIME_AFTER_NAME = 11;
const MS_PER_TICK = 10;

/** Processor time of a node so far, in all its threads. */
function processorMs(cluster: Cluster, id: string): number {
  const stat = readFileSync(`/proc/${cluster.node(id).pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[UTIME_AFTER_NAME]) + Number(fields[UTIME_AFTER_NAME + 1])) * MS_PER_TICK;
}

async function measureStart(cluster: Cluster, ids: readonly string[]): Promise<[number, number]> {
  const startMs = performance.now();
  for (const id of ids) cluster.startNode(id);
  await cluster.waitReady(ids, 120_000);
  const tookMs = performance.now() - startMs;
  return [tookMs, Math.max(...ids.map((id) => processorMs(cluster, id)))];
}

const partitions = flags.partitions === undefined ? {} : { partitions: Number(flags.partitions) };
await withCluster(partitions, async (cluster) => {
  await loadKeys(cluster, Number(flags.keys));
  const all: [number, number][] = [];
  const one: [number, number][] = [];
  for (let round = 1; round <= Number(flags.rounds); round += 1) {
    await cluster.killAll();
    all.push(await measureStart(cluster, cluster.ids));
    await cluster.kill("n3");
    one.push(await measureStart(cluster, ["n3"]));
  }
  for (const [what, runs] of [
    ["all nodes at once", all],
    ["one node", one],
  ] as const) {
    const ms = runs.map(([tookMs]) => tookMs.toFixed(0)).join(", ");
    const ready = median(runs.map(([tookMs]) => tookMs)).toFixed(0);
    const processor = median(runs.map(([, usedMs]) => usedMs)).toFixed(0);
    console.log(
      `${what}: ready after ${ready} ms (${ms}), of which a node used the processor for ${processor} ms`,
    );
  }
});
