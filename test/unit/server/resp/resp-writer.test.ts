import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  DoubleReply,
  MapReply,
  OK,
  PONG,
  type Reply,
  SetReply,
  Slice,
  Status,
  VerbatimReply,
} from "../../../../src/commands/reply.js";
import { asBytes, latin1ToBytes } from "../../../../src/core/bytes.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { RespWriter } from "../../../../src/server/resp/resp-writer.js";

function written(reply: Reply, protocol: 2 | 3): string {
  const writer = new RespWriter(1);
  writer.write(reply, protocol);
  return writer.bytes.latin1Slice(0, writer.length);
}

const slice = (text: string): Slice => new Slice(latin1ToBytes(`xx${text}yy`), 2, 2 + text.length);

const EXAMPLES: readonly (readonly [what: string, reply: Reply, resp2: string, resp3: string])[] = [
  ["OK", OK, "+OK\r\n", "+OK\r\n"],
  ["PONG", PONG, "+PONG\r\n", "+PONG\r\n"],
  ["a status", new Status("string"), "+string\r\n", "+string\r\n"],
  ["nothing", null, "$-1\r\n", "_\r\n"],
  ["bytes", slice("a\r\nb\0"), "$5\r\na\r\nb\0\r\n", "$5\r\na\r\nb\0\r\n"],
  ["no bytes", slice(""), "$0\r\n\r\n", "$0\r\n\r\n"],
  ["text, as UTF-8", "é", "$2\r\n\xc3\xa9\r\n", "$2\r\n\xc3\xa9\r\n"],
  ["an integer", 1_234_567, ":1234567\r\n", ":1234567\r\n"],
  ["a negative integer", -7, ":-7\r\n", ":-7\r\n"],
  ["a large integer", 9_223_372_036_854_775_807n, ":9223372036854775807\r\n", ":9223372036854775807\r\n"],
  ["true", true, ":1\r\n", "#t\r\n"],
  ["false", false, ":0\r\n", "#f\r\n"],
  ["a double", new DoubleReply(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"],
  ["infinity", new DoubleReply(Number.NEGATIVE_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n"],
  ["verbatim text", new VerbatimReply("a:1"), "$3\r\na:1\r\n", "=7\r\ntxt:a:1\r\n"],
  ["an array", [1, null, slice("a")], "*3\r\n:1\r\n$-1\r\n$1\r\na\r\n", "*3\r\n:1\r\n_\r\n$1\r\na\r\n"],
  ["an array in an array", [[], [OK]], "*2\r\n*0\r\n*1\r\n+OK\r\n", "*2\r\n*0\r\n*1\r\n+OK\r\n"],
  ["a map", new MapReply([["a", 1]]), "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"],
  ["a set", new SetReply(["a"]), "*1\r\n$1\r\na\r\n", "~1\r\n$1\r\na\r\n"],
  [
    "an error, on one line",
    new MinikeyError("NO_QUORUM", "no\r\nleader"),
    "-CLUSTERDOWN no  leader\r\n",
    "-CLUSTERDOWN no  leader\r\n",
  ],
];

describe("replies on the wire", () => {
  for (const [what, reply, resp2, resp3] of EXAMPLES) {
    it(`${what}: RESP2 and RESP3`, () => {
      assert.equal(written(reply, 2), resp2);
      assert.equal(written(reply, 3), resp3);
    });
  }

  it("spell every integer exactly", () => {
    const edges = Array.from({ length: 16 }, (_, digits) => 10 ** digits).flatMap((n) => [n - 1, n, n + 1]);
    for (const n of [...edges, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      assert.equal(written(n, 2), `:${n}\r\n`);
    }
    fc.assert(fc.property(fc.maxSafeInteger(), (n) => assert.equal(written(n, 2), `:${n}\r\n`)));
  });

  it("follow each other in one buffer that grows, and can be emptied and filled again", () => {
    const writer = new RespWriter(4);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (values) => {
        writer.clear();
        for (const value of values) writer.write(new Slice(asBytes(value), 0, value.length), 2);
        const expected = values.map((value) => `$${value.length}\r\n${asBytes(value).latin1Slice()}\r\n`);
        assert.equal(writer.bytes.latin1Slice(0, writer.length), expected.join(""));
      }),
    );
  });
});
