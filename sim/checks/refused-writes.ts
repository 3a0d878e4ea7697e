/** What was told as refused is on no replica, ever: neither before nor after it was told. */
import type { Entry } from "../../src/commands/types.js";
import type { NodeId } from "../../src/core/ids.js";
import type { Report } from "./violation.js";

/** Values that are written only once are short. */
const VALUE_BYTES_MAX = 16;

export class RefusedWrites {
  readonly #report: Report;
  /** Each a key and a value. */
  readonly #written = new Set<string>();
  readonly #refused = new Set<string>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** A state machine has written this. */
  onWritten(node: NodeId, key: string, { bytes, start, end }: Entry): void {
    if (end - start > VALUE_BYTES_MAX) return;
    const write = `${key} = ${bytes.latin1Slice(start, end)}`;
    this.#written.add(write);
    if (this.#refused.has(write)) this.#tell(`${node} applies ${write}, which was told as refused`);
  }

  /** A client was told that this is certainly not carried out. */
  onRefused(key: string, value: string): void {
    const write = `${key} = ${value}`;
    this.#refused.add(write);
    if (this.#written.has(write)) this.#tell(`${write} is told as refused, and is applied`);
  }

  #tell(text: string): void {
    this.#report("what is refused is not applied", text);
  }
}
