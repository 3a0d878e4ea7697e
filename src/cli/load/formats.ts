/** Which format a file of records is in: told by its first line that is not blank. */
import { RecordTextParser } from "../../document/record-parser.js";
import type { Line } from "./line-splitter.js";

/** What `RecordParser` reads; records.ts shows a line of each. */
export type RecordFormat = "records" | "jsonl" | "lines";

/** What `--format` takes; `auto` tells by the content, `json` is `jsonl`. */
export type FormatName = RecordFormat | "auto" | "json";

/** The format that a flag names; undefined when the content is to tell. */
export function formatNamed(name: FormatName = "auto"): RecordFormat | undefined {
  if (name === "auto") return undefined;
  return name === "json" ? "jsonl" : name;
}

/** The beginning of a line is enough to tell by, and some lines are long. */
const HEAD_BYTES_MAX = 8 * 1024;

/** `{"key":…` or an empty object; `{tag}:value` is a line of key:value. */
const JSON_OBJECT = /^\s*\{\s*(?:"|\}\s*$)/;
/** `key ->`, with or without quotes, or `"key" : {`. */
const RECORD_HEAD = /^\s*(?:"(?:[^"\\]|\\.)*"\s*(?:->|:\s*[[{])|[^\s"\\[\]{}|;,:]+?\s*->)/;

/** The format that a line is in, as far as one line can tell. */
export function detectFormat(line: Line): RecordFormat {
  const { bytes, start, end } = line;
  const head = bytes.utf8Slice(start, Math.min(end, start + HEAD_BYTES_MAX));
  if (JSON_OBJECT.test(head)) return "jsonl";
  if (RECORD_HEAD.test(head)) return "records";
  // `key : { a : 1 }` could be both, so only a whole record is taken for one.
  return new RecordTextParser().parse(bytes, start, end) ? "records" : "lines";
}

export function isBlank({ bytes, start, end }: Line): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] !== 32 && bytes[at] !== 9) return false;
  return true;
}
