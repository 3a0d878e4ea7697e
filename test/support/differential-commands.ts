/**
 * Random commands that Redis and MinikeyDB must answer alike: every comparable command, all its options, and
 * the arguments on which implementations differ. Left out is what the documentation names as different: empty
 * keys, expiry times beyond 2^53 ms, `COPY … DB`; and what would depend on the speed of the test: expiries that
 * come while it runs.
 */
import type { Seeded } from "./seeded.js";

export type Words = (string | Buffer)[];

/** A count at which one call of SCAN returns all keys. */
export const SCAN_ALL = "1000000";

// biome-ignore format: one list
const INTEGERS = [
  "0", "1", "-1", "10", "255", "-0", "+1", "01", " 1", "1 ", "", "1.0", "0x10", "abc",
  "9007199254740991", "9007199254740992", "-9007199254740993", "999999999999999", "1000000000000000",
  "9223372036854775807", "9223372036854775806", "-9223372036854775808", "-9223372036854775807",
  "9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999999",
];
// biome-ignore format: one list
const FLOATS = [
  "3.0", "3.0e3", "5.0e-2", "-1.5", "0.1", "0.2", "10.5", ".5", "5.", "5.e1", "+3", "1e17", "1e20", "1e-17",
  "1e-18", "123456789.123456789", "0x10", "0x1p-3", "0x.8", "inf", "-inf", "+Infinity", "nan", "1e5000",
  "-1e5000", "1e4932", "1e-4940", "1e-5000", "1e", "e1", " 1.5", "1.5 ", "1,5", "--1", "", ".", "0x", "1e+5",
  "3.14159265358979323846", "0.1000000000000000055511151231257827", "9007199254740993", "-0.0", "1_000",
];
const RANGES = ["0", "1", "-1", "5", "-5", "100", "-100", "9223372036854775807", "-9223372036854775808", "a"];
const SECONDS = [
  "100000",
  "5000000",
  "0",
  "-1",
  "abc",
  "9223372036854775807",
  "-9223372036854775808",
  "1.5",
  "",
];
const MILLISECONDS = ["100000000", "5000000000", "0", "-1", "abc", "9223372036854775808", "-5000", ""];
/** In the past, or in the year 2286 and after. */
const AT_SECONDS = ["9999999999", "9999999998", "1", "0", "-1", "abc", "9223372036854775807"];
const AT_MILLISECONDS = ["9999999999999", "9999999999998", "1", "0", "-1", "abc"];
// biome-ignore format: one list
const PATTERNS = [
  "*", "k*", "k?", "k[0-3]", "k[^0-3]", "*1*", "{t}*", "\\k*", "k[3-0]", "k[", "[k]1", "[^", "k\\", "**", "?*",
  "", "k*1", "*[0-9]*[0-9]", "nope", "[\\k]*", "k[0-", "k[-3]", "*\\",
];

const FIXED_KEYS: Words = [
  ...["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "{t}8", "{t}9", "{t}10"],
  Buffer.from([0, 255, 13, 10, 128]),
  "ключ",
  "x".repeat(1024),
];

class Generator {
  readonly #random: Seeded;

  constructor(random: Seeded) {
    this.#random = random;
  }

  key(): string | Buffer {
    return this.#random.pick(FIXED_KEYS);
  }

  value(): string | Buffer {
    const random = this.#random;
    const n = random.below(10);
    if (n < 4) return random.pick(INTEGERS);
    if (n < 6) return random.pick(FLOATS);
    if (n < 8) return `value-${random.below(100)}`;
    return Buffer.from(Array.from({ length: random.below(80) }, () => random.below(256)));
  }

  integer = (): string => this.#random.pick(INTEGERS);
  float = (): string => (this.#random.chance(0.5) ? this.#random.pick(FLOATS) : this.#randomFloat());
  range = (): string => this.#random.pick(RANGES);
  pattern = (): string => this.#random.pick(PATTERNS);

  /** Of any length, with or without an exponent, sometimes hexadecimal. */
  #randomFloat(): string {
    const random = this.#random;
    const digits = (alphabet: string, most: number): string =>
      Array.from({ length: random.below(most) }, () => alphabet[random.below(alphabet.length)]).join("");
    const sign = random.pick(["", "", "-", "+"]);
    if (random.chance(0.1))
      return `${sign}0x${digits("0123456789abcdefABCDEF", 20)}.${digits("0123456789abcdef", 9)}p${random.below(200) - 100}`;
    const point = random.chance(0.7) ? `.${digits("0123456789", 25)}` : "";
    const exponent = random.chance(0.3) ? `e${random.below(60) - 30}` : "";
    return `${sign}${digits("0123456789", 22)}${point}${exponent}`;
  }

  some(atLeast: number, make: () => Words): Words {
    const words: Words = [];
    for (let left = atLeast + this.#random.below(4); left > 0; left -= 1) words.push(...make());
    return words;
  }

  maybe(probability: number, make: () => Words): Words {
    return this.#random.chance(probability) ? make() : [];
  }

  expiry(): Words {
    const random = this.#random;
    const [word, times] = random.pick([
      ["EX", SECONDS],
      ["PX", MILLISECONDS],
      ["EXAT", AT_SECONDS],
      ["PXAT", AT_MILLISECONDS],
    ] as const);
    return random.chance(0.95) ? [word, random.pick(times)] : [word];
  }

  setOption(): Words {
    return this.#random.chance(0.4)
      ? this.expiry()
      : [this.#random.pick(["NX", "XX", "GET", "KEEPTTL", "nx", "FOO", "PERSIST"])];
  }

  pick<T>(choices: readonly T[]): T {
    return this.#random.pick(choices);
  }
}

type Maker = (make: Generator) => Words;

const expiryConditions: Maker = (g) => g.some(-2, () => [g.pick(["NX", "XX", "GT", "LT", "nx", "foo"])]);

// biome-ignore format: one line a command
const MAKERS: readonly Maker[] = [
  (g) => ["SET", g.key(), g.value()],
  (g) => ["SET", g.key(), g.integer()],
  (g) => ["SET", g.key(), g.value(), ...g.some(0, () => g.setOption())],
  (g) => ["GET", g.key()],
  (g) => ["SETNX", g.key(), g.value()],
  (g) => ["SETEX", g.key(), g.pick(SECONDS), g.value()],
  (g) => ["PSETEX", g.key(), g.pick(MILLISECONDS), g.value()],
  (g) => ["GETSET", g.key(), g.value()],
  (g) => ["GETDEL", g.key()],
  (g) => ["GETEX", g.key()],
  (g) => ["GETEX", g.key(), ...g.some(0, () => (g.pick([true, false]) ? g.expiry() : ["PERSIST"]))],
  (g) => ["MGET", ...g.some(1, () => [g.key()])],
  (g) => ["MSET", ...g.some(1, () => [g.key(), g.value()])],
  (g) => ["MSETNX", ...g.some(1, () => [g.key(), g.value()])],
  (g) => ["MSETNX", `fresh${g.pick(PATTERNS).length}`, g.value()],
  (g) => [g.pick(["MSET", "MSETNX"]), g.key(), g.value(), g.key()],
  (g) => ["APPEND", g.key(), g.value()],
  (g) => ["STRLEN", g.key()],
  (g) => ["GETRANGE", g.key(), g.range(), g.range()],
  (g) => ["SETRANGE", g.key(), g.pick(["0", "1", "5", "100", "-1", "8388600", "8388608", "abc", "9223372036854775807"]), g.pick(["", "x", "0123456789"])],
  (g) => [g.pick(["INCR", "DECR"]), g.key()],
  (g) => [g.pick(["INCRBY", "DECRBY"]), g.key(), g.integer()],
  (g) => ["INCRBYFLOAT", g.key(), g.float()],
  (g) => [g.pick(["DEL", "UNLINK"]), ...g.some(1, () => [g.key()])],
  (g) => [g.pick(["EXISTS", "TOUCH"]), ...g.some(1, () => [g.key()])],
  (g) => ["TYPE", g.key()],
  (g) => ["EXPIRE", g.key(), g.pick(SECONDS), ...expiryConditions(g)],
  (g) => ["PEXPIRE", g.key(), g.pick(MILLISECONDS), ...expiryConditions(g)],
  (g) => ["EXPIREAT", g.key(), g.pick(AT_SECONDS), ...expiryConditions(g)],
  (g) => ["PEXPIREAT", g.key(), g.pick(AT_MILLISECONDS), ...expiryConditions(g)],
  (g) => [g.pick(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]), g.key()],
  (g) => ["PERSIST", g.key()],
  (g) => [g.pick(["RENAME", "RENAMENX"]), g.key(), g.key()],
  (g) => ["COPY", g.key(), g.key(), ...g.some(-1, () => [g.pick(["REPLACE", "replace", "FOO", "DB"])])],
  (g) => ["KEYS", g.pattern()],
  (g) => ["SCAN", "0", "COUNT", SCAN_ALL, ...g.maybe(0.5, () => ["MATCH", g.pattern()]), ...g.maybe(0.3, () => ["TYPE", g.pick(["string", "STRING", "hash", "foo"])])],
  (g) => ["SCAN", g.pick(["abc", "", "1x", "0"]), g.pick(["COUNT", "MATCH", "FOO", "TYPE"]), ...g.maybe(0.5, () => [g.pick(["0", "-1", "a"])])],
  () => ["RANDOMKEY"],
  (g) => ["PING", ...g.maybe(0.5, () => [g.value()]), ...g.maybe(0.1, () => ["x"])],
  (g) => ["ECHO", g.value()],
  (g) => ["AUTH", ...g.some(1, () => [g.pick(["default", "secret", "nobody"])])],
  (g) => ["HELLO", g.pick(["1", "4", "abc", "9223372036854775808"])],
  (g) => ["HELLO", "2", g.pick(["FOO", "AUTH", "SETNAME"])],
  (g) => ["CLIENT", "SETNAME", g.pick(["tester", "two words", "", "x\n"])],
  () => ["CLIENT", "GETNAME"],
  (g) => ["CLIENT", g.pick(["NOPE", "KILL", "REPLY", "no-evict", "ID", "getname"]), ...g.pick([["x"], ["x", "y"], ["on"]])],
  (g) => ["COMMAND", "GETKEYS", ...g.pick([["GET", "a"], ["MSET", "a", "b", "c", "d"], ["PING"], ["NOPE"], ["GET"], ["DEL", "a", "b"], ["RENAME", "a", "b"]])],
  (g) => [g.pick(["CONFIG", "CLUSTER", "COMMAND", "CLIENT"]), g.pick(["NOPE", "no\nline", ""])],
  (g) => [g.pick(["CONFIG", "CLUSTER", "CLIENT"])],
  (g) => [g.pick(["NOSUCH", "nosuch\r\n", "", "Х", "GETT", "S"]), ...g.some(0, () => [g.integer()])],
];

/** Names every key that there may be. Redis forgets an expired key when it is named, and counts it until then. */
export const NAME_ALL_KEYS: Words = ["EXISTS", ...allKeys()];

function allKeys(): Words {
  const fixed = [...FIXED_KEYS, "a", "b", "c", "d"];
  return [...fixed, ...PATTERNS.map((pattern) => `fresh${pattern.length}`)];
}

/** Now and then with an argument too few or too many, and in any case. */
export function randomCommand(random: Seeded): Words {
  const words = random.pick(MAKERS)(new Generator(random));
  if (random.chance(0.02) && words.length > 1) words.pop();
  if (random.chance(0.02)) words.push("extra");
  if (random.chance(0.1) && typeof words[0] === "string") words[0] = words[0].toLowerCase();
  return words;
}
