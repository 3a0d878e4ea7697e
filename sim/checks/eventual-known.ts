/**
 * What is known of a key of an eventual keyspace, as its definition has it (docs/adr/0014): of all writes to it the
 * latest base, the latest change of that base's expiry, of each replica's additions the latest, and how much of them
 * was written over. Worked out again here, without the product's merge: what the two make of the same writes is
 * compared. Of counters that expire it knows nothing.
 */
import type { BaseType, CounterSlot, EventualRecord, Stamped } from "../../src/eventual/types.js";

/** Who wins: positive when `a` does. */
export function compareWrites(a: Stamped, b: Stamped): number {
  return a.stamp - b.stamp || a.origin - b.origin;
}

export interface KnownBase extends Stamped {
  readonly type: BaseType;
  readonly text: string;
}

export interface KnownExpiry {
  /** The write that changed it; the base itself when nobody did. */
  readonly by: Stamped;
  /** 0 for never. */
  readonly expiresAtMs: number;
}

/** What was written over of a replica's additions. */
interface WrittenOver {
  readonly number: number;
  readonly sum: bigint;
}

/** Of what kind the write of a dot is. */
export type PartKind = "base" | "expiry" | "slot";

/** One write, as far as it concerns one key. */
export interface Part extends Stamped {
  readonly kind: PartKind;
  /** Of a change of the expiry: whose. */
  readonly base?: Stamped;
}

const INTEGER = /^-?\d+$/;

export class KnownKey {
  base: KnownBase | undefined;
  expiry: KnownExpiry | undefined;
  /** By origin. */
  readonly slots = new Map<number, CounterSlot>();
  /** By origin. */
  readonly writtenOver = new Map<number, WrittenOver>();

  static of(record: EventualRecord): KnownKey {
    const known = new KnownKey();
    known.add(record);
    return known;
  }

  add(record: EventualRecord): void {
    const { type, base, expiry, expiresAtMs, slots, seen, bytes, start, end } = record;
    if (base.stamp !== 0) {
      const text = bytes.latin1Slice(start, end);
      this.#addBase({ ...base, type, text }, { by: expiry ?? base, expiresAtMs });
    }
    for (const slot of slots) this.#addSlot(slot);
    for (const { origin, number, sum } of seen) this.#addWrittenOver(origin, { number, sum });
  }

  join(other: KnownKey): void {
    if (other.base !== undefined && other.expiry !== undefined) this.#addBase(other.base, other.expiry);
    for (const slot of other.slots.values()) this.#addSlot(slot);
    for (const [origin, each] of other.writtenOver) this.#addWrittenOver(origin, each);
  }

  #addBase(base: KnownBase, expiry: KnownExpiry): void {
    const order = this.base === undefined ? 1 : compareWrites(base, this.base);
    // An expired value is the value that it was.
    if (order > 0 || (order === 0 && this.base?.type === "expired")) this.base = base;
    const isLater = this.expiry === undefined || compareWrites(expiry.by, this.expiry.by) > 0;
    if (order > 0 || (order === 0 && isLater)) this.expiry = expiry;
  }

  #addSlot(slot: CounterSlot): void {
    const known = this.slots.get(slot.origin);
    if (known === undefined || slot.number > known.number) this.slots.set(slot.origin, slot);
  }

  #addWrittenOver(origin: number, each: WrittenOver): void {
    if (each.number > (this.writtenOver.get(origin)?.number ?? 0)) this.writtenOver.set(origin, each);
  }

  /** The write, or something later that replaces it, is known. */
  covers({ kind, base, ...write }: Part): boolean {
    const { origin, number } = write;
    if (kind === "slot") {
      return (
        Math.max(this.slots.get(origin)?.number ?? 0, this.writtenOver.get(origin)?.number ?? 0) >= number
      );
    }
    if (this.base === undefined) return false;
    if (kind === "base" || base === undefined) return compareWrites(this.base, write) >= 0;
    const order = compareWrites(this.base, base);
    return (
      order > 0 || (order === 0 && this.expiry !== undefined && compareWrites(this.expiry.by, write) >= 0)
    );
  }

  /** 0 for never. */
  get expiresAtMs(): number {
    return this.expiry?.expiresAtMs ?? 0;
  }

  /** What clients are to see, were it not for its expiry; undefined for nothing. */
  get text(): string | undefined {
    const { base } = this;
    const sums = [...this.slots.values()].flatMap((slot) => this.#countedOf(slot));
    const isThere = base !== undefined && base.type !== "none" && base.type !== "expired";
    if (sums.length === 0) return isThere ? base.text : undefined;
    if (isThere && !INTEGER.test(base.text)) return base.text;
    return String(sums.reduce((sum, each) => sum + each, isThere ? BigInt(base.text) : 0n));
  }

  /** What counts of a replica's additions: what was not written over. */
  #countedOf({ origin, number, born, sum }: CounterSlot): bigint[] {
    const over = this.writtenOver.get(origin);
    if (over === undefined || born > over.number) return [sum];
    return number > over.number ? [sum - over.sum] : [];
  }
}

/** The writes that a record is made of. */
export function partsOf({ base, expiry, slots }: EventualRecord): Part[] {
  const parts: Part[] = [];
  if (base.stamp !== 0) parts.push({ kind: "base", ...dotOf(base) });
  if (expiry !== undefined) parts.push({ kind: "expiry", ...dotOf(expiry), base: dotOf(base) });
  for (const slot of slots) parts.push({ kind: "slot", ...dotOf(slot) });
  return parts;
}

function dotOf({ origin, number, stamp }: Stamped): Stamped {
  return { origin, number, stamp };
}

export function partText({ kind, origin, number, stamp }: Part): string {
  return `${kind} ${origin}:${number} of ${stamp}`;
}

/** For a timeline. */
export function recordText(record: EventualRecord): string {
  const over = record.seen.map(
    ({ origin, number, by }) => `over ${origin}:${number} by ${by.origin}:${by.number}`,
  );
  return [record.type, ...partsOf(record).map(partText), ...over].join(", ");
}
