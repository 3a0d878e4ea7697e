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
import { measureLoad } from "./cities.js";
import { versionOf } from "./command.js";
import { Etcd } from "./etcd.js";
import { measureEventual } from "./eventual.js";
import { measureLarge } from "./large.js";
import { planOf } from "./plan.js";
import { measurePrefix } from "./prefix.js";
import { describeMachine, markdownTable, type Row } from "./report.js";
import { compareInRounds } from "./rounds.js";

const USAGE = `npm run bench -- compare [flags]
  --etcd-tools DIR   programs etcd-cluster and etcd-load (also MINIKEYDB_BENCH_ETCD_TOOLS)
  --cities FILE      records for minikey load (also MINIKEYDB_BENCH_CITIES)
  --only NAME,…      of: etcd, redis, eventual, large, prefix, cities
  --rounds N         default 3
  --scale X          of the number of requests and keys, default 1
  --out FILE         writes the tables there as well`;

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
    etcdTools: values["etcd-tools"] ?? process.env["MINIKEYDB_BENCH_ETCD_TOOLS"],
    cities: values.cities ?? process.env["MINIKEYDB_BENCH_CITIES"],
    only: values.only?.split(",") ?? ["etcd", "redis", "eventual", "large", "prefix", "cities"],
    rounds: Number(values.rounds ?? 3),
    scale: Number(values.scale ?? 1),
    out: values.out,
  };
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
  const withServer = (await versionOf("redis-server", ["--version"])) !== undefined;
  const withRedis = wants("redis", withServer, "no redis-server");
  const withCities = wants("cities", cities !== undefined && existsSync(cities), "no --cities FILE");

  const plan = planOf(options.scale);
  const etcd = withEtcd ? await Etcd.prepare(etcdTools ?? "") : undefined;
  const rows: Row[] = [];
  try {
    rows.push(...(await compareInRounds(etcd, withRedis, options.rounds, plan)));
    if (wants("eventual", withServer, "no redis-server")) rows.push(...(await measureEventual(options)));
    if (options.only.includes("large"))
      rows.push(...(await measureLarge({ keys: Math.round(1_000_000 * options.scale) })));
    if (options.only.includes("prefix"))
      rows.push(...(await measurePrefix({ keys: Math.round(1_000_000 * options.scale) })));
    if (withCities) rows.push(...(await measureLoad(cities ?? "")));
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
