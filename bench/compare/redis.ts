/**
 * redis-server to compare with, and redis-benchmark to measure: Debian's packages redis-server and
 * redis-tools, or any that are on the path.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../test/support/ports.js";
import { RespClient } from "../../test/support/resp-client.js";
import { waitFor } from "../../test/support/wait.js";
import { runCommand } from "./command.js";

/** What a load generator found: latencies in milliseconds. */
export interface LoadFigures {
  readonly rps: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface RedisBenchmark {
  readonly test: "set" | "get";
  readonly clients: number;
  readonly requests: number;
  readonly pipeline?: number;
  /** Ask the cluster where the keys are, and send each request to their node. */
  readonly cluster?: boolean;
}

const KEY_SPACE = 100_000;
export const VALUE_BYTES = 64;
/** With `--cluster`, redis-benchmark puts a hash tag into its keys, another for each node: so many times the keys. */
const CLUSTER_TAGS = 3;

export function benchmarkArgs({
  test,
  clients,
  requests,
  pipeline = 1,
  cluster = false,
}: RedisBenchmark): string[] {
  const keys = Math.round(KEY_SPACE / (cluster ? CLUSTER_TAGS : 1));
  const flags = ["-t", test, "-c", `${clients}`, "-n", `${requests}`, "-P", `${pipeline}`];
  flags.push("-r", `${keys}`, "-d", `${VALUE_BYTES}`, ...(cluster ? ["--cluster"] : []));
  return flags;
}

/** The command for the report, with the port left open. */
export function benchmarkCommand(options: RedisBenchmark): string {
  return `redis-benchmark -p PORT ${benchmarkArgs(options).join(" ")}`;
}

export async function redisBenchmark(port: number, options: RedisBenchmark): Promise<LoadFigures> {
  return await runBenchmark(port, benchmarkArgs(options));
}

/** redis-benchmark with these flags and, behind them, the words of the command to send, if it is none of its own. */
export async function runBenchmark(port: number, args: readonly string[]): Promise<LoadFigures> {
  return parseCsv(await runCommand("redis-benchmark", ["-p", `${port}`, "--csv", ...args]));
}

/** Columns: test, rps, average, min, p50, p95, p99, max; one line a test below a line of names. */
function parseCsv(output: string): LoadFigures {
  const line = output
    .trimEnd()
    .split("\n")
    .findLast((text) => /,"[\d.]+"$/.test(text));
  if (line === undefined) throw new Error(`redis-benchmark printed no figures:\n${output}`);
  // What was sent comes first, and may hold anything but this.
  const cells = line.split('","').map((cell) => Number(cell.replaceAll('"', "")));
  const at = (column: number): number => cells[column] ?? Number.NaN;
  return { rps: at(1), meanMs: at(2), p50Ms: at(4), p99Ms: at(6) };
}

/** A redis-server of the benchmark's own, in a directory of its own. */
export class RedisServer {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port;
    this.#child = child;
    this.#directory = directory;
  }

  static async start(args: readonly string[]): Promise<RedisServer> {
    const [port = 0] = await freePorts(1);
    const directory = mkdtempSync(join(tmpdir(), "minikey-bench-redis-"));
    const all = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory, ...args];
    const child = spawn("redis-server", all, { stdio: "ignore" });
    const server = new RedisServer(port, child, directory);
    await waitFor("redis-server answers", async () => {
      const client = await RespClient.connect(port);
      const reply = await client.call("PING");
      client.close();
      return reply === "PONG";
    });
    return server;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGTERM");
    await closed;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
