/**
 * SCAN's cursors. Clients keep a cursor in 64 bits or in a floating-point number, so it cannot hold a key; and
 * a node must not forget a scan when it restarts, nor must the next call come to the same node. So:
 *
 *   cursor := hash × partitions + partition         below 2^53
 *
 * stands for "behind the key of that partition with that hash"; hash 0 for "at the start of that partition".
 * A node remembers the key of the cursors it gave out lately. For any other it looks the key up by its hash,
 * and where that key is gone too, the partition is scanned from its start again. A scan may so return a key
 * twice, as SCAN is allowed to, but never misses one that was there all along. (Of two keys with one hash the
 * first is found.)
 */
import type { Key } from "../core/bytes.js";

/** With the 2^14 partitions that there can be at most, this keeps a cursor below 2^53. */
const HASH_BITS_HIGH = 6;
const UINT32 = 2 ** 32;

/** Never 0, below 2^38. */
export function scanHash(key: Key): number {
  let low = 0x811c9dc5;
  let high = 0x2545f491;
  for (let i = 0; i < key.length; i += 1) {
    const code = key.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x9e3779b1);
  }
  low = mix(low ^ (high >>> 15));
  high = mix(high ^ (low >>> 13)) >>> (32 - HASH_BITS_HIGH);
  return high * UINT32 + (low >>> 0) || 1;
}

/** The finalizer of MurmurHash3. */
function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** Where a scan goes on. */
export interface ScanPosition {
  readonly partition: number;
  /** 0 for the start of the partition. */
  readonly hash: number;
  /** The key behind which to go on; undefined at the start, or when `hash` is all that is known. */
  readonly after: Key | undefined;
}

const REMEMBERED_MAX = 4096;

/** The cursors of one keyspace on one node. */
export class ScanCursors {
  /** Oldest first. */
  readonly #keys = new Map<number, Key>();

  /** The cursor for going on behind `after`, or at the start of `partition`. */
  give(partition: number, partitions: number, after: Key | undefined): number {
    if (after === undefined) return partition;
    const cursor = scanHash(after) * partitions + partition;
    this.#keys.delete(cursor);
    this.#keys.set(cursor, after);
    if (this.#keys.size > REMEMBERED_MAX) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
    }
    return cursor;
  }

  resolve(cursor: number, partitions: number): ScanPosition {
    return {
      partition: cursor % partitions,
      hash: Math.floor(cursor / partitions),
      after: this.#keys.get(cursor),
    };
  }
}
