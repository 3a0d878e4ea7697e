import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ReplyParser } from "../../../src/client/reply-parser.js";
import { WireMap, type WireReply, WireSet } from "../../../src/client/wire.js";
import { DoubleReply, OK, Status, VerbatimReply } from "../../../src/commands/reply.js";
import { MinikeyError } from "../../../src/core/errors.js";

function parse(chunks: readonly Buffer[]): WireReply[] {
  const replies: WireReply[] = [];
  const parser = new ReplyParser((reply) => replies.push(reply));
  for (const chunk of chunks) parser.push(chunk);
  return replies;
}

const parseText = (text: string): WireReply[] => parse([Buffer.from(text)]);

const EVERY_KIND =
  "+OK\r\n+Background saving started\r\n-WRONGTYPE Operation against a key\r\n:42\r\n:-7\r\n" +
  ":9223372036854775807\r\n$5\r\nhello\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n_\r\n#t\r\n#f\r\n,1.5\r\n,-inf\r\n" +
  "(12345678901234567890\r\n!11\r\nERR no\r\nway\r\n=8\r\ntxt:a\r\nb\r\n" +
  "*2\r\n*1\r\n$3\r\n\r\nx\r\n:1\r\n%2\r\n+a\r\n:1\r\n$1\r\nb\r\n*1\r\n#t\r\n~2\r\n:1\r\n:2\r\n" +
  ">2\r\n+invalidate\r\n:3\r\n|1\r\n+ttl\r\n:5\r\n+PONG\r\n*2\r\n:1\r\n|1\r\n+a\r\n+b\r\n:2\r\n*0\r\n%0\r\n";

const EXPECTED: WireReply[] = [
  OK,
  new Status("Background saving started"),
  new MinikeyError("WRONG_TYPE", "Operation against a key"),
  42,
  -7,
  9223372036854775807n,
  Buffer.from("hello"),
  Buffer.from(""),
  null,
  null,
  [],
  null,
  true,
  false,
  new DoubleReply(1.5),
  new DoubleReply(-Infinity),
  12345678901234567890n,
  new MinikeyError("BAD_REQUEST", "no\r\nway"),
  new VerbatimReply("a\r\nb"),
  [[Buffer.from("\r\nx")], 1],
  new WireMap([
    [new Status("a"), 1],
    [Buffer.from("b"), [true]],
  ]),
  new WireSet([1, 2]),
  new Status("PONG"),
  [1, 2],
  [],
  new WireMap([]),
];

test("every kind of reply is read, pushes and attributes are left out", () => {
  assert.deepEqual(parseText(EVERY_KIND), EXPECTED);
});

test("replies are the same when the stream is cut at any byte", () => {
  const bytes = Buffer.from(EVERY_KIND);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    assert.deepEqual(parse([bytes.subarray(0, cut), bytes.subarray(cut)]), EXPECTED, `cut at ${cut}`);
  }
});

test("replies are the same when bytes come one by one", () => {
  assert.deepEqual(parse(Array.from(Buffer.from(EVERY_KIND), (byte) => Buffer.from([byte]))), EXPECTED);
});

test("replies are the same for any way of cutting the stream", () => {
  const bytes = Buffer.from(EVERY_KIND);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const chunks = edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
      assert.deepEqual(parse(chunks), EXPECTED);
    }),
    { numRuns: 200 },
  );
});

test("a large string in many pieces is joined once", () => {
  const value = Buffer.alloc(8 << 20, "x");
  const bytes = Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from("\r\n:1\r\n")]);
  const chunks: Buffer[] = [];
  for (let i = 0; i < bytes.length; i += 1000) chunks.push(bytes.subarray(i, i + 1000));
  const startMs = performance.now();
  const [big, one] = parse(chunks);
  assert.ok(value.equals(big as Buffer));
  assert.equal(one, 1);
  // Joining at every piece would copy 33 GB.
  assert.ok(performance.now() - startMs < 2_000);
});

test("what is not RESP is refused with a message that shows it", () => {
  assert.throws(() => parseText("HTTP/1.1 400 Bad Request\r\n"), {
    code: "PROTOCOL",
    message: 'the server does not speak RESP: it sent a reply of type "H"',
  });
  assert.throws(() => parseText("$1x\r\n"), { code: "PROTOCOL" });
  assert.throws(() => parseText("$99999999999\r\n"), { code: "PROTOCOL" });
  assert.throws(() => parseText("*1\r\n".repeat(200)), { code: "PROTOCOL" });
  assert.throws(() => parse([Buffer.alloc((1 << 20) + 2, "+")]), { code: "PROTOCOL" });
});
