/**
 * How the records of two replicas become one (docs/adr/0014): the later base, the later change of the expiry if that
 * is later than the base, and of each replica's additions the later.
 *
 * `merge` is commutative, associative and idempotent, since each part is a maximum of its own: the base by stamp and
 * origin, with what it has seen and how it expires; the change of the expiry likewise, left out when the base is
 * later, as every base that wins after it will be; a slot by its number. A base that has expired here and lives on
 * elsewhere counts as the same base, of which the value is more.
 */
import { allocOwnBytes, type Bytes } from "../core/bytes.js";
import { laterStamp, NO_STAMP, type Stamp } from "../core/hybrid-clock.js";
import { NO_BASE, NO_VALUE, recordBytes, writeEventual } from "./record.js";
import type { BaseType, CounterSlot, Dot, EventualRecord, Stamped } from "./types.js";
import type { VersionVector } from "./version-vector.js";

/** Above 0: `a` is later. 0: they are the same write. */
export function compareStamped(a: Stamped, b: Stamped): number {
  return a.stamp - b.stamp || a.origin - b.origin || a.number - b.number;
}

const sameDot = (a: Dot, b: Dot): boolean => a.origin === b.origin && a.number === b.number;

/** Of the same base: which says more. */
const WORTH: Readonly<Record<BaseType, number>> = { string: 2, json: 2, none: 1, expired: 0 };

/**
 * What both say. It is `a` itself when `b` brings nothing, and often `b` itself when `a` adds nothing to it.
 */
export function merge(a: EventualRecord, b: EventualRecord): EventualRecord {
  const based = (compareStamped(a.base, b.base) || WORTH[a.type] - WORTH[b.type]) >= 0 ? a : b;
  const later = laterExpiry(a, b);
  const expiring = later.expiry !== undefined && compareStamped(later.expiry, based.base) > 0 ? later : based;
  const slots = mergeSlots(a.slots, b.slots);
  if (based === a && expiring === a && slots === a.slots) return a;
  if (based === b && expiring === b && slots === b.slots) return b;
  const { type, base, seen, bytes, start, end } = based;
  const { expiresAtMs, expiry } = expiring;
  return { type, base, expiresAtMs, expiry, slots, seen, bytes, start, end };
}

/** The one whose expiry was changed later; `a` when neither or both at once. */
function laterExpiry(a: EventualRecord, b: EventualRecord): EventualRecord {
  if (b.expiry === undefined) return a;
  return a.expiry === undefined || compareStamped(b.expiry, a.expiry) > 0 ? b : a;
}

/** It is `a` itself when `b` brings nothing. */
function mergeSlots(a: readonly CounterSlot[], b: readonly CounterSlot[]): readonly CounterSlot[] {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  const merged: CounterSlot[] = [];
  let brought = false;
  let i = 0;
  for (const slot of b) {
    while (i < a.length && a[i].origin < slot.origin) merged.push(a[i++]);
    const own = i < a.length && a[i].origin === slot.origin ? a[i++] : undefined;
    const isLater = own === undefined || slot.number > own.number;
    merged.push(isLater ? slot : own);
    brought ||= isLater;
  }
  if (!brought) return a;
  while (i < a.length) merged.push(a[i++]);
  return merged;
}

/**
 * Of a record from elsewhere, what may still be taken by a replica that has everything up to `vector`, with `here` for
 * the key: a part whose write the vector has was here already, and is here still, or was followed by something later,
 * or dropped. Undefined: nothing may.
 *
 * When some part is new and there is no base here, or only what expired of the same base, the record is taken whole:
 * had its base been deleted, and the deletion been dropped, the vector would have had every part that was written
 * without knowing of it.
 */
export function withoutCovered(
  record: EventualRecord,
  vector: VersionVector,
  here: EventualRecord | undefined,
): EventualRecord | undefined {
  const { base, expiry, slots } = record;
  const hasBase = base.stamp !== NO_STAMP;
  const newBase = hasBase && !vector.has(base);
  const newExpiry = expiry !== undefined && !vector.has(expiry);
  const newSlots = slots.filter((slot) => !vector.has(slot));
  if (!newBase && !newExpiry && newSlots.length === 0) return undefined;
  const ownExpiry = expiry === undefined || newExpiry || newBase;
  if (newSlots.length === slots.length && ownExpiry && (newBase || !hasBase)) return record;
  if (here === undefined || here.base.stamp === NO_STAMP) return record;
  if (here.type === "expired" && sameDot(here.base, base)) return record;
  // With a base goes its expiry, which no other part says.
  if (newBase) return { ...record, slots: newSlots };
  const { expiresAtMs } = newExpiry ? record : NEVER;
  return {
    type: "none",
    base: NO_BASE,
    expiresAtMs,
    expiry: newExpiry ? expiry : undefined,
    slots: newSlots,
    seen: [],
    ...NO_VALUE,
  };
}

const NEVER = { expiresAtMs: 0 } as const;

/** Every write of which something is in the record: its base, the change of its expiry, its slots. */
export function isCovered({ base, expiry, slots }: EventualRecord, vector: VersionVector): boolean {
  if (base.stamp !== NO_STAMP && !vector.has(base)) return false;
  if (expiry !== undefined && !vector.has(expiry)) return false;
  return slots.every((slot) => vector.has(slot));
}

/** The writes of which something is in the record. */
export function writesOf({ base, expiry, slots }: EventualRecord): readonly Dot[] {
  const writes: Dot[] = base.stamp === NO_STAMP ? [] : [base];
  if (expiry !== undefined) writes.push(expiry);
  return slots.length === 0 ? writes : [...writes, ...slots];
}

/** Later than everything of the record is what is later than this. */
export function latestStamp({ base, expiry, slots }: EventualRecord): Stamp {
  let latest = expiry === undefined ? base.stamp : laterStamp(base.stamp, expiry.stamp);
  for (const { stamp } of slots) latest = laterStamp(latest, stamp);
  return latest;
}

/** Whether both say the same. */
export function sameRecord(a: EventualRecord, b: EventualRecord): boolean {
  return recordBytes(a) === recordBytes(b) && laidOut(a).equals(laidOut(b));
}

function laidOut(record: EventualRecord): Bytes {
  const bytes = allocOwnBytes(recordBytes(record));
  writeEventual(bytes, 0, record);
  return bytes;
}
