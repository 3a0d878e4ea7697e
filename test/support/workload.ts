/**
 * Eight clients that write without a pause, each on a connection of its own, and note what they were told.
 *
 * Each goes round three kinds of write: a key and value never used before, a token appended to a text of its
 * own, and an increment of a counter that all share. Together they show a lost write, a repeated one, and one
 * that was refused and done all the same. A client whose connection breaks goes on at the next node.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster.js";
import { History, type Operation, type OperationKind, TOKEN_END } from "./history.js";
import { ConnectionLost, type RespClient, RespError, type RespValue } from "./resp-client.js";
import { waitFor } from "./wait.js";

/** Errors that promise that nothing was done (`not-applied`), and that a later try may succeed. */
const REFUSALS = new Set(["CLUSTERDOWN", "OVERLOADED", "LOADING", "TRYAGAIN"]);
/** The error that promises nothing. */
const UNKNOWN = "TIMEOUT";

const KINDS: readonly OperationKind[] = ["set", "append", "incr"];
const TOKENS_PER_TEXT = 100;
const COUNTERS = 16;
/** Longer than the product's own time-out, so that its answer is seen; a stopped node gives none. */
const REPLY_TIMEOUT_MS = 6000;
const PAUSE_AFTER_REFUSAL_MS = 5;

export interface WorkloadOptions {
  /** Default 8. */
  readonly clients?: number;
  /** Nodes that clients connect to, in turn; default: all. */
  readonly nodes?: readonly string[];
  /** Starts every key, so that several workloads of a test do not meet. */
  readonly name?: string;
}

/** After so many writes elsewhere, a client tries the node again that it was given first. */
const WRITES_UNTIL_RETURN = 200;

/** One client: its node, its connection, its count. */
class Writer {
  readonly #cluster: Cluster;
  readonly #history: History;
  readonly #name: string;
  readonly #nodes: readonly string[];
  readonly #home: number;
  #at: number;
  #client: RespClient | undefined;
  #count = 0;

  constructor(cluster: Cluster, history: History, name: string, nodes: readonly string[], at: number) {
    this.#cluster = cluster;
    this.#history = history;
    this.#name = name;
    this.#nodes = nodes;
    this.#home = at;
    this.#at = at;
  }

  get node(): string {
    return this.#nodes[this.#at % this.#nodes.length] ?? "";
  }

  async run(isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      const client = await this.#connected();
      if (client !== undefined) await this.#write(client);
      if (this.#at !== this.#home && this.#count % WRITES_UNTIL_RETURN === 0) {
        this.#client?.close();
        this.#at = this.#home;
      }
    }
    this.#client?.close();
  }

  async #connected(): Promise<RespClient | undefined> {
    if (this.#client !== undefined && !this.#client.closed) return this.#client;
    try {
      this.#client = await this.#cluster.resp(this.node, {
        connectTimeoutMs: 1000,
        replyTimeoutMs: REPLY_TIMEOUT_MS,
      });
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      this.#at += 1;
      await sleep(PAUSE_AFTER_REFUSAL_MS);
      return undefined;
    }
    return this.#client;
  }

  async #write(client: RespClient): Promise<void> {
    const n = this.#count++;
    const kind = KINDS[n % KINDS.length] ?? "set";
    const { key, value, command } = this.#next(kind, n);
    const operation = this.#history.begin(kind, key, value, this.node);
    try {
      finish(operation, "answered", await client.call(...command));
    } catch (error) {
      if (error instanceof ConnectionLost) {
        finish(operation, "unknown", error.message);
        this.#at += 1;
      } else if (error instanceof RespError && error.prefix === UNKNOWN) {
        finish(operation, "unknown", error.message);
      } else if (error instanceof RespError && REFUSALS.has(error.prefix)) {
        finish(operation, "refused", error.message);
        await sleep(PAUSE_AFTER_REFUSAL_MS);
      } else {
        throw error;
      }
    }
  }

  #next(kind: OperationKind, n: number): { key: string; value: string; command: string[] } {
    if (kind === "set") {
      const key = `${this.#name}:set:${n}`;
      const value = `value ${n} of ${this.#name}`;
      return { key, value, command: ["SET", key, value] };
    }
    if (kind === "append") {
      const key = `${this.#name}:text:${Math.floor(n / TOKENS_PER_TEXT)}`;
      const value = `${n}${TOKEN_END}`;
      return { key, value, command: ["APPEND", key, value] };
    }
    // The counters are shared: the part of the name before the client's own.
    const key = `${this.#name.replace(/\/.*/, "")}:counter:${n % COUNTERS}`;
    return { key, value: "", command: ["INCR", key] };
  }
}

function finish(operation: Operation, outcome: Operation["outcome"], answer: RespValue): void {
  operation.endedMs = performance.now();
  operation.outcome = outcome;
  operation.answer = String(answer);
}

export class Workload {
  readonly history = new History();
  readonly #cluster: Cluster;
  readonly #done: Promise<void>;
  #isStopped = false;

  /** Starts at once. */
  constructor(cluster: Cluster, options: WorkloadOptions = {}) {
    const { clients = 8, nodes = cluster.ids, name = "w" } = options;
    this.#cluster = cluster;
    const writers = Array.from(
      { length: clients },
      (_, i) => new Writer(cluster, this.history, `${name}/${i}`, nodes, i),
    );
    this.#done = Promise.all(writers.map((writer) => writer.run(() => this.#isStopped))).then(
      () => undefined,
    );
    // Whoever waits for `stop` or `progress` is told; until then it must not count as unhandled.
    this.#done.catch(() => {
      this.#isStopped = true;
    });
  }

  /** Answered operations that began after `sinceMs` (of `performance.now()`), through the given nodes. */
  answeredSince(sinceMs: number, nodes: readonly string[] = this.#cluster.ids): number {
    const { operations } = this.history;
    let count = 0;
    for (let i = operations.length - 1; i >= 0; i -= 1) {
      const operation = operations[i];
      if (operation === undefined || operation.invokedMs < sinceMs) break;
      if (operation.outcome === "answered" && nodes.includes(operation.node)) count += 1;
    }
    return count;
  }

  /**
   * Waits until `count` more operations have begun and been answered: through each of `nodes` when given, else
   * through any.
   */
  async progress(count: number, nodes?: readonly string[], timeoutMs = 10_000): Promise<void> {
    const sinceMs = performance.now();
    const groups = nodes?.map((node) => [node]) ?? [this.#cluster.ids];
    for (const group of groups) {
      const isThere = async (): Promise<boolean> => {
        if (this.#isStopped) await this.#done;
        return this.answeredSince(sinceMs, group) >= count;
      };
      await waitFor(`${count} more writes are answered through ${group.join(" or ")}`, isThere, {
        timeoutMs,
      });
    }
  }

  /** Lets every client finish what is under way. Rejects when one met an answer that no client should see. */
  async stop(): Promise<History> {
    this.#isStopped = true;
    await this.#done;
    return this.history;
  }
}
