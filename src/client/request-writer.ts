/**
 * Commands as RESP arrays of bulk strings, gathered so that all commands of one turn leave in one write.
 *
 *     *<count>\r\n  $<bytes>\r\n<bytes>\r\n  $<bytes>\r\n<bytes>\r\n …
 *
 * Bytes are laid into a slab; `take` hands out what was written since, and the slab's rest is used on. What
 * was handed out is never written again, so a socket may keep it as long as it likes.
 */
import type { Argument } from "./wire.js";

const SLAB_BYTES = 65_536;
/** `$` + up to 10 digits + CRLF before an argument and CRLF after it. */
const OVERHEAD_BYTES = 16;
const CR = 13;
const LF = 10;
const ASTERISK = 42;
const DOLLAR = 36;

export class RequestWriter {
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #start = 0;
  #end = 0;

  /** Bytes written and not taken. */
  get lengthBytes(): number {
    return this.#end - this.#start;
  }

  /** Appends one command: `prefix` then `args`, as one array. */
  write(args: readonly Argument[], prefix: readonly Argument[] = []): void {
    this.#reserve(OVERHEAD_BYTES);
    this.#header(ASTERISK, prefix.length + args.length);
    for (const argument of prefix) this.#argument(argument);
    for (const argument of args) this.#argument(argument);
  }

  /** What was written since the last call; empty when nothing was. */
  take(): Buffer {
    const taken = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }

  #argument(argument: Argument): void {
    if (argument instanceof Uint8Array) {
      this.#reserve(argument.length + OVERHEAD_BYTES);
      this.#header(DOLLAR, argument.length);
      this.#slab.set(argument, this.#end);
      this.#end += argument.length;
    } else {
      const text = typeof argument === "string" ? argument : String(argument);
      const lengthBytes = Buffer.byteLength(text, "utf8");
      this.#reserve(lengthBytes + OVERHEAD_BYTES);
      this.#header(DOLLAR, lengthBytes);
      this.#slab.write(text, this.#end, lengthBytes, "utf8");
      this.#end += lengthBytes;
    }
    this.#slab[this.#end] = CR;
    this.#slab[this.#end + 1] = LF;
    this.#end += 2;
  }

  #header(type: number, count: number): void {
    this.#slab[this.#end] = type;
    this.#end += 1;
    if (count < 10) {
      this.#slab[this.#end] = 48 + count;
      this.#end += 1;
    } else {
      this.#end += this.#slab.write(String(count), this.#end, "latin1");
    }
    this.#slab[this.#end] = CR;
    this.#slab[this.#end + 1] = LF;
    this.#end += 2;
  }

  #reserve(sizeBytes: number): void {
    if (this.#end + sizeBytes <= this.#slab.length) return;
    const untaken = this.#end - this.#start;
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * untaken, untaken + sizeBytes));
    this.#slab.copy(slab, 0, this.#start, this.#end);
    this.#slab = slab;
    this.#start = 0;
    this.#end = untaken;
  }
}
