/**
 * `/kv` and `/keyspaces/{name}/kv`: one key's value, and keys in order.
 *
 * A value on this side is JSON: a string is bytes (its UTF-8), anything else a document, kept as the text that
 * was sent without its whitespace. Bytes that are no text go as base64, or raw both ways as
 * `application/octet-stream`. docs/http.md is the user's view of all this.
 */
import { isUtf8 } from "node:buffer";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Reply } from "../../commands/reply.js";
import type { Bytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { OCTETS, prefersOctets, readValue } from "./body-values.js";
import { entityTag, namesVersion, writeCondition } from "./conditions.js";
import { readContext, writeContext } from "./levels.js";
import { bytesOf, itemsOf, JSON_TYPE } from "./replies.js";
import { deleteKeySchema, getKeySchema, listKeysSchema, putKeySchema } from "./schemas.js";
import { type App, ask, type HttpServices, keyspaceOf, queryOf, urlOf } from "./services.js";
import { renderValue, type StoredValue, toBase64 } from "./stored-value.js";
import { pathAfterSlash, percentDecode } from "./text.js";

const LIST_LIMIT_DEFAULT = 100;
const LIST_LIMIT_MAX = 1000;

export function registerKeyRoutes(app: App, services: HttpServices): void {
  for (const named of [false, true]) {
    const routes = new KeyRoutes(services, named);
    const base = named ? "/keyspaces/:keyspace/kv" : "/kv";
    app.get(base, { schema: listKeysSchema(named) }, (request, reply) => routes.list(request, reply));
    app.get(`${base}/*`, { schema: getKeySchema(named) }, (request, reply) => routes.get(request, reply));
    app.put(`${base}/*`, { schema: putKeySchema(named) }, (request, reply) => routes.put(request, reply));
    app.delete(`${base}/*`, { schema: deleteKeySchema(named) }, (request, reply) =>
      routes.delete(request, reply),
    );
  }
}

class KeyRoutes {
  readonly #services: HttpServices;
  readonly #named: boolean;

  constructor(services: HttpServices, named: boolean) {
    this.#services = services;
    this.#named = named;
  }

  async get(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = queryOf(request, ["consistency"]);
    const key = this.#key(request);
    const context = readContext(keyspaceOf(this.#services, request, this.#named), query.get("consistency"));
    const answer = await ask(this.#services, context, ["KV.GET", key]);
    if (answer === null) throw new MinikeyError("NOT_FOUND", "Key not found");
    const found = toStored(answer);
    const { type, version, expiresAtMs, value } = found;
    this.#services.held.open(reply.raw).add(value.length);

    reply.header("etag", entityTag(version)).header("cache-control", "no-cache").header("vary", "accept");
    const { "if-none-match": ifNoneMatch, "if-match": ifMatch, accept } = request.headers;
    if (ifMatch !== undefined && !namesVersion(ifMatch, version, false)) throw versionMismatch(version);
    if (ifNoneMatch !== undefined && namesVersion(ifNoneMatch, version, true)) return reply.code(304).send();

    const ttlSeconds =
      expiresAtMs === 0 ? undefined : Math.max(0, expiresAtMs - this.#services.clock.wallMs()) / 1000;
    if (prefersOctets(accept)) {
      if (ttlSeconds !== undefined) reply.header("minikey-ttl", String(ttlSeconds));
      return reply.header("minikey-type", type).type(OCTETS).send(value);
    }
    return reply.type(JSON_TYPE).send(await renderValue(found, ttlSeconds));
  }

  async put(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = queryOf(request, ["consistency", "ttl"]);
    const key = this.#key(request);
    const context = writeContext(keyspaceOf(this.#services, request, this.#named), query.get("consistency"));
    const { mode, version: expected } = writeCondition(request.headers);
    const { type, value, ttlSeconds } = await readValue(request, reply, this.#services, query.get("ttl"));
    const expiresAtMs =
      ttlSeconds === undefined ? 0 : Math.ceil(this.#services.clock.wallMs() + ttlSeconds * 1000);
    const stored = await ask(this.#services, context, [
      "KV.PUT",
      key,
      type,
      mode,
      String(expected),
      String(expiresAtMs),
      value,
    ]);
    const [created, version] = itemsOf(stored) as [number, number];
    return reply
      .code(created === 1 ? 201 : 200)
      .header("etag", entityTag(version))
      .send({ status: created === 1 ? "created" : "updated", version });
  }

  async delete(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = queryOf(request, ["consistency"]);
    const key = this.#key(request);
    const context = writeContext(keyspaceOf(this.#services, request, this.#named), query.get("consistency"));
    const { mode, version } = writeCondition(request.headers);
    if (mode === "nx") throw new MinikeyError("BAD_REQUEST", "If-None-Match: a delete takes If-Match only");
    // What is missing cannot be deleted anyway: 404 comes before any condition (RFC 9110 §13.2.1).
    const deleted = await ask(this.#services, context, ["KV.DELETE", key, String(version)]);
    if (deleted === 0) throw new MinikeyError("NOT_FOUND", "Key not found");
    return reply.send({ status: "deleted" });
  }

  async list(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = queryOf(request, ["prefix", "limit", "cursor", "consistency"]);
    const context = readContext(keyspaceOf(this.#services, request, this.#named), query.get("consistency"));
    const listed = await ask(this.#services, context, [
      "KV.LIST",
      query.get("prefix") ?? "",
      cursorKey(query.get("cursor")),
      String(listLimit(query.get("limit"))),
    ]);
    const [found, more] = itemsOf(listed);
    const keys = itemsOf(found).map((item) => bytesOf(item));
    const texts = keys.filter((key) => isUtf8(key));
    const others = keys.filter((key) => !isUtf8(key));
    return reply.send({
      keys: texts.map((key) => key.utf8Slice()),
      ...(others.length === 0 ? {} : { keysBase64: others.map((key) => toBase64(key)) }),
      cursor: more === 1 && keys.length > 0 ? toBase64(keys[keys.length - 1], "base64url") : null,
    });
  }

  /** The key in the path: everything after `/kv/`, so that `/` needs no encoding. */
  #key(request: FastifyRequest): Bytes {
    const key = percentDecode(pathAfterSlash(urlOf(request), this.#named ? 4 : 2), "the key");
    const { keyBytesMax } = this.#services.limits;
    if (key.length === 0) throw new MinikeyError("KEY_EMPTY", "the key is empty");
    if (key.length > keyBytesMax) {
      throw new MinikeyError(
        "KEY_TOO_LARGE",
        `the key is ${key.length} bytes; at most ${keyBytesMax} are allowed`,
      );
    }
    return key;
  }
}

function toStored(reply: Reply): StoredValue {
  const [type, version, expiresAtMs, value] = itemsOf(reply) as [Reply, number, number, Reply];
  return { type: bytesOf(type).latin1Slice(), version, expiresAtMs, value: bytesOf(value) };
}

function versionMismatch(version: number): MinikeyError {
  return new MinikeyError("VERSION_MISMATCH", `the key has version ${version}`);
}

function listLimit(text: string | undefined): number {
  if (text === undefined) return LIST_LIMIT_DEFAULT;
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LIST_LIMIT_MAX) {
    const got = JSON.stringify(text);
    throw new MinikeyError("BAD_REQUEST", `limit: expected 1 to ${LIST_LIMIT_MAX}, got ${got}`);
  }
  return limit;
}

/** The key that the listing goes on after; empty for the start. */
function cursorKey(cursor: string | undefined): Uint8Array {
  const key = Buffer.from(cursor ?? "", "base64url");
  if (cursor !== undefined && key.toString("base64url") !== cursor) {
    throw new MinikeyError("BAD_REQUEST", "cursor: expected one from an earlier answer");
  }
  return key;
}
