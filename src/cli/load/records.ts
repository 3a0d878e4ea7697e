/**
 * Lines as records. Two formats, told apart by the first line that is not blank:
 *
 *     {"key":"city:AD:Vila","value":{"name":"Vila"}}     jsonl: one object a line
 *     turpis:libero                                      lines: key:value, the first ":" separates
 *
 * A JSON value that is a string is stored as bytes, any other as a document in compact JSON.
 */
import { isUtf8 } from "node:buffer";
import { jsonErrorColumn } from "./json-column.js";
import type { Line } from "./line-splitter.js";

export type RecordFormat = "jsonl" | "lines";

export interface LoadRecord {
  readonly kind: "record";
  readonly line: number;
  readonly key: string | Buffer;
  readonly type: "string" | "json";
  readonly value: string | Buffer;
}

export interface BadLine {
  readonly kind: "bad";
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  readonly reason: string;
}

export type ParsedLine = LoadRecord | BadLine | { readonly kind: "blank" };

const BLANK: ParsedLine = { kind: "blank" };
const COLON = 58;
const KEY_BYTES_MAX = 1024;

/** The format that a line is in, as far as one line can tell. */
export function detectFormat(line: Buffer): RecordFormat {
  const text = line.toString("utf8").trimStart();
  if (!text.startsWith("{")) return "lines";
  // `{tag}:value` is a line of the other format.
  return /^\{\s*(?:"|\}\s*$)/.test(text) ? "jsonl" : "lines";
}

export function parseLine(line: Line, format: RecordFormat): ParsedLine {
  if (line.isTooLong) return bad(line, 1, "the line is too long for a record");
  if (isBlank(line.bytes)) return BLANK;
  return format === "jsonl" ? parseJsonLine(line) : parseKeyValueLine(line);
}

export function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 32 && byte !== 9) return false;
  return true;
}

function parseKeyValueLine(line: Line): ParsedLine {
  const { bytes } = line;
  const colon = bytes.indexOf(COLON);
  if (colon < 0) return bad(line, bytes.toString("utf8").length + 1, 'no ":" between key and value');
  const problem = keyProblem(colon);
  if (problem !== undefined) return bad(line, 1, problem);
  return {
    kind: "record",
    line: line.number,
    // Copies: the line is a view into a chunk.
    key: Buffer.from(bytes.subarray(0, colon)),
    type: "string",
    value: Buffer.from(bytes.subarray(colon + 1)),
  };
}

function parseJsonLine(line: Line): ParsedLine {
  if (!isUtf8(line.bytes)) return bad(line, firstInvalidColumn(line.bytes), "not UTF-8");
  const text = line.bytes.toString("utf8");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    const column = jsonErrorColumn(text);
    return bad(line, column, column > text.length ? "the JSON ends too early" : "not JSON from here on");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return bad(line, 1, 'expected {"key":…,"value":…}');
  }
  return toRecord(line, parsed as Readonly<Record<string, unknown>>);
}

function toRecord(line: Line, fields: Readonly<Record<string, unknown>>): ParsedLine {
  const { key, value } = fields;
  if (typeof key !== "string") return bad(line, 1, 'no "key" that is a string');
  if (value === undefined) return bad(line, 1, 'no "value"');
  for (const name in fields) {
    if (name !== "key" && name !== "value") return bad(line, 1, `unknown field ${JSON.stringify(name)}`);
  }
  const problem = keyProblem(Buffer.byteLength(key));
  if (problem !== undefined) return bad(line, 1, problem);
  return typeof value === "string"
    ? { kind: "record", line: line.number, key, type: "string", value }
    : { kind: "record", line: line.number, key, type: "json", value: JSON.stringify(value) };
}

function keyProblem(sizeBytes: number): string | undefined {
  if (sizeBytes === 0) return "the key is empty";
  if (sizeBytes > KEY_BYTES_MAX) return `the key is ${sizeBytes} bytes; ${KEY_BYTES_MAX} are the most`;
  return undefined;
}

/** The first U+FFFD that decoding puts in is the first byte that is no UTF-8, unless one was there before. */
function firstInvalidColumn(bytes: Buffer): number {
  const text = bytes.toString("utf8");
  let column = 0;
  let offset = 0;
  for (const character of text) {
    const encoded = Buffer.from(character);
    if (!bytes.subarray(offset, offset + encoded.length).equals(encoded)) return column + 1;
    offset += encoded.length;
    column += character.length;
  }
  return column + 1;
}

const bad = (line: Line, column: number, reason: string): BadLine => ({
  kind: "bad",
  line: line.number,
  column,
  reason,
});
