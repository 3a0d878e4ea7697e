/**
 * `npm run bench -- compare`: MinikeyDB beside etcd and redis-server, on this machine and in this run, so that
 * the ratios mean something. Prints a table in Markdown with the command behind each figure.
 *
 * Each round measures every side once, one system running at a time; the figures are the medians of the
 * rounds. MinikeyDB is a cluster of three processes with three replicas of everything, durable and
 * linearizable, as it is by default. A comparison whose other side is missing is left out, and said so.
 */
import { existsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Cluster, withCluster } from "../../test/support/cluster.js";
import { minikeyPath } from "../../test/support/repository.js";
import { runCommand, versionOf } from "./command.js";
import { Etcd, type EtcdLoad, loadCommand } from "./etcd.js";
import { measureLarge } from "./large.js";
import {
  benchmarkCommand,
  type LoadFigures,
  type RedisBenchmark,
  RedisServer,
  redisBenchmark,
} from "./redis.js";
import { describeMachine, latency, markdownTable, medianOf, perSecond, type Row } from "./report.js";

const USAGE = `npm run bench -- compare [flags]
  --etcd-tools DIR   programs etcd-cluster and etcd-load (also MINIKEY_ETCD_TOOLS)
  --cities FILE      records for minikey load (also MINIKEY_CITIES)
  --only NAME,…      of: etcd, redis, large, cities
  --rounds N         default 3
  --scale X          of the number of requests and keys, default 1
  --out FILE         writes the tables there as well`;

const MS_PER_SECOND = 1000;
const WRITES_TIMES_ETCD = 3;
const READS_TIMES_ETCD = 4;
const PIPELINED_TIMES_REDIS = 0.5;
const LOAD_TIMES_SET = 0.5;

/** Figures of all rounds, by the name of what was measured. */
class Figures {
  readonly #rounds = new Map<string, LoadFigures[]>();

  add(name: string, figures: LoadFigures): void {
    this.#rounds.set(name, [...(this.#rounds.get(name) ?? []), figures]);
    console.error(`  ${name}: ${perSecond(figures)}`);
  }

  of(name: string): LoadFigures {
    return medianOf(this.#rounds.get(name) ?? []);
  }
}

interface Plan {
  readonly etcd: Readonly<Record<"put" | "get" | "putAlone", EtcdLoad>>;
  readonly minikey: Readonly<
    Record<"set" | "get" | "setAlone" | "setPipelined" | "getPipelined", RedisBenchmark>
  >;
}

function planOf(scale: number): Plan {
  const n = (requests: number): number => Math.max(100, Math.round(requests * scale));
  return {
    etcd: {
      put: { op: "put", clients: 256, connections: 50, requests: n(60_000) },
      get: { op: "get", clients: 256, connections: 50, requests: n(60_000) },
      putAlone: { op: "put", clients: 1, connections: 1, requests: n(2000) },
    },
    minikey: {
      set: { test: "set", clients: 256, requests: n(200_000) },
      get: { test: "get", clients: 256, requests: n(200_000) },
      setAlone: { test: "set", clients: 1, requests: n(2000) },
      setPipelined: { test: "set", clients: 50, requests: n(1_000_000), pipeline: 16 },
      getPipelined: { test: "get", clients: 50, requests: n(1_000_000), pipeline: 16 },
    },
  };
}

async function runEtcd(etcd: Etcd, plan: Plan, figures: Figures): Promise<void> {
  await etcd.start();
  try {
    for (const [name, load] of Object.entries(plan.etcd)) figures.add(`etcd ${name}`, await etcd.load(load));
  } finally {
    await etcd.stop();
  }
}

async function runRedis(plan: Plan, figures: Figures): Promise<void> {
  const defaults = await RedisServer.start([]);
  // Fill first, so that GET finds what it asks for, as it does on the other side.
  await redisBenchmark(defaults.port, plan.minikey.setPipelined);
  figures.add("redis getPipelined", await redisBenchmark(defaults.port, plan.minikey.getPipelined));
  await defaults.stop();
  const durable = await RedisServer.start(["--appendonly", "yes", "--appendfsync", "always"]);
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
      command: `${benchmarkCommand(plan.minikey[name])} [--cluster]; ${loadCommand(plan.etcd[other])}`,
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
    command: `${benchmarkCommand(plan.minikey.setAlone)} [--cluster]; ${loadCommand(plan.etcd.putAlone)}`,
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
      command: `${benchmarkCommand(plan.minikey[name])} [--cluster]`,
    };
  });
}

/** Records a second of `minikey load`, against the pipelined SET rate of the same cluster. */
async function citiesRows(file: string, plan: Plan, figures: Figures): Promise<Row[]> {
  const rows: Row[] = [];
  await withCluster({}, async (cluster) => {
    await runMinikey(cluster, ["setPipelined"], plan, figures);
    const connect = cluster.nodes.map(({ respPort }) => `127.0.0.1:${respPort}`).join(",");
    const client = await cluster.resp("n1");
    const before = Number(await client.call("DBSIZE"));
    const startMs = performance.now();
    await runCommand(process.execPath, [minikeyPath, "load", file, "--connect", connect]);
    const seconds = (performance.now() - startMs) / MS_PER_SECOND;
    const records = Number(await client.call("DBSIZE")) - before;
    const { best } = bestOf(figures, "setPipelined", perSecond, isFaster);
    const ratio = records / seconds / best.rps;
    rows.push({
      what: `minikey load, ${records.toLocaleString("en")} records`,
      ours: `${Math.round(records / seconds).toLocaleString("en")}/s in ${seconds.toFixed(1)} s, start of the command included`,
      theirs: `pipelined SET on the same cluster: ${perSecond(best)}`,
      ratio,
      bound: `≥ ${LOAD_TIMES_SET}`,
      kept: ratio >= LOAD_TIMES_SET,
      command: "minikey load FILE",
    });
  });
  return rows;
}

interface Options {
  readonly etcdTools: string | undefined;
  readonly cities: string | undefined;
  readonly only: readonly string[];
  readonly rounds: number;
  readonly scale: number;
  readonly out: string | undefined;
}

function readOptions(): Options | undefined {
  const string = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      "etcd-tools": string,
      cities: string,
      only: string,
      rounds: string,
      scale: string,
      out: string,
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return undefined;
  return {
    etcdTools: values["etcd-tools"] ?? process.env["MINIKEY_ETCD_TOOLS"],
    cities: values.cities ?? process.env["MINIKEY_CITIES"],
    only: values.only?.split(",") ?? ["etcd", "redis", "large", "cities"],
    rounds: Number(values.rounds ?? 3),
    scale: Number(values.scale ?? 1),
    out: values.out,
  };
}

/** The comparisons that go by rounds: etcd and redis-server. */
async function compareInRounds(
  etcd: Etcd | undefined,
  withRedis: boolean,
  options: Options,
  plan: Plan,
): Promise<Row[]> {
  const figures = new Figures();
  const names: (keyof Plan["minikey"])[] = [];
  if (etcd !== undefined) names.push("set", "get", "setAlone");
  if (withRedis) names.push("setPipelined", "getPipelined");
  for (let round = 1; round <= options.rounds && names.length > 0; round += 1) {
    console.error(`round ${round} of ${options.rounds}`);
    if (etcd !== undefined) await runEtcd(etcd, plan, figures);
    if (withRedis) await runRedis(plan, figures);
    await withCluster({}, (cluster) => runMinikey(cluster, names, plan, figures));
  }
  return [
    ...(etcd === undefined ? [] : etcdRows(figures, plan)),
    ...(withRedis ? redisRows(figures, plan) : []),
  ];
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) {
    console.log(USAGE);
    return;
  }
  const missing: string[] = [];
  const wants = (name: string, isThere: boolean, reason: string): boolean => {
    if (options.only.includes(name) && !isThere) missing.push(`${name}: left out, ${reason}`);
    return options.only.includes(name) && isThere;
  };
  const hasRedis = (await versionOf("redis-benchmark", ["--version"])) !== undefined;
  if (!hasRedis) throw new Error("redis-benchmark is needed (Debian: redis-tools, redis-server)");
  const { etcdTools, cities } = options;
  const withEtcd = wants("etcd", etcdTools !== undefined && existsSync(etcdTools), "no --etcd-tools DIR");
  const withRedis = wants(
    "redis",
    (await versionOf("redis-server", ["--version"])) !== undefined,
    "no redis-server",
  );
  const withCities = wants("cities", cities !== undefined && existsSync(cities), "no --cities FILE");

  const plan = planOf(options.scale);
  const etcd = withEtcd ? await Etcd.prepare(etcdTools ?? "") : undefined;
  const rows: Row[] = [];
  try {
    rows.push(...(await compareInRounds(etcd, withRedis, options, plan)));
    if (options.only.includes("large"))
      rows.push(...(await measureLarge({ keys: Math.round(1_000_000 * options.scale) })));
    if (withCities) rows.push(...(await citiesRows(cities ?? "", plan, new Figures())));
  } finally {
    etcd?.remove();
  }
  const report = [
    await describeMachine(),
    "",
    markdownTable(rows),
    ...missing.map((line) => `\n${line}`),
  ].join("\n");
  console.log(report);
  if (options.out !== undefined) writeFileSync(options.out, `${report}\n`);
  process.exitCode = rows.every(({ kept }) => kept) ? 0 : 1;
}

await main();
