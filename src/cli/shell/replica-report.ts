/**
 * What each replica of a key has, for the shell's `-v`: one line a replica.
 *
 *     > PUT mykey myvalue        > GET mykey
 *     [n1] OK                    [n1] VALUE myvalue
 *     [n2] OK                    [n2] VALUE myvalue
 *     [n3] DOWN                  [n3] DOWN
 *
 * Each replica is read on a connection of its own at level `stale`, so what it says is what it has itself. A
 * replica of a strong keyspace may lag behind its leader for a moment; it is given a second to show a write.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { openChannel } from "../../client/connect.js";
import type { FailoverChannel } from "../../client/failover-channel.js";
import { requestOf } from "../../client/request.js";
import { expectArray, expectBytes, expectNumber, expectText } from "../../client/values.js";
import type { Argument, Channel, WireReply } from "../../client/wire.js";
import { asBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { printDocument } from "../../document/record-printer.js";
import { slotOfBytes } from "../../sharding/slots.js";
import { type Holder, slotRows } from "./cluster-replies.js";
import { formatHuman } from "./format.js";

const REPLICA_WAIT_MS = 1_000;
const POLL_EVERY_MS = 20;

export class ReplicaReport {
  readonly #keyspace: string | number | undefined;
  readonly #channels = new Map<string, FailoverChannel>();

  constructor(keyspace: string | number | undefined) {
    this.#keyspace = keyspace;
  }

  /** After a write of `key` that was answered: which replicas show it. */
  async afterWrite(channel: Channel, key: Buffer): Promise<string[]> {
    const wanted = versionOf(await requestOf(channel, ["KV.GET", key]));
    const replicas = await findReplicas(channel, key);
    return Promise.all(
      replicas.map(async (replica) => `[${replica.name}] ${await this.#awaitVersion(replica, key, wanted)}`),
    );
  }

  /** The answer of each replica of `key` to a read. */
  async ofRead(channel: Channel, key: Buffer, args: readonly Argument[]): Promise<string[]> {
    const replicas = await findReplicas(channel, key);
    const isGet = String(args[0]).toUpperCase() === "GET";
    return Promise.all(
      replicas.map(async (replica) => {
        const reply = await this.#ask(replica, isGet ? ["KV.GET", key] : args);
        return `[${replica.name}] ${describeRead(reply, isGet)}`;
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#channels.values()].map((channel) => channel.close()));
  }

  async #awaitVersion(replica: Holder, key: Buffer, wanted: number): Promise<string> {
    const deadlineMs = performance.now() + REPLICA_WAIT_MS;
    for (;;) {
      const reply = await this.#ask(replica, ["KV.GET", key]);
      if (reply instanceof MinikeyError) return describeError(reply);
      const version = versionOf(reply);
      if (wanted === 0 ? version === 0 : version >= wanted) return "OK";
      if (performance.now() >= deadlineMs) return "BEHIND";
      await sleep(POLL_EVERY_MS);
    }
  }

  /** One stale read; an error is a reply. */
  async #ask(replica: Holder, args: readonly Argument[]): Promise<WireReply> {
    let channel = this.#channels.get(replica.address);
    if (channel === undefined) {
      const keyspace = this.#keyspace === undefined ? {} : { keyspace: this.#keyspace };
      channel = openChannel([replica.address], {
        ...keyspace,
        timeoutMs: REPLICA_WAIT_MS,
        connectTimeoutMs: REPLICA_WAIT_MS,
      });
      this.#channels.set(replica.address, channel);
    }
    try {
      await channel.ready();
      return await requestOf(channel, args, { readLevel: "stale" });
    } catch (error) {
      if (error instanceof MinikeyError) return error;
      throw error;
    }
  }
}

function describeRead(reply: WireReply, isGet: boolean): string {
  if (reply instanceof MinikeyError) return describeError(reply);
  if (reply === null) return "NOT FOUND";
  if (!isGet) return formatHuman(reply);
  const [type, , , value] = expectArray(reply);
  const bytes = asBytes(expectBytes(value) ?? Buffer.alloc(0));
  const isDocument = expectText(type) === "json";
  return `VALUE ${isDocument ? printDocument(bytes, 0, bytes.length, "display") : bytes.utf8Slice()}`;
}

function describeError(error: MinikeyError): string {
  return error.code === "CONNECTION_LOST" ? "DOWN" : `(error) ${error.toRespText()}`;
}

/** Of `KV.GET`'s answer; 0 when there is no such key. */
const versionOf = (reply: WireReply): number => (reply === null ? 0 : expectNumber(expectArray(reply)[1]));

/** The nodes that hold `key`, by name; none when the node asked does not know them in time. */
async function findReplicas(channel: Channel, key: Buffer): Promise<readonly Holder[]> {
  const slot = slotOfBytes(asBytes(key), 0, key.length);
  const deadlineMs = performance.now() + REPLICA_WAIT_MS;
  for (;;) {
    const rows = slotRows(await requestOf(channel, ["CLUSTER", "SLOTS"]));
    const row = rows.find(({ first, last }) => first <= slot && slot <= last);
    if (row !== undefined) return row.holders.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    // A cluster that has just started, or is electing a leader.
    if (performance.now() >= deadlineMs) return [];
    await sleep(POLL_EVERY_MS);
  }
}
