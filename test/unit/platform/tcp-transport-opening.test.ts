import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { type Bytes, concatBytes, copyBytes } from "../../../src/core/bytes.js";
import { nodeId } from "../../../src/core/ids.js";
import {
  decodeControlFrame,
  decodeHello,
  encodeGreetingFrame,
  encodeHello,
  encodeOpening,
  type Hello,
  OpeningReader,
  PING_FRAME,
  PONG_FRAME,
} from "../../../src/platform/tcp-transport-opening.js";
import type { Greeting } from "../../../src/ports/transport.js";

const text = fc.string({ maxLength: 60, unit: "grapheme" });

const hello: fc.Arbitrary<Hello> = fc
  .record({
    id: fc.string({ minLength: 1, maxLength: 60 }),
    incarnation: fc.nat(65_535),
    clusterId: text,
    stage: fc.constantFrom<Greeting["stage"]>("fresh", "forming", "formed"),
    address: text,
    instance: fc.nat(2 ** 48 - 1),
    sequence: fc.nat(2 ** 32 - 1),
    to: text,
  })
  .map(({ id, incarnation, clusterId, stage, address, instance, sequence, to }) => ({
    greeting: { nodeId: nodeId(id), incarnation, clusterId, stage, address },
    instance,
    sequence,
    to: nodeId(to),
  }));

const example: Hello = {
  greeting: { nodeId: nodeId("n1"), incarnation: 3, clusterId: "c", stage: "formed", address: "h:1" },
  instance: 0x0605_0403_0201,
  sequence: 7,
  to: nodeId("n2"),
};

describe("the opening of a peer connection", () => {
  it("is laid out as drawn", () => {
    const expected =
      "4d494e494b45590a" + // MINIKEY and a line end
      "0100" + // version
      "1d00" + // length
      "010203040506" + // instance
      "07000000" + // sequence
      "02" + // stage
      "030000000000" + // incarnation
      "026e31" +
      "0163" +
      "03683a31" +
      "026e32";
    assert.equal(Buffer.from(encodeOpening(example)).toString("hex"), expected);
  });

  it("arrives as sent, with what follows it, however it is split", () => {
    fc.assert(
      fc.property(
        hello,
        fc.uint8Array({ maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (sent, rest, cuts) => {
          const stream = concatBytes([encodeOpening(sent), rest]);
          const bounds = [0, ...cuts.map((at) => at % stream.length).sort((a, b) => a - b), stream.length];
          const reader = new OpeningReader();
          for (let i = 1; i < bounds.length; i += 1) {
            const result = reader.push(copyBytes(stream, bounds[i - 1], bounds[i]));
            if (result.state === "incomplete") continue;
            assert.equal(result.state, "opened");
            assert.deepEqual(result.hello, sent);
            const after = concatBytes([result.rest, stream.subarray(bounds[i])]);
            assert.deepEqual([...after], [...rest]);
            return;
          }
          assert.fail("the opening is incomplete");
        },
      ),
    );
  });

  it("is refused at the first byte that is not the magic's", () => {
    const opening = encodeOpening(example);
    for (let at = 0; at < 8; at += 1) {
      const wrong = copyBytes(opening, 0, at + 1);
      wrong[at] ^= 1;
      assert.deepEqual(new OpeningReader().push(wrong), { state: "refused", reason: "not-minikeydb" });
    }
  });

  it("is refused for another version as soon as that is known, whatever follows", () => {
    const opening = copyBytes(encodeOpening(example), 0, 10);
    opening[8] = 0x34;
    opening[9] = 0x12;
    const refused = { state: "refused", reason: "other-version", version: 0x1234 };
    assert.deepEqual(new OpeningReader().push(opening), refused);
  });

  it("is refused when it announces more than a greeting can be", () => {
    const opening = copyBytes(encodeOpening(example), 0, 12);
    opening[11] = 0xff;
    assert.deepEqual(new OpeningReader().push(opening), { state: "refused", reason: "malformed" });
  });
});

describe("a greeting", () => {
  it("is refused with any byte too many or too few, and means something else with any byte changed", () => {
    const bytes = encodeHello(example);
    for (let end = 0; end < bytes.length; end += 1)
      assert.equal(decodeHello(bytes.subarray(0, end)), undefined);
    assert.equal(decodeHello(concatBytes([bytes, Uint8Array.of(0)])), undefined);
    for (let at = 0; at < bytes.length; at += 1) {
      for (let bit = 1; bit < 256; bit *= 2) {
        const changed = copyBytes(bytes);
        changed[at] ^= bit;
        const decoded = decodeHello(changed);
        if (decoded !== undefined) assert.notDeepEqual(decoded, example);
      }
    }
  });

  it("is only accepted as it would be written", () => {
    fc.assert(
      fc.property(hello, fc.nat(), fc.nat(255), (sent, at, byte) => {
        const bytes = encodeHello(sent);
        bytes[at % bytes.length] = byte;
        const decoded = decodeHello(bytes);
        if (decoded !== undefined) assert.deepEqual([...encodeHello(decoded)], [...bytes]);
      }),
    );
  });

  it("is refused with an unknown stage, without a name, or with a name that is not UTF-8", () => {
    const changed = (at: number, value: number): Bytes => {
      const bytes = copyBytes(encodeHello(example));
      bytes[at] = value;
      return bytes;
    };
    for (const stage of [3, 255]) assert.equal(decodeHello(changed(10, stage)), undefined);
    assert.equal(decodeHello(changed(18, 0xff)), undefined);
    const nameless = { ...example, greeting: { ...example.greeting, nodeId: nodeId("") } };
    assert.equal(decodeHello(encodeHello(nameless)), undefined);
  });

  it("is refused by its own node when a peer would not take it", () => {
    const long = { ...example, greeting: { ...example.greeting, clusterId: "x".repeat(2000) } };
    assert.throws(() => encodeHello(long), /longer than a peer would take/);
  });
});

describe("control frames", () => {
  it("arrive as sent, and nothing else is one", () => {
    assert.deepEqual(decodeControlFrame(PING_FRAME), { kind: "ping" });
    assert.deepEqual(decodeControlFrame(PONG_FRAME), { kind: "pong" });
    assert.deepEqual(decodeControlFrame(encodeGreetingFrame(example)), { kind: "greeting", hello: example });
    for (const bytes of [[], [0], [1, 0], [2, 2], [3], [4]]) {
      assert.equal(decodeControlFrame(concatBytes([Uint8Array.from(bytes)])), undefined);
    }
  });
});
