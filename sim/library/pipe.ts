/**
 * One direction of a simulated TCP connection: bytes go in, and come out in their order, later, cut anywhere.
 *
 *     writer ─▶ unsent ─▶ window: on the way ─▶ arrived ─▶ reader
 *              (its own    (copied: the systems' buffers on both sides)
 *               memory)
 *
 * What does not fit into the window waits in the writer's memory, as it does in a real process. A reader that stands
 * still, or does not read, fills the window.
 */
import { type Bytes, concatBytes, copyBytes } from "../../src/core/bytes.js";
import type { SeededRandom } from "../world/random.js";
import type { World } from "../world/world.js";

export interface PipeEnds {
  /** Runs it in the reader's process: now, later, or never. */
  inReader(run: () => void): void;
  /** The chunk is the reader's own. */
  onChunk(chunk: Bytes): void;
  /** Nothing comes any more. */
  onEnd(): void;
  /** All that was written has left the writer's memory, which it had not at once. */
  onDrain(): void;
}

export interface PipeSettings {
  /** What the systems take before the writer has to wait. */
  readonly windowBytes: number;
  /** How often a piece is cut where it should not be. */
  readonly cutShare: number;
  /** A piece is sometimes lost, and sent again after this. */
  readonly resendMs: number;
}

const RESEND_SHARE = 0.01;
const WAY_MS = 0.5;

export class Pipe {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #settings: PipeSettings;
  readonly #ends: PipeEnds;
  #unsent: Bytes[] = [];
  #unsentBytes = 0;
  #mustDrain = false;
  /** Pieces that have left, up to the reader. */
  #windowBytes = 0;
  #lastMs = 0;
  /** At the reader's, unread. */
  #arrived: Bytes[] = [];
  #isReadDue = false;
  #isPaused = true;
  /** While nothing arrives, what would. */
  #stalled: (() => void)[] | undefined;
  #end: "none" | "asked" | "on its way" | "arrived" | "read" = "none";
  #onEndSent: (() => void) | undefined;
  #isCut = false;

  constructor(world: World, random: SeededRandom, settings: PipeSettings, ends: PipeEnds) {
    this.#world = world;
    this.#random = random;
    this.#settings = settings;
    this.#ends = ends;
  }

  // --- The writer's side ---

  /** Bytes in the writer's memory. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  write(bytes: Bytes): void {
    if (this.#isCut || this.#end !== "none" || bytes.length === 0) return;
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.length;
    this.#send();
    this.#mustDrain = this.#unsentBytes > 0;
  }

  /** After all that was written comes the end. `onSent`: it has left the writer. */
  end(onSent?: () => void): void {
    if (this.#isCut || this.#end !== "none") return;
    this.#end = "asked";
    this.#onEndSent = onSent;
    this.#send();
  }

  #send(): void {
    while (this.#unsentBytes > 0 && this.#windowBytes < this.#settings.windowBytes) {
      const piece = this.#takePiece(this.#settings.windowBytes - this.#windowBytes);
      this.#windowBytes += piece.length;
      this.#carry(() => {
        this.#arrived.push(piece);
        this.#readSoon();
      });
    }
    if (this.#unsentBytes > 0) return;
    if (this.#end === "asked") {
      this.#end = "on its way";
      this.#onEndSent?.();
      this.#carry(() => {
        this.#end = "arrived";
        this.#readSoon();
      });
    }
    if (!this.#mustDrain) return;
    this.#mustDrain = false;
    this.#ends.onDrain();
  }

  /** Up to `bytesMax` of what is unsent, and sometimes less. */
  #takePiece(bytesMax: number): Bytes {
    const [first] = this.#unsent;
    let length = Math.min(first.length, bytesMax);
    if (this.#random.chance(this.#settings.cutShare)) length = 1 + this.#random.below(length);
    const piece = copyBytes(first.subarray(0, length));
    if (length === first.length) this.#unsent.shift();
    else this.#unsent[0] = first.subarray(length);
    this.#unsentBytes -= length;
    return piece;
  }

  // --- On the way ---

  #carry(arrive: () => void): void {
    let delayMs = WAY_MS * this.#random.unit();
    if (this.#random.chance(RESEND_SHARE)) delayMs += this.#settings.resendMs * this.#random.unit();
    // Never before the piece in front.
    this.#lastMs = Math.max(this.#lastMs, this.#world.nowMs + delayMs);
    const run = () => {
      if (this.#isCut) return;
      if (this.#stalled === undefined) arrive();
      else this.#stalled.push(run);
    };
    this.#world.scheduleAt(this.#lastMs, run);
  }

  /** Nothing arrives from now on … */
  stall(): void {
    this.#stalled ??= [];
  }

  /** … until now. */
  flow(): void {
    const waiting = this.#stalled ?? [];
    this.#stalled = undefined;
    for (const run of waiting) run();
  }

  /** Nothing is carried, read or told any more. */
  cut(): void {
    this.#isCut = true;
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#arrived = [];
  }

  /** The writer is gone, with what it had not sent; what has left arrives, and after it the end. */
  abandon(): void {
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#mustDrain = false;
    if (this.#end === "none") this.end();
    else this.#send();
  }

  // --- The reader's side ---

  /** Arrived, and not read. */
  get hasUnread(): boolean {
    return this.#arrived.length > 0;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#readSoon();
  }

  #readSoon(): void {
    if (this.#isReadDue || this.#isPaused) return;
    this.#isReadDue = true;
    this.#world.schedule(0, () => {
      this.#ends.inReader(() => {
        this.#isReadDue = false;
        this.#read();
      });
    });
  }

  #read(): void {
    if (this.#isCut || this.#isPaused) return;
    if (this.#arrived.length > 0) {
      const chunk = concatBytes(this.#arrived);
      this.#arrived = [];
      this.#windowBytes -= chunk.length;
      this.#ends.onChunk(chunk);
      this.#send();
    }
    if (this.#end !== "arrived" || this.#arrived.length > 0 || this.#isPausedNow()) return;
    this.#end = "read";
    this.#ends.onEnd();
  }

  /** What reads may pause. */
  #isPausedNow(): boolean {
    return this.#isPaused || this.#isCut;
  }
}
