/**
 * `minikey workload`: clients with test files, at the same time, on every node of a running cluster; then what they
 * saw, a mode at a time.
 */
import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { FailoverChannel } from "../../client/failover-channel.js";
import { MinikeyError } from "../../core/errors.js";
import { openReadyChannel } from "../connection.js";
import { ExitError, usageError } from "../failure.js";
import { onStopSignals } from "../stop-signals.js";
import { readClients, type TestClient } from "./clients-file.js";
import { Judge } from "./judge.js";
import { dropKeyspace, openKeyspace, type RunKeyspace } from "./keyspaces.js";
import { isSilence, Lines } from "./lines.js";
import { ModeRun, type Wait } from "./mode-run.js";
import { MODE_NAMES, MODES, type Mode, type ModeName } from "./modes.js";
import { findNodes, NodeLink, type NodeName } from "./nodes.js";
import { OrderWatch } from "./order-watch.js";
import { pause } from "./pause.js";
import { failuresOf, jsonOf, type ModeResult, summaryTable } from "./summary.js";
import { PATIENCE_MS } from "./tally.js";

export interface WorkloadFlags {
  readonly connect: string;
  readonly clients: string;
  readonly mode?: ModeName | "all";
  readonly e?: boolean;
  readonly s?: boolean;
  readonly l?: boolean;
  readonly a?: boolean;
  readonly keyspace?: string;
  readonly waitMs: Wait;
  readonly seed?: number;
  /** How long a node has for an answer. */
  readonly timeout: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** A new keyspace exists when its partitions have leaders. */
const KEYSPACE_TIMEOUT_MS = 30_000;
/** Nodes hear of a new keyspace one after the other. */
const KNOWN_WITHIN_MS = 5_000;
const ASK_AGAIN_MS = 50;
/** As shells have it for a command that Ctrl-C has ended. */
const INTERRUPTED_STATUS = 130;

const note = (line: string): void => void process.stderr.write(`minikey: ${line}\n`);

export async function runWorkload(flags: WorkloadFlags): Promise<void> {
  const modes = modesOf(flags);
  const clients = await readClients(flags.clients);
  const channel = await openReadyChannel(flags.connect, { timeoutMs: KEYSPACE_TIMEOUT_MS });
  const stopping = new AbortController();
  // Every client and every write that is looked for listens.
  setMaxListeners(0, stopping.signal);
  const noMoreSignals = onStopSignals({
    signals: ["SIGINT", "SIGTERM", "SIGHUP"],
    stop: () => stopping.abort(),
    stopAtOnce: () => process.exit(INTERRUPTED_STATUS),
  });
  try {
    await new Workload(flags, clients, channel, stopping.signal).run(modes);
  } finally {
    noMoreSignals();
    await channel.close();
  }
}

/** In the order of MODES, each once. */
function modesOf({ mode, e, s, l, a, keyspace }: WorkloadFlags): Mode[] {
  const isWanted: Readonly<Record<ModeName, boolean>> = {
    eventual: e === true,
    sequential: s === true,
    linearizable: l === true,
  };
  const all = mode === "all" || a === true;
  const named = MODE_NAMES.filter((name) => all || mode === name || isWanted[name]);
  const modes = (named.length === 0 ? (["eventual"] as const) : named).map((name) => MODES[name]);
  if (keyspace !== undefined && new Set(modes.map(({ consistency }) => consistency)).size > 1) {
    throw usageError(
      "--keyspace: one keyspace cannot be both eventual and strong; ask for the modes one by one",
    );
  }
  return modes;
}

class Workload {
  readonly #flags: WorkloadFlags;
  readonly #clients: readonly TestClient[];
  readonly #channel: FailoverChannel;
  readonly #stop: AbortSignal;
  readonly #seed: number;

  constructor(
    flags: WorkloadFlags,
    clients: readonly TestClient[],
    channel: FailoverChannel,
    stop: AbortSignal,
  ) {
    this.#flags = flags;
    this.#clients = clients;
    this.#channel = channel;
    this.#stop = stop;
    this.#seed = flags.seed ?? randomBytes(6).readUIntLE(0, 6);
  }

  async run(modes: readonly Mode[]): Promise<void> {
    if (this.#flags.seed === undefined) note(`--seed ${this.#seed} makes the same choices again`);
    const nodes = await findNodes(this.#channel);
    const results: ModeResult[] = [];
    for (const mode of modes) {
      if (!this.#stop.aborted) results.push(await this.#runMode(mode, nodes));
    }
    this.#report(results);
  }

  async #runMode(mode: Mode, nodes: readonly NodeName[]): Promise<ModeResult> {
    const name = this.#flags.keyspace ?? `workload-${mode.name}`;
    const keyspace = await openKeyspace(this.#channel, name, mode.consistency, nodes.length);
    const links = nodes.map((node) => new NodeLink(node, keyspace.number, this.#flags.timeout));
    note(`${mode.name}: ${this.#clients.length} clients, ${nodes.length} nodes, keyspace ${name}`);
    try {
      await Promise.all(links.map((link) => this.#awaitKnown(link)));
      return await this.#drive(mode, keyspace, links);
    } finally {
      await Promise.all(links.map((link) => link.close()));
      if (keyspace.isOurs) await dropKeyspace(this.#channel, name);
    }
  }

  async #drive(mode: Mode, keyspace: RunKeyspace, links: readonly NodeLink[]): Promise<ModeResult> {
    const startMs = performance.now();
    const { json, verbose = false, waitMs } = this.#flags;
    const out = json === true ? process.stderr : process.stdout;
    // A node without a replica passes reads on, now to this one and now to that.
    const isOrdered = mode.isOrdered && keyspace.replicas >= links.length;
    const run = new ModeRun({
      mode,
      clients: this.#clients,
      links,
      judge: new Judge(keyspace.isOurs ? "absent" : "unknown"),
      order: isOrdered ? new OrderWatch(links.length) : undefined,
      wait: waitMs,
      patienceMs: PATIENCE_MS,
      seed: this.#seed,
      lines: new Lines((line) => out.write(`${line}\n`), note, verbose),
      stop: this.#stop,
    });
    await run.run();
    return {
      mode,
      keyspace: keyspace.name,
      seconds: (performance.now() - startMs) / 1_000,
      tally: run.tally,
    };
  }

  /** Until the node has heard of the keyspace. One that does not answer at all is left to the run. */
  async #awaitKnown(link: NodeLink): Promise<void> {
    const deadlineMs = performance.now() + KNOWN_WITHIN_MS;
    for (;;) {
      try {
        await link.ready();
        return;
      } catch (error) {
        if (!(error instanceof MinikeyError)) throw error;
        if (isSilence(error) || performance.now() >= deadlineMs) return;
      }
      if (!(await pause(ASK_AGAIN_MS, this.#stop))) return;
    }
  }

  #report(results: readonly ModeResult[]): void {
    const isInterrupted = this.#stop.aborted;
    if (this.#flags.json === true) {
      const modes = results.map(jsonOf);
      process.stdout.write(`${JSON.stringify({ seed: this.#seed, interrupted: isInterrupted, modes })}\n`);
    } else {
      process.stdout.write(`${summaryTable(results)}\n`);
    }
    const failures = results.flatMap(failuresOf);
    if (isInterrupted) failures.push("interrupted: what is counted is what was done until then");
    if (failures.length > 0) {
      throw new ExitError(failures.join("\nminikey: "), isInterrupted ? INTERRUPTED_STATUS : 1);
    }
  }
}
