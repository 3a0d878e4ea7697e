/** JSON text laid out for people, as `JSON.GET … INDENT … NEWLINE … SPACE …` asks. */
import { type Bytes, latin1ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  noDocument,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipString,
} from "./json-bytes.js";
import type { JsonText } from "./json-edit.js";

/** Each as bytes, one character a byte; all empty for the compact text. */
export interface Layout {
  /** Once for every level. */
  readonly indent: string;
  /** Before every field and element, and before the end of what has any. */
  readonly newline: string;
  /** Behind the colon. */
  readonly space: string;
}

/** What is asked for of a document may be much longer than the document. */
export const REPLY_BYTES_MAX = 64 * 1024 * 1024;

/** Compact text laid out. Throws `VALUE_TOO_LARGE` when that takes more than 64 MiB. */
export function layOut({ bytes, start, end }: JsonText, { indent, newline, space }: Layout): Bytes {
  const parts: string[] = [];
  let depth = 0;
  let runStart = start;
  let at = start;
  let addedBytes = 0;
  const lineAt = (next: number): void => {
    addedBytes += newline.length + indent.length * depth + space.length;
    if (addedBytes > REPLY_BYTES_MAX) throw replyTooLarge();
    parts.push(bytes.latin1Slice(runStart, next), newline, indent.repeat(depth));
    runStart = next;
  };
  while (at < end) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = skipString(bytes, at, end);
      continue;
    }
    at += 1;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (bytes[at] === CLOSE_BRACE || bytes[at] === CLOSE_BRACKET) at += 1;
      else {
        depth += 1;
        lineAt(at);
      }
    } else if (byte === COMMA) {
      lineAt(at);
    } else if (byte === COLON) {
      parts.push(bytes.latin1Slice(runStart, at), space);
      runStart = at;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1;
      if (depth < 0) throw noDocument();
      lineAt(at - 1);
    }
  }
  parts.push(bytes.latin1Slice(runStart, end));
  return latin1ToBytes(parts.join(""));
}

export const replyTooLarge = (): MinikeyError =>
  new MinikeyError("VALUE_TOO_LARGE", `the reply would be larger than ${REPLY_BYTES_MAX} bytes`);
