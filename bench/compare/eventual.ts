/**
 * Eventual keyspaces at level `one`: writes beside this product's own strong writes, reads beside `GET` of a single
 * redis-server, and how soon a write shows on the other nodes of an idle cluster.
 *
 * redis-benchmark reaches a keyspace other than the default by `--dbnum`, and then one node only. So each load runs
 * against one node, and once against all three at the same time, a third of the connections and requests each; the
 * strong keyspace is asked in the same two ways, and the better one of each counts.
 */
import { type Cluster, withCluster } from "../../test/support/cluster.js";
import type { RespClient } from "../../test/support/resp-client.js";
import { benchmarkArgs, type LoadFigures, type RedisBenchmark, RedisServer, runBenchmark } from "./redis.js";
import { Figures, perSecond, type Row } from "./report.js";

const NODES = ["n1", "n2", "n3"] as const;
const WRITES_TIMES_STRONG = 1.5;
const READS_TIMES_REDIS = 0.9;
const CONVERGED_P99_MS = 100;
const CONVERGENCE_WRITES = 1_000;
const COMMAND = "npm run bench -- compare --only eventual";
/** By keyspace number, as `SELECT` takes it. */
const STRONG = 0;
const EVENTUAL = 1;

interface Loads {
  readonly fill: RedisBenchmark;
  readonly set: RedisBenchmark;
  readonly get: RedisBenchmark;
}

function loadsOf(scale: number): Loads {
  const n = (requests: number): number => Math.max(300, Math.round(requests * scale));
  return {
    fill: { test: "set", clients: 50, requests: n(300_000), pipeline: 16 },
    set: { test: "set", clients: 256, requests: n(200_000) },
    get: { test: "get", clients: 256, requests: n(200_000) },
  };
}

const loadNode = async (port: number, load: RedisBenchmark, keyspace: number): Promise<LoadFigures> =>
  await runBenchmark(port, [...benchmarkArgs(load), "--dbnum", `${keyspace}`]);

/** All nodes at the same time: what they carry out together, and their mean latencies. */
async function loadNodes(cluster: Cluster, load: RedisBenchmark, keyspace: number): Promise<LoadFigures> {
  const share = { ...load, clients: Math.ceil(load.clients / 3), requests: Math.ceil(load.requests / 3) };
  const each = await Promise.all(
    NODES.map(async (node) => await loadNode(cluster.node(node).respPort, share, keyspace)),
  );
  const sum = (pick: (figures: LoadFigures) => number) => each.reduce((total, one) => total + pick(one), 0);
  return {
    rps: sum(({ rps }) => rps),
    meanMs: sum(({ meanMs }) => meanMs) / each.length,
    p50Ms: sum(({ p50Ms }) => p50Ms) / each.length,
    p99Ms: Math.max(...each.map(({ p99Ms }) => p99Ms)),
  };
}

async function runRound(cluster: Cluster, redis: RedisServer, loads: Loads, figures: Figures): Promise<void> {
  const port = cluster.node("n1").respPort;
  for (const name of ["set", "get"] as const) {
    for (const [kind, keyspace] of [["strong", STRONG] as const, ["eventual", EVENTUAL] as const]) {
      figures.add(`${kind} ${name}`, await loadNode(port, loads[name], keyspace));
      figures.add(`${kind} ${name}, all nodes`, await loadNodes(cluster, loads[name], keyspace));
    }
  }
  figures.add("redis get", await loadNode(redis.port, loads.get, 0));
}

/** The better of the two ways. */
function bestOf(figures: Figures, name: string): { readonly best: LoadFigures; readonly text: string } {
  const one = figures.of(name);
  const all = figures.of(`${name}, all nodes`);
  return {
    best: all.rps > one.rps ? all : one,
    text: `one node: ${perSecond(one)}; all nodes: ${perSecond(all)}`,
  };
}

function rowsOf(figures: Figures): Row[] {
  const writes = bestOf(figures, "eventual set");
  const strong = bestOf(figures, "strong set");
  const reads = bestOf(figures, "eventual get");
  const redis = figures.of("redis get");
  const writeRatio = writes.best.rps / strong.best.rps;
  const readRatio = reads.best.rps / redis.rps;
  return [
    {
      what: "writes at `one`, 256 connections",
      ours: writes.text,
      theirs: `strong writes: ${strong.text}`,
      ratio: writeRatio,
      bound: `≥ ${WRITES_TIMES_STRONG}`,
      kept: writeRatio >= WRITES_TIMES_STRONG,
      command: COMMAND,
    },
    {
      what: "reads at `one`, 256 connections",
      ours: reads.text,
      theirs: `redis-server: ${perSecond(redis)}`,
      ratio: readRatio,
      bound: `≥ ${READS_TIMES_REDIS}`,
      kept: readRatio >= READS_TIMES_REDIS,
      command: COMMAND,
    },
  ];
}

/** Milliseconds from the answer to each write on one node until all others show it, sorted. */
async function convergenceMs(cluster: Cluster, writes: number): Promise<number[]> {
  const clients: RespClient[] = [];
  for (const node of NODES) {
    const client = await cluster.resp(node);
    await client.call("SELECT", `${EVENTUAL}`);
    clients.push(client);
  }
  const [writer, ...readers] = clients;
  if (writer === undefined) throw new Error("a cluster has nodes");
  const times: number[] = [];
  for (let i = 0; i < writes; i += 1) {
    const value = `value-${i}`;
    await writer.call("SET", `converging-${i % 100}`, value);
    const answeredMs = performance.now();
    for (const reader of readers) {
      while ((await reader.call("GET", `converging-${i % 100}`)) !== value);
    }
    times.push(performance.now() - answeredMs);
  }
  for (const client of clients) client.close();
  return times.toSorted((a, b) => a - b);
}

function convergenceRow(sorted: readonly number[]): Row {
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  const p99Ms = at(0.99);
  return {
    what: "a write at `one` shows on all nodes of an idle cluster",
    ours: `p50 ${at(0.5).toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ${sorted.length} writes`,
    theirs: "",
    bound: `p99 < ${CONVERGED_P99_MS} ms`,
    kept: p99Ms < CONVERGED_P99_MS,
    command: COMMAND,
  };
}

export async function measureEventual(options: { rounds: number; scale: number }): Promise<Row[]> {
  const loads = loadsOf(options.scale);
  const figures = new Figures();
  let converged: number[] = [];
  const redis = await RedisServer.start([]);
  try {
    await loadNode(redis.port, loads.fill, 0);
    await withCluster({}, async (cluster) => {
      const client = await cluster.resp("n1", { replyTimeoutMs: 60_000 });
      await client.call("KEYSPACE", "CREATE", "sessions", "CONSISTENCY", "eventual");
      client.close();
      for (const keyspace of [STRONG, EVENTUAL]) {
        await loadNode(cluster.node("n1").respPort, loads.fill, keyspace);
      }
      for (let round = 1; round <= options.rounds; round += 1) {
        console.error(`round ${round} of ${options.rounds}`);
        await runRound(cluster, redis, loads, figures);
      }
      converged = await convergenceMs(cluster, Math.max(100, CONVERGENCE_WRITES * options.scale));
    });
  } finally {
    await redis.stop();
  }
  return [...rowsOf(figures), convergenceRow(converged)];
}
