/**
 * `KV.LOAD key records`: stores many records of one partition, in order, as one command: one entry of the log
 * for all of them. `records` is laid out as codec/record-batch.ts draws it; `key` is any key of the partition
 * (the first record's, say) and serves to find it. The reply is the number of keys that were created; the others
 * were replaced.
 *
 * All or nothing: a batch with a record that cannot be stored is refused as a whole, before anything is
 * replicated, and so is one whose records lie in several partitions, or are more than `RECORDS_MAX`: while they are
 * stored, the node does nothing else.
 */
import { JsonTextScanner } from "../codec/json-text.js";
import { RECORD_JSON, RECORDS_MAX, RecordBatchReader } from "../codec/record-batch.js";
import { MinikeyError } from "../core/errors.js";
import { checkCanonical } from "./canonical.js";
import { checkKeySize } from "./check.js";
import type { Reply } from "./reply.js";
import { command, ONE_KEY } from "./spec.js";
import type { Args, KeyValueView } from "./types.js";

const RECORDS_ARG = 2;

const readerOf = (args: Args): RecordBatchReader =>
  new RecordBatchReader(args.bytes, args.start(RECORDS_ARG), args.end(RECORDS_ARG));

function checkLoad(args: Args): void {
  const records = readerOf(args);
  const scanner = new JsonTextScanner();
  for (let count = 1; records.next(); count += 1) {
    if (count > RECORDS_MAX) {
      throw new MinikeyError("BAD_REQUEST", `KV.LOAD takes ${RECORDS_MAX} records at once at most`);
    }
    checkKeySize(records.keyEnd - records.keyStart);
    const { type, bytes, valueStart, valueEnd } = records;
    if (type === RECORD_JSON) checkCanonical(scanner, bytes, valueStart, valueEnd);
  }
}

/** The records' keys, as pairs of positions: start and end. */
function keysInside(args: Args): number[] {
  const positions: number[] = [];
  const records = readerOf(args);
  while (records.next()) positions.push(records.keyStart, records.keyEnd);
  return positions;
}

function runLoad(view: KeyValueView, args: Args): Reply {
  const records = readerOf(args);
  const { bytes } = records;
  let created = 0;
  while (records.next()) {
    const key = bytes.latin1Slice(records.keyStart, records.keyEnd);
    if (!view.has(key)) created += 1;
    const type = records.type === RECORD_JSON ? "json" : "string";
    view.set(key, type, bytes, records.valueStart, records.valueEnd, 0);
  }
  return created;
}

export const LOAD_COMMANDS = [
  command({
    name: "KV.LOAD",
    opcode: 109,
    arity: 3,
    keys: ONE_KEY,
    keysInside,
    spread: "single",
    access: "write",
    eventual: "each key",
    flags: ["write", "denyoom"],
    categories: ["@keyspace", "@write", "@slow"],
    group: "minikey",
    summary: "Store many records of one partition",
    check: checkLoad,
    run: runLoad,
  }),
];
