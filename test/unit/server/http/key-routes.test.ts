import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { startHarness } from "./harness.js";

const OCTETS = "application/octet-stream";
const JSON_BODY = { "content-type": "application/json" };

describe("PUT, GET and DELETE of one key", () => {
  it("creates with 201, updates with 200, counts versions and tags them", async (t) => {
    const { send } = await startHarness(t);
    const created = await send("PUT", "/kv/mykey", { body: { value: "test123" } });
    assert.equal(created.status, 201);
    assert.deepEqual(created.json(), { status: "created", version: 1 });
    assert.equal(created.headers.etag, '"1"');
    assert.equal(created.headers["content-type"], "application/json; charset=utf-8");

    const updated = await send("PUT", "/kv/mykey", { body: { value: "again" } });
    assert.equal(updated.status, 200);
    assert.deepEqual(updated.json(), { status: "updated", version: 2 });
    assert.equal(updated.headers.etag, '"2"');

    const got = await send("GET", "/kv/mykey");
    assert.equal(got.status, 200);
    assert.equal(got.text, '{"value":"again","version":2}');
    assert.equal(got.headers.etag, '"2"');
    assert.equal(got.headers["cache-control"], "no-cache");
    assert.equal(got.headers["x-content-type-options"], "nosniff");

    const deleted = await send("DELETE", "/kv/mykey");
    assert.equal(deleted.status, 200);
    assert.deepEqual(deleted.json(), { status: "deleted" });
  });

  it("says 404 for a key that is not there, in words programs know", async (t) => {
    const { send } = await startHarness(t);
    for (const method of ["GET", "DELETE"]) {
      const answer = await send(method, "/kv/nothing");
      assert.equal(answer.status, 404);
      assert.deepEqual(answer.json(), { error: "Key not found", code: "NOT_FOUND" });
    }
  });

  it("answers HEAD as GET without the body", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/k", { body: { value: "v" } });
    const head = await send("HEAD", "/kv/k");
    assert.equal(head.status, 200);
    assert.equal(head.headers.etag, '"1"');
    assert.equal(head.headers["content-length"], String('{"value":"v","version":1}'.length));
    assert.equal(head.text, "");
    assert.equal((await send("HEAD", "/kv/nothing")).status, 404);
  });

  it("keeps keyspaces apart", async (t) => {
    const { send, database } = await startHarness(t);
    await send("POST", "/keyspaces", { body: { name: "other" } });
    await send("PUT", "/kv/k", { body: { value: "default's" } });
    await send("PUT", "/keyspaces/other/kv/k", { body: { value: "other's" } });
    assert.equal((await send("GET", "/kv/k")).text, '{"value":"default\'s","version":1}');
    assert.equal((await send("GET", "/keyspaces/default/kv/k")).text, '{"value":"default\'s","version":1}');
    assert.equal((await send("GET", "/keyspaces/other/kv/k")).text, '{"value":"other\'s","version":1}');
    assert.deepEqual((await send("GET", "/keyspaces/other/kv")).json(), { keys: ["k"], cursor: null });
    assert.equal((await send("DELETE", "/keyspaces/other/kv/k")).status, 200);
    assert.equal((await send("GET", "/keyspaces/other/kv/k")).status, 404);
    assert.equal(database.contexts.at(-1)?.keyspace, database.keyspaceByName("other")?.id);
    const missing = await send("GET", "/keyspaces/none/kv/k");
    assert.equal(missing.status, 404);
    assert.deepEqual(missing.json(), { error: 'there is no keyspace "none"', code: "KEYSPACE_NOT_FOUND" });
  });
});

describe("keys in the path", () => {
  const spellings = [
    ["/kv/a/b", "a/b"],
    ["/kv/a%2Fb", "a/b"],
    ["/kv/%C3%A9%20%25", "é %"],
    ["/kv/a+b", "a+b"],
    ["/kv//", "/"],
    ["/%6bv/a", "a"],
    ["/kv/a?", "a"],
    ["/kv/x;y", "x;y"],
    ["http://127.0.0.1/kv/absolute", "absolute"],
    ["/kv/__proto__", "__proto__"],
  ] as const;
  it("are everything after /kv/, decoded once", async (t) => {
    const { send } = await startHarness(t);
    for (const [path, key] of spellings) {
      assert.equal((await send("PUT", path, { body: { value: 1 } })).status, 201);
      assert.deepEqual((await send("GET", "/kv")).json(), { keys: [key], cursor: null }, path);
      assert.equal((await send("DELETE", path)).status, 200);
    }
  });

  it("wants them percent-encoded, as HTTP does", async (t) => {
    const { raw } = await startHarness(t);
    const answer = await raw(Buffer.from("GET /kv/é HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(answer, /"not a valid HTTP request: [^"]+","code":"PROTOCOL"/);
  });

  it("finds every key again that it stored", async (t) => {
    const { send } = await startHarness(t);
    const key = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
      .filter((text) => !/\p{Surrogate}/u.test(text));
    await fc.assert(
      fc.asyncProperty(key, fc.string(), async (text, value) => {
        const path = `/kv/${encodeURIComponent(text)}`;
        const put = await send("PUT", path, { body: { value } });
        assert.ok(put.status === 200 || put.status === 201);
        assert.equal((await send("GET", path)).text.startsWith(`{"value":${JSON.stringify(value)},`), true);
        const listed = await send("GET", `/kv?limit=1&prefix=${encodeURIComponent(text)}`);
        assert.deepEqual((listed.json() as { keys: string[] }).keys[0], text);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses keys that are empty, too long, badly encoded or not UTF-8, and says which", async (t) => {
    const { send } = await startHarness(t);
    const refused = [
      ["/kv/", "KEY_EMPTY", "the key is empty"],
      [`/kv/${"k".repeat(1025)}`, "KEY_TOO_LARGE", "the key is 1025 bytes; at most 1024 are allowed"],
      [`/kv/${"%C3%A9".repeat(513)}`, "KEY_TOO_LARGE", "the key is 1026 bytes; at most 1024 are allowed"],
      ["/kv/%zz", "BAD_REQUEST", 'invalid percent-encoding "%zz" in the path'],
      ["/kv/a%4", "BAD_REQUEST", 'invalid percent-encoding "%4" in the path'],
      ["/kv/ab%FFc", "BAD_REQUEST", "the path is not valid UTF-8 at byte 6"],
      ["/kv/%C0%AF", "BAD_REQUEST", "the path is not valid UTF-8 at byte 4"],
    ] as const;
    for (const [path, code, error] of refused) {
      for (const method of ["GET", "DELETE", "PUT"]) {
        const answer = await send(method, path, method === "PUT" ? { body: { value: 1 } } : {});
        assert.equal(answer.status, 400, `${method} ${path}`);
        assert.deepEqual(answer.json(), { error, code });
      }
    }
    assert.equal((await send("PUT", `/kv/${"k".repeat(1024)}`, { body: { value: 1 } })).status, 201);
  });
});

describe("values", () => {
  const texts = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.0",
    "1e400",
    "12345678901234567890.123456789",
    "[]",
    "{}",
    '{"__proto__":{"polluted":true},"constructor":1}',
    String.raw`["\ud800","\u0000","\/"]`,
    `${"[".repeat(127)}${"]".repeat(127)}`,
  ];
  it("that are documents are kept as they were written", async (t) => {
    const { send } = await startHarness(t);
    for (const [i, text] of texts.entries()) {
      const put = await send("PUT", "/kv/d", { headers: JSON_BODY, body: ` { "value" : ${text} } ` });
      assert.ok(put.status < 300, put.text);
      assert.equal((await send("GET", "/kv/d")).text, `{"value":${text},"version":${i + 1}}`);
      const raw = await send("GET", "/kv/d", { headers: { accept: OCTETS } });
      assert.equal(raw.text, text);
      assert.equal(raw.headers["minikey-type"], "json");
    }
    assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
  });

  it("that name a field twice are stored with the last value in the place of the first", async (t) => {
    const { send } = await startHarness(t);
    const body = String.raw` { "value" : { "a" : 1.0 , "b" : [ { "x" : 1, "\u0078" : 2 } ] , "a" : 2.50 } } `;
    assert.equal((await send("PUT", "/kv/d", { headers: JSON_BODY, body })).status, 201);
    assert.equal((await send("GET", "/kv/d")).text, '{"value":{"a":2.50,"b":[{"x":2}]},"version":1}');
  });

  it("stores a JSON string as its UTF-8 bytes, escapes resolved", async (t) => {
    const { send } = await startHarness(t);
    const body = String.raw`{"\u0076alue":"\u00e9\ud83d\ude00\n\u0000é"}`;
    assert.equal((await send("PUT", "/kv/s", { headers: JSON_BODY, body })).status, 201);
    const raw = await send("GET", "/kv/s", { headers: { accept: OCTETS } });
    assert.deepEqual(raw.bytes, Buffer.from("é😀\n\0é"));
    assert.equal(raw.headers["minikey-type"], "string");
    assert.equal(raw.headers["content-type"], OCTETS);
    assert.deepEqual((await send("GET", "/kv/s")).json(), { value: "é😀\n\0é", version: 1 });
  });

  it("stores the empty string", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/e", { body: { value: "" } });
    assert.equal((await send("GET", "/kv/e")).text, '{"value":"","version":1}');
    await send("PUT", "/kv/e", { headers: { "content-type": OCTETS }, body: "" });
    assert.equal((await send("GET", "/kv/e")).text, '{"value":"","version":2}');
  });

  it("takes and gives bytes that are no text, raw and as base64", async (t) => {
    const { send } = await startHarness(t);
    const bytes = Buffer.from([0, 255, 1, 254, 10, 13]);
    const put = await send("PUT", "/kv/b", { headers: { "content-type": OCTETS }, body: bytes });
    assert.equal(put.status, 201);
    const raw = await send("GET", "/kv/b", { headers: { accept: OCTETS } });
    assert.deepEqual(raw.bytes, bytes);
    const got = await send("GET", "/kv/b");
    assert.deepEqual(got.json(), { value: bytes.toString("base64"), encoding: "base64", version: 1 });

    const { value, encoding } = got.json() as { value: string; encoding: string };
    await send("PUT", "/kv/copy", { body: { value, encoding } });
    assert.deepEqual((await send("GET", "/kv/copy", { headers: { accept: OCTETS } })).bytes, bytes);
  });

  it("chooses raw bytes only where Accept likes them better than JSON", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/k", { body: { value: "v" } });
    const wanted = [
      [OCTETS, true],
      [`${OCTETS}, */*;q=0.1`, true],
      [`${OCTETS},application/json`, true],
      [`application/json, ${OCTETS}`, false],
      [`${OCTETS};q=0.5, application/json`, false],
      [`${OCTETS};q=0`, false],
      ["*/*", false],
      ["application/*", false],
      ["text/html", false],
      [";;,,=", false],
    ] as const;
    for (const [accept, raw] of wanted) {
      const answer = await send("GET", "/kv/k", { headers: { accept } });
      assert.equal(answer.headers["content-type"] === OCTETS, raw, accept);
      assert.equal(answer.headers.vary, "accept");
    }
  });

  it("refuses values over the limit with 413, whatever their form, and goes on on the same connection", async (t) => {
    const { send } = await startHarness(t, { limits: { valueBytesMax: 20_000 } });
    const long = "x".repeat(20_001);
    const spaces = `{"value":1${" ".repeat(200_000)}}`;
    const chunked = { "transfer-encoding": "chunked" };
    const sent = [
      { body: { value: long } },
      { body: { value: [long] } },
      { body: { value: Buffer.alloc(20_001).toString("base64"), encoding: "base64" } },
      { headers: { "content-type": OCTETS }, body: long },
      { headers: { "content-type": OCTETS, ...chunked }, body: long },
      { headers: JSON_BODY, body: spaces },
      { headers: { ...JSON_BODY, ...chunked }, body: spaces },
    ];
    for (const one of sent) {
      const answer = await send("PUT", "/kv/big", one);
      assert.equal(answer.status, 413);
      assert.equal((answer.json() as { code: string }).code, "VALUE_TOO_LARGE");
    }
    assert.equal((await send("GET", "/kv/big")).status, 404);
    const allowed = [
      { body: { value: "x".repeat(20_000) } },
      { headers: JSON_BODY, body: `{"value":"${String.raw`\u0001`.repeat(20_000)}"}` },
      { headers: { "content-type": OCTETS }, body: "x".repeat(20_000) },
    ];
    for (const one of allowed) assert.ok((await send("PUT", "/kv/big", one)).status < 300);
  });

  it("gives back long text of any characters", async (t) => {
    const { send } = await startHarness(t);
    const characters = ["x", "é", "€", "😀", '"', "\\", "\n", "\u0001"];
    const mixed = Array.from(
      { length: 150_000 },
      (_, i) => characters[(i * 7 + (i >> 5)) % characters.length],
    );
    for (const value of [mixed.join(""), `x${"😀".repeat(100_000)}`, `xy${"😀".repeat(65_536)}`]) {
      await send("PUT", "/kv/long", { body: { value } });
      assert.equal(((await send("GET", "/kv/long")).json() as { value: string }).value === value, true);
    }
  });

  it("takes a document that is nested 128 deep, and gives it back", async (t) => {
    const { send } = await startHarness(t);
    const value = "[".repeat(128) + "]".repeat(128);
    const body = `{"value":${value}}`;
    assert.equal((await send("PUT", "/kv/deep", { headers: JSON_BODY, body })).status, 201);
    assert.equal((await send("GET", "/kv/deep")).text, `{"value":${value},"version":1}`);
  });

  it("takes 8 MiB and gives them back", async (t) => {
    const { send } = await startHarness(t);
    const value = "é".repeat(4_194_304);
    assert.equal((await send("PUT", "/kv/big", { body: { value } })).status, 201);
    assert.equal((await send("GET", "/kv/big")).text, JSON.stringify({ value, version: 1 }));
    const answer = await send("PUT", "/kv/big", { body: { value: `${value}x` } });
    assert.deepEqual(answer.json(), {
      error: "the value is 8388609 bytes; at most 8388608 are allowed",
      code: "VALUE_TOO_LARGE",
    });
  });
});

describe("bodies that are wrong", () => {
  const wrong = [
    ["", "Value is required"],
    ["{}", "Value is required"],
    ['{"ttl":1}', "Value is required"],
    ["{", 'invalid JSON at line 1, column 2: expected a member name in double quotes or "}", got the end'],
    ['{"value":1,}', 'invalid JSON at line 1, column 12: expected a member name in double quotes, got "}"'],
    ['{\n "value": tru\n}', 'invalid JSON at line 2, column 11: expected a value, got "t"'],
    [
      '{"value":01}',
      'invalid JSON at line 1, column 11: expected "," or the end of the object or array, got "1"',
    ],
    ['{"value":"a\nb"}', "invalid JSON at line 1, column 12: control character 0x0a in a string; escape it"],
    [`{"value":${"[".repeat(129)}`, "invalid JSON at line 1, column 138: nested more than 128 deep"],
    ["é", 'invalid JSON at line 1, column 1: expected a value, got "é"'],
    ['"text"', 'expected a JSON object with "value", "ttl" and "encoding", got a string'],
    ["[1]", 'expected a JSON object with "value", "ttl" and "encoding", got an array'],
    ['{"value":1,"tll":5}', 'unknown member "tll": expected "value", "ttl" and "encoding"'],
    ['{"value":1,"__proto__":5}', 'unknown member "__proto__": expected "value", "ttl" and "encoding"'],
    ['{"value":1,"value":2}', 'member "value" is given twice'],
    ['{"value":"\\ud800"}', '"value" holds half of a surrogate pair, which UTF-8 cannot'],
    ['{"value":"a","encoding":"hex"}', '"encoding": expected "base64" or "utf-8", got "hex"'],
    ['{"value":"a","encoding":"base64"}', '"value" is not base64 (RFC 4648 §4, with padding)'],
    ['{"value":1,"encoding":"base64"}', '"value": expected a string, got 1'],
    ['{"value":1,"ttl":"5"}', '"ttl": expected a number, got "5"'],
    ['{"value":1,"ttl":null}', '"ttl": expected a number, got null'],
    ['{"value":1,"ttl":0}', "ttl: expected seconds, more than 0 and at most 10000000000, got 0"],
    ['{"value":1,"ttl":-1.5}', "ttl: expected seconds, more than 0 and at most 10000000000, got -1.5"],
    ['{"value":1,"ttl":1e999}', "ttl: expected seconds, more than 0 and at most 10000000000, got 1e999"],
  ] as const;
  it("are refused with 400 that says why, and nothing is stored", async (t) => {
    const { send } = await startHarness(t);
    for (const [body, error] of wrong) {
      const answer = await send("PUT", "/kv/k", { headers: JSON_BODY, body });
      assert.deepEqual(answer.json(), { error, code: "BAD_REQUEST" });
      assert.equal(answer.status, 400);
      assert.equal((await send("GET", "/kv/k")).status, 404);
    }
  });

  it("refuses bytes that are not UTF-8 and names the place", async (t) => {
    const { send } = await startHarness(t);
    const body = Buffer.concat([Buffer.from('{"value":"\uFFFDé'), Buffer.from([0xff]), Buffer.from('"}')]);
    const answer = await send("PUT", "/kv/k", { headers: JSON_BODY, body });
    assert.equal(answer.status, 400);
    assert.deepEqual(answer.json(), { error: "the body is not valid UTF-8 at byte 15", code: "BAD_REQUEST" });
  });

  it("refuses other media types with 415, and asks for the value when there is nothing at all", async (t) => {
    const { send } = await startHarness(t);
    const types = [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/json5",
      "nonsense",
      "a/b; c=",
    ];
    for (const type of types) {
      const answer = await send("PUT", "/kv/k", { headers: { "content-type": type }, body: '{"value":1}' });
      assert.equal(answer.status, 415, type);
      const { code, error } = answer.json() as { code: string; error: string };
      assert.equal(code, "UNSUPPORTED_MEDIA_TYPE");
      assert.match(error, /media|Content-Type/i);
    }
    const untyped = await send("PUT", "/kv/k", { body: '{"value":1}' });
    assert.equal(untyped.status, 415);
    const nothing = await send("PUT", "/kv/k");
    assert.equal(nothing.status, 400);
    assert.deepEqual(nothing.json(), { error: "Value is required", code: "BAD_REQUEST" });
    const typed = { headers: { "content-type": "Application/JSON; charset=UTF-8" }, body: '{"value":1}' };
    assert.equal((await send("PUT", "/kv/k", typed)).status, 201);
  });
});

describe("ttl", () => {
  it("counts seconds, fractions too, and is told back", async (t) => {
    const { send, clock } = await startHarness(t);
    await send("PUT", "/kv/k", { body: { value: "v", ttl: 1.5 } });
    assert.deepEqual((await send("GET", "/kv/k")).json(), { value: "v", version: 1, ttl: 1.5 });
    clock.advance(1499);
    assert.deepEqual((await send("GET", "/kv/k")).json(), { value: "v", version: 1, ttl: 0.001 });
    clock.advance(1);
    assert.equal((await send("GET", "/kv/k")).status, 404);
  });

  it("is a query parameter for raw bodies, and a header of raw answers", async (t) => {
    const { send } = await startHarness(t);
    const octets = { headers: { "content-type": OCTETS }, body: "v" };
    assert.equal((await send("PUT", "/kv/k?ttl=2.25", octets)).status, 201);
    const raw = await send("GET", "/kv/k", { headers: { accept: OCTETS } });
    assert.equal(raw.headers["minikey-ttl"], "2.25");
    for (const ttl of ["0", "-1", "abc", "", "1e3", "99999999999"]) {
      const answer = await send("PUT", `/kv/k?ttl=${ttl}`, octets);
      assert.equal(answer.status, 400, ttl);
      assert.match(answer.text, /ttl: expected seconds/);
    }
    const both = await send("PUT", "/kv/k?ttl=1", { body: { value: 1, ttl: 2 } });
    assert.deepEqual(both.json(), {
      error: "ttl is given in the body and in the query",
      code: "BAD_REQUEST",
    });
  });

  it("goes with the next write that names none", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/k", { body: { value: 1, ttl: 9 } });
    await send("PUT", "/kv/k", { body: { value: 2 } });
    assert.deepEqual((await send("GET", "/kv/k")).json(), { value: 2, version: 2 });
  });
});

describe("conditions", () => {
  it("creates only with If-None-Match: *", async (t) => {
    const { send } = await startHarness(t);
    const once = { headers: { "if-none-match": "*" }, body: { value: 1 } };
    assert.equal((await send("PUT", "/kv/k", once)).status, 201);
    const again = await send("PUT", "/kv/k", once);
    assert.equal(again.status, 409);
    assert.deepEqual(again.json(), { error: "Key already exists", code: "KEY_EXISTS" });
  });

  it("compares and sets with If-Match", async (t) => {
    const { send } = await startHarness(t);
    const at = (version: number, value: unknown): { headers: Record<string, string>; body: object } => ({
      headers: { "if-match": `"${version}"` },
      body: { value },
    });
    assert.equal((await send("PUT", "/kv/k", at(1, 0))).status, 412);
    await send("PUT", "/kv/k", { body: { value: 1 } });
    assert.equal((await send("PUT", "/kv/k", at(1, 2))).status, 200);
    const stale = await send("PUT", "/kv/k", at(1, 3));
    assert.equal(stale.status, 412);
    assert.equal((stale.json() as { code: string }).code, "VERSION_MISMATCH");
    assert.deepEqual((await send("GET", "/kv/k")).json(), { value: 2, version: 2 });
    assert.equal((await send("DELETE", "/kv/k", { headers: { "if-match": '"1"' } })).status, 412);
    assert.equal((await send("DELETE", "/kv/k", { headers: { "if-match": '"2"' } })).status, 200);
  });

  it("replaces and deletes only what exists with If-Match: *", async (t) => {
    const { send } = await startHarness(t);
    const existing = { "if-match": " * " };
    const missing = await send("PUT", "/kv/k", { headers: existing, body: { value: 1 } });
    assert.equal(missing.status, 412);
    assert.deepEqual(missing.json(), { error: "the key does not exist", code: "VERSION_MISMATCH" });
    assert.equal((await send("GET", "/kv/k")).status, 404);
    assert.equal((await send("DELETE", "/kv/k", { headers: existing })).status, 404);
    await send("PUT", "/kv/k", { body: { value: 1 } });
    const replaced = await send("PUT", "/kv/k", { headers: existing, body: { value: 2 } });
    assert.deepEqual(replaced.json(), { status: "updated", version: 2 });
    assert.equal((await send("DELETE", "/kv/k", { headers: existing })).status, 200);
    assert.equal((await send("GET", "/kv/k")).status, 404);
  });

  it("spares a reader what it has: 304 with If-None-Match, 412 with If-Match", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/k", { body: { value: 1 } });
    for (const tag of ['"1"', 'W/"1"', '"7", "1"', "*"]) {
      const answer = await send("GET", "/kv/k", { headers: { "if-none-match": tag } });
      assert.equal(answer.status, 304, tag);
      assert.equal(answer.text, "");
      assert.equal(answer.headers.etag, '"1"');
    }
    for (const tag of ['"2"', '"11"', "1", '"x"']) {
      assert.equal((await send("GET", "/kv/k", { headers: { "if-none-match": tag } })).status, 200, tag);
    }
    assert.equal((await send("GET", "/kv/k", { headers: { "if-match": '"1"' } })).status, 200);
    assert.equal((await send("GET", "/kv/k", { headers: { "if-match": '"2"' } })).status, 412);
    // A weak tag is not known to be the same bytes (RFC 9110 §13.1.1).
    assert.equal((await send("GET", "/kv/k", { headers: { "if-match": 'W/"1"' } })).status, 412);
  });

  it("refuses conditions that it cannot keep, by name", async (t) => {
    const { send } = await startHarness(t);
    const refused = [
      [
        "PUT",
        { "if-match": "3" },
        'If-Match: expected * or one version in double quotes, such as "3", got 3',
      ],
      ["PUT", { "if-match": '"1", "2"' }, "If-Match: expected * or one version in double quotes"],
      ["PUT", { "if-match": '"0"' }, "If-Match: expected * or one version in double quotes"],
      ["PUT", { "if-match": '"9999999999999999"' }, "If-Match: expected * or one version in double quotes"],
      ["PUT", { "if-none-match": '"1"' }, 'If-None-Match: expected * for a write, got "1"'],
      ["PUT", { "if-none-match": "*", "if-match": '"1"' }, "If-Match and If-None-Match exclude each other"],
      ["DELETE", { "if-none-match": "*" }, "If-None-Match: a delete takes If-Match only"],
    ] as const;
    for (const [method, headers, error] of refused) {
      const body = method === "PUT" ? { body: { value: 1 } } : {};
      const typed = { ...headers, "content-type": "application/json" };
      const answer = await send(method, "/kv/k", { headers: typed, ...body });
      assert.equal(answer.status, 400);
      assert.ok((answer.json() as { error: string }).error.startsWith(error), answer.text);
    }
  });
});

describe("consistency", () => {
  it("is linearizable and on a majority's disks by default, and what the request says otherwise", async (t) => {
    const { send, database } = await startHarness(t);
    const last = (): object | undefined => database.contexts.at(-1);
    await send("GET", "/kv/k");
    assert.deepEqual(last(), { keyspace: 0, readLevel: "linearizable", writeLevel: "quorum" });
    for (const level of ["linearizable", "stale", "one", "quorum", "all"]) {
      await send("GET", `/kv/k?consistency=${level}`);
      assert.deepEqual(last(), { keyspace: 0, readLevel: level, writeLevel: "quorum" });
      await send("GET", `/kv?consistency=${level}`);
      assert.deepEqual(last(), { keyspace: 0, readLevel: level, writeLevel: "quorum" });
    }
    for (const level of ["one", "quorum", "all"]) {
      await send("PUT", `/kv/k?consistency=${level}`, { body: { value: 1 } });
      assert.deepEqual(last(), { keyspace: 0, readLevel: "linearizable", writeLevel: level });
      await send("DELETE", `/kv/k?consistency=${level}`);
      assert.deepEqual(last(), { keyspace: 0, readLevel: "linearizable", writeLevel: level });
    }
    await send("PUT", "/kv/k?consistency=linearizable", { body: { value: 1 } });
    assert.deepEqual(last(), { keyspace: 0, readLevel: "linearizable", writeLevel: "quorum" });
  });

  it("is `one` by default in an eventual keyspace", async (t) => {
    const { send, database } = await startHarness(t);
    await send("POST", "/keyspaces", { body: { name: "loose", consistency: "eventual" } });
    await send("GET", "/keyspaces/loose/kv/k");
    assert.deepEqual(database.contexts.at(-1), {
      keyspace: database.keyspaceByName("loose")?.id,
      readLevel: "one",
      writeLevel: "one",
    });
    const put = await send("PUT", "/keyspaces/loose/kv/k?consistency=linearizable", { body: { value: 1 } });
    assert.equal(put.status, 400);
  });

  it("refuses other levels and unknown or repeated parameters by name", async (t) => {
    const { send } = await startHarness(t);
    const refused = [
      [
        "GET",
        "/kv/k?consistency=strong",
        "consistency: expected linearizable, stale, one, quorum, all for a read",
      ],
      ["GET", "/kv/k?consistency=", "consistency: expected linearizable"],
      ["PUT", "/kv/k?consistency=stale", "consistency: expected one, quorum, all for a write"],
      ["DELETE", "/kv/k?consistency=ALL", "consistency: expected one, quorum, all for a write"],
      ["GET", "/kv/k?consistncy=one", 'unknown query parameter "consistncy": expected consistency'],
      ["GET", "/kv/k?consistency=one&consistency=all", 'query parameter "consistency" is given twice'],
      ["GET", "/kv/k?consistency=%zz", 'invalid percent-encoding "%zz" in query parameter "consistency"'],
      ["GET", "/health?x=1", 'unknown query parameter "x": expected none'],
      ["GET", "/kv?limit=10&x", 'unknown query parameter "x": expected prefix, limit, cursor, consistency'],
    ] as const;
    for (const [method, path, error] of refused) {
      const answer = await send(method, path, method === "PUT" ? { body: { value: 1 } } : {});
      assert.equal(answer.status, 400, path);
      assert.ok((answer.json() as { error: string }).error.startsWith(error), answer.text);
    }
  });
});
