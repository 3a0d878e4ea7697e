/**
 * A key's record in an eventual keyspace, as it lies in a store, in a log and on the wire.
 *
 * ```
 *  0       1           9            13           19
 *  ┌───────┬───────────┬────────────┬────────────┬───────────────┬──────────────┬──────────────┬─────────┐
 *  │ flags │ stamp f64 │ origin u32 │ number u48 │ expires at    │ expiry set   │ counter part │ value … │
 *  │ u8    │           base         │            │ f64 ms, bit 7 │ 18 B, bit 6  │ bit 5        │         │
 *  └───────┴───────────┴────────────┴────────────┴───────────────┴──────────────┴──────────────┴─────────┘
 *
 *  flags          bits 0–3 the type: 0 string, 1 json, 2 none, 3 expired
 *  expiry set     stamp f64, origin u32, number u48: the write that changed the expiry alone
 *  counter part   slots u16, seen u16, then the slots, then what was written over of slots
 *  slot           origin u32, number u48, stamp f64, born u48, born at f64, ends at f64, sum i128        56 bytes
 *  seen           origin u32, number u48, by: origin u32, number u48, sum i128                           36 bytes
 * ```
 * Integers are little-endian. A sum has 128 bits: what one replica has ever added, 2^63 at most each time.
 *
 * Invariants, checked in what comes from other nodes (`checkRecord`) and kept by all that makes records:
 * - A base of stamp 0 is none, and has number and origin 0. Only a value has bytes; only that, and what expired of it,
 *   has an expiry. A change of the expiry is later than the base.
 * - Slots and what was written over are in the order of their origins, each origin once; of a slot not all was.
 */
import { type Bytes, copyInto, EMPTY_BYTES } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { isStamp, NO_STAMP, type Stamp } from "../core/hybrid-clock.js";
import { type ReplicaId, replicaId } from "../core/ids.js";
import type { BaseType, CounterSlot, EventualRecord, SeenSlot, Stamped } from "./types.js";

/** A record as it is laid out: `bytes[start, end)`. */
export interface StoredRecord {
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
}

const TYPES: readonly BaseType[] = ["string", "json", "none", "expired"];
const JSON_TEXT = 1;
const NONE = 2;
const EXPIRED = 3;

const TYPE_MASK = 0x0f;
const COUNTER = 0x20;
const EXPIRY_SET = 0x40;
const EXPIRES = 0x80;
const NOT_PLAIN = COUNTER | EXPIRY_SET;

const STAMP_AT = 1;
const ORIGIN_AT = 9;
const NUMBER_AT = 13;
const HEAD_BYTES = 19;
const EXPIRES_BYTES = 8;
const STAMPED_BYTES = 18;
const COUNTS_BYTES = 4;
const SLOT_BYTES = 56;
const SEEN_BYTES = 36;

const NOTHING_COUNTED: readonly never[] = [];

/** Of what was never set. */
export const NO_BASE: Stamped = { origin: replicaId(0), number: 0, stamp: NO_STAMP };

/** Of what is no value. */
export const NO_VALUE: StoredRecord = { bytes: EMPTY_BYTES, start: 0, end: 0 };

// What can be told without making an object of it.

/** Of the base. */
export const stampOf = ({ bytes, start }: StoredRecord): Stamp =>
  bytes.readDoubleLE(start + STAMP_AT) as Stamp;

/** Of the base. */
export const originOf = ({ bytes, start }: StoredRecord): ReplicaId =>
  bytes.readUInt32LE(start + ORIGIN_AT) as ReplicaId;

/** Of the base. */
export const numberOf = ({ bytes, start }: StoredRecord): number => bytes.readUIntLE(start + NUMBER_AT, 6);

export const typeOf = ({ bytes, start }: StoredRecord): BaseType => TYPES[bytes[start] & TYPE_MASK];

/** 0 for never. */
export const expiresAtOf = ({ bytes, start }: StoredRecord): number =>
  bytes[start] >= EXPIRES ? bytes.readDoubleLE(start + HEAD_BYTES) : 0;

/** Neither counted nor with a change of the expiry alone: a base and nothing else. */
export const isPlain = ({ bytes, start }: StoredRecord): boolean => (bytes[start] & NOT_PLAIN) === 0;

/** The base is a value. */
export const isValue = ({ bytes, start }: StoredRecord): boolean => (bytes[start] & TYPE_MASK) <= JSON_TEXT;

/** The base is a deletion, or was deleted by its expiry: it is to go once every replica has it. */
export function isTombstone(stored: StoredRecord): boolean {
  const type = stored.bytes[stored.start] & TYPE_MASK;
  return type === EXPIRED || (type === NONE && stampOf(stored) !== NO_STAMP);
}

/** Where the value begins. */
export function valueStartOf({ bytes, start }: StoredRecord): number {
  const flags = bytes[start];
  const at = start + (flags >= EXPIRES ? HEAD_BYTES + EXPIRES_BYTES : HEAD_BYTES);
  if ((flags & NOT_PLAIN) === 0) return at;
  const counterAt = (flags & EXPIRY_SET) === 0 ? at : at + STAMPED_BYTES;
  return (flags & COUNTER) === 0 ? counterAt : counterAt + counterBytesAt(bytes, counterAt);
}

/** Of two plain records: whether the base of `a` is later than that of `b`. */
export function isLaterStored(a: StoredRecord, b: StoredRecord): boolean {
  const stampA = stampOf(a);
  const stampB = stampOf(b);
  return stampA > stampB || (stampA === stampB && originOf(a) > originOf(b));
}

// Reading.

/** The record; its value stays where it is. Of bytes that were written here, or have passed `checkRecord`. */
export function readEventual(stored: StoredRecord): EventualRecord {
  const { bytes, start, end } = stored;
  const flags = bytes[start];
  let at = start + HEAD_BYTES;
  let expiresAtMs = 0;
  if (flags >= EXPIRES) {
    expiresAtMs = bytes.readDoubleLE(at);
    at += EXPIRES_BYTES;
  }
  let expiry: Stamped | undefined;
  if ((flags & EXPIRY_SET) !== 0) {
    expiry = readStamped(bytes, at);
    at += STAMPED_BYTES;
  }
  let slots: readonly CounterSlot[] = NOTHING_COUNTED;
  let seen: readonly SeenSlot[] = NOTHING_COUNTED;
  if ((flags & COUNTER) !== 0) {
    slots = readSlots(bytes, at);
    seen = readSeen(bytes, at);
    at += counterBytesAt(bytes, at);
  }
  const base = readStamped(bytes, start + STAMP_AT);
  return { type: TYPES[flags & TYPE_MASK], base, expiresAtMs, expiry, slots, seen, bytes, start: at, end };
}

function readStamped(bytes: Bytes, at: number): Stamped {
  return {
    origin: bytes.readUInt32LE(at + 8) as ReplicaId,
    number: bytes.readUIntLE(at + 12, 6),
    stamp: bytes.readDoubleLE(at) as Stamp,
  };
}

const slotCountAt = (bytes: Bytes, at: number): number => bytes.readUIntLE(at, 2);
const seenCountAt = (bytes: Bytes, at: number): number => bytes.readUIntLE(at + 2, 2);

function counterBytesAt(bytes: Bytes, at: number): number {
  return COUNTS_BYTES + slotCountAt(bytes, at) * SLOT_BYTES + seenCountAt(bytes, at) * SEEN_BYTES;
}

function readSlots(bytes: Bytes, counterAt: number): CounterSlot[] {
  const slots: CounterSlot[] = [];
  let at = counterAt + COUNTS_BYTES;
  for (let left = slotCountAt(bytes, counterAt); left > 0; left -= 1, at += SLOT_BYTES) {
    slots.push({
      origin: bytes.readUInt32LE(at) as ReplicaId,
      number: bytes.readUIntLE(at + 4, 6),
      stamp: bytes.readDoubleLE(at + 10) as Stamp,
      born: bytes.readUIntLE(at + 18, 6),
      bornAtMs: bytes.readDoubleLE(at + 24),
      endsAtMs: bytes.readDoubleLE(at + 32),
      sum: readSum(bytes, at + 40),
    });
  }
  return slots;
}

function readSeen(bytes: Bytes, counterAt: number): SeenSlot[] {
  const seen: SeenSlot[] = [];
  let at = counterAt + COUNTS_BYTES + slotCountAt(bytes, counterAt) * SLOT_BYTES;
  for (let left = seenCountAt(bytes, counterAt); left > 0; left -= 1, at += SEEN_BYTES) {
    seen.push({
      origin: bytes.readUInt32LE(at) as ReplicaId,
      number: bytes.readUIntLE(at + 4, 6),
      sum: readSum(bytes, at + 20),
      by: { origin: bytes.readUInt32LE(at + 10) as ReplicaId, number: bytes.readUIntLE(at + 14, 6) },
    });
  }
  return seen;
}

const U32 = 2 ** 32;
const NEGATIVE = 0x8000_0000;
/** As many of the second word's values make a number that is exact. */
const EXACT_HIGH = 2 ** 21;

function readSum(bytes: Bytes, at: number): bigint {
  const low = bytes.readUInt32LE(at);
  const high = bytes.readUInt32LE(at + 4);
  const upperLow = bytes.readUInt32LE(at + 8);
  const upperHigh = bytes.readUInt32LE(at + 12);
  if (upperLow === 0 && upperHigh === 0 && high < EXACT_HIGH) return BigInt(high * U32 + low);
  const upper = BigInt(upperHigh >= NEGATIVE ? upperHigh - U32 : upperHigh);
  return (((upper << 32n) | BigInt(upperLow)) << 64n) | (BigInt(high) << 32n) | BigInt(low);
}

// Writing.

/** Of a record when it is laid out. */
export function recordBytes(record: EventualRecord): number {
  return headBytes(record) + record.end - record.start;
}

/** Of a base of `valueBytes` and nothing else. */
export function plainBytes(valueBytes: number, expiresAtMs: number): number {
  return (expiresAtMs === 0 ? HEAD_BYTES : HEAD_BYTES + EXPIRES_BYTES) + valueBytes;
}

const isCounted = ({ slots, seen }: EventualRecord): boolean => slots.length + seen.length > 0;

function headBytes(record: EventualRecord): number {
  const { slots, seen, expiry, expiresAtMs } = record;
  const counterBytes = isCounted(record)
    ? COUNTS_BYTES + slots.length * SLOT_BYTES + seen.length * SEEN_BYTES
    : 0;
  return plainBytes(0, expiresAtMs) + (expiry === undefined ? 0 : STAMPED_BYTES) + counterBytes;
}

/** Lays a record out at `at` of `target`. */
export function writeEventual(target: Bytes, at: number, record: EventualRecord): void {
  const { type, base, expiresAtMs, expiry, bytes, start, end } = record;
  target[at] =
    TYPES.indexOf(type) |
    (expiresAtMs === 0 ? 0 : EXPIRES) |
    (expiry === undefined ? 0 : EXPIRY_SET) |
    (isCounted(record) ? COUNTER : 0);
  writeStamped(target, at + STAMP_AT, base.stamp, base.origin, base.number);
  let to = at + HEAD_BYTES;
  if (expiresAtMs !== 0) {
    target.writeDoubleLE(expiresAtMs, to);
    to += EXPIRES_BYTES;
  }
  if (expiry !== undefined) {
    writeStamped(target, to, expiry.stamp, expiry.origin, expiry.number);
    to += STAMPED_BYTES;
  }
  if (isCounted(record)) to = writeCounterPart(target, to, record);
  copyInto(target, to, bytes, start, end);
}

/** Lays a base and nothing else out at `at` of `target`: its value is `bytes[start, end)`. */
export function writePlain(
  target: Bytes,
  at: number,
  type: BaseType,
  stamp: Stamp,
  origin: ReplicaId,
  number: number,
  expiresAtMs: number,
  bytes: Bytes,
  start: number,
  end: number,
): void {
  target[at] = TYPES.indexOf(type) | (expiresAtMs === 0 ? 0 : EXPIRES);
  writeStamped(target, at + STAMP_AT, stamp, origin, number);
  if (expiresAtMs !== 0) target.writeDoubleLE(expiresAtMs, at + HEAD_BYTES);
  copyInto(target, at + plainBytes(0, expiresAtMs), bytes, start, end);
}

function writeStamped(target: Bytes, at: number, stamp: Stamp, origin: ReplicaId, number: number): void {
  target.writeDoubleLE(stamp, at);
  target.writeUInt32LE(origin, at + 8);
  target.writeUIntLE(number, at + 12, 6);
}

/** Returns where it ends. */
function writeCounterPart(target: Bytes, counterAt: number, { slots, seen }: EventualRecord): number {
  target.writeUIntLE(slots.length, counterAt, 2);
  target.writeUIntLE(seen.length, counterAt + 2, 2);
  let at = counterAt + COUNTS_BYTES;
  for (const slot of slots) {
    target.writeUInt32LE(slot.origin, at);
    target.writeUIntLE(slot.number, at + 4, 6);
    target.writeDoubleLE(slot.stamp, at + 10);
    target.writeUIntLE(slot.born, at + 18, 6);
    target.writeDoubleLE(slot.bornAtMs, at + 24);
    target.writeDoubleLE(slot.endsAtMs, at + 32);
    writeSum(target, at + 40, slot.sum);
    at += SLOT_BYTES;
  }
  for (const each of seen) {
    target.writeUInt32LE(each.origin, at);
    target.writeUIntLE(each.number, at + 4, 6);
    target.writeUInt32LE(each.by.origin, at + 10);
    target.writeUIntLE(each.by.number, at + 14, 6);
    writeSum(target, at + 20, each.sum);
    at += SEEN_BYTES;
  }
  return at;
}

const WORD = 0xffff_ffffn;

function writeSum(target: Bytes, at: number, sum: bigint): void {
  for (let i = 0; i < 4; i += 1) {
    target.writeUInt32LE(Number((sum >> BigInt(32 * i)) & WORD), at + 4 * i);
  }
}

// Checking.

/** Beyond what a replica could ever add up: 2^48 additions of 2^63. */
const SUM_MAX = 2n ** 112n;

const malformed = (problem: string): MinikeyError =>
  new MinikeyError("PROTOCOL", `malformed record: ${problem}`);

/** For bytes from another node: throws `MinikeyError` `PROTOCOL` unless they are a record. */
export function checkRecord(stored: StoredRecord): void {
  const { bytes, start, end } = stored;
  const sizeBytes = end - start;
  if (sizeBytes < HEAD_BYTES) throw malformed(`${sizeBytes} bytes`);
  const flags = bytes[start];
  if ((flags & TYPE_MASK) > EXPIRED || (flags & ~(TYPE_MASK | NOT_PLAIN | EXPIRES)) !== 0) {
    throw malformed(`flags ${flags}`);
  }
  const at = start + (flags >= EXPIRES ? HEAD_BYTES + EXPIRES_BYTES : HEAD_BYTES);
  const counterAt = (flags & EXPIRY_SET) === 0 ? at : at + STAMPED_BYTES;
  const counterEnd = (flags & COUNTER) === 0 ? counterAt : counterAt + COUNTS_BYTES;
  if (counterEnd > end || valueStartOf(stored) > end) throw malformed(`only ${sizeBytes} bytes`);
  checkParts(readEventual(stored), flags);
}

function checkParts(record: EventualRecord, flags: number): void {
  checkBase(record);
  const { expiresAtMs, expiry, slots, seen } = record;
  if (expiry !== undefined) {
    checkWrite(expiry);
    const later = expiry.stamp - record.base.stamp || expiry.origin - record.base.origin;
    if (later <= 0) throw malformed("an expiry set before its base");
  }
  if (flags >= EXPIRES && (expiresAtMs === 0 || !isTime(expiresAtMs))) {
    throw malformed(`expires at ${expiresAtMs}`);
  }
  if ((flags & COUNTER) !== 0 && !isCounted(record)) throw malformed("an empty counter");
  if (isEmpty(record)) throw malformed("nothing in it");
  for (const [i, slot] of slots.entries()) checkSlot(slot, slots[i - 1], seen);
  for (const [i, each] of seen.entries()) {
    checkCount(each, seen[i - 1]);
    if (each.by.number === 0) throw malformed("a write with the number 0");
  }
}

function checkBase({ type, base, expiresAtMs, expiry, start, end }: EventualRecord): void {
  if (base.stamp !== NO_STAMP) checkWrite(base);
  else if (type !== "none" || base.number !== 0 || base.origin !== 0)
    throw malformed("a value without a stamp");
  if (type === "none" && (expiresAtMs !== 0 || expiry !== undefined))
    throw malformed("a deletion that expires");
  if ((type === "none" || type === "expired") && start < end) throw malformed("a value of no type");
}

/** Says nothing. */
export function isEmpty({ base, slots, seen }: EventualRecord): boolean {
  return base.stamp === NO_STAMP && slots.length + seen.length === 0;
}

const isTime = (ms: number): boolean => Number.isSafeInteger(ms) && ms >= 0;

function checkWrite({ stamp, number }: Stamped): void {
  if (!isStamp(stamp) || stamp === NO_STAMP) throw malformed(`stamp ${stamp}`);
  if (number === 0) throw malformed("a write with the number 0");
}

function checkSlot(slot: CounterSlot, before: CounterSlot | undefined, seen: readonly SeenSlot[]): void {
  checkWrite(slot);
  checkCount(slot, before);
  const { origin, number, born, bornAtMs, endsAtMs } = slot;
  if (born === 0 || born > number) throw malformed("a slot that begins after its end");
  if (!isTime(bornAtMs) || !isTime(endsAtMs)) throw malformed("a slot of no time");
  if (seen.some((each) => each.origin === origin && each.number >= number))
    throw malformed("a slot written over");
}

function checkCount({ origin, number, sum }: SeenCount, before: SeenCount | undefined): void {
  if (before !== undefined && before.origin >= origin) throw malformed("origins out of order");
  if (number === 0) throw malformed("a write with the number 0");
  if (sum > SUM_MAX || sum < -SUM_MAX) throw malformed("a sum that cannot be");
}

type SeenCount = Pick<SeenSlot, "origin" | "number" | "sum">;
