/**
 * One command to a `Database`, as a promise: for callers that are not on a protocol's hot path (HTTP, the
 * embedded client). RESP submits directly and pays no promise per command.
 */
import { MapReply, type Reply, SetReply, Slice } from "../commands/reply.js";
import { Args } from "../commands/types.js";
import { allocUnsafeBytes, type Bytes, EMPTY_BYTES, utf8Length } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { Database, RequestContext } from "../node/database.js";

/** A string stands for its UTF-8 bytes. */
export type Argument = string | Uint8Array;

/**
 * Carries out one command and resolves with a reply that the caller may keep: `Slice`s are copied before the
 * database's call ends. Rejects with the `MinikeyError` when that is the reply.
 */
export function execute(
  database: Database,
  context: RequestContext,
  command: readonly Argument[],
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    database.submit(toArgs(command), context, {
      onReply: (reply) => {
        if (reply instanceof MinikeyError) reject(reply);
        else resolve(copyReply(reply));
      },
    });
  });
}

/** The arguments one after the other in one buffer of their own. */
function toArgs(command: readonly Argument[]): Args {
  let sizeBytes = 0;
  for (const part of command) sizeBytes += typeof part === "string" ? utf8Length(part) : part.length;
  const bytes = allocUnsafeBytes(sizeBytes);
  const args = new Args(bytes);
  let at = 0;
  for (const part of command) {
    const start = at;
    if (typeof part === "string") {
      at += bytes.utf8Write(part, at);
    } else {
      bytes.set(part, at);
      at += part.length;
    }
    args.push(start, at);
  }
  return args;
}

/** The bytes of a `Slice`, no copy. */
export const sliceBytes = (slice: Slice): Bytes => slice.bytes.subarray(slice.start, slice.end);

/** The same reply with its bytes in memory of its own. */
function copyReply(reply: Reply): Reply {
  if (reply === null || typeof reply !== "object") return reply;
  if (reply instanceof Slice) return copySlice(reply);
  if (Array.isArray(reply)) return (reply as readonly Reply[]).map((item) => copyReply(item));
  if (reply instanceof MapReply) {
    return new MapReply(reply.entries.map(([key, value]) => [copyReply(key), copyReply(value)] as const));
  }
  if (reply instanceof SetReply) return new SetReply(reply.items.map((item) => copyReply(item)));
  return reply;
}

function copySlice(slice: Slice): Slice {
  const sizeBytes = slice.end - slice.start;
  if (sizeBytes === 0) return new Slice(EMPTY_BYTES, 0, 0);
  const copy = allocUnsafeBytes(sizeBytes);
  slice.bytes.copy(copy, 0, slice.start, slice.end);
  return new Slice(copy, 0, sizeBytes);
}
