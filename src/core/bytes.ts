/**
 * Bytes and the text they hold.
 *
 * Every byte array in the product is a Node.js `Buffer`: its native copies and conversions are what make
 * the hot path fast. The pure layers compile without Node's types, so the few methods that they use are
 * declared here, and nothing else of Node reaches them.
 *
 * Keys travel inside the process as `Key`: a string with one character (U+0000–U+00FF) a byte. Such strings
 * compare in byte order, hash once, take one byte a character in V8, and any byte sequence has one.
 */

/** A `Buffer`, as far as the pure layers know it. */
export interface Bytes extends Uint8Array {
  /** The bytes as a string of one character a byte. */
  latin1Slice(start?: number, end?: number): string;
  utf8Slice(start?: number, end?: number): string;
  /** Writes one byte a character; returns the bytes written. */
  latin1Write(text: string, offset: number, length?: number): number;
  utf8Write(text: string, offset: number, length?: number): number;
  copy(target: Uint8Array, targetStart?: number, sourceStart?: number, sourceEnd?: number): number;
  equals(other: Uint8Array): boolean;
  compare(other: Uint8Array): number;
  subarray(start?: number, end?: number): Bytes;
  readUInt32LE(offset: number): number;
  writeUInt32LE(value: number, offset: number): number;
  readUInt32BE(offset: number): number;
  writeUInt32BE(value: number, offset: number): number;
  /** Up to 6 bytes, so exact. */
  readUIntLE(offset: number, byteLength: number): number;
  writeUIntLE(value: number, offset: number, byteLength: number): number;
  readUIntBE(offset: number, byteLength: number): number;
  writeUIntBE(value: number, offset: number, byteLength: number): number;
  readDoubleLE(offset: number): number;
  writeDoubleLE(value: number, offset: number): number;
}

interface BufferFactory {
  alloc(sizeBytes: number): Bytes;
  allocUnsafe(sizeBytes: number): Bytes;
  allocUnsafeSlow(sizeBytes: number): Bytes;
  from(source: ArrayBufferLike, byteOffset: number, length: number): Bytes;
  from(text: string, encoding: "latin1" | "utf8"): Bytes;
  byteLength(text: string, encoding: "utf8"): number;
  concat(parts: readonly Uint8Array[], totalLength?: number): Bytes;
}

declare const Buffer: BufferFactory;

/** Any byte sequence as a string of one character (0–255) a byte. */
export type Key = string;

/** Keys have 1 to this many bytes. */
export const KEY_BYTES_MAX = 1024;

export const EMPTY_BYTES: Bytes = Buffer.alloc(0);

/** Zeroed memory. */
export const allocBytes = (sizeBytes: number): Bytes => Buffer.alloc(sizeBytes);

/** Memory with old content, possibly from a shared pool: for what is short-lived and written in full. */
export const allocUnsafeBytes = (sizeBytes: number): Bytes => Buffer.allocUnsafe(sizeBytes);

/** Memory with old content and of its own: for what is kept. */
export const allocOwnBytes = (sizeBytes: number): Bytes => Buffer.allocUnsafeSlow(sizeBytes);

/** Zeroed memory that several threads can see. */
export const allocSharedBytes = (sizeBytes: number): Bytes =>
  Buffer.from(new SharedArrayBuffer(sizeBytes), 0, sizeBytes);

/** A view, no copy. */
export function asBytes(array: Uint8Array): Bytes {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

export const concatBytes = (parts: readonly Uint8Array[]): Bytes => Buffer.concat(parts);

/** Below this, a loop is faster than a call into native code. */
const LOOP_BYTES_MAX = 48;

/** Copies `source[start, end)` to `target` at `at`. */
export function copyInto(target: Bytes, at: number, source: Bytes, start: number, end: number): void {
  if (end - start > LOOP_BYTES_MAX) {
    source.copy(target, at, start, end);
    return;
  }
  for (let from = start, to = at; from < end; from += 1, to += 1) target[to] = source[from];
}

/** Up to here a loop writes a key faster than a call into the runtime does. */
const LOOP_KEY_LENGTH_MAX = 32;

/** Writes `key` to `target` from `start` on. */
export function writeKey(target: Bytes, start: number, key: Key): void {
  if (key.length > LOOP_KEY_LENGTH_MAX) {
    target.latin1Write(key, start, key.length);
    return;
  }
  for (let i = 0; i < key.length; i += 1) target[start + i] = key.charCodeAt(i);
}

/** Whether `bytes`, from `start` on, begin with `key`. */
export function isKeyAt(bytes: Bytes, start: number, key: Key): boolean {
  // From the end: keys that are compared often share their beginnings.
  for (let i = key.length - 1; i >= 0; i -= 1) if (bytes[start + i] !== key.charCodeAt(i)) return false;
  return true;
}

/** A copy in memory of its own, which keeps nothing else alive. */
export function copyBytes(source: Uint8Array, start = 0, end = source.length): Bytes {
  const copy = Buffer.allocUnsafeSlow(end - start);
  copy.set(start === 0 && end === source.length ? source : source.subarray(start, end));
  return copy;
}

export const utf8ToBytes = (text: string): Bytes => Buffer.from(text, "utf8");
export const latin1ToBytes = (text: string): Bytes => Buffer.from(text, "latin1");
export const utf8Length = (text: string): number => Buffer.byteLength(text, "utf8");

/** The key that a text names: its UTF-8 bytes, one character each. */
export function keyFromText(text: string): Key {
  for (let i = 0; i < text.length; i += 1) {
    if (text.charCodeAt(i) > 0x7f) return utf8ToBytes(text).latin1Slice();
  }
  return text;
}

/** A key as text for people: its bytes read as UTF-8, with U+FFFD for what is not UTF-8. */
export function keyToText(key: Key): string {
  return latin1ToBytes(key).utf8Slice();
}
