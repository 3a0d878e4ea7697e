/**
 * Says which lines were no records: the first ones in full, the others by number, so that a wrong file does not flood
 * the terminal.
 */
import type { BadLine } from "./records.js";

const LINES_SHOWN = 20;

export class BadLines {
  readonly #name: string;
  readonly #print: (line: string) => void;
  #count = 0;

  constructor(name: string, print: (line: string) => void) {
    this.#name = name;
    this.#print = print;
  }

  get count(): number {
    return this.#count;
  }

  /** Column 0: the whole line is meant. */
  report({ line, column, reason }: BadLine): void {
    this.#count += 1;
    if (this.#count > LINES_SHOWN) return;
    this.#print(`${this.#name}:${line}${column === 0 ? "" : `:${column}`}: ${reason}`);
  }

  /** Says how many were not shown. */
  summarize(): void {
    const hidden = this.#count - LINES_SHOWN;
    if (hidden > 0) this.#print(`… and ${hidden} more bad line${hidden === 1 ? "" : "s"}`);
  }
}
