/**
 * Text in a request's first line: percent-encoding (RFC 3986 §2.1) of bytes that must be UTF-8, the query, and
 * where in the path a key lies. Node.js hands the URL over with one character a byte.
 */
import { isUtf8 } from "node:buffer";
import { type Bytes, latin1ToBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";

const PERCENT = 0x25;
/** U+FFFD, which decoding puts where bytes are not UTF-8, and which may itself be there. */
const REPLACEMENT_BYTES = "\u00EF\u00BF\u00BD";

/**
 * The bytes that `encoded` stands for; `what` names it in errors (`BAD_REQUEST`): a `%` without two hexadecimal
 * digits, or bytes that are not UTF-8.
 */
export function percentDecode(encoded: string, what: string): Bytes {
  const bytes = latin1ToBytes(encoded);
  let length = bytes.indexOf(PERCENT);
  if (length >= 0) {
    for (let i = length; i < bytes.length; i++) {
      if (bytes[i] === PERCENT) {
        const digits = encoded.slice(i + 1, i + 3);
        if (!/^[0-9a-f]{2}$/i.test(digits)) {
          throw new MinikeyError("BAD_REQUEST", `invalid percent-encoding "%${digits}" in ${what}`);
        }
        bytes[length] = Number.parseInt(digits, 16);
        i += 2;
      } else {
        bytes[length] = bytes[i];
      }
      length += 1;
    }
  }
  const decoded = length >= 0 ? bytes.subarray(0, length) : bytes;
  if (!isUtf8(decoded)) {
    throw new MinikeyError("BAD_REQUEST", `${what} is not valid UTF-8 at byte ${invalidUtf8At(decoded)}`);
  }
  return decoded;
}

/** The offset of the first byte that is not UTF-8, in bytes that are not. */
export function invalidUtf8At(bytes: Bytes): number {
  let offset = 0;
  for (const part of bytes.utf8Slice().split("\uFFFD")) {
    offset += Buffer.byteLength(part);
    if (bytes.latin1Slice(offset, Math.min(offset + 3, bytes.length)) !== REPLACEMENT_BYTES) return offset;
    offset += 3;
  }
  return offset;
}

/** What follows the nth `/` of the path, still encoded: the router has made sure that it is there. */
export function pathAfterSlash(url: string, nth: number): string {
  const query = url.indexOf("?");
  const path = query < 0 ? url : url.slice(0, query);
  let at = -1;
  for (let i = 0; i < nth; i++) at = path.indexOf("/", at + 1);
  return path.slice(at + 1);
}

/** The query's parameters. `BAD_REQUEST` for one that is not `known`, is given twice or is badly encoded. */
export function parseQuery(url: string, known: readonly string[]): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  const start = url.indexOf("?");
  if (start < 0) return parameters;
  for (const pair of url.slice(start + 1).split("&")) {
    if (pair === "") continue;
    const [name, value] = decodePair(pair);
    if (!known.includes(name)) {
      const expected = known.length === 0 ? "expected none" : `expected ${known.join(", ")}`;
      throw new MinikeyError("BAD_REQUEST", `unknown query parameter ${JSON.stringify(name)}: ${expected}`);
    }
    if (parameters.has(name))
      throw new MinikeyError("BAD_REQUEST", `query parameter "${name}" is given twice`);
    parameters.set(name, value);
  }
  return parameters;
}

/** `name=value` as HTML forms write it: `+` is a space. */
function decodePair(pair: string): readonly [name: string, value: string] {
  const equals = pair.indexOf("=");
  const name = formDecode(equals < 0 ? pair : pair.slice(0, equals), "a query parameter's name");
  const value = equals < 0 ? "" : formDecode(pair.slice(equals + 1), `query parameter "${name}"`);
  return [name, value];
}

const formDecode = (encoded: string, what: string): string =>
  percentDecode(encoded.replaceAll("+", " "), what).utf8Slice();
