/**
 * What the name of a field spells, whatever its escapes: `"a"` and `"\u0061"` are the same name.
 *
 * Spelled out it is UTF-8. Half of a surrogate pair, which only an escape can write, becomes three bytes as if it
 * were a character; UTF-8 never has these, so two names are the same exactly when their bytes are.
 */
import { allocUnsafeBytes, type Bytes } from "../core/bytes.js";

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** What a letter behind a backslash stands for, where it is not itself. */
const SHORT_ESCAPES: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08], // b
  [0x66, 0x0c], // f
  [0x6e, 0x0a], // n
  [0x72, 0x0d], // r
  [0x74, 0x09], // t
]);

/** The name that the checked string `bytes[start, end)` spells, quotes included: its bytes, one character each. */
export function nameOf(bytes: Bytes, start: number, end: number, isEscaped?: boolean): string {
  if (!(isEscaped ?? hasEscape(bytes, start, end))) return bytes.latin1Slice(start + 1, end - 1);
  const name = allocUnsafeBytes(end - start);
  return name.latin1Slice(0, spellName(bytes, start, end, name, 0));
}

/** Whether a string, or a part of one, holds an escape. */
export function hasEscape(bytes: Bytes, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === BACKSLASH) return true;
  return false;
}

/**
 * Writes what the checked string `bytes[start, end)` spells, quotes included, to `target` at `at`, which needs no more
 * room than the string; returns where it ends.
 */
export function spellName(bytes: Bytes, start: number, end: number, target: Bytes, at: number): number {
  let to = at;
  for (let from = start + 1; from < end - 1; ) {
    const byte = bytes[from];
    if (byte !== BACKSLASH) {
      target[to] = byte;
      to += 1;
      from += 1;
      continue;
    }
    const letter = bytes[from + 1];
    if (letter !== LETTER_U) {
      target[to] = SHORT_ESCAPES.get(letter) ?? letter;
      to += 1;
      from += 2;
      continue;
    }
    let point = hexAt(bytes, from + 2);
    from += 6;
    if (point >= 0xd800 && point < 0xdc00 && bytes[from] === BACKSLASH && bytes[from + 1] === LETTER_U) {
      const low = hexAt(bytes, from + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        from += 6;
      }
    }
    to = writePoint(point, target, to);
  }
  return to;
}

/** Four hexadecimal digits. */
function hexAt(bytes: Bytes, start: number): number {
  let value = 0;
  for (let at = start; at < start + 4; at += 1) {
    const byte = bytes[at];
    value = value * 16 + (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57);
  }
  return value;
}

function writePoint(point: number, target: Bytes, at: number): number {
  let to = at;
  if (point < 0x80) {
    target[to] = point;
    return to + 1;
  }
  if (point < 0x800) {
    target[to] = 0xc0 | (point >> 6);
  } else {
    if (point < 0x10000) {
      target[to] = 0xe0 | (point >> 12);
    } else {
      target[to] = 0xf0 | (point >> 18);
      to += 1;
      target[to] = 0x80 | ((point >> 12) & 0x3f);
    }
    to += 1;
    target[to] = 0x80 | ((point >> 6) & 0x3f);
  }
  target[to + 1] = 0x80 | (point & 0x3f);
  return to + 2;
}
