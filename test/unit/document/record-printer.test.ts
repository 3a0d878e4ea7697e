import assert from "node:assert/strict";
import { test } from "node:test";
import { asBytes } from "../../../src/core/bytes.js";
import {
  displayText,
  printDocument,
  printEntry,
  type RecordStyle,
} from "../../../src/document/record-printer.js";

/** The document in the middle of other bytes, which no printer may look at. */
function print(json: string, style: RecordStyle, name?: string): string {
  const text = Buffer.from(json);
  const bytes = asBytes(Buffer.concat([Buffer.from("[1"), text, Buffer.from("2]")]));
  return name === undefined
    ? printDocument(bytes, 2, 2 + text.length, style)
    : printEntry(name, bytes, 2, 2 + text.length, style);
}

test("a document is shown as the Trie store shows it", () => {
  const person = '{"name":"John","age":22}';
  assert.equal(print(person, "display", "person1"), "person1 -> [ name -> John | age -> 22 ]");
  assert.equal(print(person, "record", "person1"), '"person1" -> [ "name" -> "John" | "age" -> 22 ]');
  assert.equal(print("12", "display", "person2.address.number"), "person2.address.number -> 12");
});

test("sets nest, and empty ones are []", () => {
  const json = '{"a":{"b":{},"c":{"d":1}},"e":{}}';
  assert.equal(print(json, "display"), "[ a -> [ b -> [] | c -> [ d -> 1 ] ] | e -> [] ]");
  assert.equal(print(json, "record"), '[ "a" -> [ "b" -> [] | "c" -> [ "d" -> 1 ] ] | "e" -> [] ]');
  assert.equal(print("{}", "display"), "[]");
});

test("lists, words and numbers stand as they are written", () => {
  const json = '[1.50, -0, 1e3, 12345678901234567890, true, false, null, [], ["a b", ["c"]]]';
  const shown = "[ 1.50, -0, 1e3, 12345678901234567890, true, false, null, [], [ a b, [ c ] ] ]";
  assert.equal(print(json, "display"), shown);
  assert.equal(print(json, "record"), shown.replace("a b", '"a b"').replace("[ c ]", '[ "c" ]'));
});

test("the record style keeps quotes and escapes, the display style has the text itself", () => {
  const json = '{"caf\\u00e9":"\\ud83d\\ude00 \\/ é"}';
  assert.equal(print(json, "record"), '[ "caf\\u00e9" -> "\\ud83d\\ude00 \\/ é" ]');
  assert.equal(print(json, "display"), "[ café -> 😀 / é ]");
});

test("a text that could be taken for something else, or harm a terminal, is shown in quotes", () => {
  for (const [text, shown] of [
    ["", '""'],
    [" a", '" a"'],
    ["a ", '"a "'],
    ["12", '"12"'],
    ["-1.5e3", '"-1.5e3"'],
    ["true", '"true"'],
    ["null", '"null"'],
    ["a | b", '"a | b"'],
    ["a -> b", '"a -> b"'],
    ["[a]", '"[a]"'],
    ["a, b", '"a, b"'],
    ['say "a"', '"say \\"a\\""'],
    ["a\nb\tc", '"a\\nb\\tc"'],
    ["\u001b[31mred", '"\\u001b[31mred"'],
    ["\u009b31mred", '"\\u009b31mred"'],
    ["\u007f", '"\\u007f"'],
    ["\ud800", '"\\ud800"'],
    ["1a", "1a"],
    ["+5", "+5"],
    ["it's: fine - really", "it's: fine - really"],
    ["Παναθηναϊκός", "Παναθηναϊκός"],
  ]) {
    assert.equal(displayText(text), shown);
  }
});

test("names are shown in quotes where a text would be, but for numbers and words", () => {
  assert.equal(
    print('{"12":1,"true":2,"":3,"a|b":4}', "display"),
    '[ 12 -> 1 | true -> 2 | "" -> 3 | "a|b" -> 4 ]',
  );
  assert.equal(print("1", "display", "a\u001bb"), "a\\u001bb -> 1");
  assert.equal(print("1", "record", 'a"\u001b'), '"a\\"\\u001b" -> 1');
});

test("the deepest document that can be stored is printed", () => {
  const json = `${'{"a":'.repeat(127)}{}${"}".repeat(127)}`;
  assert.equal(print(json, "record"), `${'[ "a" -> '.repeat(127)}[]${" ]".repeat(127)}`);
});
