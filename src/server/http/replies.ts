/** The database's replies taken apart: a reply of another form is a broken invariant. */
import { type Reply, Slice } from "../../commands/reply.js";
import { assert } from "../../core/assert.js";
import { type Bytes, utf8ToBytes } from "../../core/bytes.js";
import { sliceBytes } from "../execute.js";

export const JSON_TYPE = "application/json; charset=utf-8";

export function itemsOf(reply: Reply): readonly Reply[] {
  assert(Array.isArray(reply), "array expected from the database");
  return reply as readonly Reply[];
}

export function bytesOf(reply: Reply): Bytes {
  if (typeof reply === "string") return utf8ToBytes(reply);
  assert(reply instanceof Slice, "bytes expected from the database");
  return sliceBytes(reply);
}
