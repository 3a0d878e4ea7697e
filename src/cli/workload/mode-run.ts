/**
 * One mode: the clients, all at the same time, go through their test files twice. In the first round a client puts
 * each pair on one node, by chance, waits a while, and reads it from every node; in the second it removes each key in
 * the same way. After each round all nodes are compared.
 *
 * A node is asked itself or not at all: what fails is counted, and the client goes on.
 */
import { MinikeyError } from "../../core/errors.js";
import { SmallFastCounter } from "../../core/small-fast-counter.js";
import type { TestClient } from "./clients-file.js";
import { Convergence } from "./convergence.js";
import { compareNodes } from "./end-state.js";
import { type Expected, isStale, type Judge, type Value } from "./judge.js";
import type { Lines } from "./lines.js";
import type { Mode } from "./modes.js";
import type { NodeLink } from "./nodes.js";
import type { OrderWatch } from "./order-watch.js";
import { pause } from "./pause.js";
import { type EndState, Tally } from "./tally.js";

/** How long a client waits between a write and its reads. */
export interface Wait {
  readonly minMs: number;
  readonly maxMs: number;
}

export interface ModeRunOptions {
  readonly mode: Mode;
  readonly clients: readonly TestClient[];
  /** At least one. */
  readonly links: readonly NodeLink[];
  readonly judge: Judge;
  /** Absent where no order is promised. */
  readonly order: OrderWatch | undefined;
  readonly wait: Wait;
  /** How long nodes have for a write to be everywhere, and to be equal after a round. */
  readonly patienceMs: number;
  readonly seed: number;
  readonly lines: Lines;
  readonly stop: AbortSignal;
}

/** A read of one node: what it showed, or why not, and what it was to show. */
interface Sight {
  readonly answer: Value | MinikeyError;
  readonly expected: Expected;
  readonly isInOrder: boolean;
}

export class ModeRun {
  readonly tally = new Tally();
  readonly #options: ModeRunOptions;
  readonly #convergence: Convergence;

  constructor(options: ModeRunOptions) {
    this.#options = options;
    const { links, judge, mode, patienceMs, lines, stop } = options;
    const { readLevel } = mode;
    this.#convergence = new Convergence({
      links,
      judge,
      readLevel,
      patienceMs,
      tally: this.tally,
      lines,
      stop,
    });
  }

  /** Resolves when it is done, or stopped and all that was under way is answered. */
  async run(): Promise<void> {
    const { clients, seed } = this.#options;
    const workers = clients.map((client, i) => ({ client, random: new SmallFastCounter(seedOf(seed, i)) }));
    for (const round of ["put", "remove"] as const) {
      await Promise.all(workers.map(({ client, random }) => this.#goThrough(round, client, random)));
      await this.#convergence.settled();
      await this.#compare(round);
    }
  }

  async #goThrough(round: EndState["round"], client: TestClient, random: SmallFastCounter): Promise<void> {
    const { stop } = this.#options;
    for (const [key, value] of stepsOf(round, client)) {
      if (stop.aborted) return;
      await this.#write(client, random, key, value);
      if (!(await pause(this.#waitMs(random), stop))) return;
      await this.#readAll(client, key);
    }
  }

  async #write({ id }: TestClient, random: SmallFastCounter, key: string, value: Value): Promise<void> {
    const { links, judge, lines } = this.#options;
    const link = links[random.below(links.length)];
    const write = judge.begin(key, value);
    const calledMs = performance.now();
    this.tally.writes += 1;
    try {
      await (value === null ? link.remove(key) : link.put(key, value));
      judge.confirm(write);
      lines.wrote(id, link.node, key, value, performance.now() - calledMs);
      this.#convergence.watch(id, write);
    } catch (error) {
      if (!(error instanceof MinikeyError)) throw error;
      if (error.outcome !== "unknown") judge.withdraw(write);
      this.tally.errors += 1;
      lines.failedWrite(id, link.node, key, value, error);
    }
  }

  /** All nodes at once; told in the order of the nodes. */
  async #readAll({ id }: TestClient, key: string): Promise<void> {
    const { links, lines } = this.#options;
    const sights = links.map((_link, i) => this.#read(i, key));
    for (const [i, { node }] of links.entries()) {
      const { answer, expected, isInOrder } = await sights[i];
      if (answer instanceof MinikeyError) {
        lines.failedRead(id, node, key, answer, expected);
        continue;
      }
      const remarks = [isStale(answer, expected) ? "stale" : "", isInOrder ? "" : "out of order"];
      lines.read(id, node, key, answer, expected, remarks.filter((remark) => remark !== "").join(", "));
    }
  }

  async #read(i: number, key: string): Promise<Sight> {
    const { links, judge, mode, order } = this.#options;
    this.tally.reads += 1;
    const called = judge.moment();
    try {
      const { value, version } = await links[i].get(key, mode.readLevel);
      const expected = judge.expected(key, called);
      const isInOrder = order?.fits(i, key, version, value) ?? true;
      if (isStale(value, expected)) this.tally.staleReads += 1;
      if (!isInOrder) this.tally.outOfOrder += 1;
      return { answer: value, expected, isInOrder };
    } catch (error) {
      if (!(error instanceof MinikeyError)) throw error;
      this.tally.errors += 1;
      order?.lost(i);
      return { answer: error, expected: judge.expected(key, called), isInOrder: true };
    }
  }

  async #compare(round: EndState["round"]): Promise<void> {
    const { links, judge, mode, patienceMs, lines, stop } = this.#options;
    if (stop.aborted) return;
    const note = (line: string): void => lines.note(`${mode.name}, after the round of ${round}s: ${line}`);
    const level = mode.ownLevel;
    const endState = await compareNodes({ round, links, judge, level, patienceMs, note, stop });
    if (endState !== undefined) this.tally.endStates.push(endState);
  }

  #waitMs(random: SmallFastCounter): number {
    const { minMs, maxMs } = this.#options.wait;
    return minMs + random.below(maxMs - minMs + 1);
  }
}

/** Each client draws numbers of its own. */
const seedOf = (seed: number, client: number): number => (seed + client * SEEDS_APART) % 2 ** 53;
const SEEDS_APART = 2 ** 32 + 1;

/** Keys with what they are to become; a key that is in a file twice is put twice and removed once. */
function* stepsOf(round: EndState["round"], { pairs }: TestClient): Generator<readonly [string, Value]> {
  if (round === "put") for (const { key, value } of pairs) yield [key, value];
  else for (const key of new Set(pairs.map((pair) => pair.key))) yield [key, null];
}
