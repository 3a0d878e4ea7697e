import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHuman, formatJson, formatRaw } from "../../../../src/cli/shell/format.js";
import { WireMap, type WireReply, WireSet } from "../../../../src/client/wire.js";
import { DoubleReply, OK, VerbatimReply } from "../../../../src/commands/reply.js";
import { MinikeyError } from "../../../../src/core/errors.js";

const text = (value: string): Buffer => Buffer.from(value);

test("a terminal shows a reply with its type", () => {
  const cases: [WireReply, string][] = [
    [OK, "OK"],
    [1, "(integer) 1"],
    [9223372036854775807n, "(integer) 9223372036854775807"],
    [null, "(nil)"],
    [true, "(true)"],
    [new DoubleReply(1.5), "(double) 1.5"],
    [text("value"), '"value"'],
    [text('say "hé"\n'), String.raw`"say \"hé\"\n"`],
    [Buffer.from([0x61, 0xff, 0x22]), String.raw`"a\xff\""`],
    [new MinikeyError("WRONG_TYPE", "not a number"), "(error) WRONGTYPE not a number"],
    [new VerbatimReply("a\nb\n"), "a\nb"],
    [[], "(empty list)"],
    [[text("a"), [1, null]], '1) "a"\n2) 1) (integer) 1\n   2) (nil)'],
    [new WireSet([1]), "1~ (integer) 1"],
    [
      new WireMap([
        [text("a"), 1],
        [text("b"), [1, 2]],
      ]),
      '1# "a" => (integer) 1\n2# "b" =>\n     1) (integer) 1\n     2) (integer) 2',
    ],
  ];
  for (const [reply, expected] of cases) assert.equal(formatHuman(reply), expected);
});

test("numbers of a long list stand in one column", () => {
  const lines = formatHuman(Array.from({ length: 10 }, (_, i) => i)).split("\n");
  assert.equal(lines[0], " 1) (integer) 0");
  assert.equal(lines[9], "10) (integer) 9");
});

test("a pipe gets the value alone, byte for byte", () => {
  const bytes = Buffer.from([0, 255, 10]);
  assert.deepEqual(formatRaw(bytes), bytes);
  assert.equal(formatRaw([text("a"), 1, null]).toString(), "a\n1\n(nil)");
  assert.equal(formatRaw(OK).toString(), "OK");
});

test("JSON is one line that says what the reply was", () => {
  assert.equal(formatJson(text("a\nb")), String.raw`"a\nb"`);
  assert.equal(formatJson([1, null, OK]), '[1,null,"OK"]');
  assert.equal(formatJson(new WireMap([[text("a"), 1]])), '{"a":1}');
  assert.equal(formatJson(Buffer.from([255])), '{"base64":"/w=="}');
  assert.equal(
    formatJson(new MinikeyError("SYNTAX", "syntax error")),
    '{"error":"syntax error","code":"SYNTAX"}',
  );
});
