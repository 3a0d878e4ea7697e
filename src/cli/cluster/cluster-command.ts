/** `minikey cluster`: a whole cluster on this machine, one process a node, until Ctrl-C. */
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { ExitError } from "../failure.js";
import { onStopSignals } from "../stop-signals.js";
import { type NodePlan, planNodes, resolveShape, type Shape, startArgs, storeShape } from "./layout.js";
import { LocalCluster } from "./local-cluster.js";
import { checkPorts } from "./ports.js";

export interface ClusterFlags {
  readonly nodes?: number;
  readonly replicas?: number;
  readonly partitions?: number;
  readonly data: string;
  readonly respPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
  readonly logLevel?: string;
  readonly json?: boolean;
}

const HOST = "127.0.0.1";
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

const note = (line: string): void => void process.stderr.write(`${line}\n`);

export async function runCluster(flags: ClusterFlags): Promise<void> {
  const dataDir = resolve(flags.data);
  const shape = await resolveShape(dataDir, flags);
  const plans = planNodes(dataDir, shape.nodes, flags);
  await checkPorts(plans, HOST);
  await storeShape(dataDir, shape);
  const cluster = openCluster(plans, shape, flags.logLevel);
  const stop = new StopSignals(cluster);
  try {
    note(`starting ${shape.nodes} node${shape.nodes === 1 ? "" : "s"} …`);
    await cluster.start();
    announce(plans, dataDir, flags);
    cluster.watch((node, reason) => {
      const left = cluster.runningCount;
      note(`${node.plan.id} ${reason}`);
      note(
        `  ${left} of ${plans.length} nodes run; ${node.plan.id}'s log is ${shortPath(node.plan.logPath)}`,
      );
      if (left === 0) stop.onAllEnded();
    });
    await stop.requested;
  } catch (error) {
    // Stopped by the user while starting: no failure to report.
    if (!stop.isRequested) throw error;
  }
  await stop.finish();
}

function openCluster(plans: readonly NodePlan[], shape: Shape, logLevel: string | undefined): LocalCluster {
  const mainPath = fileURLToPath(new URL("../main.js", import.meta.url));
  const logArgs = logLevel === undefined ? [] : ["--log-level", logLevel];
  return new LocalCluster({
    plans,
    host: HOST,
    command: [process.execPath, ...process.execArgv, mainPath],
    argsOf: (plan) => [...startArgs(plan, plans, HOST, shape), ...logArgs],
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
}

/** Ctrl-C stops the nodes in order; a second one kills them. */
class StopSignals {
  readonly #cluster: LocalCluster;
  readonly requested: Promise<void>;
  #request: () => void = () => {};
  #stopped: Promise<boolean> | undefined;

  constructor(cluster: LocalCluster) {
    this.#cluster = cluster;
    this.requested = new Promise((resolve) => {
      this.#request = resolve;
    });
    onStopSignals({
      signals: ["SIGINT", "SIGTERM", "SIGHUP"],
      stop: () => this.#stop(),
      stopAtOnce: () => this.#kill(),
    });
  }

  get isRequested(): boolean {
    return this.#stopped !== undefined;
  }

  onAllEnded(): void {
    this.#stopped ??= Promise.resolve(false);
    this.#request();
  }

  /** Waits until the nodes have stopped. */
  async finish(): Promise<void> {
    const isClean = await this.#stopped;
    if (isClean === true) note("stopped");
    else throw new ExitError("not every node stopped cleanly; see their logs");
  }

  #stop(): void {
    // All have ended by themselves, and this process is about to.
    if (this.#stopped !== undefined) return;
    note("\nstopping the nodes … (Ctrl-C again kills them)");
    this.#stopped = this.#cluster.stop();
    this.#request();
  }

  #kill(): void {
    note("killing the nodes (what was answered is on disk)");
    this.#cluster.kill();
  }
}

function announce(plans: readonly NodePlan[], dataDir: string, flags: ClusterFlags): void {
  if (flags.json === true) {
    const nodes = plans.map(({ id, dataDir, respPort, httpPort, peerPort }) => ({
      id,
      dataDir,
      respPort,
      httpPort,
      peerPort,
    }));
    process.stdout.write(`${JSON.stringify({ nodes })}\n`);
    return;
  }
  const table = new Table({
    head: ["node", "RESP (redis-cli, shell)", "HTTP", "peers"],
    style: { head: [], border: [] },
  });
  for (const { id, respPort, httpPort, peerPort } of plans) {
    table.push([id, `${HOST}:${respPort}`, `http://${HOST}:${httpPort}`, `${HOST}:${peerPort}`]);
  }
  const [first] = plans;
  process.stdout.write(
    `${table.toString()}\n` +
      `Every node takes every request. Data and logs: ${shortPath(dataDir)}. Ctrl-C stops the cluster.\n` +
      `  redis-cli -p ${first.respPort} SET hello world\n` +
      `  npx minikey shell${shellHint(plans)}\n` +
      `  http://${HOST}:${first.httpPort}/docs\n`,
  );
}

/** The shell's own default is the default ports. */
function shellHint(plans: readonly NodePlan[]): string {
  if (plans[0].respPort === 6380) return "";
  return ` --connect ${HOST}:${plans.map((plan) => plan.respPort).join(",")}`;
}

function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === "" || short.startsWith("..") ? path : `./${short}`;
}
