import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestWriter } from "../../../src/client/request-writer.js";

test("text is sent as UTF-8, bytes as they are, numbers in decimal", () => {
  const writer = new RequestWriter();
  writer.write(["SET", "ké", new Uint8Array([0, 13, 10, 255]), -12, 9007199254740993n]);
  assert.deepEqual(
    writer.take(),
    Buffer.concat([
      Buffer.from("*5\r\n$3\r\nSET\r\n$3\r\nké\r\n$4\r\n"),
      Buffer.from([0, 13, 10, 255]),
      Buffer.from("\r\n$3\r\n-12\r\n$16\r\n9007199254740993\r\n"),
    ]),
  );
});

test("a prefix is part of the same command", () => {
  const writer = new RequestWriter();
  writer.write(["DEL", "k"], ["ONCE", "0123456789abcdef", 7]);
  assert.equal(
    writer.take().toString(),
    "*5\r\n$4\r\nONCE\r\n$16\r\n0123456789abcdef\r\n$1\r\n7\r\n$3\r\nDEL\r\n$1\r\nk\r\n",
  );
});

test("what was taken does not change when more is written", () => {
  const writer = new RequestWriter();
  const taken: Buffer[] = [];
  const expected: string[] = [];
  for (let i = 0; i < 5_000; i += 1) {
    const value = "v".repeat(i % 97) + i;
    writer.write(["SET", `k${i}`, value]);
    expected.push(`*3\r\n$3\r\nSET\r\n$${`k${i}`.length}\r\nk${i}\r\n$${value.length}\r\n${value}\r\n`);
    if (i % 13 === 0) taken.push(writer.take());
  }
  taken.push(writer.take());
  assert.equal(Buffer.concat(taken).toString(), expected.join(""));
  assert.equal(writer.lengthBytes, 0);
});

test("a value larger than a slab fits", () => {
  const writer = new RequestWriter();
  writer.write(["PING"]);
  writer.write(["SET", "k", Buffer.alloc(1_000_000, "x")]);
  assert.equal(writer.take().length, 14 + 13 + 7 + 10 + 1_000_000 + 2);
});
