/**
 * The comparisons that go by rounds: etcd, redis-server and MinikeyDB, each measured once a round, one system
 * running at a time. Every system is filled before it is measured, so that reads find what they ask for and
 * nobody is measured cold.
 */
import { type Cluster, withCluster } from "../../test/support/cluster.js";
import { type Etcd, loadCommand } from "./etcd.js";
import type { Plan } from "./plan.js";
import { benchmarkCommand, type LoadFigures, RedisServer, redisBenchmark } from "./redis.js";
import { Figures, latency, perSecond, type Row } from "./report.js";

const WRITES_TIMES_ETCD = 3;
const READS_TIMES_ETCD = 4;
const PIPELINED_TIMES_REDIS = 0.5;

async function runEtcd(etcd: Etcd, plan: Plan, figures: Figures): Promise<void> {
  await etcd.start();
  try {
    const { fill, ...loads } = plan.etcd;
    await etcd.load(fill);
    for (const [name, load] of Object.entries(loads)) figures.add(`etcd ${name}`, await etcd.load(load));
  } finally {
    await etcd.stop();
  }
}

async function runRedis(plan: Plan, figures: Figures): Promise<void> {
  const defaults = await RedisServer.start([]);
  await redisBenchmark(defaults.port, plan.minikey.fill);
  figures.add("redis getPipelined", await redisBenchmark(defaults.port, plan.minikey.getPipelined));
  await defaults.stop();
  const durable = await RedisServer.start(["--appendonly", "yes", "--appendfsync", "always"]);
  await redisBenchmark(durable.port, plan.minikey.fill);
  figures.add("redis setPipelined", await redisBenchmark(durable.port, plan.minikey.setPipelined));
  await durable.stop();
}

/** Every load once against one node, and once with the client asking the cluster where the keys are. */
async function runMinikey(
  cluster: Cluster,
  names: readonly (keyof Plan["minikey"])[],
  plan: Plan,
  figures: Figures,
): Promise<void> {
  const port = cluster.node("n1").respPort;
  await redisBenchmark(port, plan.minikey.fill);
  for (const name of names) {
    const load = plan.minikey[name];
    figures.add(`minikey ${name}`, await redisBenchmark(port, load));
    figures.add(`minikey ${name} --cluster`, await redisBenchmark(port, { ...load, cluster: true }));
  }
}

/** The better of the two ways to reach the cluster, which is the one that counts, and both in words. */
function bestOf(
  figures: Figures,
  name: string,
  show: (of: LoadFigures) => string,
  isBetter: (a: LoadFigures, b: LoadFigures) => boolean,
): { best: LoadFigures; text: string } {
  const one = figures.of(`minikey ${name}`);
  const all = figures.of(`minikey ${name} --cluster`);
  return { best: isBetter(all, one) ? all : one, text: `one node: ${show(one)}; --cluster: ${show(all)}` };
}

const isFaster = (a: LoadFigures, b: LoadFigures): boolean => a.rps > b.rps;
const isSooner = (a: LoadFigures, b: LoadFigures): boolean => a.meanMs < b.meanMs;

function etcdRows(figures: Figures, plan: Plan): Row[] {
  const rows: Row[] = [];
  const addRate = (
    what: string,
    name: "set" | "get",
    other: "put" | "get",
    timesWanted: number,
    p99Counts: boolean,
  ): void => {
    const { best, text } = bestOf(figures, name, perSecond, isFaster);
    const theirs = figures.of(`etcd ${other}`);
    const ratio = best.rps / theirs.rps;
    rows.push({
      what,
      ours: text,
      theirs: `etcd: ${perSecond(theirs)}`,
      ratio,
      bound: `≥ ${timesWanted}${p99Counts ? ", lower p99" : ""}`,
      kept: ratio >= timesWanted && (!p99Counts || best.p99Ms < theirs.p99Ms),
      command: `${benchmarkCommand(plan.minikey[name])} [-r 33333 --cluster]; ${loadCommand(plan.etcd[other])}`,
    });
  };
  addRate("writes, 256 clients", "set", "put", WRITES_TIMES_ETCD, true);
  addRate("linearizable reads, 256 clients", "get", "get", READS_TIMES_ETCD, false);
  const { best, text } = bestOf(figures, "setAlone", latency, isSooner);
  const theirs = figures.of("etcd putAlone");
  rows.push({
    what: "write latency, one client",
    ours: text,
    theirs: `etcd: ${latency(theirs)}`,
    ratio: best.meanMs / theirs.meanMs,
    bound: "≤ 1",
    kept: best.meanMs <= theirs.meanMs,
    command: `${benchmarkCommand(plan.minikey.setAlone)} [-r 33333 --cluster]; ${loadCommand(plan.etcd.putAlone)}`,
  });
  return rows;
}

function redisRows(figures: Figures, plan: Plan): Row[] {
  const sides = [
    ["getPipelined", "GET, 50 connections, pipelined by 16", "redis-server"],
    [
      "setPipelined",
      "SET, 50 connections, pipelined by 16",
      "redis-server --appendonly yes --appendfsync always",
    ],
  ] as const;
  return sides.map(([name, what, server]) => {
    const { best, text } = bestOf(figures, name, perSecond, isFaster);
    const theirs = figures.of(`redis ${name}`);
    const ratio = best.rps / theirs.rps;
    return {
      what,
      ours: text,
      theirs: `${server}: ${perSecond(theirs)}`,
      ratio,
      bound: `≥ ${PIPELINED_TIMES_REDIS}`,
      kept: ratio >= PIPELINED_TIMES_REDIS,
      command: `${benchmarkCommand(plan.minikey[name])} [-r 33333 --cluster]`,
    };
  });
}

/** One row a bound; the figures are medians over the rounds. */
export async function compareInRounds(
  etcd: Etcd | undefined,
  withRedis: boolean,
  rounds: number,
  plan: Plan,
): Promise<Row[]> {
  const figures = new Figures();
  const names: (keyof Plan["minikey"])[] = [];
  if (etcd !== undefined) names.push("set", "get", "setAlone");
  if (withRedis) names.push("setPipelined", "getPipelined");
  for (let round = 1; round <= rounds && names.length > 0; round += 1) {
    console.error(`round ${round} of ${rounds}`);
    if (etcd !== undefined) await runEtcd(etcd, plan, figures);
    if (withRedis) await runRedis(plan, figures);
    await withCluster({}, (cluster) => runMinikey(cluster, names, plan, figures));
  }
  return [
    ...(etcd === undefined ? [] : etcdRows(figures, plan)),
    ...(withRedis ? redisRows(figures, plan) : []),
  ];
}
