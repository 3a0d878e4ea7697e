/**
 * How long it takes from a write's answer until every node shows it: all nodes are asked at once, again and again,
 * until all show the same value, and one that was not overwritten before the write. A read's way there and back is
 * part of the time.
 */
import type { ReadLevel } from "../../client/wire.js";
import { MinikeyError } from "../../core/errors.js";
import { isStale, type Judge, type Value, type Write } from "./judge.js";
import type { Lines } from "./lines.js";
import type { NodeLink } from "./nodes.js";
import { pause } from "./pause.js";
import type { Tally } from "./tally.js";

/** Between two questions: none at first, then more and more. */
const ASK_AGAIN_MS_MAX = 20;

export interface ConvergenceOptions {
  readonly links: readonly NodeLink[];
  readonly judge: Judge;
  readonly readLevel: ReadLevel;
  /** A write that is not everywhere by then has not converged. */
  readonly patienceMs: number;
  readonly tally: Tally;
  readonly lines: Lines;
  readonly stop: AbortSignal;
}

export class Convergence {
  readonly #options: ConvergenceOptions;
  readonly #watched = new Set<Promise<void>>();

  constructor(options: ConvergenceOptions) {
    this.#options = options;
  }

  /** Looks for a write that has just been answered. */
  watch(client: string, write: Write): void {
    const watching = this.#watch(client, write).finally(() => this.#watched.delete(watching));
    this.#watched.add(watching);
  }

  /** Resolves when every write that is looked for was seen everywhere, or is given up. */
  async settled(): Promise<void> {
    await Promise.all(this.#watched);
  }

  async #watch(client: string, { key }: Write): Promise<void> {
    const { links, patienceMs, tally, lines, stop } = this.#options;
    const answeredMs = performance.now();
    const arrived = new Set<NodeLink>();
    const ask = async (link: NodeLink): Promise<Value | undefined> => {
      const shown = await this.#shown(link, key);
      if (shown === undefined || arrived.has(link)) return shown;
      arrived.add(link);
      lines.arrived(client, link.node, key, shown, performance.now() - answeredMs);
      return shown;
    };
    for (let round = 0; !stop.aborted; round += 1) {
      const [first, ...others] = await Promise.all(links.map(ask));
      const afterMs = performance.now() - answeredMs;
      if (first !== undefined && others.every((shown) => shown === first)) {
        tally.convergedMs.push(afterMs);
        return;
      }
      if (afterMs > patienceMs) {
        tally.notConverged += 1;
        return;
      }
      await pause(Math.min(round, ASK_AGAIN_MS_MAX), stop);
    }
  }

  /** What the node shows; undefined while that is older than the write, or the node does not answer. */
  async #shown(link: NodeLink, key: string): Promise<Value | undefined> {
    const { judge, readLevel } = this.#options;
    const called = judge.moment();
    try {
      const { value } = await link.get(key, readLevel);
      return isStale(value, judge.expected(key, called)) ? undefined : value;
    } catch (error) {
      if (error instanceof MinikeyError) return undefined;
      throw error;
    }
  }
}
