/**
 * A key's value as it lies in a storage engine's `data` table.
 *
 * ```
 *  0        1                7                     15
 *  ┌────────┬────────────────┬─────────────────────┬──────────┐
 *  │ flags  │ version        │ expires at (bit 7)  │ value …  │
 *  │ u8     │ u48            │ f64 ms, optional    │          │
 *  └────────┴────────────────┴─────────────────────┴──────────┘
 * ```
 * flags: bits 0–3 the type (0 string, 1 json), bit 7 set when an expiry follows. Integers are little-endian.
 */
import type { Entry, ValueType } from "../commands/types.js";
import { allocOwnBytes, type Bytes, copyInto, type Key } from "../core/bytes.js";
import type { StoredValue } from "../ports/storage-engine.js";

const TYPE_MASK = 0x0f;
const HAS_EXPIRY = 0x80;
const TYPES: readonly ValueType[] = ["string", "json"];

export function readRecord(stored: StoredValue): Entry {
  const { bytes, start, end } = stored;
  const flags = bytes[start];
  const version = bytes.readUIntLE(start + 1, 6);
  const hasExpiry = flags >= HAS_EXPIRY;
  return {
    type: TYPES[flags & TYPE_MASK],
    bytes,
    start: hasExpiry ? start + 15 : start + 7,
    end,
    expiresAtMs: hasExpiry ? bytes.readDoubleLE(start + 7) : 0,
    version,
  };
}

/** The expiry alone, 0 for none. */
export function readExpiry(stored: StoredValue): number {
  return stored.bytes[stored.start] >= HAS_EXPIRY ? stored.bytes.readDoubleLE(stored.start + 7) : 0;
}

/** Bytes in front of the value. */
const headBytes = (expiresAtMs: number): number => (expiresAtMs === 0 ? 7 : 15);

/** Of a record with a value of `valueBytes`. */
export function recordBytes(valueBytes: number, expiresAtMs: number): number {
  return headBytes(expiresAtMs) + valueBytes;
}

/** Lays a record of the value `bytes[start, end)` out at `at` of `target`. */
export function writeRecord(
  target: Bytes,
  at: number,
  type: ValueType,
  version: number,
  expiresAtMs: number,
  bytes: Bytes,
  start: number,
  end: number,
): void {
  target[at] = TYPES.indexOf(type) | (expiresAtMs === 0 ? 0 : HAS_EXPIRY);
  target.writeUIntLE(version, at + 1, 6);
  if (expiresAtMs !== 0) target.writeDoubleLE(expiresAtMs, at + 7);
  copyInto(target, at + headBytes(expiresAtMs), bytes, start, end);
}

const DUE_BYTES = 8;

/** An expiry that can be kept and sorted: 0 for never, else from 1 ms after 1970 to the year 287,396. */
export function clampExpiry(expiresAtMs: number): number {
  return expiresAtMs === 0 ? 0 : Math.min(Math.max(expiresAtMs, 1), Number.MAX_SAFE_INTEGER);
}

/** A key of the `expiry` table: the due time, big-endian so that it sorts, then the key. */
export function expiryKey(expiresAtMs: number, key: Key): Key {
  return dueTime(expiresAtMs) + key;
}

/** What every key of the `expiry` table that is due at `nowMs` is smaller than. */
export function dueTime(nowMs: number): Key {
  const due = allocOwnBytes(DUE_BYTES);
  due.writeUInt32BE(Math.floor(nowMs / 2 ** 32), 0);
  due.writeUInt32BE(nowMs % 2 ** 32, 4);
  return due.latin1Slice();
}

/** The key that a line of the `expiry` table is about. */
export function keyOfExpiry(indexKey: Key): Key {
  return indexKey.slice(DUE_BYTES);
}
