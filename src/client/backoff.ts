/** How long to wait before the addresses are tried again: 50 ms, doubling to 1 s, each ±50 % by chance. */
const FIRST_MS = 50;
const LAST_MS = 1_000;

/**
 * @param round rounds of all addresses that failed, from 1
 * @param chance uniform in [0, 1): clients that lost the same node must not come back in step
 */
export function backoffMs(round: number, chance: number): number {
  const doubledMs = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(round - 1, 16));
  return Math.round(doubledMs * (0.5 + chance));
}
