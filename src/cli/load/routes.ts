/**
 * Where a key's record goes: its partition, and the node that led it when the load began. Any node takes any key,
 * so an old answer about leaders costs a hop and nothing else; how many partitions a keyspace has never changes.
 */
import { openChannel } from "../../client/connect.js";
import type { FailoverChannel } from "../../client/failover-channel.js";
import { requestOf } from "../../client/request.js";
import { expectArray, expectNumber, expectText, toPlain } from "../../client/values.js";
import { type Channel, WireMap, type WireReply } from "../../client/wire.js";
import { MinikeyError } from "../../core/errors.js";
import { partitionId } from "../../core/ids.js";
import { partitionTable, slotRangeOf } from "../../sharding/partitions.js";

export interface RouteOptions {
  readonly keyspace?: string;
  readonly timeoutMs: number;
}

export class Routes {
  /** Slot → partition. */
  readonly partitionOfSlot: Uint16Array;
  /** Partition → the way to it. */
  readonly channels: readonly Channel[];
  readonly #open: readonly FailoverChannel[];

  private constructor(
    partitionOfSlot: Uint16Array,
    channels: readonly Channel[],
    open: readonly FailoverChannel[],
  ) {
    this.partitionOfSlot = partitionOfSlot;
    this.channels = channels;
    this.#open = open;
  }

  /** Asks the node behind `channel` who leads what. Without an answer everything goes through the addresses. */
  static async discover(
    channel: Channel,
    addresses: readonly string[],
    options: RouteOptions,
  ): Promise<Routes> {
    const partitions = await partitionsOf(channel, options.keyspace ?? "default");
    const ranges = await leadersOf(channel);
    const leaders = [...new Set(ranges.map(({ leader }) => leader))];
    const targets = leaders.length === 0 ? [undefined] : leaders;
    const open = targets.map((leader) => {
      const others = [...new Set([...leaders, ...addresses])].filter((address) => address !== leader);
      return openChannel(leader === undefined ? others : [leader, ...others], options);
    });
    const channels = Array.from({ length: partitions }, (_, partition) => {
      const [slot] = slotRangeOf(partitionId(partition), partitions);
      const range = ranges.find(({ first, last }) => first <= slot && slot <= last);
      return open[range === undefined ? 0 : leaders.indexOf(range.leader)];
    });
    return new Routes(partitionTable(partitions), channels, open);
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((channel) => channel.close()));
  }
}

/** How many partitions a keyspace has, by its name or number; 1 when nobody tells. */
async function partitionsOf(channel: Channel, keyspace: string): Promise<number> {
  const rows = await listed(channel, ["KEYSPACE", "LIST"]);
  for (const row of rows) {
    if (!(row instanceof WireMap)) continue;
    const fields = new Map(row.entries.map(([name, value]) => [toPlain(name), toPlain(value)]));
    if (fields.get("name") === keyspace || fields.get("id") === Number(keyspace)) {
      return Number(fields.get("partitions"));
    }
  }
  return 1;
}

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly leader: string;
}

async function leadersOf(channel: Channel): Promise<SlotRange[]> {
  const rows = await listed(channel, ["CLUSTER", "SLOTS"]);
  return rows.map((row) => {
    const [first, last, leader] = expectArray(row);
    const [host, port] = expectArray(leader);
    return {
      first: expectNumber(first),
      last: expectNumber(last),
      leader: `${expectText(host)}:${expectNumber(port)}`,
    };
  });
}

/** A server that is no cluster knows neither; the load works without. */
async function listed(channel: Channel, command: readonly string[]): Promise<readonly WireReply[]> {
  try {
    return expectArray(await requestOf(channel, command));
  } catch (error) {
    if (error instanceof MinikeyError && !error.retryable) return [];
    throw error;
  }
}
