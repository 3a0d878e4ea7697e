/**
 * One server, asked again and again whether it is up and what it knows of the cluster, on a connection of its own.
 * A server is down when it takes no connection, or does not answer within a second (a stopped process keeps its
 * sockets open).
 */
import { openChannel } from "../../client/connect.js";
import type { FailoverChannel } from "../../client/failover-channel.js";
import { requestOf } from "../../client/request.js";
import type { WireReply } from "../../client/wire.js";
import { MinikeyError } from "../../core/errors.js";
import { reasonOf } from "../connection.js";
import { nodeList, replicasOf, slotHolders, slotRows } from "./cluster-replies.js";
import type { Sight } from "./guarantee.js";

const ANSWER_WITHIN_MS = 1_000;

export class ServerProbe {
  readonly address: string;
  readonly #channel: FailoverChannel;
  readonly #keyspace: string | undefined;
  #asking: Promise<void> | undefined;
  #state: "unknown" | "up" | "down" = "unknown";
  #sight: Sight | undefined;
  #reason = "";

  /** @param keyspace name or number; undefined for the default */
  constructor(address: string, keyspace: string | undefined) {
    this.address = address;
    this.#keyspace = keyspace;
    this.#channel = openChannel([address], {
      ...(keyspace === undefined ? {} : { keyspace }),
      timeoutMs: ANSWER_WITHIN_MS,
      connectTimeoutMs: ANSWER_WITHIN_MS,
      stallMs: ANSWER_WITHIN_MS,
    });
  }

  /** By the last answer, or the lack of it. */
  get isUp(): boolean {
    return this.#state === "up";
  }

  get isDown(): boolean {
    return this.#state === "down";
  }

  /** A connection that has gone is noticed without asking. */
  get isConnected(): boolean {
    return this.#channel.currentAddress !== undefined;
  }

  /** Why it is down, for people. */
  get reason(): string {
    return this.#reason;
  }

  /** What it said last, also when it is down now. */
  get sight(): Sight | undefined {
    return this.#sight;
  }

  /** Asks it once; calls at the same time share the question. Never rejects for a server that does not answer. */
  ask(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async close(): Promise<void> {
    await this.#channel.close();
  }

  async #ask(): Promise<void> {
    try {
      await this.#channel.ready();
      const [nodes, slots, keyspaces] = await Promise.all([
        this.#request("CLUSTER", "NODES"),
        this.#request("CLUSTER", "SLOTS"),
        this.#request("KEYSPACE", "LIST"),
      ]);
      const rows = slotRows(slots);
      const holders = rows.flatMap((row) => row.holders);
      this.#sight = {
        ...nodeList(nodes),
        names: new Map(holders.map(({ id, name }) => [id, name])),
        holders: slotHolders(rows),
        replicas: replicasOf(keyspaces, this.#keyspace ?? "default"),
      };
      this.#state = "up";
    } catch (error) {
      if (!(error instanceof MinikeyError)) throw error;
      this.#state = "down";
      this.#reason = reasonOf(error, this.address);
    }
  }

  #request(...words: string[]): Promise<WireReply> {
    return requestOf(this.#channel, words);
  }
}
