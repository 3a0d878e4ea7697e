/** What is stored as a document must be canonical JSON text, whoever sends it: readers rely on it. */
import { nameOf } from "../codec/json-name.js";
import { isJsonText, JSON_DEPTH_MAX, type JsonTextScanner } from "../codec/json-text.js";
import { type Bytes, latin1ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";

/** Throws `BAD_REQUEST` unless `bytes[start, end)` is JSON, without whitespace between tokens, each name once. */
export function checkCanonical(scanner: JsonTextScanner, bytes: Bytes, start: number, end: number): void {
  const valueEnd = scanner.value(bytes, start, end);
  if (valueEnd === end && scanner.isCompact && scanner.hasUniqueNames) return;
  throw new MinikeyError("BAD_REQUEST", whatIsWrong(scanner, bytes, start, end));
}

function whatIsWrong(scanner: JsonTextScanner, bytes: Bytes, start: number, end: number): string {
  if (!isJsonText(scanner, bytes, start, end)) {
    return scanner.isTooDeep ? `a value is nested more than ${JSON_DEPTH_MAX} deep` : "a value is not JSON";
  }
  const { twiceAt } = scanner;
  if (twiceAt < 0) return "a value is not compact JSON: it has whitespace between its parts";
  const name = latin1ToBytes(nameOf(bytes, twiceAt, scanner.string(bytes, twiceAt, end)));
  return `the name ${JSON.stringify(name.utf8Slice())} comes twice in one object`;
}
