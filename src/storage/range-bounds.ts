/** What a range's options mean: the keys from `start` (or after it, when `exclusive`) to before `end`. */
import type { Key } from "../core/bytes.js";
import type { RangeOptions } from "../ports/storage-engine.js";

export interface RangeBounds {
  readonly start: Key;
  readonly exclusive: boolean;
  /** Undefined: to the last key. */
  readonly end: Key | undefined;
}

/** The smallest key after all those that start with `prefix`; undefined when there is none. */
function afterPrefix(prefix: Key): Key | undefined {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length -= 1;
  if (length === 0) return undefined;
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}

export function rangeBounds(options: RangeOptions | undefined): RangeBounds {
  const start = options?.start ?? "";
  const prefix = options?.prefix ?? "";
  const end = afterPrefix(prefix);
  if (start < prefix) return { start: prefix, exclusive: false, end };
  return { start, exclusive: options?.exclusive ?? false, end };
}
