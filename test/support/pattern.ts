/** Bytes that a test can tell apart. */
import type { Bytes } from "../../src/core/bytes.js";

/** `size` bytes that differ with `seed` and by position. */
export function patternBytes(size: number, seed: number): Bytes {
  const result = Buffer.alloc(size) as unknown as Bytes;
  for (let i = 0; i < size; i += 1) result[i] = (seed * 31 + i + (i >> 8)) & 0xff;
  return result;
}
