/**
 * The nodes of the cluster, each on a connection of its own: what is asked of a node is answered by that node or not
 * at all.
 */
import { openChannel } from "../../client/connect.js";
import type { FailoverChannel } from "../../client/failover-channel.js";
import { type RequestLevels, requestOf } from "../../client/request.js";
import { expectArray, expectBytes, expectNumber } from "../../client/values.js";
import type { Argument, Channel, ReadLevel, WireReply } from "../../client/wire.js";
import { nodeList, slotRows } from "../shell/cluster-replies.js";
import type { Value } from "./judge.js";

export interface NodeName {
  /** As the cluster calls it; its address while nobody knows. */
  readonly name: string;
  /** As the driver's lines call it: `2` for `n2`. */
  readonly label: string;
  /** `host:port` for clients. */
  readonly address: string;
}

/** The members of the cluster of the node behind `channel`, by name; those whose address is not known are left out. */
export async function findNodes(channel: Channel): Promise<NodeName[]> {
  const [nodes, slots] = await Promise.all([
    requestOf(channel, ["CLUSTER", "NODES"]),
    requestOf(channel, ["CLUSTER", "SLOTS"]),
  ]);
  const holders = slotRows(slots).flatMap((row) => row.holders);
  const nameOf = new Map(holders.map(({ id, name }) => [id, name]));
  return nodeList(nodes)
    .members.filter(({ address }) => address !== "")
    .map(({ id, address }) => nodeName(nameOf.get(id) ?? address, address))
    .toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

function nodeName(name: string, address: string): NodeName {
  return { name, label: /^n(\d+)$/.exec(name)?.[1] ?? name, address };
}

/** What a node showed of a key. */
export interface Seen {
  readonly value: Value;
  /** Grows with each write of the key; 0 when it is not there. */
  readonly version: number;
}

const ABSENT: Seen = { value: null, version: 0 };

/** All requests reject with `MinikeyError` when the node does not answer in time, or answers with an error. */
export class NodeLink {
  readonly node: NodeName;
  readonly #channel: FailoverChannel;
  readonly #timeoutMs: number;

  /** @param keyspace its number */
  constructor(node: NodeName, keyspace: number, timeoutMs: number) {
    this.node = node;
    this.#timeoutMs = timeoutMs;
    // Writes are not sent again: what became of a lost one is to be seen.
    this.#channel = openChannel([node.address], {
      keyspace,
      timeoutMs,
      connectTimeoutMs: timeoutMs,
      stallMs: timeoutMs,
      session: false,
    });
  }

  async put(key: string, value: string): Promise<void> {
    await this.#ask(["PUT", key, value]);
  }

  async remove(key: string): Promise<void> {
    await this.#ask(["DELETE", key]);
  }

  async get(key: string, readLevel: ReadLevel): Promise<Seen> {
    const reply = await this.#ask(["KV.GET", key], { readLevel });
    if (reply === null) return ABSENT;
    const [, version, , value] = expectArray(reply);
    return { value: (expectBytes(value) ?? "").toString(), version: expectNumber(version) };
  }

  /** Resolves when the node answers and knows the keyspace. */
  async ready(): Promise<void> {
    await this.#ask(["PING"]);
  }

  async close(): Promise<void> {
    await this.#channel.close();
  }

  /** A node that refuses the connection is not waited for. */
  async #ask(args: readonly Argument[], levels: RequestLevels = {}): Promise<WireReply> {
    await this.#channel.ready();
    return await requestOf(this.#channel, args, { ...levels, timeoutMs: this.#timeoutMs });
  }
}
