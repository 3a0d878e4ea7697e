/**
 * Memory for millions of small records without an object for each: pages of 256 KiB, each cut into slots of
 * one size. A record is named by a number, its reference: where it starts, in units of 8 bytes over all pages.
 *
 *     page of slots of 11 units (88 bytes)          reference (31 bits)
 *     +--------+--------+--------+-- … --+----+     +----------------+-----------------+
 *     | record | free ─────┐     | never |rest|     | page           | unit in the page|
 *     |        |        | ◄┘free | used  |    |     | 16 bits        | 15 bits         |
 *     +--------+--------+--------+-- … --+----+     +----------------+-----------------+
 *
 * Freed slots are chained through their first word. A page whose last record goes is given back, so memory
 * follows the data even when record sizes change. Slot sizes are exact up to 512 bytes, then 16 to a doubling,
 * so at most 6 % of a slot is lost.
 *
 * Invariants: unit 0 of page 0 is never handed out, so no reference is 0; a page with room is in its size's
 * list and a full one is not; `live[page]` counts the records in use.
 */
import { assert } from "../../core/assert.js";
import { allocBytes, type Bytes, EMPTY_BYTES } from "../../core/bytes.js";

const UNIT_SHIFT = 3;
/** `reference >>> PAGE_SHIFT` is the page, `reference & UNIT_MASK` the unit in it. */
export const PAGE_SHIFT = 15;
const UNITS_A_PAGE = 1 << PAGE_SHIFT;
export const UNIT_MASK = UNITS_A_PAGE - 1;
const PAGE_BYTES = UNITS_A_PAGE << UNIT_SHIFT;
/** 16 GiB. */
const PAGES_MAX = 1 << 16;

const EXACT_UNITS_MAX = 64;
const SLOT_UNITS_MAX = 1024;
const STEPS_A_DOUBLING = 16;
/** The largest record. */
export const RECORD_BYTES_MAX = SLOT_UNITS_MAX << UNIT_SHIFT;

/** Slot sizes by class, and the class of each number of units. */
const { CLASS_UNITS, CLASS_OF_UNITS } = buildClasses();

function buildClasses(): { CLASS_UNITS: Int32Array; CLASS_OF_UNITS: Uint8Array } {
  const sizes: number[] = [];
  for (let units = 1; units <= EXACT_UNITS_MAX; units += 1) sizes.push(units);
  for (let base = EXACT_UNITS_MAX; base < SLOT_UNITS_MAX; base *= 2) {
    for (let step = 1; step <= STEPS_A_DOUBLING; step += 1) {
      sizes.push(base + (base / STEPS_A_DOUBLING) * step);
    }
  }
  const classOfUnits = new Uint8Array(SLOT_UNITS_MAX + 1);
  let slotClass = 0;
  for (let units = 1; units <= SLOT_UNITS_MAX; units += 1) {
    if (units > sizes[slotClass]) slotClass += 1;
    classOfUnits[units] = slotClass;
  }
  return { CLASS_UNITS: Int32Array.from(sizes), CLASS_OF_UNITS: classOfUnits };
}

const NO_PAGE = -1;
const NO_WORDS = new Int32Array(0);

export class Arena {
  /** By page: the same memory as 32-bit words and as bytes. */
  readonly words: Int32Array[] = [];
  readonly bytes: Bytes[] = [];
  /** By class: a page with room, the head of a list. */
  readonly #withRoom = new Int32Array(CLASS_UNITS.length).fill(NO_PAGE);
  /** By page. */
  readonly #class: number[] = [];
  readonly #live: number[] = [];
  readonly #freeHead: number[] = [];
  readonly #fresh: number[] = [];
  readonly #previous: number[] = [];
  readonly #next: number[] = [];
  readonly #unusedPages: number[] = [];
  #usedUnits = 0;

  /** Bytes in slots that are in use. */
  get usedBytes(): number {
    return this.#usedUnits * (1 << UNIT_SHIFT);
  }

  /** Bytes of all pages held. */
  get reservedBytes(): number {
    return (this.words.length - this.#unusedPages.length) * PAGE_BYTES;
  }

  /** A slot of at least `sizeBytes`, up to `RECORD_BYTES_MAX`; its content is undefined. */
  alloc(sizeBytes: number): number {
    const slotClass = CLASS_OF_UNITS[(sizeBytes + 7) >>> UNIT_SHIFT];
    const slotUnits = CLASS_UNITS[slotClass];
    let page = this.#withRoom[slotClass];
    if (page === NO_PAGE) page = this.#addPage(slotClass);
    let unit = this.#freeHead[page];
    if (unit === 0) {
      unit = this.#fresh[page];
      this.#fresh[page] = unit + slotUnits;
    } else {
      this.#freeHead[page] = this.words[page][unit << 1];
    }
    this.#live[page] += 1;
    this.#usedUnits += slotUnits;
    if (!this.#hasRoom(page, slotUnits)) this.#unlink(page, slotClass);
    return (page << PAGE_SHIFT) | unit;
  }

  /** Gives a slot back that `alloc(sizeBytes)` returned. */
  free(reference: number, sizeBytes: number): void {
    const slotClass = CLASS_OF_UNITS[(sizeBytes + 7) >>> UNIT_SHIFT];
    const slotUnits = CLASS_UNITS[slotClass];
    const page = reference >>> PAGE_SHIFT;
    const unit = reference & UNIT_MASK;
    const hadRoom = this.#hasRoom(page, slotUnits);
    this.words[page][unit << 1] = this.#freeHead[page];
    this.#freeHead[page] = unit;
    this.#live[page] -= 1;
    this.#usedUnits -= slotUnits;
    if (!hadRoom) this.#link(page, slotClass);
    // One page of a size stays, lest its memory comes and goes with every record.
    if (this.#live[page] === 0 && this.#next[this.#withRoom[slotClass]] !== NO_PAGE) this.#dropPage(page);
  }

  #hasRoom(page: number, slotUnits: number): boolean {
    return this.#freeHead[page] !== 0 || this.#fresh[page] + slotUnits <= UNITS_A_PAGE;
  }

  #addPage(slotClass: number): number {
    const page = this.#unusedPages.pop() ?? this.words.length;
    assert(page < PAGES_MAX, "data in memory engines stays under 16 GiB a node");
    const bytes = allocBytes(PAGE_BYTES);
    this.bytes[page] = bytes;
    this.words[page] = new Int32Array(bytes.buffer, bytes.byteOffset, PAGE_BYTES >>> 2);
    this.#class[page] = slotClass;
    this.#live[page] = 0;
    this.#freeHead[page] = 0;
    // Unit 0 stands for "none" in the chain of free slots.
    this.#fresh[page] = 1;
    this.#link(page, slotClass);
    return page;
  }

  #dropPage(page: number): void {
    this.#unlink(page, this.#class[page]);
    this.words[page] = NO_WORDS;
    this.bytes[page] = EMPTY_BYTES;
    this.#unusedPages.push(page);
  }

  #link(page: number, slotClass: number): void {
    const head = this.#withRoom[slotClass];
    this.#previous[page] = NO_PAGE;
    this.#next[page] = head;
    if (head !== NO_PAGE) this.#previous[head] = page;
    this.#withRoom[slotClass] = page;
  }

  #unlink(page: number, slotClass: number): void {
    const previous = this.#previous[page];
    const next = this.#next[page];
    if (previous === NO_PAGE) this.#withRoom[slotClass] = next;
    else this.#next[previous] = next;
    if (next !== NO_PAGE) this.#previous[next] = previous;
  }
}
