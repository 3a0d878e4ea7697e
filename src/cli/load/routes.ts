/**
 * Which node a key's record is sent to: the leader of its slot, as the cluster said when the load began. Any
 * node takes any key, so an old answer costs a hop and nothing else; a key keeps its way for the whole load.
 */
import { openChannel } from "../../client/connect.js";
import type { FailoverChannel } from "../../client/failover-channel.js";
import { requestOf } from "../../client/request.js";
import { expectArray, expectNumber, expectText } from "../../client/values.js";
import type { Channel } from "../../client/wire.js";
import type { Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { SLOT_COUNT, slotOfKey } from "../../sharding/slots.js";

export interface RouteOptions {
  readonly keyspace?: string;
  readonly timeoutMs: number;
}

export class Routes {
  /** Slot → index into `#channels`. */
  readonly #bySlot: Uint8Array;
  readonly #channels: readonly FailoverChannel[];

  private constructor(bySlot: Uint8Array, channels: readonly FailoverChannel[]) {
    this.#bySlot = bySlot;
    this.#channels = channels;
  }

  /** Asks the node behind `channel` who leads what. Without an answer everything goes through the addresses. */
  static async discover(
    channel: Channel,
    addresses: readonly string[],
    options: RouteOptions,
  ): Promise<Routes> {
    const bySlot = new Uint8Array(SLOT_COUNT);
    const leaders: string[] = [];
    for (const { first, last, leader } of await leadersOf(channel)) {
      let index = leaders.indexOf(leader);
      if (index < 0) index = leaders.push(leader) - 1;
      bySlot.fill(index, first, last + 1);
    }
    const targets = leaders.length === 0 ? [undefined] : leaders.slice(0, 256);
    const channels = targets.map((leader) => {
      const others = [...new Set([...leaders, ...addresses])].filter((address) => address !== leader);
      return openChannel(leader === undefined ? others : [leader, ...others], options);
    });
    return new Routes(bySlot, channels);
  }

  channelOf(key: Key): Channel {
    return this.#channels[this.#bySlot[slotOfKey(key)]];
  }

  async close(): Promise<void> {
    await Promise.all(this.#channels.map((channel) => channel.close()));
  }
}

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly leader: string;
}

async function leadersOf(channel: Channel): Promise<SlotRange[]> {
  try {
    const rows = expectArray(await requestOf(channel, ["CLUSTER", "SLOTS"]));
    return rows.map((row) => {
      const [first, last, leader] = expectArray(row);
      const [host, port] = expectArray(leader);
      return {
        first: expectNumber(first),
        last: expectNumber(last),
        leader: `${expectText(host)}:${expectNumber(port)}`,
      };
    });
  } catch (error) {
    // A server that is no cluster has no slots; the load works without them.
    if (error instanceof MinikeyError && !error.retryable) return [];
    throw error;
  }
}
