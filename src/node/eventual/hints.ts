/**
 * A replica's own writes that some other replica may not have yet: which key each of them changed, by number.
 *
 * ```
 *   from            firstYoung           last
 *    │ in the store   │ in memory          │
 *    ┊ h 17 → key     ┊ key, key, key …    ┊      writes up to `from` are in no hint any more
 * ```
 * Invariants:
 * - Every own write after `from` is in a hint. The numbers have no gaps.
 * - The young ones are part of the replica's captured state, the others lie in its `meta` table: a checkpoint has
 *   both as of the same moment, and the writes after it are in the log.
 * - As a rule all replicas have a write before it is old, and the store never hears of it.
 * - There are at most as many as the node's bound says; the oldest go first, and trees find what they were about.
 */
import type { ByteReader } from "../../codec/byte-reader.js";
import type { ByteWriter } from "../../codec/byte-writer.js";
import { assert } from "../../core/assert.js";
import { allocOwnBytes, type Key, latin1ToBytes } from "../../core/bytes.js";
import type { GroupStore } from "../../ports/storage-engine.js";

export interface Hint {
  readonly number: number;
  readonly key: Key;
}

const PREFIX = "h";
const NUMBER_BYTES = 6;

/** Young ones at most; half of them are moved to the store then. */
const YOUNG_MAX = 4096;
/** Old ones removed in one go. */
const FORGOTTEN_AT_ONCE = 2048;

export class Hints {
  readonly #store: GroupStore;
  readonly #countMax: number;
  readonly #youngMax: number;
  #from = 0;
  #firstYoung = 1;
  /** `#young[#head]` is of the write `#firstYoung`. */
  #young: Key[] = [];
  #head = 0;
  #storedBytes = 0;
  /** Writes up to here are everywhere, but their hints may still be in the store. */
  #forgetUpTo = 0;

  /** `countMax`: as many are kept at most. */
  constructor(store: GroupStore, countMax: number) {
    this.#store = store;
    this.#countMax = countMax;
    this.#youngMax = Math.min(YOUNG_MAX, countMax);
  }

  /** Own writes up to this number are in no hint any more. */
  get from(): number {
    return this.#from;
  }

  get count(): number {
    return this.#young.length - this.#head + this.#firstYoung - 1 - this.#from;
  }

  /** Of the keys in the store, about. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** The write of the next number changed `key`. */
  add(number: number, key: Key): void {
    assert(number === this.#nextNumber, "hint % after %", number, this.#nextNumber - 1);
    this.#young.push(key);
    if (this.#young.length - this.#head > this.#youngMax) this.#moveOld();
    if (this.count > this.#countMax) this.#dropStored(number - this.#countMax);
  }

  /** The oldest hints of writes after `number`, at most so many. */
  after(number: number, countMax: number): Hint[] {
    const hints: Hint[] = [];
    const end = this.#nextNumber;
    for (let at = Math.max(number, this.#from) + 1; at < end && hints.length < countMax; at += 1) {
      hints.push({ number: at, key: this.#keyOf(at) });
    }
    return hints;
  }

  /** All replicas have the writes up to `number`. */
  forget(number: number): void {
    this.#forgetUpTo = Math.min(Math.max(this.#forgetUpTo, number), this.#nextNumber - 1);
    this.#dropStored(Math.min(this.#forgetUpTo, this.#firstYoung - 1));
    if (this.#from < this.#firstYoung - 1 || this.#forgetUpTo < this.#firstYoung) return;
    this.#head += this.#forgetUpTo - this.#firstYoung + 1;
    this.#firstYoung = this.#forgetUpTo + 1;
    this.#from = this.#forgetUpTo;
    this.#shiftYoung();
  }

  /** From time to time: goes on with what `forget` has begun, and a lower bound than before asks for. */
  sweep(): void {
    if (this.count > this.#countMax) this.#dropStored(this.#nextNumber - 1 - this.#countMax);
    if (this.#from < this.#forgetUpTo) this.forget(this.#forgetUpTo);
  }

  encode(writer: ByteWriter): void {
    writer.u48(this.#from);
    writer.u48(this.#firstYoung);
    writer.u48(this.#storedBytes);
    writer.varint(this.#young.length - this.#head);
    for (let i = this.#head; i < this.#young.length; i += 1) writer.latin1(this.#young[i]);
  }

  decode(reader: ByteReader): void {
    this.#from = reader.u48();
    this.#firstYoung = reader.u48();
    this.#storedBytes = reader.u48();
    this.#young = reader.list((each) => each.latin1());
    this.#head = 0;
    this.#forgetUpTo = this.#from;
  }

  get #nextNumber(): number {
    return this.#firstYoung + this.#young.length - this.#head;
  }

  #keyOf(number: number): Key {
    if (number >= this.#firstYoung) return this.#young[this.#head + number - this.#firstYoung];
    const stored = this.#store.get("meta", hintKey(number));
    assert(stored !== undefined, "hint % is in the store", number);
    return stored.bytes.latin1Slice(stored.start, stored.end);
  }

  #moveOld(): void {
    const count = Math.ceil(this.#youngMax / 2);
    for (let i = 0; i < count; i += 1) {
      const bytes = latin1ToBytes(this.#young[this.#head + i]);
      this.#store.put("meta", hintKey(this.#firstYoung + i), { bytes, start: 0, end: bytes.length });
      this.#storedBytes += bytes.length;
    }
    this.#head += count;
    this.#firstYoung += count;
    this.#shiftYoung();
  }

  /** Removes old hints up to `number`, so many at once at most. */
  #dropStored(number: number): void {
    const upTo = Math.min(number, this.#from + FORGOTTEN_AT_ONCE);
    for (let at = this.#from + 1; at <= upTo; at += 1) {
      const stored = this.#store.get("meta", hintKey(at));
      if (stored !== undefined) this.#storedBytes -= stored.end - stored.start;
      this.#store.delete("meta", hintKey(at));
    }
    if (upTo > this.#from) this.#from = upTo;
  }

  /** What is no longer needed in front is cut off once it is more than what is. */
  #shiftYoung(): void {
    if (this.#head < this.#youngMax / 2 && this.#head < this.#young.length) return;
    this.#young = this.#young.slice(this.#head);
    this.#head = 0;
  }
}

const numberBytes = allocOwnBytes(NUMBER_BYTES);

function hintKey(number: number): Key {
  numberBytes.writeUIntBE(number, 0, NUMBER_BYTES);
  return PREFIX + numberBytes.latin1Slice();
}
