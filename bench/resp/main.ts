/**
 * `npm run bench -- resp`: what the RESP layer costs by itself. The server on data in memory, without Raft or
 * disk, beside redis-server, by redis-benchmark: requests a second, their ratio, and the CPU time a request that
 * our process spent. Each round measures both, one after the other; the figures are medians of the rounds.
 *
 * `--profile DIR` writes a CPU profile of our process there.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchmarkCommand, type RedisBenchmark, RedisServer, redisBenchmark } from "../compare/redis.js";

const WORKLOADS: readonly RedisBenchmark[] = [
  { test: "set", clients: 50, requests: 500_000, pipeline: 16 },
  { test: "get", clients: 50, requests: 1_000_000, pipeline: 16 },
  { test: "set", clients: 256, requests: 100_000 },
  { test: "get", clients: 256, requests: 100_000 },
];

interface Figures {
  readonly redisRps: number;
  readonly ownRps: number;
  readonly ownCpuMicros: number;
}

async function cpuMicros(child: ChildProcess): Promise<number> {
  child.send("cpu");
  const [{ user, system }] = (await once(child, "message")) as [NodeJS.CpuUsage];
  return user + system;
}

async function measure(
  workload: RedisBenchmark,
  redis: RedisServer,
  child: ChildProcess,
  port: number,
): Promise<Figures> {
  const { rps: redisRps } = await redisBenchmark(redis.port, workload);
  const before = await cpuMicros(child);
  const { rps: ownRps } = await redisBenchmark(port, workload);
  return { redisRps, ownRps, ownCpuMicros: ((await cpuMicros(child)) - before) / workload.requests };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function report(workload: RedisBenchmark, rounds: readonly Figures[]): void {
  const of = (pick: (figures: Figures) => number): number => median(rounds.map(pick));
  const ratio = of(({ ownRps, redisRps }) => ownRps / redisRps).toFixed(2);
  const cpu = of(({ ownCpuMicros }) => ownCpuMicros).toFixed(2);
  const rates = [of(({ redisRps }) => redisRps), of(({ ownRps }) => ownRps)].map((rps) => Math.round(rps));
  console.log(`| \`${benchmarkCommand(workload)}\` | ${rates[0]} | ${rates[1]} | ${ratio} | ${cpu} |`);
}

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, profile: { type: "string" } },
});
const redis = await RedisServer.start(["--save", "", "--appendonly", "no"]);
const child = fork(fileURLToPath(new URL("server.js", import.meta.url)), {
  execArgv: values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`],
});
try {
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  console.log("| command | redis-server, requests/s | here | ratio | CPU here, µs/request |");
  console.log("| --- | --- | --- | --- | --- |");
  for (const workload of WORKLOADS) {
    const rounds: Figures[] = [];
    for (let left = Number(values.rounds); left > 0; left -= 1) {
      rounds.push(await measure(workload, redis, child, port));
    }
    report(workload, rounds);
  }
} finally {
  child.disconnect();
  await redis.stop();
}
