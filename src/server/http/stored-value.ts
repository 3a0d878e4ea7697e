/** A stored value, or a part of one, as the JSON that a `GET` answers. */
import { isUtf8 } from "node:buffer";
import { type Bytes, concatBytes, utf8ToBytes } from "../../core/bytes.js";
import { nextTurn } from "./next-turn.js";

export interface StoredValue {
  /** `string` or `json`. */
  readonly type: string;
  readonly version: number;
  /** Milliseconds since 1970; 0 for never. */
  readonly expiresAtMs: number;
  readonly value: Bytes;
}

/** Bytes of text made into JSON before the event loop gets its turn: a millisecond or two of work. */
const RENDER_SLICE_BYTES = 262_144;

/** `{"value": …,"version":n}`. */
export async function renderValue(
  { type, value, version }: StoredValue,
  ttlSeconds: number | undefined,
): Promise<Uint8Array | string> {
  const ttl = ttlSeconds === undefined ? "" : `,"ttl":${ttlSeconds}`;
  return await renderMember("{", type, value, `,"version":${version}${ttl}}`);
}

/** `{"path": …,"value": …}`: what is at a path of `QUERY`. */
export async function renderAtPath(path: string, type: string, value: Bytes): Promise<Uint8Array | string> {
  return await renderMember(`{"path":${JSON.stringify(path)},`, type, value, "}");
}

/** `"value": …` between `head` and `tail`; a document's text goes out as it is. */
async function renderMember(
  head: string,
  type: string,
  value: Bytes,
  tail: string,
): Promise<Uint8Array | string> {
  if (type === "json") return wrap(`${head}"value":`, [value], tail);
  if (!isUtf8(value)) return `${head}"value":"${toBase64(value)}","encoding":"base64"${tail}`;
  if (value.length > RENDER_SLICE_BYTES) {
    return wrap(`${head}"value":"`, await escapeLong(value), `"${tail}`);
  }
  return `${head}"value":${JSON.stringify(value.utf8Slice())}${tail}`;
}

const wrap = (head: string, parts: readonly Bytes[], tail: string): Bytes =>
  concatBytes([utf8ToBytes(head), ...parts, utf8ToBytes(tail)]);

/** What stands between the quotes of the JSON string for this UTF-8, which is made slice by slice. */
async function escapeLong(value: Bytes): Promise<Bytes[]> {
  const parts: Bytes[] = [];
  for (let start = 0; start < value.length; ) {
    const end = characterStart(value, Math.min(start + RENDER_SLICE_BYTES, value.length));
    parts.push(utf8ToBytes(JSON.stringify(value.utf8Slice(start, end)).slice(1, -1)));
    start = end;
    await nextTurn();
  }
  return parts;
}

/** `at`, or where the character begins that `at` is inside of. */
function characterStart(value: Bytes, at: number): number {
  let start = at;
  while (start < value.length && (value[start] & 0xc0) === 0x80) start -= 1;
  return start;
}

export const toBase64 = (bytes: Bytes, form: "base64" | "base64url" = "base64"): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(form);
