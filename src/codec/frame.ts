/**
 * Frames on the connection between two nodes.
 *
 *      0                    4
 *     ┌────────────────────┬──────────────────────────┐
 *     │ length word, u32LE │ body, `length` bytes     │ …the next frame
 *     └────────────────────┴──────────────────────────┘
 *       bits 0–30  length of the body, at most FRAME_BYTES_MAX
 *       bit 31     1: a control frame, for the transport itself; 0: a frame of the node
 *
 * `FrameBatch` gathers a turn's frames for one write; `FrameReader` cuts the stream of a connection into frames
 * again. Both copy small bodies once and large ones rather not, since this carries every write of the database.
 */

import { assert } from "../core/assert.js";
import { allocOwnBytes, type Bytes, copyBytes, EMPTY_BYTES } from "../core/bytes.js";

export const FRAME_HEADER_BYTES = 4;
/** A longer frame is a mistake of the sender or a broken stream: the connection is dropped. */
export const FRAME_BYTES_MAX = 192 * 1024 * 1024;

const CONTROL_BIT = 0x8000_0000;
const LENGTH_MASK = 0x7fff_ffff;

/** What is copied together costs less than what is handed to the system piece by piece. */
const COPIED_PART_BYTES_MAX = 16 * 1024;
const TAIL_BYTES = 64 * 1024;
/** Small frames received together share memory in pieces of this size, large enough to be cheap, no larger. */
const SLAB_BYTES = 8 * 1024;
const SLAB_FRAME_BYTES_MAX = SLAB_BYTES / 4;

/**
 * Frames gathered for one write. Small parts are copied into a tail buffer, which is used again and again as
 * long as the system takes each batch at once; large parts are passed on as they are.
 */
export class FrameBatch {
  /** Sealed pieces, in order; they come before `#tail[#tailStart, #tailEnd)`. */
  #pieces: Uint8Array[] = [];
  #tail: Bytes = allocOwnBytes(TAIL_BYTES);
  #tailStart = 0;
  #tailEnd = 0;
  #sizeBytes = 0;

  /** Bytes gathered and not taken, headers included. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Adds one frame, `bodyBytes` in all. Large parts are kept: they must not change until sent. */
  add(parts: readonly Uint8Array[], bodyBytes: number): void {
    this.#add(parts, bodyBytes, 0);
  }

  /** Adds one control frame. */
  addControl(body: Uint8Array): void {
    this.#add([body], body.length, CONTROL_BIT);
  }

  /** Hands over what was gathered, about `sizeBytesMax` of it; call until `sizeBytes` is 0. */
  take(sizeBytesMax: number): Uint8Array[] {
    this.#sealTail();
    let pieces = this.#pieces;
    let takenBytes = 0;
    let count = 0;
    while (count < pieces.length && (count === 0 || takenBytes < sizeBytesMax)) {
      takenBytes += pieces[count].length;
      count += 1;
    }
    if (count === pieces.length) this.#pieces = [];
    else pieces = pieces.splice(0, count);
    this.#sizeBytes -= takenBytes;
    return pieces;
  }

  /** Everything taken so far has left: its memory may be written again. */
  reuse(): void {
    if (this.#sizeBytes > 0) return;
    this.#tailStart = 0;
    this.#tailEnd = 0;
  }

  /** Forgets what was gathered. What was taken before stays untouched. */
  clear(): void {
    this.#pieces = [];
    this.#tailStart = this.#tailEnd;
    this.#sizeBytes = 0;
  }

  #add(parts: readonly Uint8Array[], bodyBytes: number, controlBit: number): void {
    assert(bodyBytes <= FRAME_BYTES_MAX, "a frame is longer than a peer would take");
    this.#reserve(FRAME_HEADER_BYTES);
    this.#tail.writeUInt32LE((bodyBytes | controlBit) >>> 0, this.#tailEnd);
    this.#tailEnd += FRAME_HEADER_BYTES;
    for (const part of parts) {
      if (part.length <= COPIED_PART_BYTES_MAX) {
        this.#reserve(part.length);
        this.#tail.set(part, this.#tailEnd);
        this.#tailEnd += part.length;
      } else {
        this.#sealTail();
        this.#pieces.push(part);
      }
    }
    this.#sizeBytes += FRAME_HEADER_BYTES + bodyBytes;
  }

  #reserve(sizeBytes: number): void {
    if (this.#tailEnd + sizeBytes <= TAIL_BYTES) return;
    this.#sealTail();
    this.#tail = allocOwnBytes(TAIL_BYTES);
    this.#tailStart = 0;
    this.#tailEnd = 0;
  }

  #sealTail(): void {
    if (this.#tailStart === this.#tailEnd) return;
    this.#pieces.push(this.#tail.subarray(this.#tailStart, this.#tailEnd));
    this.#tailStart = this.#tailEnd;
  }
}

/** A control frame by itself, ready to be written. */
export function encodeControlFrame(body: Uint8Array): Bytes {
  const frame = allocOwnBytes(FRAME_HEADER_BYTES + body.length);
  frame.writeUInt32LE((body.length | CONTROL_BIT) >>> 0, 0);
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

export interface FrameSink {
  /** `frame` may be kept: it holds on to no more than its own size again, or `SLAB_BYTES`, of others' memory. */
  onFrame(frame: Bytes): void;
  onControlFrame(body: Bytes): void;
}

/** Cuts a stream of bytes, however it is split, into frames. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** The frame under way, once its header is complete. */
  #frame: Bytes | undefined;
  #filledBytes = 0;
  #isControl = false;
  /** A header torn between two chunks. */
  readonly #header: Bytes = allocOwnBytes(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  #slab: Bytes = EMPTY_BYTES;
  #slabEnd = SLAB_BYTES;
  #closed = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** No frame is handed out from here on, not even of the chunk being read. */
  close(): void {
    this.#closed = true;
    this.#frame = undefined;
  }

  /**
   * Reads all of `chunk`, which must not change afterwards: frames may lie in it. Returns what is wrong with the
   * stream, after which it must not be read on.
   */
  push(chunk: Bytes): "frame-too-long" | undefined {
    let offset = 0;
    while (offset < chunk.length && !this.#closed) {
      offset =
        this.#frame === undefined
          ? this.#readHeader(chunk, offset)
          : this.#readBody(this.#frame, chunk, offset);
      if (offset < 0) return "frame-too-long";
    }
    return undefined;
  }

  /** Reads a header, and the body when all of it is there. Returns the offset after it, −1 for too long a frame. */
  #readHeader(chunk: Bytes, start: number): number {
    let offset = start;
    let word: number;
    if (this.#headerBytes === 0 && chunk.length - offset >= FRAME_HEADER_BYTES) {
      word = chunk.readUInt32LE(offset);
      offset += FRAME_HEADER_BYTES;
    } else {
      const end = Math.min(chunk.length, offset + FRAME_HEADER_BYTES - this.#headerBytes);
      chunk.copy(this.#header, this.#headerBytes, offset, end);
      this.#headerBytes += end - offset;
      offset = end;
      if (this.#headerBytes < FRAME_HEADER_BYTES) return offset;
      this.#headerBytes = 0;
      word = this.#header.readUInt32LE(0);
    }
    const bodyBytes = word & LENGTH_MASK;
    if (bodyBytes > FRAME_BYTES_MAX) return -1;
    this.#isControl = word >= CONTROL_BIT;
    if (bodyBytes <= chunk.length - offset) {
      this.#emit(this.#keep(chunk, offset, bodyBytes));
      return offset + bodyBytes;
    }
    this.#frame = allocOwnBytes(bodyBytes);
    this.#filledBytes = 0;
    return offset;
  }

  #readBody(frame: Bytes, chunk: Bytes, start: number): number {
    const end = Math.min(chunk.length, start + frame.length - this.#filledBytes);
    chunk.copy(frame, this.#filledBytes, start, end);
    this.#filledBytes += end - start;
    if (this.#filledBytes === frame.length) {
      this.#frame = undefined;
      this.#emit(frame);
    }
    return end;
  }

  /**
   * The frame in `chunk[start, start + sizeBytes)` in memory that may be kept. Measured for each frame: in place
   * 0.05 µs, in a slab 0.1 µs, in memory of its own 0.4 µs at 200 bytes and 2.4 µs at 20,000.
   */
  #keep(chunk: Bytes, start: number, sizeBytes: number): Bytes {
    const end = start + sizeBytes;
    if (sizeBytes >= chunk.length / 2) return chunk.subarray(start, end);
    if (sizeBytes > SLAB_FRAME_BYTES_MAX) return copyBytes(chunk, start, end);
    if (this.#slabEnd + sizeBytes > SLAB_BYTES) {
      this.#slab = allocOwnBytes(SLAB_BYTES);
      this.#slabEnd = 0;
    }
    const slabStart = this.#slabEnd;
    this.#slabEnd += sizeBytes;
    chunk.copy(this.#slab, slabStart, start, end);
    return this.#slab.subarray(slabStart, this.#slabEnd);
  }

  #emit(frame: Bytes): void {
    if (this.#isControl) this.#sink.onControlFrame(frame);
    else this.#sink.onFrame(frame);
  }
}
