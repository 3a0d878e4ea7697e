/** The value that a `PUT` carries, and the form in which a `GET` wants it back. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { uniqueNames } from "../../codec/json-canonical.js";
import { JsonTextScanner } from "../../codec/json-text.js";
import type { ValueType } from "../../commands/types.js";
import { asBytes, type Bytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { readBody } from "./body.js";
import { type JsonObject, readJsonObject } from "./json-body.js";
import type { HttpServices } from "./services.js";

export const OCTETS = "application/octet-stream";
const JSON_MEDIA_TYPE = "application/json";

/**
 * JSON may spell a byte with six (`\u0001`); the rest is room for the other members and whitespace.
 */
const JSON_BYTES_PER_BYTE_MAX = 6;
const JSON_OVERHEAD_BYTES = 65_536;
/** Over 300 years: far enough, and every sum with a date stays exact. */
const TTL_SECONDS_MAX = 1e10;

export interface NewValue {
  readonly type: ValueType;
  readonly value: Bytes;
  readonly ttlSeconds: number | undefined;
}

/** Reads and checks a `PUT`'s body; `queryTtl` is `?ttl=`, for bodies that have no place for it. */
export async function readValue(
  request: FastifyRequest,
  reply: FastifyReply,
  { limits, held }: HttpServices,
  queryTtl: string | undefined,
): Promise<NewValue> {
  const queryTtlSeconds = queryTtl === undefined ? undefined : checkedTtl(numberFrom(queryTtl), queryTtl);
  if (isBodyless(request)) throw valueRequired();
  const isOctets = checkMediaType(request.headers["content-type"], [JSON_MEDIA_TYPE, OCTETS]) === OCTETS;
  const bytesMax = isOctets
    ? limits.valueBytesMax
    : limits.valueBytesMax * JSON_BYTES_PER_BYTE_MAX + JSON_OVERHEAD_BYTES;
  const body = await readBody(request.raw, bytesMax, held.open(reply.raw));
  if (isOctets) return { type: "string", value: body, ttlSeconds: queryTtlSeconds };
  if (body.length === 0) throw valueRequired();

  const members = await readJsonObject(body, ["value", "ttl", "encoding"]);
  const { type, value } = typedValue(members);
  if (value.length > limits.valueBytesMax) {
    throw new MinikeyError(
      "VALUE_TOO_LARGE",
      `the value is ${value.length} bytes; at most ${limits.valueBytesMax} are allowed`,
    );
  }
  const ttl = members.number("ttl");
  if (ttl === undefined) return { type, value, ttlSeconds: queryTtlSeconds };
  if (queryTtl !== undefined)
    throw new MinikeyError("BAD_REQUEST", "ttl is given in the body and in the query");
  return { type, value, ttlSeconds: checkedTtl(ttl, members.json("ttl").latin1Slice()) };
}

/** Reads a JSON object from a request that carries nothing else. */
export async function readJsonRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  { held }: HttpServices,
  known: readonly string[],
): Promise<JsonObject> {
  checkMediaType(request.headers["content-type"], [JSON_MEDIA_TYPE]);
  const body = await readBody(request.raw, JSON_OVERHEAD_BYTES, held.open(reply.raw));
  return readJsonObject(body, known);
}

function typedValue(members: JsonObject): { type: ValueType; value: Bytes } {
  const kind = members.kind("value");
  if (kind === undefined) throw valueRequired();
  if (members.choice("encoding", ["base64", "utf-8"]) === "base64") {
    return { type: "string", value: fromBase64(members.string("value") ?? "") };
  }
  return kind === "string"
    ? { type: "string", value: members.stringBytes("value") }
    : { type: "json", value: withUniqueNames(members.json("value")) };
}

/** Compact text as documents are stored: of a name that comes twice the last value counts. */
function withUniqueNames(text: Bytes): Bytes {
  const scanner = new JsonTextScanner();
  scanner.value(text, 0, text.length);
  return scanner.hasUniqueNames ? text : uniqueNames(text, 0, text.length);
}

const valueRequired = (): MinikeyError => new MinikeyError("BAD_REQUEST", "Value is required");

function fromBase64(text: string): Bytes {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) {
    throw new MinikeyError("BAD_REQUEST", '"value" is not base64 (RFC 4648 §4, with padding)');
  }
  return asBytes(bytes);
}

const numberFrom = (text: string): number => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN);

function checkedTtl(seconds: number, shown: string): number {
  if (!(seconds > 0 && seconds <= TTL_SECONDS_MAX)) {
    throw new MinikeyError(
      "BAD_REQUEST",
      `ttl: expected seconds, more than 0 and at most ${TTL_SECONDS_MAX}, got ${shown}`,
    );
  }
  return seconds;
}

/** No body and no word of one: then what is missing is the value, not a media type. */
function isBodyless({ headers }: FastifyRequest): boolean {
  const { "content-type": type, "content-length": length, "transfer-encoding": coding } = headers;
  return type === undefined && coding === undefined && (length === undefined || length === "0");
}

/** The media type without its parameters, when it is one of `accepted`; else `UNSUPPORTED_MEDIA_TYPE`. */
function checkMediaType(header: string | undefined, accepted: readonly string[]): string {
  const type = header?.split(";")[0].trim().toLowerCase();
  if (type === undefined || !accepted.includes(type)) {
    const got = header === undefined ? "none" : JSON.stringify(header);
    throw new MinikeyError(
      "UNSUPPORTED_MEDIA_TYPE",
      `Content-Type: expected ${accepted.join(" or ")}, got ${got}`,
    );
  }
  return type;
}

/**
 * True when `Accept` (RFC 9110 §12.5.1) likes raw bytes better than JSON; on a tie the one named first wins,
 * and JSON when neither is named.
 */
export function prefersOctets(accept: string | undefined): boolean {
  if (accept === undefined || !accept.includes(OCTETS)) return false;
  const ranges = accept.split(",").map((range) => parseRange(range));
  const octetsAt = ranges.findIndex(({ type }) => type === OCTETS);
  const jsonAt = [JSON_MEDIA_TYPE, "application/*", "*/*"]
    .map((type) => ranges.findIndex((range) => range.type === type))
    .find((at) => at >= 0);
  if (octetsAt < 0) return false;
  const octets = ranges[octetsAt].quality;
  const json = jsonAt === undefined ? 0 : ranges[jsonAt].quality;
  return octets > json || (octets === json && octets > 0 && octetsAt < (jsonAt ?? 0));
}

function parseRange(range: string): { type: string; quality: number } {
  const [type, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith("q="));
  return { type, quality: quality === undefined ? 1 : Number(quality.slice(2)) || 0 };
}
