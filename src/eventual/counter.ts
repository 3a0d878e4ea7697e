/**
 * Counters that lose no addition (docs/adr/0014): what each replica has added lies in a slot of its own, beside the
 * base. Who writes a base over it says of each slot how much of it there was: that is written over, for good, and what
 * was added without its knowing counts on.
 *
 * ```
 *   slot of n1:   born 4 ────────── 9 ───────── 17         its writes that added to the key, and their sum
 *                                   │
 *   written over:            up to 9, adding up to 5
 *                                   └── sum − 5 ──┘        counts
 *
 *   value = base + Σ of each slot:   nothing      when all of it was written over (there is no such slot then)
 *                                    sum − seen   when its beginning was
 *                                    sum          when nothing was, or only what was before `born`
 * ```
 * A base that is a deletion counts as 0. Beside a base that is no integer nothing counts: the text is shown, and what
 * was added at the same time as it was set is not. A sum beyond 64 bits, which additions on several replicas can come
 * to though none of them would allow it alone, is shown as the bound; what was added is still known, so subtracting
 * leads back.
 *
 * **Expiry** is no write, so nobody says what it has seen; and each replica drops what has expired in its own time. From
 * the times in a slot all tell the same of it:
 * - Beside a base that has expired, only slots count that began later than that: on a replica that had dropped it.
 * - Beside a later base, a slot counts if that base was written before the slot's key expired. Else who wrote it had
 *   seen the slot, or dropped it.
 * A slot may have another end than its key, when who added to it did not know of the expiry: such a slot is not dropped
 * before its replica has written the end into it (`isUnended`).
 */
import { latin1ToBytes } from "../core/bytes.js";
import { stampAt } from "../core/hybrid-clock.js";
import { INT64_MAX, INT64_MIN, type Int64, parseInt64 } from "../core/int64.js";
import { NO_BASE, NO_VALUE, type StoredRecord } from "./record.js";
import type { CounterSlot, Dot, EventualRecord, SeenSlot, Stamped } from "./types.js";

/** The value of what has expired is dropped so long after: then it has on all replicas. */
export const DROPPED_AFTER_MS = 2000;
/** A slot that began so long after its key's expiry began after it, and a base written so long after it, too. */
const CLEARLY_AFTER_MS = 1500;

/** The base's expiry has come, whether its value was dropped for it or not. */
export function isExpired(record: EventualRecord, nowMs: number): boolean {
  return record.type === "expired" || (record.expiresAtMs !== 0 && record.expiresAtMs <= nowMs);
}

/** There is such a key: a value, or a counter that was never set, was deleted or expired, and was added to since. */
export function exists(record: EventualRecord, nowMs: number): boolean {
  return (record.type !== "none" && !isExpired(record, nowMs)) || hasCounting(record, nowMs);
}

/** Some of what was added counts, be it 0. */
export function hasCounting(record: EventualRecord, nowMs: number): boolean {
  for (const slot of record.slots) if (counts(slot, record, nowMs)) return true;
  return false;
}

/** Whether something of the slot counts. */
export function counts(slot: CounterSlot, record: EventualRecord, nowMs: number): boolean {
  if (isExpired(record, nowMs) && slot.bornAtMs <= record.expiresAtMs + CLEARLY_AFTER_MS) return false;
  return !endedBefore(slot, record.base);
}

/** The slot's key had expired when the later base was written. Does not change with time. */
export function endedBefore({ stamp, endsAtMs }: CounterSlot, base: Stamped): boolean {
  return endsAtMs !== 0 && base.stamp > stamp && base.stamp > stampAt(endsAtMs + CLEARLY_AFTER_MS);
}

/** The slot has expired with its base, and does not say so. */
export function isUnended(slot: CounterSlot, record: EventualRecord): boolean {
  if (record.type !== "expired" || counts(slot, record, 0)) return false;
  return slot.endsAtMs === 0 || slot.endsAtMs > record.expiresAtMs;
}

/** What was written over of an origin's additions. */
export function seenOfOrigin({ origin }: Dot, seen: readonly SeenSlot[]): SeenSlot | undefined {
  for (const each of seen) if (each.origin === origin) return each;
  return undefined;
}

/** The beginning of the slot was written over, and its end was not. */
export function isSplit(slot: CounterSlot, seen: readonly SeenSlot[]): boolean {
  return (seenOfOrigin(slot, seen)?.number ?? 0) >= slot.born;
}

function countedOf(slot: CounterSlot, seen: readonly SeenSlot[]): bigint {
  const before = seenOfOrigin(slot, seen);
  return before === undefined || before.number < slot.born ? slot.sum : slot.sum - before.sum;
}

/** What the counter comes to, within 64 bits; undefined when the record shows its base as it is. */
export function counterValue(record: EventualRecord, nowMs: number): bigint | undefined {
  if (record.slots.length === 0 || !hasCounting(record, nowMs)) return undefined;
  const base = baseOf(record, nowMs);
  if (base === undefined) return undefined;
  let value = BigInt(base);
  for (const slot of record.slots) {
    if (counts(slot, record, nowMs)) value += countedOf(slot, record.seen);
  }
  if (value > INT64_MAX) return INT64_MAX;
  return value < INT64_MIN ? INT64_MIN : value;
}

function baseOf(record: EventualRecord, nowMs: number): Int64 | undefined {
  const { type, bytes, start, end } = record;
  if (type === "none" || isExpired(record, nowMs)) return 0;
  return type === "string" ? parseInt64(bytes, start, end) : undefined;
}

/** A record that `exists`, as it is shown: what a counter comes to in memory of its own, else the value where it lies. */
export interface Shown extends StoredRecord {
  readonly type: "string" | "json";
  /** 0 for never: nor does a counter over a base that has expired. */
  readonly expiresAtMs: number;
}

export function shown(record: EventualRecord, nowMs: number): Shown {
  const expiresAtMs = shownExpiry(record, nowMs);
  const value = counterValue(record, nowMs);
  if (value === undefined) {
    const { type, bytes, start, end } = record;
    return { type: type === "json" ? type : "string", expiresAtMs, bytes, start, end };
  }
  const bytes = latin1ToBytes(value.toString());
  return { type: "string", expiresAtMs, bytes, start: 0, end: bytes.length };
}

function shownExpiry(record: EventualRecord, nowMs: number): number {
  return isExpired(record, nowMs) ? 0 : record.expiresAtMs;
}

/** What is written over by `by`, which has seen those slots, and what was before. */
export function writtenOver(
  slots: readonly CounterSlot[],
  seen: readonly SeenSlot[],
  by: Dot,
): readonly SeenSlot[] {
  if (slots.length === 0) return seen;
  const { origin, number } = by;
  return mergeSeen(
    seen,
    slots.map((slot) => ({
      origin: slot.origin,
      number: slot.number,
      sum: slot.sum,
      by: { origin, number },
    })),
  );
}

/** Of each origin what reaches further; of the same the earlier writer. It is `a` itself when `b` brings nothing. */
export function mergeSeen(a: readonly SeenSlot[], b: readonly SeenSlot[]): readonly SeenSlot[] {
  return mergeByOrigin(a, b, compareSeen);
}

const compareSeen = (a: SeenSlot, b: SeenSlot): number =>
  a.number - b.number || b.by.origin - a.by.origin || b.by.number - a.by.number;

/** Of each origin the greater one. It is `a` itself when `b` brings nothing, and `b` itself when `a` is empty. */
export function mergeByOrigin<T extends Dot>(
  a: readonly T[],
  b: readonly T[],
  compare: (x: T, y: T) => number,
): readonly T[] {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  const merged: T[] = [];
  let brought = false;
  let i = 0;
  for (const each of b) {
    while (i < a.length && a[i].origin < each.origin) merged.push(a[i++]);
    const own = i < a.length && a[i].origin === each.origin ? a[i++] : undefined;
    const isGreater = own === undefined || compare(each, own) > 0;
    merged.push(isGreater ? each : own);
    brought ||= isGreater;
  }
  if (!brought) return a;
  while (i < a.length) merged.push(a[i++]);
  return merged;
}

/**
 * The record after its replica's write `write` has added `by`: to what is there, or to 0. Whoever calls has made sure
 * that what is there is an integer, or nothing, and that the value stays within 64 bits.
 */
export function addTo(
  here: EventualRecord | undefined,
  write: Stamped,
  by: Int64,
  nowMs: number,
): EventualRecord {
  if (here === undefined) return counting(NO_BASE, [newSlot(write, by, nowMs, 0)], []);
  const own = here.slots.find(({ origin }) => origin === write.origin);
  if (own !== undefined && counts(own, here, nowMs)) {
    const { origin, number, stamp } = write;
    const { born, bornAtMs } = own;
    const endsAtMs = shownExpiry(here, nowMs);
    const slot = { origin, number, stamp, born, bornAtMs, endsAtMs, sum: own.sum + BigInt(by) };
    return { ...here, slots: withSlot(here.slots, slot) };
  }
  const slot = newSlot(write, by, nowMs, shownExpiry(here, nowMs));
  if (!isExpired(here, nowMs)) return { ...here, slots: withSlot(here.slots, slot) };
  // A deletion of what has expired: only so do all know what was there of it.
  const alive = here.slots.filter((each) => counts(each, here, nowMs));
  const dead = here.slots.filter((each) => !counts(each, here, nowMs));
  return counting(write, withSlot(alive, slot), writtenOver(dead, here.seen, write));
}

function counting(base: Stamped, slots: readonly CounterSlot[], seen: readonly SeenSlot[]): EventualRecord {
  return { type: "none", base, expiresAtMs: 0, expiry: undefined, slots, seen, ...NO_VALUE };
}

function newSlot(write: Stamped, by: Int64, bornAtMs: number, endsAtMs: number): CounterSlot {
  const { origin, number, stamp } = write;
  return { origin, number, stamp, born: number, bornAtMs, endsAtMs, sum: BigInt(by) };
}

const withSlot = (slots: readonly CounterSlot[], slot: CounterSlot): readonly CounterSlot[] =>
  mergeByOrigin(slots, [slot], (a, b) => a.number - b.number);
