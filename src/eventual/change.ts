/**
 * What a write makes of a key's record, on the replica that takes it. `write` is new: its stamp is later than all of
 * what is there (`latestStamp`), its number one more than that of the replica's write before.
 */
import type { Bytes } from "../core/bytes.js";
import { NO_STAMP } from "../core/hybrid-clock.js";
import { counts, isExpired, isSplit, isUnended, shown, writtenOver } from "./counter.js";
import { isCovered } from "./merge.js";
import { NO_BASE, NO_VALUE } from "./record.js";
import type { CounterSlot, EventualRecord, SeenSlot, Stamped } from "./types.js";
import type { VersionVector } from "./version-vector.js";

const NO_SLOTS: readonly CounterSlot[] = [];
const NOTHING_SEEN: readonly SeenSlot[] = [];

/** A value instead of all that is there. */
export function setTo(
  here: EventualRecord | undefined,
  write: Stamped,
  type: "string" | "json",
  expiresAtMs: number,
  bytes: Bytes,
  start: number,
  end: number,
): EventualRecord {
  const seen = here === undefined ? NOTHING_SEEN : writtenOver(here.slots, here.seen, write);
  return {
    type,
    base: write,
    expiresAtMs,
    expiry: undefined,
    slots: NO_SLOTS,
    seen,
    bytes,
    start,
    end,
  };
}

/** A deletion of all that is there. */
export function deleted(here: EventualRecord, write: Stamped): EventualRecord {
  return {
    type: "none",
    base: write,
    expiresAtMs: 0,
    expiry: undefined,
    slots: NO_SLOTS,
    seen: writtenOver(here.slots, here.seen, write),
    ...NO_VALUE,
  };
}

/**
 * Another expiry, 0 for none, of a record that `exists`, and the rest as it is. A counter without a value that could
 * expire is set to what it comes to.
 */
export function expiringAt(
  here: EventualRecord,
  write: Stamped,
  expiresAtMs: number,
  nowMs: number,
): EventualRecord {
  if (here.type !== "none" && !isExpired(here, nowMs)) return { ...here, expiresAtMs, expiry: write };
  const { bytes, start, end } = shown(here, nowMs);
  return setTo(here, write, "string", expiresAtMs, bytes, start, end);
}

/** The own slot of what has expired says so; undefined when there is none, or it does. */
export function ended(here: EventualRecord, write: Stamped): EventualRecord | undefined {
  const own = here.slots.find(({ origin }) => origin === write.origin);
  if (own === undefined || !isUnended(own, here)) return undefined;
  const { number, stamp } = write;
  const slot: CounterSlot = { ...own, number, stamp, endsAtMs: here.expiresAtMs };
  return { ...here, slots: here.slots.map((each) => (each === own ? slot : each)) };
}

// What is no write: each replica does it by itself.

/** What is left of a record whose expiry has come, `DROPPED_AFTER_MS` after: all but the value. */
export function expired(here: EventualRecord): EventualRecord {
  return { ...here, type: "expired", ...NO_VALUE };
}

/**
 * What is left of a record once every replica has its deletion, or sees its value as expired: undefined for nothing. A
 * counter that was added to since loses the base, and all that was written over, unless that was the beginning of what
 * counts: then it stays as it is. So does what has expired with a slot that does not say so.
 */
export function withoutTombstone(here: EventualRecord): EventualRecord | undefined {
  if (here.type !== "expired" && (here.type !== "none" || here.base.stamp === NO_STAMP)) return here;
  const slots = here.slots.filter((slot) => counts(slot, here, 0));
  if (here.slots.some((slot) => isUnended(slot, here))) return here;
  if (slots.length === 0) return undefined;
  if (slots.some((slot) => isSplit(slot, here.seen))) return here;
  return {
    type: "none",
    base: NO_BASE,
    expiresAtMs: 0,
    expiry: undefined,
    slots,
    seen: NOTHING_SEEN,
    ...NO_VALUE,
  };
}

/** Whether those that have what `vector` has know all that the record tells of: only then may it lose its base. */
export function isSettled(here: EventualRecord, vector: VersionVector): boolean {
  return isCovered(here, vector) && here.seen.every((each) => vector.has(each));
}
