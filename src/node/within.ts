/** Waiting that has an end. */
import type { Clock } from "../ports/clock.js";

/** How much longer than one request a command of several steps may take before its client is answered. */
export const STEPS_GRACE_MS = 300;

/** What `work` gives, or undefined when it takes longer than `limitMs`; it goes on then, and nobody listens. */
export async function within<T>(clock: Clock, limitMs: number, work: Promise<T>): Promise<T | undefined> {
  return await new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => resolve(undefined));
    work.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
