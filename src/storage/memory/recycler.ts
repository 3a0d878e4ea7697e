/**
 * Gives memory back, at a time and at a pace that disturb nobody.
 *
 * - A leaf that was replaced or deleted stays as it is until the turn ends, because somebody may still be
 *   reading the value that it holds.
 * - Whole trees (a cleared table, an installed snapshot's predecessor) and what a snapshot kept alive are taken
 *   apart in slices of about two milliseconds.
 */
import type { Clock } from "../../ports/clock.js";
import { type Arena, PAGE_SHIFT, UNIT_MASK } from "./arena.js";
import type { Leaves } from "./leaf.js";
import { childAt, END_WORD, NODE_BYTES, nextPosition, POSITION_END, typeOf } from "./nodes.js";

const SLICE_MS = 2;
const RECORDS_A_LOOK = 256;

export class Recycler {
  readonly #arena: Arena;
  readonly #leaves: Leaves;
  readonly #clock: Clock;
  /** Leaves and nodes to be freed one by one. */
  #records: number[] = [];
  /** Leaves and nodes to be freed with everything below them. */
  readonly #trees: number[] = [];
  #scheduled = false;

  constructor(arena: Arena, leaves: Leaves, clock: Clock) {
    this.#arena = arena;
    this.#leaves = leaves;
    this.#clock = clock;
  }

  /** Frees one leaf or node, from the end of the turn on. */
  addRecord(reference: number): void {
    this.#records.push(reference);
    if (!this.#scheduled) this.#schedule();
  }

  /** Frees a leaf or node and everything below it, from the end of the turn on. */
  addTree(reference: number): void {
    if (reference === 0) return;
    this.#trees.push(reference);
    if (!this.#scheduled) this.#schedule();
  }

  /** Frees a node that nobody else sees, at once. */
  freeNode(node: number): void {
    const words = this.#arena.words[node >>> PAGE_SHIFT];
    this.#arena.free(node, NODE_BYTES[typeOf(words, (node & UNIT_MASK) << 1)]);
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#clock.atTurnEnd(() => {
      this.#scheduled = false;
      this.#runSlice();
      if (this.#records.length + this.#trees.length > 0) this.#schedule();
    });
  }

  #runSlice(): void {
    const endMs = this.#clock.monotonicMs() + SLICE_MS;
    for (let done = 1; ; done += 1) {
      const record = this.#records.pop();
      if (record !== undefined) this.#free(record);
      else if (!this.#freeFromTree()) return;
      if (done % RECORDS_A_LOOK === 0 && this.#clock.monotonicMs() >= endMs) return;
    }
  }

  /** Frees the root of a dead tree, and makes its children roots. */
  #freeFromTree(): boolean {
    const reference = this.#trees.pop();
    if (reference === undefined) return false;
    if (reference > 0) this.#addChildren(reference);
    this.#free(reference);
    return true;
  }

  #addChildren(reference: number): void {
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
    const node = (reference & UNIT_MASK) << 1;
    if (words[node + END_WORD] !== 0) this.#trees.push(words[node + END_WORD]);
    let position = nextPosition(words, bytes, node, 0);
    while (position < POSITION_END) {
      this.#trees.push(childAt(words, bytes, node, position));
      position = nextPosition(words, bytes, node, position + 1);
    }
  }

  #free(reference: number): void {
    if (reference < 0) this.#leaves.free(reference);
    else this.freeNode(reference);
  }
}
