/**
 * The write-ahead log alone, on this machine's disk: how many appends a second are durable, what one costs the
 * main thread, how long it takes, and how fast a restart reads them.
 *
 * Run: `npm run bench -- log [DIRECTORY]`. The directory is made for the run and removed; by default it is in
 * the current one, for the system's temporary directory may lie in memory.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { allocBytes } from "../../src/core/bytes.js";
import { groupId, logIndex, replicaId, term } from "../../src/core/ids.js";
import { openDisk } from "../../src/platform/disk.js";
import { systemRandom } from "../../src/platform/random.js";
import { openLog } from "../../src/storage/log/open-log.js";
import type { LogOptions, WriteAheadLog } from "../../src/storage/log/types.js";

const GROUPS = 16;
const RECOVERED_RECORDS = 1_000_000;

const options: LogOptions = {
  random: systemRandom(),
  onFailure: (error) => {
    throw error;
  },
};

interface Load {
  readonly appends: number;
  readonly sizeBytes: number;
  /** Appends that wait for the disk at any time. */
  readonly inFlight: number;
}

interface Result {
  readonly seconds: number;
  readonly units: number;
  /** The main thread's processor time per append: the threads that write are not in it. */
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Processor time of this thread; where the system does not tell it, the time the event loop was busy. */
function threadCpuMs(): number {
  try {
    const schedstat = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "latin1");
    return Number(schedstat.split(" ")[0]) / 1e6;
  } catch {
    return performance.eventLoopUtilization().active;
  }
}

/** Keeps `inFlight` appends waiting, one entry and one hard state each, as a replica group writes them. */
function run(log: WriteAheadLog, { appends, sizeBytes, inFlight }: Load): Promise<Result> {
  const data = allocBytes(sizeBytes).fill(7);
  const lastIndexes = Array.from({ length: GROUPS }, () => 0);
  const latencies = new Float64Array(appends);
  let begun = 0;
  let done = 0;
  let units = 0;
  let inTurn = false;
  const cpuBefore = threadCpuMs();
  const start = performance.now();
  return new Promise((resolve) => {
    const append = (): void => {
      const number = begun;
      begun += 1;
      const group = number % GROUPS;
      const index = logIndex(++lastIndexes[group]);
      const queuedMs = performance.now();
      log.append(
        {
          group: groupId(group),
          hardState: { term: term(1), vote: replicaId(1), commit: logIndex(index - 1) },
          entries: [{ index, term: term(1), kind: "command", data }],
          snapshot: undefined,
        },
        () => {
          latencies[number] = performance.now() - queuedMs;
          done += 1;
          if (inTurn) return;
          inTurn = true;
          units += 1;
          setImmediate(onTurnEnd);
        },
      );
    };
    const onTurnEnd = (): void => {
      inTurn = false;
      while (begun < appends && begun - done < inFlight) append();
      log.flush();
      if (done === appends) finish();
    };
    const finish = (): void => {
      const seconds = (performance.now() - start) / 1000;
      const cpuMs = threadCpuMs() - cpuBefore;
      latencies.sort();
      const at = (share: number): number => 1000 * latencies[Math.floor(share * (appends - 1))];
      resolve({ seconds, units, cpuUs: (1000 * cpuMs) / appends, p50Us: at(0.5), p99Us: at(0.99) });
    };
    onTurnEnd();
  });
}

async function benchAppends(directory: string): Promise<void> {
  console.log("bytes  waiting  appends/s   MB/s  appends/write    CPU µs/append   p50 µs   p99 µs");
  for (const sizeBytes of [64, 256, 1024, 4096]) {
    for (const inFlight of [1, 16, 256, 1024]) {
      const path = `${sizeBytes}-${inFlight}`;
      const { log } = await openLog(await openDisk(join(directory, path)), "log", options);
      const appends = Math.min(inFlight * 400, sizeBytes > 1000 ? 100_000 : 200_000);
      await run(log, { appends: Math.ceil(appends / 4), sizeBytes, inFlight });
      await log.close();
      rmSync(join(directory, path), { recursive: true });
      const fresh = await openLog(await openDisk(join(directory, path)), "log", options);
      const result = await run(fresh.log, { appends, sizeBytes, inFlight });
      const perSecond = appends / result.seconds;
      console.log(
        [
          String(sizeBytes).padStart(5),
          String(inFlight).padStart(7),
          perSecond.toFixed(0).padStart(9),
          ((perSecond * sizeBytes) / 1e6).toFixed(1).padStart(5),
          (appends / result.units).toFixed(1).padStart(13),
          result.cpuUs.toFixed(2).padStart(14),
          result.p50Us.toFixed(0).padStart(7),
          result.p99Us.toFixed(0).padStart(7),
        ].join("  "),
      );
      await fresh.log.close();
      rmSync(join(directory, path), { recursive: true });
    }
  }
}

async function benchRecovery(directory: string): Promise<void> {
  const disk = await openDisk(join(directory, "recovery"));
  const { log } = await openLog(disk, "log", options);
  await run(log, { appends: RECOVERED_RECORDS, sizeBytes: 64, inFlight: 2048 });
  const sizeMb = log.sizeBytes() / 1e6;
  await log.close();
  const start = performance.now();
  const cpuBefore = threadCpuMs();
  const { log: again, report } = await openLog(disk, "log", options);
  const seconds = (performance.now() - start) / 1000;
  const cpuSeconds = (threadCpuMs() - cpuBefore) / 1000;
  let entries = 0;
  for (const group of report.groups.values()) entries += group.entries.length;
  console.log(
    `recovery: ${entries} entries of 64 bytes (${report.records} records, ${sizeMb.toFixed(0)} MB) in ` +
      `${seconds.toFixed(2)} s, ${cpuSeconds.toFixed(2)} s of processor time`,
  );
  await again.close();
}

const parent = process.argv[2] ?? process.cwd();
mkdirSync(parent, { recursive: true });
const directory = mkdtempSync(join(parent, "log-bench-"));
try {
  await benchAppends(directory);
  await benchRecovery(directory);
} finally {
  rmSync(directory, { recursive: true });
}
