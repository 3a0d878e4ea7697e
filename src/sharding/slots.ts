/**
 * Slots: the 16,384 shares of the key space that Redis Cluster counts, so that its clients compute the same.
 * A key that contains `{tag}` is placed by the tag alone: keys with one tag share a slot, and so a partition.
 * The tag is what stands between the first `{` and the first `}` after it; an empty one does not count.
 * Source: the Redis Cluster specification, "Key distribution model" and "Hash tags".
 */
import type { Bytes, Key } from "../core/bytes.js";
import { crc16, crc16OfKey } from "../core/crc16.js";

export const SLOT_COUNT = 16_384;

const SLOT_MASK = SLOT_COUNT - 1;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The slot of the key `bytes[start, end)`. */
export function slotOfBytes(bytes: Bytes, start: number, end: number): number {
  for (let open = start; open < end; open += 1) {
    if (bytes[open] !== OPEN_BRACE) continue;
    for (let close = open + 1; close < end; close += 1) {
      if (bytes[close] !== CLOSE_BRACE) continue;
      if (close === open + 1) break;
      return crc16(bytes, open + 1, close) & SLOT_MASK;
    }
    break;
  }
  return crc16(bytes, start, end) & SLOT_MASK;
}

export function slotOfKey(key: Key): number {
  return slotOfTag(key) ?? crc16OfKey(key) & SLOT_MASK;
}

function slotOfTag(key: Key): number | undefined {
  const open = key.indexOf("{");
  if (open === -1) return undefined;
  const close = key.indexOf("}", open + 1);
  return close > open + 1 ? crc16OfKey(key, open + 1, close) & SLOT_MASK : undefined;
}

/** The slots of keys each of which begins with the one before: no byte is looked at twice. */
export class GrowingKey {
  #length = 0;
  #crc = 0;

  /** The next key is the first. */
  reset(): void {
    this.#length = 0;
    this.#crc = 0;
  }

  slotOf(key: Key): number {
    this.#crc = crc16OfKey(key, this.#length, key.length, this.#crc);
    this.#length = key.length;
    return slotOfTag(key) ?? this.#crc & SLOT_MASK;
  }
}
