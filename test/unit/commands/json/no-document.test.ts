/** What is stored as a document is one. Should it not be, by whatever mistake, that must not end every replica. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runCommand } from "../../../../src/commands/run.js";
import { COMMANDS } from "../../../../src/commands/table.js";
import { latin1ToBytes } from "../../../../src/core/bytes.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { lookUp } from "../../../../src/document/lookup.js";
import { argsOf } from "../../../support/commands.js";
import { MemoryView } from "../../../support/memory-database.js";

const TEXTS = [
  ...[
    "",
    " ",
    "v",
    "\0",
    '"',
    '"\\',
    "[",
    "[[[[",
    "[1,",
    "[1",
    "[v]",
    "[[v]]",
    "]",
    "{",
    '{"a',
    '{"a"',
    '{"a":',
  ],
  ...[
    '{"a":1,',
    '{"a" : 1}',
    "[1 , 2]",
    '{"a":"b\\',
    '{"\\x":1}',
    '{"\\u12":{}}',
    '["\\u12"]',
    "{,}",
    "[,]",
    '{"a"}',
    "}",
  ],
];

const LINES = [
  ...[
    "JSON.GET k $..*",
    "JSON.GET k .a",
    "JSON.GET k $.a.b",
    "JSON.GET k $[?(@==$)]",
    "JSON.GET k INDENT x $",
  ],
  ...["JSON.TYPE k $.*", "JSON.DEL k $..*", "JSON.DEL k $[0]", "JSON.SET k $.x 1", "JSON.SET k $.a 1"],
  ...[
    'JSON.MERGE k $ {"a":{"x":1}}',
    "JSON.CLEAR k $.*",
    "JSON.NUMINCRBY k $..* 1",
    "JSON.TOGGLE k .",
    'JSON.STRAPPEND k "x"',
  ],
  ...[
    "JSON.STRLEN k",
    "JSON.ARRAPPEND k $ 1",
    "JSON.ARRINSERT k $ 0 1",
    "JSON.ARRPOP k",
    "JSON.ARRTRIM k $ 0 0",
  ],
  ...["JSON.ARRINDEX k $ [1]", "JSON.ARRLEN k", "JSON.OBJKEYS k", "JSON.OBJLEN k", "JSON.MSET k $.a 1"],
];

test("text that is no JSON, where a document should be, stops no command", () => {
  let errors = 0;
  for (const text of TEXTS) {
    const bytes = latin1ToBytes(text);
    for (const line of LINES) {
      const view = new MemoryView();
      view.set("k", "json", bytes, 0, bytes.length, 0);
      const args = argsOf(...line.split(" "));
      const reply = runCommand(COMMANDS.byName(args.text(0))!, view, args);
      if (reply instanceof MinikeyError && reply.code === "DATA_CORRUPT") errors += 1;
    }
    for (const path of [["a"], ["0"], ["x", "y"], ["0", "0"]]) {
      try {
        lookUp(bytes, 0, bytes.length, path);
      } catch (error) {
        assert.ok(error instanceof MinikeyError, `${text} ${String(error)}`);
      }
    }
  }
  assert.ok(errors > 100, `${errors} were named as what they are`);
});
