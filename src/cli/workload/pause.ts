/** Waiting that a stop ends. */
import { setTimeout as sleep } from "node:timers/promises";

/** False when the wait was stopped. */
export async function pause(ms: number, stop: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: stop });
    return true;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}
