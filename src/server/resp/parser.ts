/**
 * Reads requests out of a stream of chunks, wherever the chunks are cut: arrays of bulk strings, and inline
 * commands. Source: the Redis serialization protocol specification; texts and tolerances are those of Redis
 * 7.0, `networking.c` (`processMultibulkBuffer`, `processInlineBuffer`).
 *
 * A command that lies whole in a chunk is handed on as positions in that chunk, no byte copied. What is left
 * of a chunk, the start of a command, is kept in the carry:
 *
 *   chunk   … ] [ *3 $3 SET $1 k $5 he ]          carry    *3 $3 SET $1 k $5 he
 *   then    [ llo ] [ *2 …                        parsed   *3 $3 SET $1 k $5 he|llo *2 …
 *
 * A short carry is put in front of the next chunk, in the room that the chunk's buffer has there. A long one
 * (a big value that arrives in many chunks) takes the chunks in instead; it is made large enough at once, and
 * never parsed from the start again, so that the work stays proportional to the bytes.
 *
 * A value or a command over the limits is skipped, not stored, and reported as such; what follows is undisturbed.
 * A broken framing is reported once; nothing behind it is read.
 */
import { valueTooLarge } from "../../commands/errors.js";
import { Args } from "../../commands/types.js";
import { allocOwnBytes, type Bytes, EMPTY_BYTES } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { ByteBudget } from "./byte-budget.js";
import { splitInline } from "./inline.js";

export interface RequestHandler {
  /** `args` are valid during the call only. */
  onCommand(args: Args): void;
  /** A command that was skipped: `problem` says why. */
  onRefused(problem: MinikeyError): void;
  /** The last call: the stream makes no sense from here. `problem` as Redis words it. */
  onProtocolError(problem: string): void;
}

export interface ParserLimits {
  readonly valueBytesMax: number;
  readonly commandBytesMax: number;
  /** What commands longer than `SHORT_COMMAND_BYTES` may take together, on all connections. */
  readonly inputBudget: ByteBudget;
}

const ARGUMENTS_MAX = 1024 * 1024;
/** Announced lengths beyond this are no mistake of size but of framing. Redis's default limit. */
const BULK_BYTES_MAX = 512 * 1024 * 1024;
const LINE_BYTES_MAX = 64 * 1024;
/** Memory is given back when a command needed more than this. */
const CARRY_KEPT_MAX = 16 * 1024;
const CARRY_MIN = 256;
/** Commands up to here are not counted: the bound on connections bounds them. */
const SHORT_COMMAND_BYTES = 64 * 1024;
const ARGUMENTS_KEPT_MAX = 1024;

const STAR = 0x2a;
const DOLLAR = 0x24;
const MINUS = 0x2d;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;

/** What reading a length gives instead of one. */
const INCOMPLETE = -1;
const INVALID = -2;
const NEGATIVE = -3;

export class RequestParser {
  readonly #handler: RequestHandler;
  readonly #valueBytesMax: number;
  readonly #commandBytesMax: number;
  readonly #inputBudget: ByteBudget;
  #args = new Args(EMPTY_BYTES);

  /** Arguments of the command under way that are not complete yet; 0 between commands. */
  #argumentsLeft = 0;
  /** Length of the argument under way; −1 while it is not known. */
  #bulkLength = -1;
  /** Bytes of the command under way that have been looked at. */
  #scanned = 0;
  /** What the command under way has taken of the budget. */
  #budgetTaken = 0;
  /** Bytes still to be skipped. */
  #skip = 0;
  /** Why the command under way is skipped. */
  #refusal: MinikeyError | undefined = undefined;

  #carry: Bytes = EMPTY_BYTES;
  #carryStart = 0;
  #carryEnd = 0;

  #paused = false;
  #broken = false;
  /** Behind the length line last read. */
  #lineEnd = 0;

  constructor(handler: RequestHandler, limits: ParserLimits) {
    this.#handler = handler;
    this.#valueBytesMax = limits.valueBytesMax;
    this.#commandBytesMax = limits.commandBytesMax;
    this.#inputBudget = limits.inputBudget;
  }

  /** No command is handed on until `resume`; to be called from `onCommand` or between chunks. */
  pause(): void {
    this.#paused = true;
  }

  /** Hands on what was held back. */
  resume(): void {
    this.#paused = false;
    if (this.#carryEnd > this.#carryStart) this.#parseCarry();
  }

  /** Bytes kept for later. */
  get bufferedBytes(): number {
    return this.#carryEnd - this.#carryStart;
  }

  /** Takes in `bytes[start, end)`. What lies before, from `roomStart` on, may be overwritten. */
  feed(bytes: Bytes, start: number, end: number, roomStart = start): void {
    if (this.#broken) return;
    const carried = this.#carryEnd - this.#carryStart;
    if (carried === 0) this.#keepRest(bytes, this.#parse(bytes, start, end), end);
    else if (carried <= start - roomStart && this.#bulkLength + carried <= CARRY_KEPT_MAX) {
      const from = start - carried;
      this.#carry.copy(bytes, from, this.#carryStart, this.#carryEnd);
      this.#moveArgs(from - this.#carryStart);
      this.#emptyCarry();
      this.#keepRest(bytes, this.#parse(bytes, from, end), end);
    } else {
      this.#appendToCarry(bytes, start, end);
      this.#parseCarry();
    }
  }

  // --- The carry ---

  #keepRest(bytes: Bytes, start: number, end: number): void {
    if (start === end || this.#broken) return;
    this.#reserveCarry(end - start);
    bytes.copy(this.#carry, 0, start, end);
    this.#carryEnd = end - start;
    this.#moveArgs(-start);
  }

  #appendToCarry(bytes: Bytes, start: number, end: number): void {
    if (this.#carryEnd + end - start > this.#carry.length) this.#reserveCarry(end - start);
    bytes.copy(this.#carry, this.#carryEnd, start, end);
    this.#carryEnd += end - start;
  }

  /** Moves the carry to the front of a buffer with room for `sizeBytes` more and for the argument under way. */
  #reserveCarry(sizeBytes: number): void {
    const carried = this.#carryEnd - this.#carryStart;
    const announced = this.#bulkLength > 0 ? this.#scanned + this.#bulkLength + 2 : 0;
    const needed = Math.max(carried + sizeBytes, announced, CARRY_MIN);
    if (needed > this.#carry.length) {
      const larger = allocOwnBytes(announced >= needed ? needed : 2 * needed);
      this.#carry.copy(larger, 0, this.#carryStart, this.#carryEnd);
      this.#carry = larger;
    } else this.#carry.copy(this.#carry, 0, this.#carryStart, this.#carryEnd);
    this.#moveArgs(-this.#carryStart);
    this.#carryStart = 0;
    this.#carryEnd = carried;
  }

  #parseCarry(): void {
    const rest = this.#parse(this.#carry, this.#carryStart, this.#carryEnd);
    this.#carryStart = rest;
    if (rest === this.#carryEnd || this.#broken) this.#emptyCarry();
  }

  #emptyCarry(): void {
    this.#carryStart = 0;
    this.#carryEnd = 0;
    if (this.#carry.length > CARRY_KEPT_MAX) this.#carry = EMPTY_BYTES;
  }

  #moveArgs(by: number): void {
    const { offsets, count } = this.#args;
    for (let i = 0; i < 2 * count; i += 1) offsets[i] += by;
  }

  // --- Commands ---

  /** Reads commands from `bytes[start, end)`; returns where the first one begins that is not done with. */
  #parse(bytes: Bytes, start: number, end: number): number {
    this.#args.bytes = bytes;
    let commandStart = start;
    for (;;) {
      if (this.#argumentsLeft === 0) {
        if (commandStart >= end || this.#paused) return commandStart;
        const next =
          bytes[commandStart] === STAR
            ? this.#parseCount(bytes, commandStart, end)
            : this.#parseInline(bytes, commandStart, end);
        if (next === INCOMPLETE) return commandStart;
        if (this.#broken) return end;
        if (this.#argumentsLeft === 0) commandStart = next;
        else this.#scanned = next - commandStart;
        continue;
      }
      const next = this.#parseArguments(bytes, commandStart, commandStart + this.#scanned, end);
      if (this.#broken) return end;
      if (this.#refusal !== undefined) commandStart = next;
      this.#scanned = next - commandStart;
      if (this.#argumentsLeft > 0) return commandStart;
      commandStart = next;
      this.#scanned = 0;
      this.#finishCommand(bytes);
    }
  }

  #finishCommand(bytes: Bytes): void {
    const args = this.#args;
    if (this.#budgetTaken > 0) this.#giveBudget();
    const refusal = this.#refusal;
    this.#refusal = undefined;
    if (refusal === undefined) this.#handler.onCommand(args);
    else this.#handler.onRefused(refusal);
    if (args.count > ARGUMENTS_KEPT_MAX) this.#args = new Args(bytes);
    else args.count = 0;
  }

  /** `*3\r\n`; returns where the arguments begin, or INCOMPLETE. */
  #parseCount(bytes: Bytes, start: number, end: number): number {
    const count = this.#readLength(bytes, start + 1, end, "too big mbulk count string");
    if (count === INCOMPLETE) return INCOMPLETE;
    if (count === INVALID || count > ARGUMENTS_MAX) this.#fail("invalid multibulk length");
    // Fewer than none is none.
    else if (count > 0) this.#argumentsLeft = count;
    this.#bulkLength = -1;
    return this.#lineEnd;
  }

  /** Reads what there is of the arguments left; returns up to where. */
  #parseArguments(bytes: Bytes, commandStart: number, start: number, end: number): number {
    const args = this.#args;
    let at = start;
    while (this.#argumentsLeft > 0) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - at);
        this.#skip -= skipped;
        at += skipped;
        if (this.#skip > 0) return at;
        this.#argumentsLeft -= 1;
        continue;
      }
      let length = this.#bulkLength;
      if (length < 0) {
        if (at >= end) return at;
        length = this.#parseBulkHeader(bytes, at, end);
        if (length < 0) return at;
        at = this.#lineEnd;
        this.#checkSize(length, at - commandStart);
        if (this.#refusal !== undefined) {
          this.#skip = length + 2;
          continue;
        }
      }
      if (end - at < length + 2) {
        this.#bulkLength = length;
        return at;
      }
      args.push(at, at + length);
      at += length + 2;
      this.#bulkLength = -1;
      this.#argumentsLeft -= 1;
    }
    return at;
  }

  /** `$5\r\n`; the length, or a negative number when it is incomplete or wrong. */
  #parseBulkHeader(bytes: Bytes, at: number, end: number): number {
    if (bytes[at] !== DOLLAR) {
      this.#fail(`expected '$', got '${printable(bytes[at])}'`);
      return INVALID;
    }
    const length = this.#readLength(bytes, at + 1, end, "too big bulk count string");
    if (length === INVALID || length === NEGATIVE || length > BULK_BYTES_MAX) {
      this.#fail("invalid bulk length");
    }
    return length;
  }

  /** Decides before the argument is there whether it will be taken in. */
  #checkSize(bulkLength: number, commandBytes: number): void {
    if (this.#refusal !== undefined) return;
    const neededBytes = commandBytes + bulkLength;
    if (bulkLength > this.#valueBytesMax) this.#refusal = valueTooLarge(bulkLength, this.#valueBytesMax);
    else if (neededBytes > this.#commandBytesMax) {
      this.#refusal = new MinikeyError(
        "VALUE_TOO_LARGE",
        `command of more than ${neededBytes} bytes is larger than the limit of ${this.#commandBytesMax} bytes`,
      );
    } else if (neededBytes > SHORT_COMMAND_BYTES && !this.#takeBudget(neededBytes)) {
      this.#refusal = new MinikeyError(
        "OVERLOADED",
        "other clients are sending too much at this moment for a large command",
      );
    }
  }

  #takeBudget(neededBytes: number): boolean {
    if (!this.#inputBudget.tryTake(neededBytes - this.#budgetTaken)) return false;
    this.#budgetTaken = neededBytes;
    return true;
  }

  #giveBudget(): void {
    this.#inputBudget.give(this.#budgetTaken);
    this.#budgetTaken = 0;
  }

  /** Gives back what an unfinished command holds. Nothing is read afterwards. */
  close(): void {
    this.#broken = true;
    this.#giveBudget();
    this.#emptyCarry();
  }

  /** The decimal number from `start` to the line end; INCOMPLETE, INVALID or NEGATIVE. Sets `#lineEnd`. */
  #readLength(bytes: Bytes, start: number, end: number, problem: string): number {
    let value = 0;
    let at = start;
    for (; at < end; at += 1) {
      const byte = bytes[at];
      if (byte === CR) break;
      if (byte < ZERO || byte > NINE) return this.#readUnusualLength(bytes, start, end, problem);
      value = value * 10 + (byte - ZERO);
    }
    if (at + 1 >= end) return this.#incompleteLine(at - start, problem);
    const digits = at - start;
    this.#lineEnd = at + 2;
    if (digits === 0 || digits > 15 || (digits > 1 && bytes[start] === ZERO)) return INVALID;
    return value;
  }

  /** As above, for a line that has something else than digits. */
  #readUnusualLength(bytes: Bytes, start: number, end: number, problem: string): number {
    const carriageReturn = bytes.indexOf(CR, start);
    const found = carriageReturn !== -1 && carriageReturn < end;
    if (!found || carriageReturn + 1 >= end) {
      return this.#incompleteLine((found ? carriageReturn : end) - start, problem);
    }
    this.#lineEnd = carriageReturn + 2;
    const digits = bytes.latin1Slice(start + 1, Math.min(carriageReturn, start + 20));
    return bytes[start] === MINUS && /^[1-9]\d{0,17}$/.test(digits) ? NEGATIVE : INVALID;
  }

  #incompleteLine(lengthBytes: number, problem: string): typeof INCOMPLETE | typeof INVALID {
    if (lengthBytes <= LINE_BYTES_MAX) return INCOMPLETE;
    this.#fail(problem);
    return INVALID;
  }

  /** `SET k v\r\n`, as a person types it; returns where the next command begins, or INCOMPLETE. */
  #parseInline(bytes: Bytes, start: number, end: number): number {
    const found = bytes.indexOf(LF, start);
    const lineFeed = found !== -1 && found < end ? found : end;
    if (lineFeed - start > LINE_BYTES_MAX) {
      this.#fail("too big inline request");
      return end;
    }
    if (lineFeed === end) return INCOMPLETE;
    const lineEnd = lineFeed > start && bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
    const args = splitInline(bytes, start, lineEnd);
    if (args === undefined) this.#fail("unbalanced quotes in request");
    else if (args.count > 0) this.#handler.onCommand(args);
    return lineFeed + 1;
  }

  #fail(problem: string): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#handler.onProtocolError(problem);
  }
}

/** A byte as Redis prints it, where it is a character at all. */
function printable(byte: number): string {
  return byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`;
}
