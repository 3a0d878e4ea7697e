/**
 * What happened in a simulated life: a digest of every event, and, when asked for, a timeline that people read.
 *
 * The digest covers, in their order and with their times: frames sent and delivered, operations of disks and logs,
 * writes of the state machines, commands of clients and their answers, faults, and what the nodes log. Two lives
 * are the same when their digests are.
 *
 * Digest: two 32-bit lanes of multiply-and-shift mixing (as the finaliser of MurmurHash3, Appleby). Not against
 * adversaries: it tells accidents apart, 1 in 2^64.
 */

/** Of the timeline's format and of what a seed means: a trace of another version replays to something else. */
export const TRACE_VERSION = 3;

const WHO_COLUMNS = 9;
const TIME_COLUMNS = 12;

export class Trace {
  events = 0;
  /** Undefined: nobody reads along, and no line needs to be made. */
  readonly write: ((line: string) => void) | undefined;
  /** Simulated milliseconds since the start. */
  readonly #nowMs: () => number;
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;

  constructor(nowMs: () => number, write?: (line: string) => void) {
    this.#nowMs = nowMs;
    this.write = write;
  }

  get isWritten(): boolean {
    return this.write !== undefined;
  }

  /** 16 hexadecimal digits. */
  get digest(): string {
    const hex = (lane: number) => (lane >>> 0).toString(16).padStart(8, "0");
    return hex(this.#a) + hex(this.#b);
  }

  /** An event, by the numbers that make it out. */
  note(kind: number, first: number, second: number): void {
    this.events += 1;
    this.#mix(kind);
    this.#mix(this.#nowMs() * 1024);
    this.#mix(first);
    this.#mix(second);
  }

  /** An event, by its text, which is also its line. */
  tell(who: string, text: string): void {
    this.events += 1;
    this.#mix(this.#nowMs() * 1024);
    this.#mixText(who);
    this.#mixText(text);
    this.say(who, text);
  }

  /** A line of the timeline, and no event. */
  say(who: string, text: string): void {
    if (this.write === undefined) return;
    const time = this.#nowMs().toFixed(3).padStart(TIME_COLUMNS);
    this.write(`${time}  ${who.padEnd(WHO_COLUMNS)}  ${text}`);
  }

  #mixText(text: string): void {
    for (let i = 0; i < text.length; i += 1) {
      this.#a = Math.imul(this.#a ^ text.charCodeAt(i), 0x01000193);
    }
    this.#mix(text.length);
  }

  #mix(value: number): void {
    let a = Math.imul(this.#a ^ value, 0x85ebca6b);
    a ^= a >>> 13;
    this.#a = a;
    let b = Math.imul(this.#b + a, 0xc2b2ae35);
    b ^= b >>> 16;
    this.#b = b;
  }
}
