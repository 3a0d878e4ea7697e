/**
 * Writes through the library, each known by name, and the books compared at the end: what was answered is there, once,
 * and in order; what was refused is not; what is unknown is there once or not at all.
 */
import assert from "node:assert/strict";
import { isKnown, isRefused } from "../../sim/cluster/client.js";
import { repeat, type WorkloadOn } from "../../sim/workloads/workload.js";
import type { Client } from "../../src/client/client.js";
import type { TortureLoad } from "./torture-load.js";

const WRITERS = 4;
const READ_BATCH = 200;

interface Entry {
  readonly number: number;
  outcome: "answered" | "refused" | "unknown";
}

/** One writer: a list that it appends to, and a key of its own for each number. */
interface Book {
  readonly name: string;
  readonly client: Client;
  readonly entries: Entry[];
}

export class Ledger implements WorkloadOn<TortureLoad> {
  readonly name = "ledger";
  readonly property = "every answered write, once";
  readonly #books: Book[] = [];

  start(load: TortureLoad): void {
    for (let i = 0; i < WRITERS; i += 1) {
      const book: Book = { name: `ledger-${i}`, client: load.newLibrary(), entries: [] };
      this.#books.push(book);
      repeat(load, (next) => this.#write(load, book, next));
    }
  }

  #write(load: TortureLoad, book: Book, next: () => void): void {
    const number = book.entries.length;
    const entry: Entry = { number, outcome: "unknown" };
    book.entries.push(entry);
    const words = isListed(number)
      ? ["APPEND", book.name, `${number},`]
      : ["SET", `${book.name}-${number}`, `${number}`];
    load.request(book.client, words, (answer) => {
      if (isKnown(answer)) entry.outcome = "answered";
      else if (isRefused(answer)) entry.outcome = "refused";
      next();
    });
  }

  async check(load: TortureLoad): Promise<void> {
    for (const book of this.#books) {
      checkList(book, await load.read(book.name));
      const single = book.entries.filter(({ number }) => !isListed(number));
      for (let at = 0; at < single.length; at += READ_BATCH) {
        const batch = single.slice(at, at + READ_BATCH);
        const keys = batch.map(({ number }) => `${book.name}-${number}`);
        const values = await load.readAll(keys);
        for (const [i, entry] of batch.entries()) checkKey(keys[i], entry, values[i]);
      }
    }
  }
}

function isListed(number: number): boolean {
  return number % 2 === 0;
}

function checkKey(key: string, { number, outcome }: Entry, value: string | null): void {
  if (value === null) assert(outcome !== "answered", `${key}: answered, but not there`);
  else {
    assert.equal(value, `${number}`, `${key}: another value`);
    assert(outcome !== "refused", `${key}: refused as not applied, but there`);
  }
}

function checkList({ name, entries }: Book, text: string | null): void {
  const found = (text ?? "").split(",").slice(0, -1).map(Number);
  const places = new Map(found.map((number, place) => [number, place]));
  assert.equal(places.size, found.length, `${name}: a number was appended twice: ${text}`);
  const listed = entries.filter(({ number }) => isListed(number));
  for (const { number, outcome } of listed) {
    const isThere = places.delete(number);
    if (isThere) assert(outcome !== "refused", `${name}: ${number} was refused as not applied, but is there`);
    else assert(outcome !== "answered", `${name}: ${number} was answered, and is lost: ${text}`);
  }
  assert.equal(places.size, 0, `${name} holds what nobody appended: ${[...places.keys()].join(" ")}`);
  const answered = new Set(
    listed.filter(({ outcome }) => outcome === "answered").map(({ number }) => number),
  );
  const order = found.filter((number) => answered.has(number));
  for (let i = 1; i < order.length; i += 1) {
    assert(order[i - 1] < order[i], `${name}: ${order[i]} stands behind ${order[i - 1]}`);
  }
}
