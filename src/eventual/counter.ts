/**
 * Counters that lose no addition (docs/adr/0014): what each replica has added lies in a slot of its own, beside the
 * base, which says how much of each slot it has seen.
 *
 * ```
 *   slot of n1:   born 4 ────────── 9 ───────── 17         its writes that added to the key, and their sum
 *                                   │
 *   base:                     seen up to 9, adding up to 5
 *                                   └── sum − 5 ──┘        counts
 *
 *   value = base + Σ of each slot:   0            when the base has seen all of it
 *                                    sum − seen   when it has seen the beginning
 *                                    sum          when it has seen nothing, or only what was before `born`
 * ```
 * A base that is a deletion counts as 0. Beside a base that is no integer nothing counts: the text is shown, and what
 * was added at the same time as it was set is not. A sum beyond 64 bits, which additions on several replicas can come
 * to though none of them would allow it alone, is shown as the bound; what was added is still known, so subtracting
 * leads back.
 */

import { latin1ToBytes } from "../core/bytes.js";
import { INT64_MAX, INT64_MIN, type Int64, parseInt64 } from "../core/int64.js";
import { NO_BASE, NO_VALUE, type StoredRecord } from "./record.js";
import type { CounterSlot, EventualRecord, SeenSlot, Stamped } from "./types.js";

/** Its expiry has come, whether the value was dropped for it or not. */
export function isExpired(record: EventualRecord, nowMs: number): boolean {
  return record.type === "expired" || (record.expiresAtMs !== 0 && record.expiresAtMs <= nowMs);
}

/** There is such a key: a value, or a counter that was deleted, or never set, and has been added to since. */
export function exists(record: EventualRecord, nowMs: number): boolean {
  if (isExpired(record, nowMs)) return false;
  return record.type !== "none" || hasCounting(record);
}

/** Some of what was added counts, be it 0. */
export function hasCounting({ slots, seen }: EventualRecord): boolean {
  for (const slot of slots) if (slot.number > seenUpTo(slot, seen)) return true;
  return false;
}

/** Up to which write of the slot's replica the base has seen it; 0 for nothing. */
export function seenUpTo(slot: CounterSlot, seen: readonly SeenSlot[]): number {
  return seenOfOrigin(slot, seen)?.number ?? 0;
}

function seenOfOrigin({ origin }: CounterSlot, seen: readonly SeenSlot[]): SeenSlot | undefined {
  for (const each of seen) if (each.origin === origin) return each;
  return undefined;
}

/** What of the slot counts. */
function countedOf(slot: CounterSlot, seen: readonly SeenSlot[]): bigint {
  const before = seenOfOrigin(slot, seen);
  if (before === undefined || before.number < slot.born) return slot.sum;
  return before.number < slot.number ? slot.sum - before.sum : 0n;
}

/** What the counter comes to, within 64 bits; undefined when the record shows its base as it is. */
export function counterValue(record: EventualRecord): bigint | undefined {
  if (record.slots.length === 0 || !hasCounting(record)) return undefined;
  const base = baseOf(record);
  if (base === undefined) return undefined;
  let value = BigInt(base);
  for (const slot of record.slots) value += countedOf(slot, record.seen);
  if (value > INT64_MAX) return INT64_MAX;
  return value < INT64_MIN ? INT64_MIN : value;
}

function baseOf({ type, bytes, start, end }: EventualRecord): Int64 | undefined {
  if (type === "none") return 0;
  return type === "string" ? parseInt64(bytes, start, end) : undefined;
}

/** The value of a record that `exists`, as it is shown: of a counter in memory of its own, else where it lies. */
export function shownValue(record: EventualRecord): StoredRecord {
  const value = counterValue(record);
  if (value === undefined) return record;
  const bytes = latin1ToBytes(value.toString());
  return { bytes, start: 0, end: bytes.length };
}

/** What a base that is written over the record has seen: all that the record has, and all that its base had. */
export function seenOf({ slots, seen }: EventualRecord): readonly SeenSlot[] {
  if (slots.length === 0) return seen;
  const all: SeenSlot[] = [];
  let i = 0;
  for (const { origin, number, sum } of slots) {
    while (i < seen.length && seen[i].origin < origin) all.push(seen[i++]);
    const before = i < seen.length && seen[i].origin === origin ? seen[i++] : undefined;
    all.push(before !== undefined && before.number >= number ? before : { origin, number, sum });
  }
  while (i < seen.length) all.push(seen[i++]);
  return all;
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
  if (here === undefined) return counting(NO_BASE, [newSlot(write, by)], []);
  const slots = addToSlots(here.slots, write, by);
  if (exists(here, nowMs) || !leavesExpiry(here)) return { ...here, slots };
  return counting(write, slots, seenOf(here));
}

/** What is gone counts no more, and its expiry is not the new counter's: that needs a deletion that has seen it all. */
const leavesExpiry = ({ type, expiresAtMs }: EventualRecord): boolean =>
  type === "expired" || expiresAtMs !== 0;

function counting(base: Stamped, slots: readonly CounterSlot[], seen: readonly SeenSlot[]): EventualRecord {
  return { type: "none", base, expiresAtMs: 0, expiry: undefined, slots, seen, ...NO_VALUE };
}

const newSlot = ({ origin, number, stamp }: Stamped, by: Int64): CounterSlot => ({
  origin,
  number,
  stamp,
  born: number,
  sum: BigInt(by),
});

function addToSlots(slots: readonly CounterSlot[], write: Stamped, by: Int64): CounterSlot[] {
  const { origin, number, stamp } = write;
  const after = slots.slice();
  let at = 0;
  while (at < after.length && after[at].origin < origin) at += 1;
  if (at === after.length || after[at].origin !== origin) after.splice(at, 0, newSlot(write, by));
  else after[at] = { origin, number, stamp, born: after[at].born, sum: after[at].sum + BigInt(by) };
  return after;
}
