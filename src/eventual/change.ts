/**
 * What a write makes of a key's record, on the replica that takes it. `write` is new: its stamp is later than all of
 * what is there (`latestStamp`), its number one more than that of the replica's write before.
 */
import type { Bytes } from "../core/bytes.js";
import { NO_STAMP } from "../core/hybrid-clock.js";
import { hasCounting, seenOf, seenUpTo } from "./counter.js";
import { isEmpty, NO_BASE, NO_VALUE } from "./record.js";
import type { CounterSlot, EventualRecord, SeenSlot, Stamped } from "./types.js";

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
  const slots = here?.slots ?? NO_SLOTS;
  const seen = here === undefined ? NOTHING_SEEN : seenOf(here);
  return { type, base: write, expiresAtMs, expiry: undefined, slots, seen, bytes, start, end };
}

/** A deletion of all that is there. */
export function deleted(here: EventualRecord, write: Stamped): EventualRecord {
  const { slots } = here;
  return {
    type: "none",
    base: write,
    expiresAtMs: 0,
    expiry: undefined,
    slots,
    seen: seenOf(here),
    ...NO_VALUE,
  };
}

/** Another expiry, 0 for none, and the rest as it is. */
export function expiringAt(here: EventualRecord, write: Stamped, expiresAtMs: number): EventualRecord {
  return { ...here, expiresAtMs, expiry: write };
}

// What is no write: each replica does it by itself.

/** What is left of a record whose expiry has come: all but the value. */
export function expired(here: EventualRecord): EventualRecord {
  return { ...here, type: "expired", ...NO_VALUE };
}

/**
 * What is left of a record once every replica has its tombstone: undefined for nothing. A counter that was added to
 * since loses the tombstone with all that it had seen, unless it had seen the beginning of what counts: then it stays
 * as it is.
 */
export function withoutTombstone(here: EventualRecord): EventualRecord | undefined {
  if (here.type === "expired") return undefined;
  if (here.type !== "none" || here.base.stamp === NO_STAMP) return here;
  if (!hasCounting(here)) return undefined;
  const slots: CounterSlot[] = [];
  for (const slot of here.slots) {
    const seen = seenUpTo(slot, here.seen);
    if (seen >= slot.number) continue;
    if (seen >= slot.born) return here;
    slots.push(slot);
  }
  const left: EventualRecord = { ...here, base: NO_BASE, slots, seen: NOTHING_SEEN };
  return isEmpty(left) ? undefined : left;
}
