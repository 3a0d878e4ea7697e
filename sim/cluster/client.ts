/** Clients of a simulated cluster, and what they may conclude from an answer. */
import { type Reply, Slice, Status } from "../../src/commands/reply.js";
import { COMMANDS } from "../../src/commands/table.js";
import { MinikeyError } from "../../src/core/errors.js";
import { type KeyspaceId, keyspaceId } from "../../src/core/ids.js";
import type { ReadLevel, RequestContext, WriteLevel } from "../../src/node/database.js";
import { makeArgs } from "../../src/node/node-commands.js";
import { retainReply } from "../../src/node/retain-reply.js";
import type { Trace } from "../world/trace.js";
import type { SimProcess } from "../world/world.js";
import type { SimCluster, SimNode } from "./cluster.js";

/** A reply as JavaScript values that compare: text, numbers, null, lists, errors. */
export function plain(reply: Reply): unknown {
  if (reply instanceof Slice) return reply.bytes.latin1Slice(reply.start, reply.end);
  if (reply instanceof Status) return reply.text;
  return Array.isArray(reply) ? (reply as readonly Reply[]).map(plain) : reply;
}

/** `undefined`: no answer was heard. */
export type Answer = unknown;

/** The command was carried out, and this is what it said. */
export function isKnown(answer: Answer): boolean {
  return answer !== undefined && !(answer instanceof Error);
}

/** The command was certainly not carried out. */
export function isRefused(answer: Answer): boolean {
  return answer instanceof Error && !(answer instanceof MinikeyError && answer.outcome === "unknown");
}

export interface ClientLevels {
  readonly keyspace?: KeyspaceId;
  readonly readLevel?: ReadLevel;
  readonly writeLevel?: WriteLevel;
}

export function newContext(levels: ClientLevels = {}): RequestContext {
  const { keyspace = keyspaceId(0), readLevel = "default", writeLevel = "default" } = levels;
  return { keyspace, readLevel, writeLevel };
}

/**
 * Commands under way, in the cluster's eyes: each gets exactly one reply, unless its node dies first.
 */
export class Submissions {
  readonly #open = new Map<SimProcess, Map<number, string>>();
  readonly violations: string[] = [];
  readonly #trace: Trace;
  /** Commands that were carried out and answered. */
  reads = 0;
  writes = 0;
  /** Clients that have neither heard an answer nor given up: what they asked for may be done already. */
  waiting = 0;
  readonly #isWrite = new Map<string, boolean>();
  #count = 0;

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  /** A node that is paused takes the command when it goes on. */
  submit(
    sim: SimNode,
    words: readonly string[],
    context: RequestContext,
    onReply: (reply: unknown) => void,
  ): void {
    const { node, process } = sim;
    if (node === undefined || process === undefined) throw new Error(`${sim.id} does not run`);
    this.#count += 1;
    const number = this.#count;
    const text = `${sim.id}: ${words.join(" ")}`;
    const open = this.#open.get(process) ?? new Map<number, string>();
    this.#open.set(process, open);
    const sink = {
      onReply: (reply: Reply) => {
        if (!process.isAlive) return;
        if (!open.delete(number)) this.violations.push(`answered twice: ${text}`);
        const answer = plain(retainReply(reply));
        if (isKnown(answer)) this.countAnswered(words[0]);
        this.#trace.tell(CLIENT, `${number} ← ${answerText(answer)}`);
        onReply(answer);
      },
    };
    this.#trace.tell(CLIENT, `${number} → ${text}`);
    process.deliver(() => {
      // What a paused process never came to take, it owes no answer to: its connection ended.
      open.set(number, text);
      node.submit(makeArgs(words), context, sink);
    });
  }

  /** A command of this name was carried out and answered. */
  countAnswered(name: string): void {
    let isWrite = this.#isWrite.get(name);
    if (isWrite === undefined) {
      const { bytes } = makeArgs([name]);
      isWrite = COMMANDS.lookup(bytes, 0, bytes.length)?.access === "write";
      this.#isWrite.set(name, isWrite);
    }
    if (isWrite) this.writes += 1;
    else this.reads += 1;
  }

  /** Nothing waits for an answer: no node that lives owes one, and no client still hopes for one. */
  get isQuiet(): boolean {
    if (this.waiting > 0) return false;
    for (const [process, { size }] of this.#open) if (size > 0 && process.isAlive) return false;
    return true;
  }

  /** What is unanswered on nodes that live. */
  unanswered(): string[] {
    const processes = [...this.#open.keys()].filter((process) => process.isAlive);
    return processes.flatMap((process) => this.unansweredOn(process));
  }

  unansweredOn(process: SimProcess): string[] {
    return [...(this.#open.get(process)?.values() ?? [])];
  }
}

const CLIENT = "client";
const ANSWER_CHARACTERS_MAX = 120;

function answerText(answer: unknown): string {
  if (answer instanceof Error) return `${answer.name} ${answer.message}`;
  return JSON.stringify(answer).slice(0, ANSWER_CHARACTERS_MAX);
}

/** Longer than a node's own time for a request: any command on a node that runs is answered by then. */
const GIVE_UP_AFTER_MS = 3_500;

/** Sends commands to some node, and to another when that one is gone. */
export class SimClient {
  readonly #cluster: SimCluster;
  readonly #levels: ClientLevels;
  /** How often it moves to another node for no reason. */
  readonly #wanderlust: number;
  readonly #home: SimNode | undefined;
  #sim: SimNode;
  #context: RequestContext;

  /** @param home the node where it stays, whatever happens there */
  constructor(cluster: SimCluster, levels: ClientLevels = {}, wanderlust = 0.1, home?: SimNode) {
    this.#cluster = cluster;
    this.#levels = levels;
    this.#wanderlust = wanderlust;
    this.#home = home;
    this.#sim = home ?? cluster.world.random.pick(cluster.nodes);
    this.#context = newContext(levels);
  }

  get sim(): SimNode {
    return this.#sim;
  }

  get #isRestless(): boolean {
    return this.#home === undefined && this.#cluster.world.random.chance(this.#wanderlust);
  }

  /** Goes on at some node that runs, as with a new connection. */
  moveOn(): void {
    const running = this.#cluster.nodes.filter((sim) => sim.node !== undefined);
    this.#sim =
      this.#home ?? this.#cluster.world.random.pick(running.length === 0 ? this.#cluster.nodes : running);
    this.#context = newContext(this.#levels);
  }

  /** Calls `done` with the reply as plain values, or with undefined when nothing was heard in time. */
  send(words: readonly string[], done: (answer: Answer) => void): void {
    const { world } = this.#cluster;
    if (this.#sim.node === undefined || this.#isRestless) this.moveOn();
    if (this.#sim.node === undefined) {
      world.schedule(20, () => done(new Error("refused")));
      return;
    }
    this.#submit(this.#sim, words, done);
  }

  #submit(sim: SimNode, words: readonly string[], done: (answer: Answer) => void): void {
    const { process } = sim;
    const { submissions } = this.#cluster;
    let isDone = false;
    submissions.waiting += 1;
    const finish = (answer: Answer) => {
      if (isDone) return;
      isDone = true;
      submissions.waiting -= 1;
      done(answer);
    };
    const giveUp = () => {
      if (isDone) return;
      if (this.#sim === sim) this.moveOn();
      finish(undefined);
    };
    // A broken connection is noticed soon, a silent node late.
    const watch = (leftMs: number) => {
      this.#cluster.world.schedule(200, () => {
        if (isDone) return;
        if (process?.isAlive !== true || leftMs <= 0) giveUp();
        else watch(leftMs - 200);
      });
    };
    watch(this.#cluster.requestTimeoutMs + GIVE_UP_AFTER_MS);
    submissions.submit(sim, words, this.#context, finish);
  }
}
