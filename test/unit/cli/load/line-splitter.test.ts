import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { LineSplitter } from "../../../../src/cli/load/line-splitter.js";

function split(chunks: readonly Buffer[], lineBytesMax = 1_000): string[] {
  const splitter = new LineSplitter(lineBytesMax);
  const lines: string[] = [];
  const take = (): void => {
    while (splitter.next()) {
      assert.equal(splitter.number, lines.length + 1);
      const { bytes, start, end } = splitter;
      lines.push(splitter.isTooLong ? "TOO LONG" : bytes.utf8Slice(start, end));
    }
  };
  for (const chunk of chunks) {
    splitter.push(chunk);
    take();
  }
  splitter.finish();
  take();
  return lines;
}

test("lines are the same however the stream is cut", () => {
  const bytes = Buffer.from("\ufeffone\r\ntwo\n\nfour é\nlast without end");
  const expected = ["one", "two", "", "four é", "last without end"];
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      assert.deepEqual(split(edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge))), expected);
    }),
  );
});

test("a line over the bound is dropped, whether it comes whole or in pieces, and the next is read", () => {
  const bytes = Buffer.from(`ok\n${"x".repeat(11)}\nok again\n${"y".repeat(30)}`);
  const expected = ["ok", "TOO LONG", "ok again", "TOO LONG"];
  assert.deepEqual(split([bytes], 10), expected);
  assert.deepEqual(
    split(
      Array.from(bytes, (byte) => Buffer.from([byte])),
      10,
    ),
    expected,
  );
});
