import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { quoteText, quoteWord, splitWords } from "../../../../src/cli/shell/words.js";

function words(line: string): string[] {
  const split = splitWords(line);
  assert.equal(split.kind, "words", line);
  return split.kind === "words" ? split.words.map((word) => word.toString("latin1")) : [];
}

test("words are split by redis-cli's rules", () => {
  assert.deepEqual(words("  set  k\tv "), ["set", "k", "v"]);
  assert.deepEqual(words(""), []);
  assert.deepEqual(words(String.raw`set "a b" 'c d'`), ["set", "a b", "c d"]);
  assert.deepEqual(words(String.raw`"\n\r\t\b\a\x41\xff\"\\\q"`), ['\n\r\t\b\x07A\xff"\\q']);
  assert.deepEqual(words(String.raw`'it\'s' '\n'`), ["it's", String.raw`\n`]);
  assert.deepEqual(words("\"\" ''"), ["", ""]);
  assert.deepEqual(words('a"b c"'), ["ab c"]);
  assert.deepEqual(words("é 😀"), [
    Buffer.from("é").toString("latin1"),
    Buffer.from("😀").toString("latin1"),
  ]);
});

test("a quote that is not closed, or is followed by more of a word, is an error at its column", () => {
  for (const [line, column] of [
    ['get "abc', 5],
    ["get 'abc", 5],
    ['get "a"b', 5],
    [String.raw`get "a\"`, 5],
  ] as const) {
    assert.deepEqual(splitWords(line), { kind: "unbalanced", column }, line);
  }
});

test("what quoteText and quoteWord write, splitWords reads back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
      const utf8 = Buffer.from(text).toString();
      for (const quoted of [quoteText(utf8), quoteWord(utf8)]) {
        assert.deepEqual(splitWords(quoted), { kind: "words", words: [Buffer.from(utf8)] });
      }
    }),
    { examples: [["\u0000"], ["\u0080"], ["\u009f"]] },
  );
});
