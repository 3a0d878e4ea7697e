/** `minikey keyspace create|list|drop`, by the command `KEYSPACE` of any node. */
import Table from "cli-table3";
import { requestOf } from "../../client/request.js";
import { expectArray, type PlainReply, toPlain } from "../../client/values.js";
import type { Argument, WireReply } from "../../client/wire.js";
import { openReadyChannel } from "../connection.js";

export interface KeyspaceFlags {
  readonly connect: string;
  readonly json?: boolean;
}

export interface CreateFlags extends KeyspaceFlags {
  readonly consistency: "strong" | "eventual";
  readonly storage: "disk" | "memory";
  readonly replicas?: number;
  readonly partitions?: number;
}

/** A new keyspace exists when its partitions have leaders. */
const TIMEOUT_MS = 30_000;

export async function createKeyspace(name: string, flags: CreateFlags): Promise<void> {
  const { consistency, storage, replicas, partitions } = flags;
  const args: Argument[] = ["KEYSPACE", "CREATE", name, "CONSISTENCY", consistency, "STORAGE", storage];
  if (replicas !== undefined) args.push("REPLICAS", replicas);
  if (partitions !== undefined) args.push("PARTITIONS", partitions);
  await ask(args, flags);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ name })}\n`);
  else process.stdout.write(`created ${name}\n`);
}

export async function listKeyspaces(flags: KeyspaceFlags): Promise<void> {
  const keyspaces = expectArray(await ask(["KEYSPACE", "LIST"], flags)).map(fieldsOf);
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify(keyspaces)}\n`);
    return;
  }
  const columns = ["name", "id", "consistency", "storage", "replicas", "partitions"];
  const table = new Table({ head: columns, style: { head: [], border: [] } });
  for (const keyspace of keyspaces) table.push(columns.map((column) => keyspace[column] as string | number));
  process.stdout.write(`${table.toString()}\n`);
}

export async function dropKeyspace(name: string, flags: KeyspaceFlags): Promise<void> {
  await ask(["KEYSPACE", "DROP", name], flags);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ name })}\n`);
  else process.stdout.write(`dropped ${name}\n`);
}

async function ask(args: readonly Argument[], flags: KeyspaceFlags): Promise<WireReply> {
  const channel = await openReadyChannel(flags.connect, { timeoutMs: TIMEOUT_MS });
  try {
    return await requestOf(channel, args);
  } finally {
    await channel.close();
  }
}

function fieldsOf(reply: WireReply): Record<string, PlainReply> {
  return Object.fromEntries(toPlain(reply) as Map<string, PlainReply>);
}
