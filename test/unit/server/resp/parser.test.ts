import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Args } from "../../../../src/commands/types.js";
import { allocBytes, type Bytes, latin1ToBytes } from "../../../../src/core/bytes.js";
import type { MinikeyError } from "../../../../src/core/errors.js";
import { ByteBudget } from "../../../../src/server/resp/byte-budget.js";
import { RequestParser } from "../../../../src/server/resp/parser.js";

const LIMITS = {
  valueBytesMax: 100_000,
  commandBytesMax: 300_000,
  inputBudget: new ByteBudget(Number.MAX_SAFE_INTEGER),
};

/** What a parser reported, one line a call, arguments as latin1. */
class Recorder {
  readonly calls: string[] = [];
  readonly parser: RequestParser;
  /** Pauses the parser whenever it has handed on this many commands since the last resume. */
  pauseEvery = Number.POSITIVE_INFINITY;
  #sincePause = 0;

  constructor(limits = LIMITS) {
    this.parser = new RequestParser(this, limits);
  }

  onCommand(args: Args): void {
    this.calls.push(JSON.stringify(Array.from({ length: args.count }, (_, i) => args.key(i))));
    this.#sincePause += 1;
    if (this.#sincePause >= this.pauseEvery) this.parser.pause();
  }

  onRefused(problem: MinikeyError): void {
    this.calls.push(`refused: ${problem.message}`);
  }

  onProtocolError(problem: string): void {
    this.calls.push(`error: ${problem}`);
  }

  resumeUntilDone(): void {
    for (let before = -1; before !== this.calls.length; ) {
      before = this.calls.length;
      this.#sincePause = 0;
      this.parser.resume();
    }
  }
}

/** Feeds `input` in pieces that end at `cuts`, each in a fresh buffer with `room` bytes in front. */
function feed(input: Bytes, cuts: readonly number[] = [], room = 0, recorder = new Recorder()): string[] {
  const ends = [...cuts.filter((cut) => cut < input.length), input.length].sort((a, b) => a - b);
  let start = 0;
  for (const end of ends) {
    const buffer = allocBytes(room + end - start);
    input.copy(buffer, room, start, end);
    recorder.parser.feed(buffer, room, buffer.length, 0);
    // A buffer is used again for the next read: nothing may rest on its content.
    buffer.fill(0x58);
    start = end;
  }
  return recorder.calls;
}

const request = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;

const parse = (text: string): string[] => feed(latin1ToBytes(text));

const EXAMPLES: readonly (readonly [what: string, input: string, calls: readonly string[]])[] = [
  ["an array of bulk strings", request("SET", "k", "v\r\n$3"), ['["SET","k","v\\r\\n$3"]']],
  ["an empty argument", request("ECHO", ""), ['["ECHO",""]']],
  ["several at once", request("GET", "a") + request("GET", "b"), ['["GET","a"]', '["GET","b"]']],
  ["an inline command", "PING\r\n", ['["PING"]']],
  ["a line that ends like Unix's", "SET a b\n", ['["SET","a","b"]']],
  ["quotes in a line", `SET "a b" 'c d' "\\x41\\n"\r\n`, ['["SET","a b","c d","A\\n"]']],
  ["an escaped single quote", "ECHO 'it\\'s'\r\n", ['["ECHO","it\'s"]']],
  ["an empty line as nothing", "\r\n\r\nPING\r\n", ['["PING"]']],
  ["an empty array as nothing", "*0\r\n*-1\r\nPING\r\n", ['["PING"]']],
  ["lines between arrays", `PING\r\n${request("GET", "a")}PING\r\n`, ['["PING"]', '["GET","a"]', '["PING"]']],
];

const BROKEN: readonly (readonly [what: string, input: string, problem: string])[] = [
  ["a count that is no number", "*abc\r\n", "invalid multibulk length"],
  ["a count of nothing", "*\r\n", "invalid multibulk length"],
  ["a count with a leading zero", "*03\r\n", "invalid multibulk length"],
  ["a count over the limit", "*1048577\r\n", "invalid multibulk length"],
  ["a count of 2^63", "*9223372036854775808\r\n", "invalid multibulk length"],
  ["a length of 2^63", "*1\r\n$9223372036854775808\r\n", "invalid bulk length"],
  ["a length of 2^64 + 3", "*1\r\n$18446744073709551619\r\nGET\r\n", "invalid bulk length"],
  ["a negative length", "*1\r\n$-5\r\n", "invalid bulk length"],
  ["a length that is no number", "*1\r\n$3x\r\n", "invalid bulk length"],
  ["a length beyond 512 MiB", "*1\r\n$536870913\r\n", "invalid bulk length"],
  ["something else than a bulk string", "*1\r\n+PING\r\n", "expected '$', got '+'"],
  ["a quote left open", 'SET "a\r\n', "unbalanced quotes in request"],
  ["a word right behind a quote", 'SET "a"b\r\n', "unbalanced quotes in request"],
  ["a line without an end", "a".repeat(70_000), "too big inline request"],
  ["a count without an end", `*${"1".repeat(70_000)}`, "too big mbulk count string"],
  ["a length without an end", `*1\r\n$${"1".repeat(70_000)}`, "too big bulk count string"],
];

/** Requests as clients send them, with mistakes in some of them. */
const stream = fc
  .array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc
          .array(fc.string({ unit: "binary-ascii", maxLength: 40 }), { minLength: 1, maxLength: 5 })
          .map((words) => request(...words)),
      },
      {
        weight: 2,
        arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 30 }).map((line) => `${line}\r\n`),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom("*1\r\n", "$3\r\n", "*-1\r\n", "*2\r\n$1\r\n", "\r\n", "*0\r\n", "\0"),
      },
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""));

describe("the request parser", () => {
  for (const [what, input, calls] of EXAMPLES) {
    it(`reads ${what}: whole, byte by byte, and cut anywhere`, () => {
      const bytes = latin1ToBytes(input);
      assert.deepEqual(feed(bytes), calls);
      const everywhere = Array.from(bytes, (_, i) => i);
      for (const room of [0, 4, 4096]) assert.deepEqual(feed(bytes, everywhere, room), calls);
      for (const cut of everywhere) assert.deepEqual(feed(bytes, [cut], 16), calls, `cut at ${cut}`);
    });
  }

  for (const [what, input, problem] of BROKEN) {
    it(`reports ${what} once and reads nothing behind it`, () => {
      const ended = input.endsWith("\n");
      const bytes = latin1ToBytes(`${request("GET", "a")}${input}${ended ? request("GET", "b") : ""}`);
      const calls = ['["GET","a"]', `error: ${problem}`];
      assert.deepEqual(feed(bytes), calls);
      if (input.length < 100)
        assert.deepEqual(
          feed(
            bytes,
            Array.from(bytes, (_, i) => i),
            64,
          ),
          calls,
        );
    });
  }

  it("finds the same commands however a stream is cut", () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(600)), fc.constantFrom(0, 8, 4096), (text, cuts, room) => {
        const bytes = latin1ToBytes(text);
        assert.deepEqual(feed(bytes, cuts, room), feed(bytes));
      }),
      { numRuns: 400 },
    );
  });

  it("survives any bytes", () => {
    const noise = fc.array(
      fc.oneof(
        fc.constantFrom(...Array.from("*$\r\n0123456789-\"' a")),
        fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(noise, fc.array(fc.nat(200)), (parts, cuts) => {
        const bytes = latin1ToBytes(parts.join(""));
        assert.deepEqual(feed(bytes, cuts, 32), feed(bytes));
      }),
      { numRuns: 1_000 },
    );
  });

  it("hands on nothing while paused, and loses nothing", () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(600)), fc.integer({ min: 1, max: 4 }), (text, cuts, pauseEvery) => {
        const bytes = latin1ToBytes(text);
        const recorder = new Recorder();
        recorder.pauseEvery = pauseEvery;
        assert.ok(feed(bytes, cuts, 64, recorder).length <= pauseEvery + 1);
        recorder.resumeUntilDone();
        assert.deepEqual(recorder.calls, feed(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it("takes a big value in many pieces, in a time proportional to its size", () => {
    const limits = { ...LIMITS, valueBytesMax: 64 * 1024 * 1024, commandBytesMax: 128 * 1024 * 1024 };
    const head = latin1ToBytes(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${limits.valueBytesMax}\r\n`);
    const piece = allocBytes(16 * 1024);
    let received = 0;
    const parser = new RequestParser(
      {
        onCommand: (args) => {
          received = args.lengthBytes(2);
        },
        onRefused: assert.fail,
        onProtocolError: assert.fail,
      },
      limits,
    );
    parser.feed(head, 0, head.length);
    const startedMs = performance.now();
    for (let sent = 0; sent < limits.valueBytesMax; sent += piece.length) parser.feed(piece, 0, piece.length);
    const end = latin1ToBytes("\r\n");
    parser.feed(end, 0, end.length);
    assert.equal(received, limits.valueBytesMax);
    // Copying everything anew for each piece would move 128 GiB.
    assert.ok(performance.now() - startedMs < 5_000);
    assert.equal(parser.bufferedBytes, 0);
  });

  it("skips a value over the limit, names its size, and goes on behind it", () => {
    const big = "x".repeat(LIMITS.valueBytesMax + 1);
    const text = `${request("SET", "a", big, "EX", "10")}${request("GET", "a")}`;
    const calls = ["refused: value of 100001 bytes is larger than the limit of 100000 bytes", '["GET","a"]'];
    assert.deepEqual(parse(text), calls);
    const recorder = new Recorder();
    const bytes = latin1ToBytes(text);
    let most = 0;
    for (let at = 0; at < bytes.length; at += 1_000) {
      recorder.parser.feed(bytes, at, Math.min(at + 1_000, bytes.length));
      most = Math.max(most, recorder.parser.bufferedBytes);
    }
    assert.deepEqual(recorder.calls, calls);
    assert.ok(most < 200, `${most} bytes kept of what is skipped`);
  });

  it("skips a command over the limit as a whole", () => {
    const value = "x".repeat(90_000);
    const calls = parse(request("MSET", "a", value, "b", value, "c", value, "d", value) + request("PING"));
    assert.equal(calls.length, 2);
    assert.match(calls[0], /^refused: command of more than 36\d{4} bytes is larger than the limit of 300000/);
    assert.equal(calls[1], '["PING"]');
  });

  it("refuses a large command while others have taken all there is, and takes it when they are done", () => {
    const limits = { ...LIMITS, inputBudget: new ByteBudget(95_000) };
    const [one, other] = [new Recorder(limits), new Recorder(limits)];
    const large = latin1ToBytes(request("SET", "a", "x".repeat(90_000)));
    const short = latin1ToBytes(request("SET", "b", "x".repeat(10_000)));
    const half = large.length >> 1;
    one.parser.feed(large, 0, half);
    for (const bytes of [large, short]) other.parser.feed(bytes, 0, bytes.length);
    assert.match(other.calls[0], /^refused: other clients/);
    assert.match(other.calls[1], /^\["SET","b"/);
    one.parser.feed(large, half, large.length);
    assert.match(one.calls[0], /^\["SET","a"/);
    other.parser.feed(large, 0, half);
    other.parser.close();
    one.parser.feed(large, 0, large.length);
    assert.match(one.calls[1], /^\["SET","a"/);
    assert.ok(limits.inputBudget.tryTake(95_000), "what was taken is not given back");
  });

  it("takes a value of exactly the limit, and as many arguments as there may be", () => {
    assert.equal(parse(request("SET", "a", "x".repeat(LIMITS.valueBytesMax))).length, 1);
    const recorder = new Recorder({ ...LIMITS, valueBytesMax: 10, commandBytesMax: 1e9 });
    const count = 1024 * 1024;
    feed(latin1ToBytes(`*${count}\r\n${"$1\r\na\r\n".repeat(count)}${request("PING")}`), [], 0, recorder);
    assert.equal(JSON.parse(recorder.calls[0]).length, count);
    assert.equal(recorder.calls[1], '["PING"]');
  });
});
