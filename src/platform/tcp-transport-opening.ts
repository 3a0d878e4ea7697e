/**
 * How a connection between two nodes opens, and the control frames that follow.
 *
 * Both sides send an opening before anything else; the dialler first, the acceptor once it has read a valid one:
 *
 *      0              8              10            12
 *     ┌──────────────┬──────────────┬─────────────┬───────────────┐
 *     │ "MINIKEY\n"  │ version u16  │ length u16  │ hello, length │
 *     └──────────────┴──────────────┴─────────────┴───────────────┘
 *
 * A hello says who speaks. All integers are little-endian, texts are UTF-8 after a varint of their length:
 *
 *     ┌──────────────┬──────────────┬──────────┬─────────────────┬────────┬───────────┬─────────┬────┐
 *     │ instance u48 │ sequence u32 │ stage u8 │ incarnation u48 │ nodeId │ clusterId │ address │ to │
 *     └──────────────┴──────────────┴──────────┴─────────────────┴────────┴───────────┴─────────┴────┘
 *
 * `instance` is drawn at random by each process and `sequence` counts its greetings: two connections may
 * deliver them in the wrong order, and two processes may claim one node id. `to` is whom the dialler believes to
 * reach, empty in every other hello: a misdirected connection must not take the place of a right one.
 *
 * A reader checks the magic byte by byte and the version before it relies on anything behind them: all versions
 * share those ten bytes.
 */

import { ByteReader } from "../codec/byte-reader.js";
import { ByteWriter } from "../codec/byte-writer.js";
import { assert } from "../core/assert.js";
import { type Bytes, concatBytes, EMPTY_BYTES, utf8ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { type NodeId, nodeId } from "../core/ids.js";
import type { Greeting } from "../ports/transport.js";

export const PROTOCOL_VERSION = 1;

const MAGIC = utf8ToBytes("MINIKEY\n");
const VERSION_OFFSET = 8;
const LENGTH_OFFSET = 10;
const OPENING_HEADER_BYTES = 12;
const HELLO_BYTES_MAX = 1024;

const STAGES: readonly (Greeting["stage"] | undefined)[] = ["fresh", "forming", "formed"];

/** A greeting, and what orders it among others. */
export interface Hello {
  readonly greeting: Greeting;
  readonly instance: number;
  readonly sequence: number;
  /** Empty when the speaker has not dialled. */
  readonly to: NodeId | "";
}

/** Whether two greetings say the same. */
export function sameGreeting(a: Greeting, b: Greeting): boolean {
  return (
    a.nodeId === b.nodeId &&
    a.incarnation === b.incarnation &&
    a.clusterId === b.clusterId &&
    a.stage === b.stage &&
    a.address === b.address
  );
}

export function encodeHello(hello: Hello): Bytes {
  const { greeting } = hello;
  const writer = new ByteWriter();
  writer.u48(hello.instance);
  writer.u32(hello.sequence);
  writer.u8(STAGES.indexOf(greeting.stage));
  writer.u48(greeting.incarnation);
  writer.utf8(greeting.nodeId);
  writer.utf8(greeting.clusterId);
  writer.utf8(greeting.address);
  writer.utf8(hello.to);
  assert(writer.length <= HELLO_BYTES_MAX, "a greeting is longer than a peer would take");
  return writer.toBytes();
}

/** Undefined for anything that `encodeHello` would not have written, byte by byte. */
export function decodeHello(bytes: Bytes): Hello | undefined {
  const reader = new ByteReader(bytes, "greeting");
  try {
    const instance = reader.u48();
    const sequence = reader.u32();
    const stage = STAGES[reader.u8()];
    if (stage === undefined) return undefined;
    const incarnation = reader.u48();
    const id = nodeId(reader.utf8());
    const greeting = { nodeId: id, incarnation, clusterId: reader.utf8(), stage, address: reader.utf8() };
    const hello = { instance, sequence, greeting, to: nodeId(reader.utf8()) };
    return id !== "" && encodeHello(hello).equals(bytes) ? hello : undefined;
  } catch (error) {
    if (error instanceof MinikeyError) return undefined;
    throw error;
  }
}

export function encodeOpening(hello: Hello): Bytes {
  const body = encodeHello(hello);
  const writer = new ByteWriter(OPENING_HEADER_BYTES + body.length);
  writer.raw(MAGIC);
  writer.u8(PROTOCOL_VERSION & 0xff);
  writer.u8(PROTOCOL_VERSION >> 8);
  writer.u8(body.length & 0xff);
  writer.u8(body.length >> 8);
  writer.raw(body);
  return writer.toBytes();
}

export type OpeningResult =
  | { readonly state: "incomplete" }
  | {
      readonly state: "opened";
      readonly hello: Hello /** What came after the opening. */;
      readonly rest: Bytes;
    }
  | { readonly state: "refused"; readonly reason: "not-minikeydb" | "malformed" }
  | { readonly state: "refused"; readonly reason: "other-version"; readonly version: number };

/** Reads the opening of a connection, however it is split. */
export class OpeningReader {
  #bytes: Bytes = EMPTY_BYTES;

  push(chunk: Bytes): OpeningResult {
    const bytes = this.#bytes.length === 0 ? chunk : concatBytes([this.#bytes, chunk]);
    this.#bytes = bytes;
    const magicBytes = Math.min(bytes.length, MAGIC.length);
    if (!bytes.subarray(0, magicBytes).equals(MAGIC.subarray(0, magicBytes))) {
      return { state: "refused", reason: "not-minikeydb" };
    }
    if (bytes.length >= LENGTH_OFFSET) {
      const version = bytes.readUIntLE(VERSION_OFFSET, 2);
      if (version !== PROTOCOL_VERSION) return { state: "refused", reason: "other-version", version };
    }
    if (bytes.length < OPENING_HEADER_BYTES) return { state: "incomplete" };
    const end = OPENING_HEADER_BYTES + bytes.readUIntLE(LENGTH_OFFSET, 2);
    if (end > OPENING_HEADER_BYTES + HELLO_BYTES_MAX) return { state: "refused", reason: "malformed" };
    if (bytes.length < end) return { state: "incomplete" };
    const hello = decodeHello(bytes.subarray(OPENING_HEADER_BYTES, end));
    if (hello === undefined) return { state: "refused", reason: "malformed" };
    this.#bytes = EMPTY_BYTES;
    return { state: "opened", hello, rest: bytes.subarray(end) };
  }
}

const PING = 1;
const PONG = 2;
const GREETING = 3;

export const PING_FRAME: Bytes = concatBytes([Uint8Array.of(PING)]);
export const PONG_FRAME: Bytes = concatBytes([Uint8Array.of(PONG)]);

/** The body of the control frame by which a node greets anew. */
export function encodeGreetingFrame(hello: Hello): Bytes {
  return concatBytes([Uint8Array.of(GREETING), encodeHello(hello)]);
}

export type ControlFrame =
  | { readonly kind: "ping" }
  | { readonly kind: "pong" }
  | { readonly kind: "greeting"; readonly hello: Hello };

/** Undefined for a malformed one. */
export function decodeControlFrame(body: Bytes): ControlFrame | undefined {
  if (body.length === 1 && body[0] === PING) return { kind: "ping" };
  if (body.length === 1 && body[0] === PONG) return { kind: "pong" };
  if (body[0] !== GREETING) return undefined;
  const hello = decodeHello(body.subarray(1));
  return hello === undefined ? undefined : { kind: "greeting", hello };
}
