/** How much memory this process may use. */
import { totalmem } from "node:os";

/** The machine's, or the container's where that is less. */
export function availableBytes(): number {
  // 0 or a number beyond all memory when there is no limit.
  const limitBytes = process.constrainedMemory();
  return limitBytes > 0 ? Math.min(limitBytes, totalmem()) : totalmem();
}
