/**
 * SHA-1, for placing things evenly and for speaking with others who use it: not for secrets.
 *
 * Source: FIPS 180-4, §5.1.1 (padding), §6.1 (SHA-1).
 */
import { allocBytes, type Bytes } from "./bytes.js";

export const SHA1_BYTES = 20;

const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;
const ROUNDS = 80;

/** The 20-byte digest of `message`. */
export function sha1(message: Uint8Array): Bytes {
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  const schedule = new Int32Array(ROUNDS);
  const wholeBytes = message.length - (message.length % BLOCK_BYTES);
  for (let at = 0; at < wholeBytes; at += BLOCK_BYTES) addBlock(state, schedule, message, at);
  const tail = padTail(message, wholeBytes);
  for (let at = 0; at < tail.length; at += BLOCK_BYTES) addBlock(state, schedule, tail, at);
  const digest = allocBytes(SHA1_BYTES);
  for (let i = 0; i < state.length; i += 1) digest.writeUInt32BE(state[i] >>> 0, 4 * i);
  return digest;
}

/** What remains of the message, a 1 bit, zeros, and the message's length in bits: one block or two. */
function padTail(message: Uint8Array, start: number): Bytes {
  const restBytes = message.length - start;
  const tail = allocBytes(restBytes + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES);
  tail.set(message.subarray(start));
  tail[restBytes] = 0x80;
  // Up to 2^53 bits, more than an array can hold.
  tail.writeUIntBE(message.length * 8, tail.length - 6, 6);
  return tail;
}

function addBlock(state: Int32Array, w: Int32Array, bytes: Uint8Array, start: number): void {
  for (let t = 0; t < 16; t += 1) {
    const at = start + 4 * t;
    w[t] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let t = 16; t < ROUNDS; t += 1) w[t] = rotateLeft(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  for (let t = 0; t < ROUNDS; t += 1) {
    const next = (rotateLeft(a, 5) + mix(t, b, c, d) + e + w[t]) | 0;
    e = d;
    d = c;
    c = rotateLeft(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

/** The function and the constant of round `t` (§4.1.1, §4.2.1). */
function mix(t: number, b: number, c: number, d: number): number {
  if (t < 20) return ((b & c) ^ (~b & d)) + 0x5a827999;
  if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (t < 60) return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));
