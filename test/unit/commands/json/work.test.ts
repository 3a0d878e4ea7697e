/** A short command that asks for an immense document, or for endless work, is refused; it stops no replica. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Args } from "../../../../src/commands/types.js";
import { latin1ToBytes } from "../../../../src/core/bytes.js";
import { argsOf, type Plain, plain } from "../../../support/commands.js";
import { HandClock } from "../../../support/hand-clock.js";
import { MemoryDatabase } from "../../../support/memory-database.js";

/** A database that answers words. */
function open(): (...words: string[]) => Plain {
  const database = new MemoryDatabase({ clock: new HandClock() });
  return (...words) => plain(database.execute(argsOf(...words)));
}

const MIB = 1024 * 1024;
const list = (item: string, count: number): string => `[${Array(count).fill(item).join(",")}]`;
const long = `"${"x".repeat(MIB)}"`;
const times = (count: number, ...words: string[]): string[] =>
  Array.from({ length: count }, () => words).flat();
const again = (item: string, count: number): string => `$[${Array(count).fill(item).join(",")}]`;

test("an edit of many places that makes an immense document changes nothing", () => {
  const cases: [document: string, words: string[]][] = [
    [list("[]", 100_000), ["JSON.ARRAPPEND", "k", "$[*]", long]],
    [list("[]", 100_000), ["JSON.ARRINSERT", "k", "$[*]", "0", long]],
    [list('""', 100_000), ["JSON.STRAPPEND", "k", "$[*]", long]],
    [list("0", 100_000), ["JSON.SET", "k", "$[*]", long]],
    [list("0", 100_000), ["JSON.MERGE", "k", "$[*]", long]],
  ];
  for (const [document, words] of cases) {
    const call = open();
    assert.equal(call("JSON.SET", "k", "$", document), "+OK");
    assert.match(String(call(...words)), /^-VALUE_TOO_LARGE value of at least \d+ bytes/, words[0]);
    assert.equal(call("GET", "k"), document);
  }
});

test("a place that is named again and again is not edited for ever", () => {
  const call = open();
  const document = list(list("0", 500_000), 1);
  assert.equal(call("JSON.SET", "k", "$", document), "+OK");
  for (const words of [
    ["JSON.ARRAPPEND", "k", again("0", 500), "1"],
    ["JSON.ARRINDEX", "k", again("0", 500), "1"],
    ["JSON.ARRLEN", "k", again("0", 500)],
    ["JSON.MSET", ...times(500, "k", "$[0][0]", "1")],
    ["JSON.MGET", ...times(100, "k"), "$..x"],
    ["JSON.GET", "k", ...Array.from({ length: 100 }, (_, i) => `$..x${i}`)],
  ]) {
    assert.match(
      String(call(...words)),
      /^-BAD_REQUEST the (path looks at|command walks over) more/,
      words[0],
    );
  }
  assert.equal(call("GET", "k"), document);
});

test("an edit that grows step by step is counted in all its steps", () => {
  const call = open();
  assert.equal(call("JSON.SET", "k", "$", list('""', 1)), "+OK");
  const reply = call("JSON.STRAPPEND", "k", again("0", 200), long);
  assert.match(String(reply), /^-BAD_REQUEST the command walks over more/);
  assert.equal(call("GET", "k"), '[""]');
});

test("JSON.OBJKEYS answers with so many names at most", () => {
  const call = open();
  const fields = Array.from({ length: 20_000 }, (_, i) => `"${i}":0`).join(",");
  call("JSON.SET", "k", "$", `[{${fields}}]`);
  assert.equal((call("JSON.OBJKEYS", "k", again("0", 100)) as Plain[]).length, 100);
  assert.match(String(call("JSON.OBJKEYS", "k", again("0", 101))), /^-VALUE_TOO_LARGE the reply would have/);
});

test("what a filter asks of the whole document is found once, not for every element", () => {
  const call = open();
  const items = Array.from({ length: 10_000 }, (_, i) => `{"n":${i}}`).join(",");
  assert.equal(call("JSON.SET", "k", "$", `{"items":[${items}],"max":2}`), "+OK");
  assert.equal(call("JSON.GET", "k", "$.items[?(@.n < $.max)].n"), "[0,1]");
  assert.equal(call("JSON.GET", "k", "$.items[?($.items[?(@.n > 9998)] && @.n < $..max)].n"), "[0,1]");
});

test("of a small document little is looked at before a path is refused", () => {
  const call = open();
  const document = list(list("0", 100), 100);
  assert.equal(call("JSON.SET", "k", "$", document), "+OK");
  const most = 1_000_000 + 2 * document.length;
  for (const path of ["$[?(@[*]<$[*][*])]", `$[*][?(@>1${"||@>1".repeat(500)})]`]) {
    const refused = `-BAD_REQUEST the path looks at more than ${most} places of the document`;
    assert.equal(call("JSON.GET", "k", path), refused, path);
  }
});

test("JSON.MGET answers with so many bytes at most, as JSON.GET does", () => {
  const call = open();
  assert.equal(call("JSON.SET", "k", "$", `{"a":"${"x".repeat(7 * MIB)}"}`), "+OK");
  const tooLarge = `-VALUE_TOO_LARGE the reply would be larger than ${64 * MIB} bytes`;
  for (const path of ["$", ".", "$.a", "a", "$.*", "$['a','b']", '["a"]']) {
    assert.equal(call("JSON.MGET", ...times(10, "k"), path), tooLarge, path);
    assert.equal((call("JSON.MGET", ...times(9, "k"), path) as Plain[]).length, 9, path);
  }
});

test("a path that is not UTF-8 names no field", () => {
  const database = new MemoryDatabase({ clock: new HandClock() });
  plain(database.execute(argsOf("JSON.SET", "k", "$", '{"\ufffd":1}')));
  const words = ["JSON.SET", "k", "$.\xff", "2"];
  const args = new Args(latin1ToBytes(words.join("")));
  let at = 0;
  for (const word of words) {
    args.push(at, at + word.length);
    at += word.length;
  }
  assert.equal(plain(database.execute(args)), "-BAD_REQUEST the path is not valid UTF-8");
  assert.equal(plain(database.execute(argsOf("GET", "k"))), '{"\ufffd":1}');
});
