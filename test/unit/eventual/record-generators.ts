/**
 * Random records of one key, of writes that contradict each other nowhere: what a write said follows from its origin
 * and its number, so that two records which have the same write have the same of it.
 */
import * as fc from "fast-check";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import { type Stamp, stampAt } from "../../../src/core/hybrid-clock.js";
import { type ReplicaId, replicaOf } from "../../../src/core/ids.js";
import { compareStamped } from "../../../src/eventual/merge.js";
import { isEmpty, NO_BASE, NO_VALUE } from "../../../src/eventual/record.js";
import type {
  BaseType,
  CounterSlot,
  EventualRecord,
  SeenSlot,
  Stamped,
} from "../../../src/eventual/types.js";

export const ORIGINS: readonly ReplicaId[] = [replicaOf(1, 0), replicaOf(2, 3), replicaOf(40_000, 1)];
const NUMBERS_MAX = 12;
const START = stampAt(Date.UTC(2031, 4, 1));

/** One of the few numbers that follow from three others. */
const drawn = (seed: number, i: number, below: number): number =>
  Math.floor(Math.abs(Math.sin(seed * 12.9898 + i * 78.233) * 43_758.5453) * below) % below;

/** Stamps of different origins are often the same. */
function write(origin: number, number: number): Stamped {
  return { origin: ORIGINS[origin], number, stamp: (START + number * 2 + (number % 2)) as Stamp };
}

/** Each replica begins anew after some of its writes. */
function slotOf(origin: number, number: number): CounterSlot {
  const born = Math.max(1, number - 3 * (number % 2));
  const sum = BigInt(drawn(origin, number, 2000) - 1000) * 2n ** BigInt(drawn(number, 3, 70));
  const endsAtMs = drawn(number, 2, 2) * Date.UTC(2031, 4, 1);
  return { ...write(origin, number), born, bornAtMs: 1.9e12 + born, endsAtMs, sum };
}

/** What the write had seen of each replica's additions. */
function writtenOver(by: readonly [number, number]): SeenSlot[] {
  const [origin, number] = by;
  return ORIGINS.flatMap((id, i) => {
    const upTo = drawn(origin * 31 + number, i, NUMBERS_MAX);
    const { sum } = slotOf(i, Math.max(upTo, 1));
    return upTo < 3 ? [] : [{ origin: id, number: upTo, sum, by: { origin: ORIGINS[origin], number } }];
  });
}

const TYPES: readonly BaseType[] = ["string", "json", "none", "string"];

interface Choice {
  readonly base: readonly [number, number] | undefined;
  readonly expired: boolean;
  readonly expiry: readonly [number, number] | undefined;
  readonly slots: readonly number[];
  readonly over: readonly [number, number] | undefined;
}

function recordOf({ base, expired, expiry, slots, over }: Choice): EventualRecord {
  const [origin, number] = base ?? [0, 0];
  const said = base === undefined ? "none" : TYPES[drawn(origin, number * 5, TYPES.length)];
  const isDeletion = said === "none";
  const bytes = latin1ToBytes(said === "json" ? `{"a":${number}}` : `${drawn(origin, number, 900) - 400}`);
  const expires = isDeletion || drawn(origin, number, 2) === 0 ? 0 : 1e12 + number;
  const set = expiry === undefined || isDeletion ? undefined : write(...expiry);
  const written = base === undefined ? NO_BASE : write(origin, number);
  const isLater = set !== undefined && compareStamped(set, written) > 0;
  const seen = over === undefined ? [] : writtenOver(over);
  const all = slots.flatMap((upTo, i) => (upTo === 0 ? [] : [slotOf(i, upTo)]));
  return {
    type: expired && !isDeletion ? "expired" : said,
    base: written,
    expiresAtMs: isLater ? (set.number % 3 === 0 ? 0 : 2e12 + set.number) : expires,
    expiry: isLater ? set : undefined,
    slots: all.filter(
      (slot) => !seen.some((each) => each.origin === slot.origin && each.number >= slot.number),
    ),
    seen,
    ...(isDeletion || expired ? NO_VALUE : { bytes, start: 0, end: bytes.length }),
  };
}

const dots = fc.tuple(fc.nat({ max: ORIGINS.length - 1 }), fc.integer({ min: 1, max: NUMBERS_MAX }));

/** Never empty. */
export const records: fc.Arbitrary<EventualRecord> = fc
  .record({
    base: fc.option(dots, { nil: undefined }),
    expired: fc.boolean(),
    expiry: fc.option(dots, { nil: undefined }),
    slots: fc.oneof(
      fc.constant([]),
      fc.array(fc.nat({ max: NUMBERS_MAX }), { minLength: ORIGINS.length, maxLength: ORIGINS.length }),
    ),
    over: fc.option(dots, { nil: undefined }),
  })
  .map(recordOf)
  .filter((record) => !isEmpty(record));
