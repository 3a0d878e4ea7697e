/**
 * The processes of a local cluster: started together, waited for, watched, and stopped together. Nothing is
 * restarted: a node that ends is reported with its reason, and the others go on.
 */
import { get } from "node:http";
import { ExitError } from "../failure.js";
import type { NodePlan } from "./layout.js";
import { NodeProcess } from "./node-process.js";

export interface LocalClusterOptions {
  readonly plans: readonly NodePlan[];
  readonly host: string;
  /** The program that runs one node. */
  readonly command: readonly string[];
  readonly argsOf: (plan: NodePlan) => readonly string[];
  readonly readyTimeoutMs: number;
  /** A node that has not stopped by then is killed. */
  readonly stopTimeoutMs: number;
}

const POLL_EVERY_MS = 50;
const POLL_TIMEOUT_MS = 1_000;

export class LocalCluster {
  readonly #options: LocalClusterOptions;
  #nodes: NodeProcess[] = [];
  #isStopping = false;
  #stopped: Promise<boolean> | undefined;

  constructor(options: LocalClusterOptions) {
    this.#options = options;
  }

  /** In the order of the plans; empty before the start. */
  get nodes(): readonly NodeProcess[] {
    return this.#nodes;
  }

  /** Nodes that run. */
  get runningCount(): number {
    return this.#nodes.filter((node) => node.end === undefined).length;
  }

  /** Starts all nodes and waits until each is ready. When one is not, stops the others and fails with its reason. */
  async start(): Promise<void> {
    this.#nodes = this.#options.plans.map(
      (plan) => new NodeProcess(plan, this.#options.command, this.#options.argsOf(plan)),
    );
    const giveUpMs = performance.now() + this.#options.readyTimeoutMs;
    try {
      await Promise.all(this.#nodes.map((node) => this.#waitReady(node, giveUpMs)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Calls back whenever a node ends that was not told to. */
  watch(onEnd: (node: NodeProcess, reason: string) => void): void {
    for (const node of this.#nodes) {
      node.onEnd((end) => {
        if (!this.#isStopping) onEnd(node, node.describeEnd(end));
      });
    }
  }

  /**
   * SIGTERM to all, SIGKILL to those that take too long. Returns whether all stopped cleanly. Asked again, it
   * waits for the same end: a second signal would make a node stop at once.
   */
  async stop(): Promise<boolean> {
    this.#stopped ??= this.#stopAll();
    return await this.#stopped;
  }

  async #stopAll(): Promise<boolean> {
    this.#isStopping = true;
    const running = this.#nodes.filter((node) => node.end === undefined);
    for (const node of running) node.signal("SIGTERM");
    const killTimer = setTimeout(() => this.kill(), this.#options.stopTimeoutMs);
    const ends = await Promise.all(running.map((node) => node.ended));
    clearTimeout(killTimer);
    // One that SIGTERM ended had not come far enough to listen to it: it has opened nothing yet.
    return ends.every((end) => end.code === 0 || end.signal === "SIGTERM");
  }

  /** At once. What was answered is on disk. */
  kill(): void {
    this.#isStopping = true;
    for (const node of this.#nodes) node.signal("SIGKILL");
  }

  async #waitReady(node: NodeProcess, giveUpMs: number): Promise<void> {
    const url = `http://${this.#options.host}:${node.plan.httpPort}/ready`;
    while (!(await isReady(url))) {
      // Another node failed, or the user changed their mind.
      if (this.#isStopping) throw new ExitError("");
      if (node.end !== undefined) {
        throw new ExitError(`${node.plan.id} did not start: it ${node.describeEnd(node.end)}`);
      }
      if (performance.now() > giveUpMs) {
        throw new ExitError(
          `${node.plan.id} was not ready within ${this.#options.readyTimeoutMs / 1_000} s; ` +
            `see ${node.plan.logPath} (last line: ${node.lastLogLine()})`,
        );
      }
      await new Promise((resolve) => {
        setTimeout(resolve, POLL_EVERY_MS);
      });
    }
  }
}

/** Whether the node answers 200; a node that does not answer yet is not ready. */
function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: POLL_TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}
