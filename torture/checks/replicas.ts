/**
 * Replicas are equal: what each node answers by itself (`CONSISTENCY READ stale`) of every key there is, with its type,
 * version and expiry, is the same everywhere. With as many replicas as nodes, every node answers from its own disk.
 */

import { Violation } from "../../sim/checks/violation.js";
import { isKnown } from "../../sim/cluster/client.js";
import type { Clients } from "../load/clients.js";
import type { RealWorld } from "../load/real-world.js";

const EQUAL_LIMIT_MS = 15_000;

/** Throws when they are not within the limit. Nothing may be under way. */
export async function checkReplicas(world: RealWorld, clients: Clients, nodes: number): Promise<void> {
  let difference: string | undefined = "";
  const isEqual = async () => {
    const copies = await Promise.all(Array.from({ length: nodes }, (_, node) => copyOf(clients, node)));
    difference = differenceOf(copies);
    return difference === undefined;
  };
  if (!(await world.until(EQUAL_LIMIT_MS, isEqual))) {
    throw new Violation("replicas are equal", `after ${EQUAL_LIMIT_MS} ms: ${difference}`);
  }
}

type Copy = ReadonlyMap<string, string>;

/** Undefined when the node does not answer. */
async function copyOf(clients: Clients, node: number): Promise<Copy | undefined> {
  const ask = (...words: string[]): Promise<unknown> =>
    new Promise((resolve) => clients.sendTo(node, { readLevel: "stale" }, words, resolve));
  const keys = await ask("KEYS", "*");
  if (!isKnown(keys)) return undefined;
  const copy = new Map<string, string>();
  for (const key of (keys as string[]).sort()) {
    const entry = await ask("KV.GET", key);
    if (!isKnown(entry)) return undefined;
    copy.set(key, JSON.stringify(entry));
  }
  return copy;
}

function differenceOf(copies: readonly (Copy | undefined)[]): string | undefined {
  const silent = copies.indexOf(undefined);
  if (silent !== -1) return `n${silent + 1} does not answer`;
  const [first, ...others] = copies as Copy[];
  for (const [i, other] of others.entries()) {
    for (const key of new Set([...first.keys(), ...other.keys()])) {
      if (first.get(key) === other.get(key)) continue;
      return `${key} is ${first.get(key)} on n1 and ${other.get(key)} on n${i + 2}`;
    }
  }
  return undefined;
}
