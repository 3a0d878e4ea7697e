/**
 * How fast `minikey load` is, beside pipelined `SET`s of the same keys and values, on the same cluster and in turn:
 * twelve `redis-cli --pipe` side by side, Redis's own tool for mass insertion, all to one node, and four to each
 * (fewer and more were slower). The better one counts. All find the records there already, but in the first round,
 * which is not counted; the start of the commands is.
 */
import { spawn } from "node:child_process";
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { type Cluster, withCluster } from "../../test/support/cluster.js";
import { minikeyPath } from "../../test/support/repository.js";
import { runCommand } from "./command.js";
import { median, type Row } from "./report.js";

const LOAD_TIMES_SET = 0.8;
const ROUNDS = 5;
const MS_PER_SECOND = 1000;

const PIPES = 12;

/** The same records as `SET`s in RESP, dealt out to one file for each pipe. */
interface SetFiles {
  readonly records: number;
  readonly shares: readonly string[];
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

async function writeSets(file: string, directory: string): Promise<SetFiles> {
  const shares = Array.from({ length: PIPES }, (_, i) => join(directory, `share-${i}`));
  const streams = shares.map((path) => createWriteStream(path));
  const input = createReadStream(file);
  const lines = createInterface({ input: file.endsWith(".gz") ? input.pipe(createGunzip()) : input });
  let records = 0;
  for await (const line of lines) {
    const { key, value } = JSON.parse(line) as { key: string; value: unknown };
    streams[records % PIPES]?.write(`*3\r\n$3\r\nSET\r\n${bulk(key)}${bulk(JSON.stringify(value))}`);
    records += 1;
  }
  await Promise.all(streams.map((stream) => new Promise((resolve) => stream.end(resolve))));
  return { records, shares };
}

/** Resolves when redis-cli has had an answer to every command of the file. */
function pipeTo(port: number, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("redis-cli", ["-p", `${port}`, "--pipe"], { stdio: ["pipe", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("error", reject);
    child.once("close", (status) => {
      if (status === 0 && output.includes("errors: 0")) resolve();
      else reject(new Error(`redis-cli --pipe ended with ${status}:\n${output}`));
    });
    createReadStream(file, { highWaterMark: 1024 * 1024 }).pipe(child.stdin);
  });
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / MS_PER_SECOND;
}

/** Records a second of `minikey load`, against those of pipelined `SET`s. */
export async function measureLoad(file: string): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), "minikey-bench-sets-"));
  try {
    const rows: Row[] = [];
    await withCluster({}, async (cluster) => {
      rows.push(await compare(file, directory, cluster));
    });
    return rows;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compare(file: string, directory: string, cluster: Cluster): Promise<Row> {
  const sets = await writeSets(file, directory);
  const ports = cluster.nodes.map(({ respPort }) => respPort);
  const connect = ports.map((port) => `127.0.0.1:${port}`).join(",");
  const seconds: Record<"load" | "one" | "each", number[]> = { load: [], one: [], each: [] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    const load = await secondsOf(() =>
      runCommand(process.execPath, [minikeyPath, "load", file, "--connect", connect]),
    );
    const setAll = (to: readonly number[]): Promise<unknown> =>
      Promise.all(sets.shares.map((share, i) => pipeTo(to[i % to.length] ?? 0, share)));
    const one = await secondsOf(() => setAll(ports.slice(0, 1)));
    const each = await secondsOf(() => setAll(ports));
    console.error(
      `round ${round}: load ${load.toFixed(2)} s, SET to one node ${one.toFixed(2)} s, to all ${each.toFixed(2)} s`,
    );
    if (round === 0) continue;
    seconds.load.push(load);
    seconds.one.push(one);
    seconds.each.push(each);
  }
  const rate = (times: readonly number[]): number => sets.records / median(times);
  const show = (times: readonly number[]): string =>
    `${Math.round(rate(times)).toLocaleString("en")}/s in ${median(times).toFixed(2)} s`;
  const ratio = rate(seconds.load) / Math.max(rate(seconds.one), rate(seconds.each));
  return {
    what: `minikey load, ${sets.records.toLocaleString("en")} records`,
    ours: `${show(seconds.load)}, start of the command included`,
    theirs: `the same by SET, ${PIPES} × redis-cli --pipe: to one node ${show(seconds.one)}; to all ${show(seconds.each)}`,
    ratio,
    bound: `≥ ${LOAD_TIMES_SET}`,
    kept: ratio >= LOAD_TIMES_SET,
    command: "minikey load FILE",
  };
}
