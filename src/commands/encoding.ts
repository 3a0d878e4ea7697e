/**
 * A command as bytes, in log entries and between nodes. The opcode stands for the name, so argument 0 is not
 * stored; decoding puts an empty one back, and arguments keep their numbers.
 *
 *   ┌──────────────┬──────────────┬───── for each argument 1 … count ─────┐
 *   │ opcode       │ count        │ length          │ bytes                │
 *   │ varint       │ varint       │ varint          │ length bytes         │
 *   └──────────────┴──────────────┴─────────────────┴──────────────────────┘
 *
 * Decoding copies nothing: the arguments are positions in the encoded bytes.
 */
import { ByteReader } from "../codec/byte-reader.js";
import type { ByteWriter } from "../codec/byte-writer.js";
import type { Bytes } from "../core/bytes.js";
import type { Args } from "./types.js";

/** Appends the command to `writer`. */
export function encodeCommand(writer: ByteWriter, opcode: number, args: Args): void {
  const count = args.count;
  writer.varint(opcode);
  writer.varint(count - 1);
  const { bytes, offsets } = args;
  for (let i = 1; i < count; i += 1) writer.blob(bytes, offsets[2 * i], offsets[2 * i + 1]);
}

/**
 * Reads the command that fills `bytes[start, end)` into `into` and returns its opcode. Throws `MinikeyError`
 * `DATA_CORRUPT` when it is malformed or does not end at `end`.
 */
export function decodeCommand(bytes: Bytes, start: number, end: number, into: Args): number {
  const reader = new ByteReader(bytes, "command", "DATA_CORRUPT", start, end);
  const opcode = decodeCommandFrom(reader, into);
  reader.expectEnd();
  return opcode;
}

/** As {@link decodeCommand}, from where `reader` stands; `reader` stands behind the command afterwards. */
export function decodeCommandFrom(reader: ByteReader, into: Args): number {
  const opcode = reader.varint();
  const count = reader.varint();
  into.reset(reader.bytes);
  into.push(reader.position, reader.position);
  for (let i = 0; i < count; i += 1) {
    const length = reader.varint();
    const start = reader.skip(length);
    into.push(start, start + length);
  }
  return opcode;
}

/**
 * Puts into `spans`, of each command from where `reader` stands to its end, where the first argument starts and ends:
 * as a rule its key. Returns the number of commands. Throws as {@link decodeCommandFrom}.
 */
export function findFirstArguments(reader: ByteReader, spans: number[]): number {
  let count = 0;
  while (reader.remaining > 0) {
    reader.varint();
    let left = reader.varint();
    let length = left === 0 ? 0 : reader.varint();
    spans[2 * count] = reader.skip(length);
    spans[2 * count + 1] = spans[2 * count] + length;
    for (left -= 1; left > 0; left -= 1) {
      length = reader.varint();
      reader.skip(length);
    }
    count += 1;
  }
  return count;
}
