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
import { expectArray, expectNumber, expectText } from "../../client/values.js";
import type { Argument, Channel, WireReply } from "../../client/wire.js";
import { WireMap } from "../../client/wire.js";
import { asBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { slotOfBytes } from "../../sharding/slots.js";
import { formatHuman, formatRaw } from "./format.js";

const REPLICA_WAIT_MS = 1_000;
const POLL_EVERY_MS = 20;

interface Replica {
  readonly name: string;
  readonly address: string;
}

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
    return Promise.all(
      replicas.map(async (replica) => {
        const reply = await this.#ask(replica, args);
        return `[${replica.name}] ${describeRead(String(args[0]), reply)}`;
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#channels.values()].map((channel) => channel.close()));
  }

  async #awaitVersion(replica: Replica, key: Buffer, wanted: number): Promise<string> {
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
  async #ask(replica: Replica, args: readonly Argument[]): Promise<WireReply> {
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

function describeRead(command: string, reply: WireReply): string {
  if (reply instanceof MinikeyError) return describeError(reply);
  if (reply === null) return "NOT FOUND";
  return command.toUpperCase() === "GET" ? `VALUE ${formatRaw(reply).toString()}` : formatHuman(reply);
}

function describeError(error: MinikeyError): string {
  return error.code === "CONNECTION_LOST" ? "DOWN" : `(error) ${error.toRespText()}`;
}

/** Of `KV.GET`'s answer; 0 when there is no such key. */
const versionOf = (reply: WireReply): number => (reply === null ? 0 : expectNumber(expectArray(reply)[1]));

/** The nodes that hold `key`, by name; none when the node asked does not know them in time. */
async function findReplicas(channel: Channel, key: Buffer): Promise<Replica[]> {
  const slot = slotOfBytes(asBytes(key), 0, key.length);
  const deadlineMs = performance.now() + REPLICA_WAIT_MS;
  for (;;) {
    const table = expectArray(await requestOf(channel, ["CLUSTER", "SLOTS"]));
    for (const row of table) {
      const [first, last, ...nodes] = expectArray(row);
      if (slot < expectNumber(first) || slot > expectNumber(last)) continue;
      return nodes.map(toReplica).sort((a, b) => (a.name < b.name ? -1 : 1));
    }
    // A cluster that has just started, or is electing a leader.
    if (performance.now() >= deadlineMs) return [];
    await sleep(POLL_EVERY_MS);
  }
}

/** `[ip, port, id, metadata]`; the metadata's `name` is what people call the node. */
function toReplica(node: WireReply): Replica {
  const [ip, port, id, metadata] = expectArray(node);
  const pairs = metadata instanceof WireMap ? metadata.entries.flat() : expectArray(metadata ?? []);
  const texts = pairs.map((item) => expectText(item));
  const nameAt = texts.indexOf("name");
  return {
    name: nameAt < 0 ? expectText(id) : texts[nameAt + 1],
    address: `${expectText(ip)}:${expectNumber(port)}`,
  };
}
