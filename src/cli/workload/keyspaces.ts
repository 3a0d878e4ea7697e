/**
 * The keyspace of a mode. One that is not there is made for the run, with a replica on every node, so that each
 * answers by itself, and dropped after it; one that was there before stays.
 */
import { requestOf } from "../../client/request.js";
import { expectArray, type PlainReply, toPlain } from "../../client/values.js";
import type { Channel } from "../../client/wire.js";
import { MinikeyError } from "../../core/errors.js";
import { ExitError } from "../failure.js";

export interface RunKeyspace {
  readonly name: string;
  readonly number: number;
  readonly replicas: number;
  /** Made for this run. */
  readonly isOurs: boolean;
}

/** What a keyspace can have. */
const REPLICAS_MAX = 15;

/** Fails when there is one of that name and the other consistency. */
export async function openKeyspace(
  channel: Channel,
  name: string,
  consistency: "strong" | "eventual",
  nodes: number,
): Promise<RunKeyspace> {
  const isOurs = await create(channel, name, consistency, Math.min(nodes, REPLICAS_MAX));
  for (const row of expectArray(await requestOf(channel, ["KEYSPACE", "LIST"]))) {
    const fields = toPlain(row) as Map<PlainReply, PlainReply>;
    if (fields.get("name") !== name) continue;
    if (fields.get("consistency") !== consistency) {
      throw new ExitError(`the keyspace ${name} is not ${consistency}, as this mode needs it to be`);
    }
    return { name, number: Number(fields.get("id")), replicas: Number(fields.get("replicas")), isOurs };
  }
  throw new ExitError(`the keyspace ${name} was dropped by somebody else`);
}

/** False when there is one of that name already. */
async function create(
  channel: Channel,
  name: string,
  consistency: "strong" | "eventual",
  replicas: number,
): Promise<boolean> {
  try {
    await requestOf(channel, ["KEYSPACE", "CREATE", name, "CONSISTENCY", consistency, "REPLICAS", replicas]);
    return true;
  } catch (error) {
    if (error instanceof MinikeyError && error.code === "KEYSPACE_EXISTS") return false;
    throw error;
  }
}

export async function dropKeyspace(channel: Channel, name: string): Promise<void> {
  await requestOf(channel, ["KEYSPACE", "DROP", name]);
}
