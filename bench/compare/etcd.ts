/**
 * etcd to compare with. A directory of tools (`--etcd-tools`) brings two programs: `etcd-cluster start|stop
 * DIR`, a three-member cluster on loopback, and `etcd-load`, which prints its figures as one line of JSON;
 * `etcd-load` may also be a folder with its Go source, built here with Debian's packages golang-go and
 * golang-etcd-server-dev.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "./command.js";
import type { LoadFigures } from "./redis.js";

const ENDPOINTS = "127.0.0.1:12379,127.0.0.1:22379,127.0.0.1:32379";
const MS_PER_SECOND = 1000;

export interface EtcdLoad {
  /** `get` is linearizable. */
  readonly op: "put" | "get";
  readonly clients: number;
  readonly connections: number;
  readonly requests: number;
}

function loadArgs({ op, clients, connections, requests }: EtcdLoad): string[] {
  return ["-op", op, "-clients", `${clients}`, "-conns", `${connections}`, "-total", `${requests}`];
}

export const loadCommand = (load: EtcdLoad): string => `etcd-load -endpoints … ${loadArgs(load).join(" ")}`;

export class Etcd {
  readonly #clusterProgram: string;
  readonly #loadProgram: string;
  readonly #directory: string;

  private constructor(clusterProgram: string, loadProgram: string, directory: string) {
    this.#clusterProgram = clusterProgram;
    this.#loadProgram = loadProgram;
    this.#directory = directory;
  }

  /** Builds what must be built; starts nothing. */
  static async prepare(toolsDirectory: string): Promise<Etcd> {
    const directory = mkdtempSync(join(tmpdir(), "minikey-bench-etcd-"));
    const load = join(toolsDirectory, "etcd-load");
    let program = load;
    if (statSync(load).isDirectory()) {
      program = join(directory, "etcd-load");
      const env = {
        GO111MODULE: "off",
        GOPATH: "/usr/share/gocode",
        GOCACHE: join(tmpdir(), "minikey-go-cache"),
      };
      await runCommand("go", ["build", "-o", program, "."], { cwd: load, env });
    }
    return new Etcd(join(toolsDirectory, "etcd-cluster"), program, directory);
  }

  async start(): Promise<void> {
    await runCommand(this.#clusterProgram, ["start", join(this.#directory, "data")]);
  }

  async load(options: EtcdLoad): Promise<LoadFigures> {
    const output = await runCommand(this.#loadProgram, ["-endpoints", ENDPOINTS, ...loadArgs(options)]);
    const figures = JSON.parse(output) as { rps: number; p50_ms: number; p99_ms: number; failed: number };
    if (figures.failed > 0) throw new Error(`etcd failed ${figures.failed} requests`);
    // Each client has one request under way at any time (Little's law).
    const meanMs = (options.clients * MS_PER_SECOND) / figures.rps;
    return { rps: figures.rps, meanMs, p50Ms: figures.p50_ms, p99Ms: figures.p99_ms };
  }

  async stop(): Promise<void> {
    await runCommand(this.#clusterProgram, ["stop", join(this.#directory, "data")]);
    // Its members end after the command does.
    rmSync(join(this.#directory, "data"), { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
