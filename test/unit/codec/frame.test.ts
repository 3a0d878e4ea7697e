import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  encodeControlFrame,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameBatch,
  FrameReader,
} from "../../../src/codec/frame.js";
import { type Bytes, concatBytes, copyBytes } from "../../../src/core/bytes.js";
import { patternBytes } from "../../support/pattern.js";

interface Sent {
  readonly isControl: boolean;
  readonly body: Bytes;
}

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);

function add(batch: FrameBatch, ...parts: Uint8Array[]): void {
  batch.add(parts, lengthOf(parts));
}

/** A reader that keeps what it is given, as the node does. */
function readAll(chunks: readonly Bytes[]): { frames: Sent[]; problem: string | undefined } {
  const frames: Sent[] = [];
  const reader = new FrameReader({
    onFrame: (body) => frames.push({ isControl: false, body }),
    onControlFrame: (body) => frames.push({ isControl: true, body }),
  });
  for (const chunk of chunks) {
    const problem = reader.push(chunk);
    if (problem !== undefined) return { frames, problem };
  }
  return { frames, problem: undefined };
}

const asText = (frames: readonly Sent[]): string[] =>
  frames.map(
    ({ isControl, body }) => `${isControl ? "control" : "frame"} ${Buffer.from(body).toString("hex")}`,
  );

function encode(frames: readonly Sent[]): Bytes {
  const batch = new FrameBatch();
  for (const { isControl, body } of frames) {
    if (isControl) batch.addControl(body);
    else add(batch, body);
  }
  return concatBytes(batch.take(Number.MAX_SAFE_INTEGER));
}

/** Cuts `stream` at `cuts`, each chunk in memory of its own, as a socket gives them. */
function cut(stream: Bytes, cuts: readonly number[]): Bytes[] {
  const bounds = [0, ...cuts.map((at) => at % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  return bounds.slice(1).map((end, i) => copyBytes(stream, bounds[i], end));
}

const frame: fc.Arbitrary<Sent> = fc
  .record({
    isControl: fc.boolean(),
    size: fc.oneof(fc.nat(80), fc.nat(2000), fc.constantFrom(0, 1, 1024, 1025, 70_000)),
    seed: fc.nat(255),
  })
  .map(({ isControl, size, seed }) => ({ isControl, body: patternBytes(size, seed) }));

describe("frames", () => {
  it("are laid out as drawn", () => {
    const stream = encode([
      { isControl: false, body: patternBytes(0, 0) },
      { isControl: false, body: Buffer.from("abc") as unknown as Bytes },
      { isControl: true, body: Buffer.from("x") as unknown as Bytes },
    ]);
    assert.equal(Buffer.from(stream).toString("hex"), "00000000030000006162630100008078");
    assert.equal(Buffer.from(encodeControlFrame(Buffer.from("x"))).toString("hex"), "0100008078");
  });

  it("arrive as sent at every split of the stream into two", () => {
    const sent = [0, 1, 5, 3, 0, 9].map((size, i) => ({
      isControl: i % 2 === 1,
      body: patternBytes(size, i),
    }));
    const stream = encode(sent);
    for (let at = 0; at <= stream.length; at += 1) {
      assert.deepEqual(asText(readAll(cut(stream, [at])).frames), asText(sent), `split at ${at}`);
    }
  });

  it("arrive as sent byte by byte", () => {
    const sent = [3, 0, 300].map((size, i) => ({ isControl: false, body: patternBytes(size, i) }));
    const stream = encode(sent);
    const chunks = cut(
      stream,
      Array.from({ length: stream.length }, (_, i) => i),
    );
    assert.deepEqual(asText(readAll(chunks).frames), asText(sent));
  });

  it("arrive as sent however the stream is split, and stay as they are", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 10 }), (sent, cuts) => {
        const { frames, problem } = readAll(cut(encode(sent), cuts));
        assert.equal(problem, undefined);
        assert.deepEqual(asText(frames), asText(sent));
      }),
    );
  });

  it("hold on to little more memory than their own", () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 60 }), (sent) => {
        for (const { body } of readAll([copyBytes(encode(sent))]).frames) {
          const heldBytes = body.buffer.byteLength;
          const limit = Math.max(2 * (body.length + FRAME_HEADER_BYTES), 8192);
          assert.ok(heldBytes <= limit, `a frame of ${body.length} bytes holds ${heldBytes}`);
        }
      }),
    );
  });

  it("are refused beyond the limit, after those before", () => {
    const before = encode([{ isControl: false, body: patternBytes(5, 1) }]);
    const header = Buffer.alloc(4);
    header.writeUInt32LE(FRAME_BYTES_MAX + 1);
    const stream = concatBytes([before, header, Buffer.alloc(10)]);
    const { frames, problem } = readAll([stream]);
    assert.equal(problem, "frame-too-long");
    assert.equal(frames.length, 1);
    header.writeUInt32LE(FRAME_BYTES_MAX);
    assert.equal(readAll([concatBytes([header])]).problem, undefined);
  });

  it("are refused by the sender beyond the limit", () => {
    const part = Buffer.alloc(FRAME_BYTES_MAX / 64);
    const parts = Array.from({ length: 64 }, () => part);
    assert.throws(() => add(new FrameBatch(), ...parts, Buffer.alloc(1)), /longer than a peer would take/);
    add(new FrameBatch(), ...parts);
  });

  it("are not handed out once the reader is closed, not even of the same chunk", () => {
    const bodies: Bytes[] = [];
    const reader = new FrameReader({
      onFrame: (body) => {
        bodies.push(body);
        reader.close();
      },
      onControlFrame: () => assert.fail("no control frame was sent"),
    });
    const stream = encode([1, 2, 3].map((size) => ({ isControl: false, body: patternBytes(size, 1) })));
    reader.push(stream);
    reader.push(stream);
    assert.equal(bodies.length, 1);
  });

  it("of any bytes never make the reader fail otherwise", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        const { problem } = readAll(chunks.map((chunk) => concatBytes([chunk])));
        assert.ok(problem === undefined || problem === "frame-too-long");
      }),
    );
  });
});

describe("a batch of frames", () => {
  it("gives everything in order, with large parts uncopied, over many rounds of reuse", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(frame, { maxLength: 8 }), { maxLength: 8 }),
        fc.boolean(),
        (rounds, reuse) => {
          const batch = new FrameBatch();
          const expected: Sent[] = [];
          const chunks: Bytes[] = [];
          for (const frames of rounds) {
            for (const { isControl, body } of frames) {
              if (isControl) batch.addControl(body);
              else add(batch, body.subarray(0, body.length >> 1), body.subarray(body.length >> 1));
            }
            const pieces = batch.take(Number.MAX_SAFE_INTEGER);
            assert.equal(batch.sizeBytes, 0);
            // With reuse, what was taken is only valid until then.
            chunks.push(...(reuse ? pieces.map((piece) => copyBytes(piece)) : (pieces as Bytes[])));
            if (reuse) batch.reuse();
            expected.push(...frames);
          }
          assert.deepEqual(asText(readAll(chunks).frames), asText(expected));
        },
      ),
    );
  });

  it("counts its bytes, headers included", () => {
    const batch = new FrameBatch();
    add(batch, patternBytes(10, 1), patternBytes(20_000, 2));
    batch.addControl(patternBytes(1, 3));
    assert.equal(batch.sizeBytes, 4 + 20_010 + 4 + 1);
    batch.clear();
    assert.equal(batch.sizeBytes, 0);
    assert.deepEqual(batch.take(1), []);
  });

  it("gives about as much as is asked for at once, and the rest later", () => {
    const batch = new FrameBatch();
    const large = patternBytes(100_000, 1);
    for (let i = 0; i < 5; i += 1) add(batch, large);
    const sizes: number[] = [];
    const pieces: Uint8Array[] = [];
    while (batch.sizeBytes > 0) {
      const taken = batch.take(150_000);
      sizes.push(lengthOf(taken));
      pieces.push(...taken);
      batch.reuse();
      if (pieces.length < 9) add(batch, patternBytes(3000, 2));
    }
    assert.ok(sizes.every((size) => size > 0 && size < 260_000));
    const { frames } = readAll(pieces as Bytes[]);
    assert.ok(frames.length > 5);
    for (const [i, { body }] of frames.entries()) {
      assert.equal(body.equals(i < 5 ? large : patternBytes(3000, 2)), true, `frame ${i}`);
    }
    assert.equal(pieces.filter((piece) => piece === large).length, 5, "large parts are not copied");
  });

  it("keeps what was taken intact while it gathers on, and after it forgets", () => {
    const batch = new FrameBatch();
    add(batch, patternBytes(100, 1));
    const taken = batch.take(1) as Bytes[];
    add(batch, patternBytes(100, 2));
    batch.clear();
    for (let i = 0; i < 2000; i += 1) add(batch, patternBytes(100, 3));
    assert.deepEqual(
      asText(readAll(taken).frames),
      asText([{ isControl: false, body: patternBytes(100, 1) }]),
    );
    assert.equal(readAll(batch.take(1e9) as Bytes[]).frames.length, 2000);
  });
});
