/**
 * The pieces of commands that concern every partition (`fan-out.ts`): the nodes' own, not listed and not accepted
 * from clients.
 *
 * | command | arguments | reply |
 * | --- | --- | --- |
 * | `SCANPART` | after-or-empty count pattern type-or-empty | [[key …], last key looked at or null at the end, keys looked at] |
 * | `SCANFIND` | hash after-or-empty count | [key with that hash or null, last key looked at or null at the end] |
 * | `RANDOMPART` | seed | a key or null |
 * | `FLUSHPART` | | OK |
 * | `COUNT` | | the number of keys |
 * | `ENDKEY` | key | 1 when it had to be written that a counter has expired (docs/adr/0014), else 0 |
 */
import { Glob } from "./glob.js";
import { randomKey } from "./random-key.js";
import { OK, type Reply } from "./reply.js";
import { scanHash } from "./scan-cursor.js";
import { command, keyReply, numberArg, optionalKeyArg } from "./spec.js";
import type { Args, CommandSpec, KeyValueView } from "./types.js";

function runScanPart(view: KeyValueView, args: Args): Reply {
  const count = numberArg(args, 2);
  const glob = new Glob(args.key(3));
  const type = args.lengthBytes(4) === 0 ? undefined : args.text(4).toLowerCase();
  const keys: Reply[] = [];
  let examined = 0;
  for (const key of view.keys({ prefix: glob.prefix, after: optionalKeyArg(args, 1) })) {
    examined += 1;
    if (glob.matches(key) && (type === undefined || view.get(key)?.type === type)) keys.push(keyReply(key));
    if (examined >= count) return [keys, keyReply(key), examined];
  }
  return [keys, null, examined];
}

function runScanFind(view: KeyValueView, args: Args): Reply {
  const hash = numberArg(args, 1);
  const count = numberArg(args, 3);
  let examined = 0;
  for (const key of view.keys({ after: optionalKeyArg(args, 2) })) {
    if (scanHash(key) === hash) return [keyReply(key), null];
    examined += 1;
    if (examined >= count) return [null, keyReply(key)];
  }
  return [null, null];
}

function runRandomPart(view: KeyValueView, args: Args): Reply {
  const key = randomKey(view, numberArg(args, 1));
  return key === undefined ? null : keyReply(key);
}

// --- Table ---

/** A piece goes to the partition that is asked, not to that of a key. */
function piece(
  name: string,
  opcode: number,
  arity: number,
  access: "read" | "write",
  summary: string,
  run: (view: KeyValueView, args: Args) => Reply,
): CommandSpec {
  return command({
    name,
    opcode,
    arity,
    spread: "all",
    access,
    eventual: "as is",
    group: "minikey",
    summary,
    internal: true,
    run,
  });
}

function runFlushPart(view: KeyValueView): Reply {
  view.clear();
  return OK;
}

export const ENDKEY = piece("ENDKEY", 110, 2, "write", "Write that a counter has expired", (view, args) =>
  view.purge(args.key(1)) ? 1 : 0,
);

export const INTERNAL_COMMANDS: readonly CommandSpec[] = [
  piece("SCANPART", 104, 5, "read", "Look at the next keys of a partition", runScanPart),
  piece("SCANFIND", 105, 4, "read", "Find the key that a cursor stands for", runScanFind),
  piece("RANDOMPART", 106, 2, "read", "Choose a key of a partition", runRandomPart),
  piece("FLUSHPART", 107, 1, "write", "Remove all keys of a partition", runFlushPart),
  piece("COUNT", 108, 1, "read", "Count the keys of a partition", (view) => view.count()),
  ENDKEY,
];
