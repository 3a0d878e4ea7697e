import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { addLongDoubles, formatLongDouble, parseLongDouble } from "../../../src/commands/long-double.js";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import {
  addInt64,
  INT64_MAX,
  INT64_MIN,
  type Int64,
  negateInt64,
  parseInt64,
} from "../../../src/core/int64.js";

const int64 = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }),
  fc.integer().map(BigInt),
  fc.constantFrom(INT64_MIN, INT64_MAX, 2n ** 53n, -(2n ** 53n), 2n ** 53n - 1n, 0n),
);

function parse(text: string): Int64 | undefined {
  const bytes = latin1ToBytes(`x${text}y`);
  return parseInt64(bytes, 1, bytes.length - 1);
}

/** The one form of a value: a number where it is exact. */
function form(value: bigint): Int64 | undefined {
  if (value < INT64_MIN || value > INT64_MAX) return undefined;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

describe("64-bit integers", () => {
  it("are read exactly, as a number where a number is exact", () => {
    fc.assert(fc.property(int64, (value) => assert.strictEqual(parse(String(value)), form(value))));
  });

  it("are added and negated exactly, or found not to fit", () => {
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        assert.strictEqual(addInt64(form(a)!, form(b)!), form(a + b));
        assert.strictEqual(negateInt64(form(a)!), form(-a));
      }),
    );
  });

  it("are not read from anything that Redis does not take for one", () => {
    for (const text of [
      "",
      "-",
      "+1",
      "01",
      "-0",
      "-01",
      " 1",
      "1 ",
      "1.0",
      "1e3",
      "0x1",
      "9223372036854775808",
      "-9223372036854775809",
      "10000000000000000000",
      "99999999999999999999",
      "१",
    ]) {
      assert.equal(parse(text), undefined, JSON.stringify(text));
    }
  });
});

function longDouble(text: string): NonNullable<ReturnType<typeof parseLongDouble>> | undefined {
  const bytes = latin1ToBytes(text);
  return parseLongDouble(bytes, 0, bytes.length);
}

const shown = (text: string): string => formatLongDouble(longDouble(text)!);
const sum = (a: string, b: string): string =>
  formatLongDouble(addLongDoubles(longDouble(a)!, longDouble(b)!));

describe("long doubles", () => {
  it("add up as in redis-server, where doubles would show their error", () => {
    assert.equal(sum("10.5", "0.1"), "10.6");
    assert.equal(sum("0.1", "0.2"), "0.3");
    assert.equal(sum("5.0e3", "2.0e2"), "5200");
    assert.equal(sum("3", "-3"), "0");
    assert.equal(sum("1e17", "0.5"), "100000000000000000.5");
    assert.equal(sum("9007199254740993", "1"), "9007199254740994");
    assert.equal(sum("18446744073709551615", "1"), "18446744073709551616");
    assert.equal(sum("18446744073709551616", "1"), "18446744073709551616");
  });

  it("are shown with up to 17 digits after the point, and no needless zeros", () => {
    assert.equal(shown("3.0"), "3");
    assert.equal(shown("-0.0"), "0");
    assert.equal(shown("1e-17"), "0.00000000000000001");
    assert.equal(shown("-1e-18"), "0");
    assert.equal(shown("0x1p-3"), "0.125");
    assert.equal(shown("1e20"), "100000000000000000000");
    assert.equal(shown("3.14159265358979323846"), "3.14159265358979324");
  });

  it("keep whole numbers below 2^64 exactly", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }), (value) => {
        assert.equal(shown(String(value)), String(value));
      }),
    );
  });

  it("reach from 1e-4951 to 1e4932 and no further", () => {
    assert.notEqual(longDouble("1e4932"), undefined);
    assert.equal(longDouble("1.2e4932"), undefined);
    assert.notEqual(longDouble("1e-4950"), undefined);
    assert.equal(longDouble("1e-4952"), undefined);
    assert.equal(addLongDoubles(longDouble("1e4932")!, longDouble("1e4932")!).finite, false);
  });

  it("are read in a short time, however large the exponent", () => {
    const startedMs = performance.now();
    for (const text of ["1e999999999", "1e-999999999", `1e${"9".repeat(400)}`, `0e${"9".repeat(400)}`])
      longDouble(text);
    assert.ok(performance.now() - startedMs < 500);
  });

  it("are not read from anything that is none", () => {
    for (const text of [
      "",
      ".",
      "-",
      "e1",
      "1e",
      "1e+",
      " 1",
      "1 ",
      "nan",
      "1,5",
      "0x",
      "0x.",
      "1_0",
      "infi",
    ]) {
      assert.equal(longDouble(text), undefined, JSON.stringify(text));
    }
  });
});
