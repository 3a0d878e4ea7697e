/**
 * Several keys as of one moment, over partitions.
 *
 * All are read twice. Versions only grow and are never used again, so a key that shows the same version twice
 * had its value all the time between, and so had a missing key whose partition took no write at all. When that
 * holds for every key, the values stood together at the moment between the two readings. Keys that are written
 * all the time are read under a lock instead, after a few rounds.
 */
import type { Reply } from "../commands/reply.js";
import { Slice } from "../commands/reply.js";
import type { CommandSpec, Entry, ValueType } from "../commands/types.js";
import { assert } from "../core/assert.js";
import { type Key, latin1ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { slotOfBytes } from "../sharding/slots.js";
import { groupIn, type Route } from "./coordinator.js";
import { makeArgs } from "./node-commands.js";
import type { Requests } from "./requests.js";
import { retainReply } from "./retain-reply.js";
import { StoreView } from "./store-view.js";
import type { TransactionRunner } from "./transaction-runner.js";

/** A key at one moment: its entry, and how many writes its partition had taken. */
interface Reading {
  readonly revision: number;
  readonly entry: Entry | undefined;
}

/** `KV.SNAPSHOT key`: [the partition's revision, what `KV.GET` answers]. */
export const KV_SNAPSHOT: CommandSpec = {
  name: "KV.SNAPSHOT",
  opcode: 220,
  arity: 2,
  keys: { first: 1, last: 1, step: 1 },
  keysInside: undefined,
  spread: "single",
  access: "read",
  flags: [],
  categories: [],
  group: "minikey",
  summary: "Get a value with its version, and the revision of its partition",
  internal: true,
  check: undefined,
  plan: undefined,
  run(view, args) {
    assert(view instanceof StoreView, "a node's partitions are read through their stores");
    const entry = view.get(args.key(1));
    if (entry === undefined) return [view.revision, null];
    const value = new Slice(entry.bytes, entry.start, entry.end);
    return [view.revision, [entry.type, entry.version, entry.expiresAtMs, value]];
  },
};

function isUnchanged(before: Reading | undefined, after: Reading | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  if (before.entry === undefined || after.entry === undefined) return before.revision === after.revision;
  return before.entry.version === after.entry.version;
}

function entriesOf(readings: ReadonlyMap<Key, Reading>): Entries {
  const entries = new Map<Key, Entry>();
  for (const [key, { entry }] of readings) if (entry !== undefined) entries.set(key, entry);
  return entries;
}

export type Entries = ReadonlyMap<Key, Entry>;

const ROUNDS_MAX = 3;

export class SnapshotReads {
  readonly #requests: Requests;
  readonly #transactions: TransactionRunner;

  constructor(requests: Requests, transactions: TransactionRunner) {
    this.#requests = requests;
    this.#transactions = transactions;
  }

  /** Missing keys are left out. Rejects with `MinikeyError`. */
  async read(keys: readonly Key[], route: Route): Promise<Entries> {
    let before = await this.#readOnce(keys, route);
    if (keys.length === 1) return entriesOf(before);
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const after = await this.#readOnce(keys, route);
      if (keys.every((key) => isUnchanged(before.get(key), after.get(key)))) return entriesOf(after);
      before = after;
    }
    return await this.#transactions.readLocked(keys, route);
  }

  async #readOnce(keys: readonly Key[], route: Route): Promise<Map<Key, Reading>> {
    const readings = new Map<Key, Reading>();
    const replies = await Promise.all(keys.map(async (key) => await this.#get(key, route)));
    replies.forEach((reply, i) => {
      if (reply instanceof MinikeyError) throw reply;
      const [revision, entry] = reply as readonly Reply[];
      readings.set(keys[i], { revision: Number(revision), entry: entryOf(entry) });
    });
    return readings;
  }

  async #get(key: Key, route: Route): Promise<Reply> {
    const spec = KV_SNAPSHOT;
    const group = groupIn(route.keyspace, partitionOfKey(key, route));
    return await new Promise((resolve) => {
      const onReply = (reply: Reply) => resolve(retainReply(reply));
      this.#requests.read(group, spec, makeArgs([spec.name, key]), "linearizable", { onReply }, undefined);
    });
  }
}

export function partitionOfKey(key: Key, route: Route): number {
  const bytes = latin1ToBytes(key);
  return route.partitionOf(slotOfBytes(bytes, 0, bytes.length));
}

/** The reply of `KV.GET` as an entry. */
export function entryOf(reply: Reply): Entry | undefined {
  if (reply === null) return undefined;
  assert(Array.isArray(reply), "KV.GET answers a list");
  const [type, version, expiresAtMs, value] = reply as readonly Reply[];
  assert(value instanceof Slice, "KV.GET answers a value");
  return {
    type: type as ValueType,
    version: Number(version),
    expiresAtMs: Number(expiresAtMs),
    bytes: value.bytes,
    start: value.start,
    end: value.end,
  };
}
