/**
 * How the records of two replicas become one (docs/adr/0014): the later base with its expiry; of the same base the
 * later change of that; of each replica's additions the later, and what reaches further of what was written over.
 *
 * `merge` is commutative, associative and idempotent, since each part is a maximum: the base by stamp and origin; of
 * the same base, the expiry by its stamp and origin, and the value rather than what expired of it; a slot, and what
 * was written over of it, by its number. A slot is left out when all of it was written over, which no merge undoes.
 */
import { allocOwnBytes, type Bytes } from "../core/bytes.js";
import { laterStamp, NO_STAMP, type Stamp } from "../core/hybrid-clock.js";
import { mergeByOrigin, mergeSeen, seenOfOrigin } from "./counter.js";
import { recordBytes, writeEventual } from "./record.js";
import type { BaseType, CounterSlot, Dot, EventualRecord, SeenSlot, Stamped } from "./types.js";
import type { VersionVector } from "./version-vector.js";

/** Above 0: `a` is later. 0: they are the same write. */
export function compareStamped(a: Stamped, b: Stamped): number {
  return a.stamp - b.stamp || a.origin - b.origin || a.number - b.number;
}

/** Of the same base: which says more. */
const WORTH: Readonly<Record<BaseType, number>> = { string: 2, json: 2, none: 1, expired: 0 };

/** What both say. It is `a` itself when `b` brings nothing, and `b` itself where that is as easy to see. */
export function merge(a: EventualRecord, b: EventualRecord): EventualRecord {
  const bases = compareStamped(a.base, b.base);
  const based = (bases || WORTH[a.type] - WORTH[b.type]) >= 0 ? a : b;
  // Of the same base the later change of its expiry; another base's expiry goes with it.
  const expiring = bases === 0 ? laterExpiry(a, b) : based;
  const seen = mergeSeen(a.seen, b.seen);
  const left = withoutWrittenOver(a.slots, seen);
  const slots = mergeByOrigin(left, withoutWrittenOver(b.slots, seen), compareSlots);
  if (based === a && expiring === a && slots === a.slots && seen === a.seen) return a;
  if (based === b && expiring === b && isSameList(slots, b.slots) && isSameList(seen, b.seen)) return b;
  const { type, base, bytes, start, end } = based;
  const { expiresAtMs, expiry } = expiring;
  return { type, base, expiresAtMs, expiry, slots, seen, bytes, start, end };
}

const isSameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a === b || (a.length === 0 && b.length === 0);

const compareSlots = (a: CounterSlot, b: CounterSlot): number => a.number - b.number;

/** The one whose expiry was changed later; `a` when neither or both at once. */
function laterExpiry(a: EventualRecord, b: EventualRecord): EventualRecord {
  if (b.expiry === undefined) return a;
  return a.expiry === undefined || compareStamped(b.expiry, a.expiry) > 0 ? b : a;
}

function withoutWrittenOver(
  slots: readonly CounterSlot[],
  seen: readonly SeenSlot[],
): readonly CounterSlot[] {
  if (seen.length === 0) return slots;
  const isLeft = (slot: CounterSlot): boolean => (seenOfOrigin(slot, seen)?.number ?? 0) < slot.number;
  return slots.every(isLeft) ? slots : slots.filter(isLeft);
}

/**
 * Whether the vector has every write of which something is in the record. To a replica with that vector such a record
 * from elsewhere is no news: each part was there already, and is there still, or was followed by something later, or
 * dropped. A record with some news is merged whole, also where its base was dropped: had that been deleted, the vector
 * would have had every part that was written without knowing of the deletion; so it has expired, and is back now.
 */
export function isCovered({ base, expiry, slots, seen }: EventualRecord, vector: VersionVector): boolean {
  if (base.stamp !== NO_STAMP && !vector.has(base)) return false;
  if (expiry !== undefined && !vector.has(expiry)) return false;
  return slots.every((slot) => vector.has(slot)) && seen.every(({ by }) => vector.has(by));
}

/** The writes of which something is in the record. */
export function writesOf({ base, expiry, slots, seen }: EventualRecord): readonly Dot[] {
  const writes: Dot[] = base.stamp === NO_STAMP ? [] : [base];
  if (expiry !== undefined) writes.push(expiry);
  writes.push(...slots);
  for (const { by } of seen) writes.push(by);
  return writes;
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
