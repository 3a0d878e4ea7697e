/**
 * Replies as people and programs read them.
 *
 * `formatHuman` is for a terminal: redis-cli's forms, which tell `(integer) 1` from `"1"`. `formatRaw` is for
 * pipes and `-c`: the bytes of the value alone. `formatJson` is one line of JSON.
 */

import { WireMap, type WireReply, WireSet } from "../../client/wire.js";
import { DoubleReply, Status, VerbatimReply } from "../../commands/reply.js";
import { MinikeyError } from "../../core/errors.js";
import { quoteText } from "./words.js";

export function formatHuman(reply: WireReply): string {
  return humanLines(reply).join("\n");
}

/** A reply's lines; those of nested lists are indented under their number. */
function humanLines(reply: WireReply): string[] {
  if (reply instanceof MinikeyError) return [`(error) ${reply.toRespText()}`];
  if (reply === null) return ["(nil)"];
  if (typeof reply === "number" || typeof reply === "bigint") return [`(integer) ${reply}`];
  if (typeof reply === "boolean") return [`(${reply})`];
  if (reply instanceof Status) return [reply.text];
  if (reply instanceof VerbatimReply) return reply.text.trimEnd().split("\n");
  if (reply instanceof DoubleReply) return [`(double) ${reply.value}`];
  if (reply instanceof Uint8Array) return [quoteBytes(reply)];
  if (reply instanceof WireMap) return mapLines(reply);
  const items = reply instanceof WireSet ? reply.items : reply;
  const mark = reply instanceof WireSet ? "~" : ")";
  if (items.length === 0) return [reply instanceof WireSet ? "(empty set)" : "(empty list)"];
  return numbered(items.map(humanLines), mark);
}

function mapLines(map: WireMap): string[] {
  if (map.entries.length === 0) return ["(empty map)"];
  const entries = map.entries.map(([key, value]) => {
    const head = humanLines(key).join(" ");
    const [first, ...rest] = humanLines(value);
    const isNested = value instanceof WireMap || value instanceof WireSet || Array.isArray(value);
    return isNested && rest.length > 0
      ? [`${head} =>`, ...[first, ...rest].map((line) => `  ${line}`)]
      : [`${head} => ${first}`, ...rest];
  });
  return numbered(entries, "#");
}

function numbered(blocks: readonly (readonly string[])[], mark: string): string[] {
  const width = String(blocks.length).length;
  const lines: string[] = [];
  for (const [i, block] of blocks.entries()) {
    const head = `${String(i + 1).padStart(width)}${mark} `;
    for (const [j, line] of block.entries()) lines.push((j === 0 ? head : " ".repeat(head.length)) + line);
  }
  return lines;
}

/** Text in quotes; what is not UTF-8 byte by byte. */
function quoteBytes(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (Buffer.from(text).equals(bytes)) return quoteText(text);
  let quoted = "";
  for (const byte of bytes) {
    quoted +=
      byte >= 0x20 && byte < 0x7f
        ? quoteText(String.fromCodePoint(byte)).slice(1, -1)
        : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${quoted}"`;
}

/** The value alone; a list has one item a line. Bytes come out as they are. */
export function formatRaw(reply: WireReply): Buffer {
  if (reply instanceof Uint8Array) return reply;
  if (reply instanceof WireMap) return joinLines(reply.entries.flat());
  if (reply instanceof WireSet) return joinLines(reply.items);
  if (Array.isArray(reply)) return joinLines(reply as readonly WireReply[]);
  if (typeof reply === "number" || typeof reply === "bigint") return Buffer.from(String(reply));
  if (reply instanceof DoubleReply) return Buffer.from(String(reply.value));
  if (reply instanceof VerbatimReply) return Buffer.from(reply.text.trimEnd());
  return Buffer.from(formatHuman(reply));
}

function joinLines(items: readonly WireReply[]): Buffer {
  const parts: Buffer[] = [];
  for (const [i, item] of items.entries()) {
    if (i > 0) parts.push(Buffer.from("\n"));
    parts.push(formatRaw(item));
  }
  return Buffer.concat(parts);
}

/** One line of JSON. Errors are `{"error", "code"}`; bytes that are no text are `{"base64"}`. */
export function formatJson(reply: WireReply): string {
  return JSON.stringify(toJson(reply));
}

function toJson(reply: WireReply): unknown {
  if (reply instanceof MinikeyError) return { error: reply.message, code: reply.code };
  if (reply instanceof Status || reply instanceof VerbatimReply) return reply.text;
  if (reply instanceof DoubleReply) {
    return Number.isFinite(reply.value) ? reply.value : String(reply.value);
  }
  if (typeof reply === "bigint") return reply.toString();
  if (reply instanceof Uint8Array) {
    const text = reply.toString("utf8");
    return Buffer.from(text).equals(reply) ? text : { base64: reply.toString("base64") };
  }
  if (reply instanceof WireMap) {
    return Object.fromEntries(
      reply.entries.map(([key, value]) => [formatRaw(key).toString(), toJson(value)]),
    );
  }
  if (reply instanceof WireSet) return reply.items.map(toJson);
  if (Array.isArray(reply)) return (reply as readonly WireReply[]).map(toJson);
  return reply;
}
