/** A document is made canonical by the node that a client asked, and by nobody after it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import { encodeCommand } from "../../../src/commands/encoding.js";
import { runCommand } from "../../../src/commands/run.js";
import { COMMANDS } from "../../../src/commands/table.js";
import type { Args } from "../../../src/commands/types.js";
import { admit } from "../../../src/node/admission.js";
import { makeBatch } from "../../../src/node/batch.js";
import { ONCE } from "../../../src/node/node-commands.js";
import { checkPeerBatch } from "../../../src/node/peer-commands.js";
import { argsOf, plain } from "../../support/commands.js";
import { MemoryView } from "../../support/memory-database.js";

const LIMITS = { valueBytesMax: 1024 * 1024 };

function admitted(...words: string[]): Args {
  const args = argsOf(...words);
  return admit(COMMANDS.lookup(args.bytes, args.start(0), args.end(0))!, args, LIMITS, () => 0);
}

const wordsOf = (args: Args): string[] => Array.from({ length: args.count }, (_, i) => args.text(i));

const CASES: [sent: string[], replicated: string[]][] = [
  [
    ["JSON.SET", "k", "$", ' {"a" : 1, "\\u0061":2} ', "NX"],
    ["JSON.SET", "k", "$", '{"a":2}', "NX"],
  ],
  [
    ["JSON.MERGE", "k", "$", '{"a":1,"a":null}'],
    ["JSON.MERGE", "k", "$", '{"a":null}'],
  ],
  [
    ["JSON.MSET", "k", "$", "[ ]", "l", "$", "1 "],
    ["JSON.MSET", "k", "$", "[]", "l", "$", "1"],
  ],
  [
    ["JSON.ARRAPPEND", "k", "$", "1", "[ 2 ]", "{}"],
    ["JSON.ARRAPPEND", "k", "$", "1", "[2]", "{}"],
  ],
  [
    ["JSON.ARRINSERT", "k", "$", "0", " 1", "2"],
    ["JSON.ARRINSERT", "k", "$", "0", "1", "2"],
  ],
  [
    ["JSON.STRAPPEND", "k", "$", ' "é"'],
    ["JSON.STRAPPEND", "k", "$", '"é"'],
  ],
  [
    ["JSON.STRAPPEND", "k", '"x" '],
    ["JSON.STRAPPEND", "k", '"x"'],
  ],
  [
    ["JSON.NUMINCRBY", "k", "$", "\t2.50"],
    ["JSON.NUMINCRBY", "k", "$", "2.50"],
  ],
  [
    ["JSON.NUMMULTBY", "k", "$", "2 "],
    ["JSON.NUMMULTBY", "k", "$", "2"],
  ],
];

/** A batch of one command, as a node passes it on. */
function passedOn(opcode: number, args: Args): void {
  const writer = new ByteWriter();
  encodeCommand(writer, opcode, args);
  checkPeerBatch(makeBatch("majority", writer.toBytes(), 0, writer.length), (known) =>
    known === ONCE.opcode ? ONCE : COMMANDS.byOpcode(known),
  );
}

test("what is replicated of a document is its canonical text", () => {
  for (const [sent, replicated] of CASES) {
    assert.deepEqual(wordsOf(admitted(...sent)), replicated);
    const once = ["ONCE", "session", "1"];
    if (sent[0] !== "JSON.MSET") {
      assert.deepEqual(wordsOf(admitted(...once, ...sent)), [...once, ...replicated]);
    }
  }
});

test("a command that is canonical already is not copied", () => {
  for (const [, words] of CASES) {
    for (const all of words[0] === "JSON.MSET" ? [words] : [words, ["ONCE", "session", "1", ...words]]) {
      const args = argsOf(...all);
      const spec = COMMANDS.lookup(args.bytes, args.start(0), args.end(0))!;
      assert.equal(
        admit(spec, args, LIMITS, () => 0),
        args,
        all.join(" "),
      );
    }
  }
});

test("a replica stores the text that it is given, without a look at it", () => {
  const view = new MemoryView();
  const args = argsOf("JSON.SET", "k", "$", '{"a":1,"a":2}');
  assert.equal(plain(runCommand(COMMANDS.byName("JSON.SET")!, view, args)), "+OK");
  const { bytes, start, end } = view.get("k")!;
  assert.equal(bytes.utf8Slice(start, end), '{"a":1,"a":2}');
});

test("another text is not taken from another node", () => {
  for (const [sent, replicated] of CASES) {
    const { opcode } = COMMANDS.byName(sent[0])!;
    passedOn(opcode, argsOf(...replicated));
    const refused = {
      code: "PROTOCOL",
      message: new RegExp(`^${sent[0]} was passed on, but not in the form`),
    };
    assert.throws(() => passedOn(opcode, argsOf(...sent)), refused);
    if (sent[0] === "JSON.MSET") continue;
    passedOn(ONCE.opcode, argsOf("ONCE", "session", "1", ...replicated));
    assert.throws(() => passedOn(ONCE.opcode, argsOf("ONCE", "session", "1", ...sent)), refused);
  }
});
