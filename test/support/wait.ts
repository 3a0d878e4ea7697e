/** Waiting in tests: for a condition, with a bound, and with a failure that says what did not happen. */
import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/**
 * Asks `condition` again and again until it gives something truthy, which is returned. A condition that throws
 * counts as not yet met; its last error is part of the failure's message.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, everyMs = 20 }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadlineMs) break;
    await sleep(everyMs);
  }
  const detail = lastError instanceof Error ? ` (last error: ${lastError.message})` : "";
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}${detail}`);
}
