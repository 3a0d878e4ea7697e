/**
 * CRC-16/XMODEM (polynomial 0x1021, initial value 0): the checksum by which Redis Cluster maps keys to slots.
 * Source: the Redis Cluster specification, appendix A.
 */
import type { Bytes, Key } from "./bytes.js";

const POLYNOMIAL = 0x1021;

function makeTable(): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
    table[byte] = crc & 0xffff;
  }
  return table;
}

const TABLE = makeTable();

/** The checksum of `bytes[start, end)`, behind others with checksum `before`. */
export function crc16(bytes: Bytes, start = 0, end = bytes.length, before = 0): number {
  let crc = before;
  for (let i = start; i < end; i += 1) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ bytes[i]];
  return crc;
}

/** The checksum of the bytes that `key[start, end)` stands for, one a character. */
export function crc16OfKey(key: Key, start = 0, end = key.length): number {
  let crc = 0;
  for (let i = start; i < end; i += 1) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ key.charCodeAt(i)];
  return crc;
}
