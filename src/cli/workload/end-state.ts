/**
 * Whether all nodes have the same in the end: each is asked for every key of the run, for what it has itself. Nodes
 * that differ are given time to converge, without any writes; nodes that do not answer are named.
 */
import type { ReadLevel } from "../../client/wire.js";
import { MinikeyError } from "../../core/errors.js";
import { isStale, type Judge, type Value } from "./judge.js";
import { textOf } from "./lines.js";
import type { NodeLink } from "./nodes.js";
import { pause } from "./pause.js";
import type { EndState } from "./tally.js";

const COMPARE_AGAIN_MS = 100;
/** Of one node, on their way at the same time. */
const READS_AT_ONCE = 256;
const KEYS_NAMED = 20;

export interface EndStateOptions {
  readonly round: EndState["round"];
  readonly links: readonly NodeLink[];
  readonly judge: Judge;
  readonly level: ReadLevel;
  /** How long nodes that differ have to become equal. */
  readonly patienceMs: number;
  readonly note: (line: string) => void;
  readonly stop: AbortSignal;
}

/** What one node has, by key; undefined when it does not answer. */
type Held = ReadonlyMap<string, Value> | undefined;

/** Undefined when stopped. */
export async function compareNodes(options: EndStateOptions): Promise<EndState | undefined> {
  const { links, judge, level, patienceMs, note, stop } = options;
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const held = await Promise.all(links.map((link) => allOf(link, judge.keys, level)));
    if (stop.aborted) return undefined;
    const differing = judge.keys.filter((key) => new Set(shownOf(held, key)).size > 1);
    if (differing.length > 0 && performance.now() < deadlineMs) {
      await pause(COMPARE_AGAIN_MS, stop);
      continue;
    }
    const outdated = judge.keys.filter((key) => !differing.includes(key) && isOutdated(held, key, judge));
    nameKeys(differing, (key) => `${key} differs: ${sightsOf(held, links, key)}`, note);
    nameKeys(outdated, (key) => `${key} is ${textOf(shownOf(held, key)[0])}, which was overwritten`, note);
    const silent = links.filter((_link, i) => held[i] === undefined).map((link) => link.node.name);
    const { round } = options;
    return { round, keys: judge.keys.length, isEqual: differing.length === 0, silent, differing, outdated };
  }
}

async function allOf(link: NodeLink, keys: readonly string[], level: ReadLevel): Promise<Held> {
  const held = new Map<string, Value>();
  try {
    for (let at = 0; at < keys.length; at += READS_AT_ONCE) {
      const some = keys.slice(at, at + READS_AT_ONCE);
      const answers = await Promise.all(some.map((key) => link.get(key, level)));
      for (const [i, { value }] of answers.entries()) held.set(some[i], value);
    }
    return held;
  } catch (error) {
    if (error instanceof MinikeyError) return undefined;
    throw error;
  }
}

const shownOf = (held: readonly Held[], key: string): Value[] =>
  held.filter((one) => one !== undefined).map((one) => one.get(key) ?? null);

/** By what is overwritten now that all writes have been answered. */
function isOutdated(held: readonly Held[], key: string, judge: Judge): boolean {
  const [shown] = shownOf(held, key);
  return shown !== undefined && isStale(shown, judge.expected(key, judge.moment()));
}

function sightsOf(held: readonly Held[], links: readonly NodeLink[], key: string): string {
  const sights = links.map(({ node }, i) => `${node.name} ${textOf(held[i]?.get(key) ?? null)}`);
  return sights.filter((_sight, i) => held[i] !== undefined).join(", ");
}

function nameKeys(
  keys: readonly string[],
  describe: (key: string) => string,
  note: (line: string) => void,
): void {
  for (const key of keys.slice(0, KEYS_NAMED)) note(describe(key));
  if (keys.length > KEYS_NAMED) note(`… and ${keys.length - KEYS_NAMED} more`);
}
