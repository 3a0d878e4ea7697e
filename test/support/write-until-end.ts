/** Large values, one after the other, into a cluster of which a node is going to end, because of its disk. */
import assert from "node:assert/strict";
import type { Cluster } from "./cluster.js";
import { History } from "./history.js";
import { ConnectionLost, RespError } from "./resp-client.js";
import { waitFor } from "./wait.js";

const VALUE_BYTES = 100_000;
const WRITES_FOR_MS = 30_000;
/** A process waits for what its threads have asked of the disk. */
const ENDS_WITHIN_MS = 30_000;

/** Writes through `viaId` until the node `victim` has ended, which it does soon; returns what was answered. */
export async function writeUntilEnd(cluster: Cluster, viaId: string, victim: string): Promise<History> {
  const history = new History();
  const client = await cluster.resp(viaId);
  const untilMs = performance.now() + WRITES_FOR_MS;
  for (let n = 0; cluster.node(victim).isRunning && performance.now() < untilMs; n += 1) {
    const value = `${n} `.padEnd(VALUE_BYTES, "x");
    const operation = history.begin("set", `large:${n}`, value, viaId);
    try {
      await client.call("SET", operation.key, value);
      operation.outcome = "answered";
    } catch (error) {
      operation.answer = String(error);
      if (error instanceof ConnectionLost) break;
      if (!(error instanceof RespError)) throw error;
    }
  }
  await waitFor(`${victim} ends, as its disk makes it`, () => !cluster.node(victim).isRunning, {
    timeoutMs: ENDS_WITHIN_MS,
  });
  return history;
}

/** The node has ended by itself, and said why. */
export async function assertEndedWithMessage(cluster: Cluster, id: string, why: RegExp): Promise<void> {
  const exit = await cluster.node(id).exited;
  assert.deepEqual(exit, { code: 1, signal: null }, `${id} ends by itself, with status 1`);
  assert.match(cluster.node(id).log, why, "its message names the cause");
}
