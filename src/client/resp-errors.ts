/**
 * A RESP error line read back into a `MinikeyError`: by its first word where the word has one meaning in the
 * table of core/errors.ts, else by Redis's fixed texts. Whatever else starts with `ERR` was refused before
 * anything was done: outcomes that are not certain have words of their own.
 */
import { ERROR_CLASSES, type ErrorCode, MinikeyError } from "../core/errors.js";

/** First words that name exactly one code. */
const CODE_BY_WORD: ReadonlyMap<string, ErrorCode> = uniqueWords();

const CODE_BY_TEXT: readonly (readonly [RegExp, ErrorCode])[] = [
  [/ cannot be kept in the eventual keyspace /, "UNSUPPORTED"],
  [/^the eventual keyspace .* has no /, "UNSUPPORTED"],
  [/of an eventual keyspace: it has no level /, "UNSUPPORTED"],
  [/^unknown command/i, "UNKNOWN_COMMAND"],
  [/^unknown subcommand/i, "UNKNOWN_COMMAND"],
  [/^wrong number of arguments/i, "WRONG_ARITY"],
  [/^syntax error/i, "SYNTAX"],
  [/^value is not an integer or out of range/i, "NOT_AN_INTEGER"],
  [/^value is not a valid float/i, "NOT_A_FLOAT"],
  [/^DB index is out of range/i, "KEYSPACE_NOT_FOUND"],
  [/out of range|would overflow|would produce/i, "OUT_OF_RANGE"],
  [/^no such key$|^Path does not exist|operation on a key that doesn't exist$/i, "NOT_FOUND"],
  [/^key already exists/i, "KEY_EXISTS"],
  [/^version is /i, "VERSION_MISMATCH"],
  [/^no (?:such )?keyspace/i, "KEYSPACE_NOT_FOUND"],
  [/^the keyspace .* exists/i, "KEYSPACE_EXISTS"],
  [/^key is empty/i, "KEY_EMPTY"],
  [/^key of .* is larger/i, "KEY_TOO_LARGE"],
  [/^value of .* is larger/i, "VALUE_TOO_LARGE"],
];

function uniqueWords(): ReadonlyMap<string, ErrorCode> {
  const codes = new Map<string, ErrorCode[]>();
  for (const code of Object.keys(ERROR_CLASSES) as ErrorCode[]) {
    const word = ERROR_CLASSES[code].resp;
    codes.set(word, [...(codes.get(word) ?? []), code]);
  }
  const unique = new Map<string, ErrorCode>();
  for (const [word, [code, ...others]] of codes) if (others.length === 0) unique.set(word, code);
  return unique;
}

/** `line` without its `-` and line end: `WRONGTYPE Operation against …`. */
export function parseRespError(line: string): MinikeyError {
  const space = line.indexOf(" ");
  const word = space < 0 ? line : line.slice(0, space);
  const text = space < 0 ? line : line.slice(space + 1);
  const byWord = CODE_BY_WORD.get(word);
  if (byWord !== undefined) return new MinikeyError(byWord, text);
  // A word that is no code of ours, such as `EXECABORT`, stays visible.
  if (word !== "ERR") return new MinikeyError("BAD_REQUEST", line);
  for (const [pattern, code] of CODE_BY_TEXT) if (pattern.test(text)) return new MinikeyError(code, text);
  return new MinikeyError("BAD_REQUEST", text);
}
