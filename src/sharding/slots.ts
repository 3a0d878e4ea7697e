/**
 * Slots: the 16,384 shares of the key space that Redis Cluster counts, so that its clients compute the same.
 * A key that contains `{tag}` is placed by the tag alone: keys with one tag share a slot, and so a partition.
 * The tag is what stands between the first `{` and the first `}` after it; an empty one does not count.
 * Source: the Redis Cluster specification, "Key distribution model" and "Hash tags".
 */
import { type Bytes, EMPTY_BYTES, type Key } from "../core/bytes.js";
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

const NO_TAG = -1;

/** The slots of keys each of which begins with the one before: no byte is looked at twice. */
export class GrowingKey {
  #bytes: Bytes = EMPTY_BYTES;
  /** The next byte. */
  #at = 0;
  #crc = 0;
  /** Behind the brace that may begin a tag; 0 before there is one. */
  #tagStart = 0;
  #slotOfTag = NO_TAG;

  /** The keys begin at `start` of `bytes`. */
  reset(bytes: Bytes, start: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#crc = 0;
    this.#tagStart = 0;
    this.#slotOfTag = NO_TAG;
  }

  /** Of the key that ends at `end`. */
  slotTo(end: number): number {
    const start = this.#at;
    this.#at = end;
    if (this.#slotOfTag === NO_TAG) {
      this.#crc = crc16(this.#bytes, start, end, this.#crc);
      this.#findTag(start, end);
    }
    return this.#slotOfTag === NO_TAG ? this.#crc & SLOT_MASK : this.#slotOfTag;
  }

  #findTag(start: number, end: number): void {
    const bytes = this.#bytes;
    for (let at = start; at < end; at += 1) {
      const byte = bytes[at];
      if (byte === OPEN_BRACE && this.#tagStart === 0) this.#tagStart = at + 1;
      if (byte !== CLOSE_BRACE || this.#tagStart === 0) continue;
      if (at > this.#tagStart) {
        this.#slotOfTag = crc16(bytes, this.#tagStart, at) & SLOT_MASK;
        return;
      }
      // An empty tag is none, and no other counts.
      this.#tagStart = Number.POSITIVE_INFINITY;
    }
  }
}
