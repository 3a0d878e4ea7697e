import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { keyspaceId } from "../../../src/core/ids.js";
import { argsOf, type Plain, plain } from "../../support/commands.js";
import { HandClock } from "../../support/hand-clock.js";
import { MemoryDatabase } from "../../support/memory-database.js";

const CONTEXT = { keyspace: keyspaceId(0), readLevel: "linearizable", writeLevel: "quorum" } as const;

describe("COMPUTE", () => {
  let database: MemoryDatabase;

  function send(...words: readonly string[]): Plain {
    let answer: Plain | undefined;
    database.submit(argsOf(...words), { ...CONTEXT }, { onReply: (reply) => (answer = plain(reply)) });
    assert.ok(answer !== undefined, "answered at once");
    return answer;
  }

  /** A command typed in a line. */
  const type = (line: string): Plain => send(...line.split(" "));
  const store = (key: string, value: unknown): Plain =>
    send("KV.PUT", key, "json", "any", "0", "0", typeof value === "string" ? value : JSON.stringify(value));

  beforeEach(() => {
    database = new MemoryDatabase({ clock: new HandClock() });
    store("person1", { name: "John", age: 22, tags: [1, "two"], ok: true, nothing: null, number: "12" });
    store("person2", { name: "Mary", address: { street: "Panepistimiou", number: 12 } });
    store("person3", { height: 1.75 });
  });

  it("computes over the numbers at paths", () => {
    assert.equal(type("COMPUTE 1+1"), "2");
    assert.equal(type("COMPUTE 2*x WHERE x = QUERY person2.address.number"), "24");
    assert.equal(
      type(
        "compute x + y * z where x = query person2.address.number and y=query person1.age and z= query person3.height",
      ),
      "50.5",
    );
    assert.equal(type("COMPUTE x+y WHERE x = QUERY person1.tags.0 AND y = QUERY person1.tags.0"), "2");
    assert.equal(type("COMPUTE sin(x*2.5) WHERE x = QUERY person2.address.number DEGREES"), "0.5");
  });

  it("takes keys with dots, quoted segments and whole values, as QUERY does", () => {
    store("a.b", { c: 5 });
    store("a", { b: { c: 7 } });
    store("seven", 7);
    assert.equal(type("COMPUTE x WHERE x = QUERY a.b.c"), "5");
    assert.equal(type('COMPUTE x WHERE x = QUERY "a".b.c'), "7");
    assert.equal(type("COMPUTE x^2 WHERE x = QUERY seven"), "49");
  });

  it("takes bytes that are a number for the number: a counter, or what SET stored", () => {
    send("SET", "x", "12");
    send("INCRBY", "n", "30");
    send("INCRBYFLOAT", "f", "2.5");
    assert.equal(type("COMPUTE 2*x+n+f WHERE x = QUERY x AND n = QUERY n AND f = QUERY f"), "56.5");
    for (const text of ["-1.5e3", "0", "1E2"]) {
      send("SET", "x", text);
      assert.equal(type("COMPUTE x WHERE x = QUERY x"), String(Number(text)));
    }
    for (const text of ["", " 12", "0x10", "+1", "1_000", "Infinity", "NaN", "12a", "01", "1."]) {
      send("SET", "x", text);
      const got = `expected a number, got text (${JSON.stringify(text)})`;
      assert.equal(type("COMPUTE x WHERE x = QUERY x"), `-COMPUTE_ERROR x = QUERY x: ${got}`);
    }
  });

  it("keeps whole numbers exact, and says so when it cannot", () => {
    store("max", "9007199254740992");
    store("more", "9007199254740993");
    store("even", "9007199254740994");
    store("huge", "1e400");
    store("long", "1".repeat(400));
    send("SET", "bytes", "-9007199254740993");
    assert.equal(type("COMPUTE x-1 WHERE x = QUERY max"), "9007199254740991");
    assert.equal(type("COMPUTE x WHERE x = QUERY even"), "9007199254740994");
    const lost = "is beyond 2^53 and would lose digits";
    assert.equal(
      type("COMPUTE x WHERE x = QUERY more"),
      `-COMPUTE_ERROR x = QUERY more: 9007199254740993 ${lost}`,
    );
    assert.equal(
      type("COMPUTE x WHERE x = QUERY bytes"),
      `-COMPUTE_ERROR x = QUERY bytes: -9007199254740993 ${lost}`,
    );
    assert.equal(
      type("COMPUTE x WHERE x = QUERY huge"),
      "-COMPUTE_ERROR x = QUERY huge: 1e400 is too large for a number",
    );
    assert.match(
      String(type("COMPUTE x WHERE x = QUERY long")),
      /^-COMPUTE_ERROR x = QUERY long: 1{60}… is too large/,
    );
  });

  it("keeps every digit of a number beyond 2^53 or refuses it, wherever and however it is written", () => {
    const refused = [
      "9007199254740993",
      "9007199254740993.0",
      "9007199254740993.00",
      "9007199254740992.5",
      "9007199254740993e0",
      "9007199254740993E+0",
      "9.007199254740993e15",
      "9.0071992547409930e15",
      "90071992547409930e-1",
      "0.0009007199254740993e19",
      "12345678901234567890",
      "1.2345678901234567890e19",
      "100000000000000000000000",
      `9007199254740993.${"0".repeat(200)}`,
    ];
    const kept = [
      "9007199254740991",
      "9007199254740992",
      "9007199254740992.0",
      "9007199254740992e0",
      "9007199254740994",
      "9007199254740994.0",
      "9.007199254740994e15",
      "18446744073709551616",
      "1e23",
      "6.02214076e23",
      "1.7976931348623157e308",
      "4503599627370497.3",
      "3.14159265358979323846",
      `9007199254740992.${"0".repeat(200)}`,
    ];
    const shown = (text: string, most: number): string =>
      text.length > most ? `${text.slice(0, most)}…` : text;
    const lost = "is beyond 2^53 and would lose digits";
    for (const text of refused) {
      assert.equal(send("COMPUTE", text), `-BAD_REQUEST formula: ${shown(text, 40)} at column 1 ${lost}`);
      for (const sign of ["", "-"]) {
        const error = `-COMPUTE_ERROR x = QUERY x: ${shown(sign + text, 60)} ${lost}`;
        store("x", sign + text);
        assert.equal(send("COMPUTE", "x", "WHERE", "x", "=", "QUERY", "x"), error, "a document");
        send("SET", "x", sign + text);
        assert.equal(send("COMPUTE", "x", "WHERE", "x", "=", "QUERY", "x"), error, "bytes");
      }
    }
    for (const text of kept) {
      assert.equal(send("COMPUTE", text), String(Number(text)));
      store("x", `{"y":-${text}}`);
      assert.equal(send("COMPUTE", "x", "WHERE", "x", "=", "QUERY", "x.y"), String(-Number(text)));
      send("SET", "x", text);
      assert.equal(send("COMPUTE", "x", "WHERE", "x", "=", "QUERY", "x"), String(Number(text)));
    }
  });

  it("names variable, path and what is there when it is no number", () => {
    for (const [path, got] of [
      ["person1.name", 'text ("John")'],
      ["person1.number", 'text ("12")'],
      ["person1.tags", "a list"],
      ["person1", "an object"],
      ["person1.ok", "true"],
      ["person1.nothing", "null"],
    ]) {
      const expected = `-COMPUTE_ERROR y = QUERY ${path}: expected a number, got ${got}`;
      assert.equal(type(`COMPUTE x+y WHERE x = QUERY person1.age AND y = QUERY ${path}`), expected);
    }
    const long = "é".repeat(500);
    store("long", { text: long });
    assert.equal(
      type("COMPUTE x WHERE x = QUERY long.text"),
      `-COMPUTE_ERROR x = QUERY long.text: expected a number, got text ("${"é".repeat(59)}…)`,
    );
  });

  it("names variable, path and the part that is missing", () => {
    for (const [path, missing] of [
      ["person9", "no such key: person9"],
      ["person9.age", "no such key: person9"],
      ["person2.address.nr", 'person2.address has no field "nr"'],
      ["person1.age.x", 'person1.age is a number and has no field "x"'],
      ["person1.tags.7", "person1.tags has 2 elements: no position 7"],
    ]) {
      const expected = `-PATH_NOT_FOUND y = QUERY ${path}: ${missing}`;
      assert.equal(type(`COMPUTE x+y WHERE x = QUERY person1.age AND y = QUERY ${path}`), expected);
    }
    assert.equal(
      send("COMPUTE", "x", "WHERE", "x", "=", "QUERY", '"a'),
      '-BAD_REQUEST x = QUERY "a: path, column 1: the quotes are not closed',
    );
  });

  it("refuses variables that are unbound, unused, bound twice or named like a function or constant", () => {
    for (const [line, message] of [
      ["1+x", "formula: x at column 3 is not bound: add WHERE x = QUERY path"],
      ["X WHERE x = QUERY person1.age", "formula: X at column 1 is not bound: add WHERE X = QUERY path"],
      ["constructor", "formula: constructor at column 1 is not bound: add WHERE constructor = QUERY path"],
      ["1+__proto__", "formula: __proto__ at column 3 is not bound: add WHERE __proto__ = QUERY path"],
      ["1 WHERE x = QUERY person1.age", "x is bound, but the formula does not use it"],
      ["x WHERE x = QUERY a AND x = QUERY b", "x is bound twice"],
      ["e WHERE e = QUERY person1.age", "e is a constant: give the variable another name"],
      ["1 WHERE Sin = QUERY person1.age", "Sin is a function: give the variable another name"],
      [
        "1 WHERE 1x = QUERY person1.age",
        '"1x" is no name of a variable: a letter or _, then letters, digits or _',
      ],
      ["WHERE x = QUERY person1.age", "formula: it is empty"],
      ["x.age WHERE x = QUERY person1", "formula: x.age at column 1 has no place in a formula"],
    ]) {
      assert.equal(type(`COMPUTE ${line}`), `-BAD_REQUEST ${message}`);
    }
    assert.equal(type("COMPUTE 1/0"), "-COMPUTE_ERROR 1 / 0: division by zero");
    assert.equal(send("COMPUTE"), "-WRONG_ARITY wrong number of arguments for 'compute' command");
  });

  it("puts values in place of variables, never text", () => {
    send("SET", "x", "-3");
    assert.equal(type("COMPUTE x^2 WHERE x = QUERY x"), "9");
    assert.equal(type("COMPUTE exp(x-x)*2-x WHERE x = QUERY x"), "5");
    send("SET", "x", "1+1");
    assert.match(String(type("COMPUTE 2*x WHERE x = QUERY x")), /expected a number, got text \("1\+1"\)/);
  });

  it("refuses what is no text", () => {
    const args = argsOf("COMPUTE", "x");
    args.bytes[args.start(1)] = 0xff;
    let answer: Plain | undefined;
    database.submit(args, { ...CONTEXT }, { onReply: (reply) => (answer = plain(reply)) });
    assert.equal(answer, "-BAD_REQUEST argument 1 is not valid UTF-8");
  });

  it("refuses paths that may mean more keys than one command may look at", () => {
    const path = Array.from({ length: 120 }, () => "a").join(".");
    const bindings = Array.from({ length: 100 }, (_, i) => [`x${i}`, path]);
    const formula = bindings.map(([name]) => name).join("+");
    assert.equal(
      send("KV.COMPUTE", "radians", formula, ...bindings.flat()),
      "-BAD_REQUEST the paths may mean 12000 keys: 10000 are the most, and a key in quotes means no other",
    );
  });
});

describe("KV.COMPUTE", () => {
  it("takes formula, names and paths by their places, whatever words they are", () => {
    const database = new MemoryDatabase({ clock: new HandClock() });
    const send = (...words: readonly string[]): Plain => {
      let answer: Plain = null;
      database.submit(argsOf(...words), { ...CONTEXT }, { onReply: (reply) => (answer = plain(reply)) });
      return answer;
    };
    send("SET", "AND", "3");
    assert.equal(send("KV.COMPUTE", "radians", "where*2", "where", "AND"), "6");
    assert.equal(send("KV.COMPUTE", "DEGREES", "sin(10*degrees)", "degrees", "AND"), "0.5");
    assert.equal(send("KV.COMPUTE", "radians", "1"), "1");
    assert.match(
      String(send("KV.COMPUTE", "radians", "x WHERE x = QUERY AND", "x", "AND")),
      /^-BAD_REQUEST formula:/,
    );
    assert.equal(
      send("KV.COMPUTE", "gradians", "1"),
      '-SYNTAX angle: expected radians or degrees, got "gradians"',
    );
    assert.equal(send("KV.COMPUTE", "radians", "x", "x"), "-SYNTAX syntax error");
  });
});
