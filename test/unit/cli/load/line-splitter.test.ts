import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { LineSplitter } from "../../../../src/cli/load/line-splitter.js";

function split(chunks: readonly Buffer[], lineBytesMax = 1_000): string[] {
  const splitter = new LineSplitter(lineBytesMax);
  const lines: string[] = [];
  const take = (all: ReturnType<LineSplitter["push"]>): void => {
    for (const line of all) {
      assert.equal(line.number, lines.length + 1);
      lines.push(line.isTooLong ? "TOO LONG" : line.bytes.toString());
    }
  };
  for (const chunk of chunks) take(splitter.push(chunk));
  take(splitter.end());
  return lines;
}

test("lines are the same however the stream is cut", () => {
  const bytes = Buffer.from("one\r\ntwo\n\nfour é\nlast without end");
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
