import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { asBytes } from "../../../src/core/bytes.js";
import { parseJsonPath } from "../../../src/document/json-path.js";
import { selectPlaces } from "../../../src/document/json-select.js";
import { DocumentWork } from "../../../src/document/json-work.js";
import { anyDocument, escapedJson, type Json } from "./documents.js";
import { anyStep, pathText, valueAt, waysOf } from "./json-model.js";

/** The texts that a path matches in a text that stands between other text. */
function select(text: string, path: string): string[] {
  const before = '"a\\';
  const bytes = asBytes(Buffer.from(`${before}${text}],"a":[1]}`));
  const end = before.length + Buffer.byteLength(text);
  return selectPlaces(bytes, before.length, end, parseJsonPath(path)).map(({ start, end }) =>
    bytes.utf8Slice(start, end),
  );
}

test("a JSONPath matches what it matches in the parsed document, in the same order", () => {
  fc.assert(
    fc.property(anyDocument, fc.array(anyStep, { maxLength: 3 }), (document, steps) => {
      const expected = waysOf(document, steps).map((way) => valueAt(document, way));
      const path = pathText(steps);
      for (const text of [JSON.stringify(document), escapedJson(document)]) {
        const found = select(text, path).map((value) => JSON.parse(value) as Json);
        assert.deepEqual(found, expected, `${path} in ${text}`);
      }
    }),
    { numRuns: 3000 },
  );
});

test("a path is read in all its forms", () => {
  const document = '{"a":{"b c":[1,[2,3],{"x":4}],"é":5,"it\'s":6},"$":7,"1":8,"a-b":9}';
  const cases: [string, string[]][] = [
    ["$", [document]],
    [".", [document]],
    ["$.a.é", ["5"]],
    ["a.é", ["5"]],
    [".a.é", ["5"]],
    ["$['a'][\"b c\"][0]", ["1"]],
    ["['a'].é", ["5"]],
    [".['a'].é", ["5"]],
    ["$.a['it\\'s']", ["6"]],
    ["$.a['\\u00e9']", ["5"]],
    ["$.a[ 'b c' ][ 1 : 3 ]", ["[2,3]", '{"x":4}']],
    ["$.a['b c'][-1].x", ["4"]],
    ["$.a['b c'][::2]", ["1", '{"x":4}']],
    ["$.a['b c'][1][*]", ["2", "3"]],
    ["$.a['b c'][2,0]", ['{"x":4}', "1"]],
    ["$..x", ["4"]],
    ["$..[0]", ["1", "2"]],
    ["..x", ["4"]],
    ["$.1", ["8"]],
    ["$.$", ["7"]],
    ["$x", []],
    ["$.a-b", ["9"]],
    ["$.a.*[0]", ["1"]],
    ["$.a.é.x", []],
    ["$[0]", []],
  ];
  for (const [path, expected] of cases) assert.deepEqual(select(document, path), expected, path);
});

test("a filter selects what satisfies it", () => {
  const books =
    '{"max":10,"books":[{"p":8,"t":"A","s":true},{"p":12,"t":"B"},{"p":10,"t":"C","s":false},{"t":"D","p":null},' +
    '{"p":{"x":[1,2]},"t":"E"}]}';
  const cases: [string, string][] = [
    ["@.p<10", "A"],
    ["@.p <= 10", "AC"],
    ["@.p>$.max", "B"],
    ["@.p>=$.max", "BC"],
    ["@.p==10", "C"],
    ["@.p==1e1", "C"],
    ["@.p!=10", "ABDE"],
    ["@.p==null", "D"],
    ["@.s", "AC"],
    ["!@.s", "BDE"],
    ["@.s==true", "A"],
    ["@.s==false", "C"],
    ["@.t>'B'", "CDE"],
    ['@.t=="B" || @.p==8', "AB"],
    ["@.p && @.s==true || @.t=='E'", "AE"],
    ["@.p && (@.s==true || @.t=='E')", "AE"],
    ["!(@.p>8 && @.p<12)", "ABDE"],
    ["@['p'].x[1]==2", "E"],
    ["@.p.x[*]==2", "E"],
    ["@..x", "E"],
    ["10<@.p", "B"],
    ["@.t<1", ""],
    ["@.nothing==@.nothing", ""],
    ["@.p==@.p", "ABCDE"],
    ["true", "ABCDE"],
    ["false", ""],
  ];
  for (const [filter, titles] of cases) {
    for (const path of [`$.books[?(${filter})].t`, `$.books[? ${filter} ].t`]) {
      assert.equal(
        select(books, path)
          .map((title) => JSON.parse(title) as string)
          .join(""),
        titles,
        path,
      );
    }
  }
  assert.deepEqual(select('{"a":{"n":1},"b":{"n":2}}', "$[?(@.n>1)]"), ['{"n":2}']);
  assert.deepEqual(select("[1,[2,3],[4]]", "$..[?(@>2)]"), ["3", "4"]);
  assert.deepEqual(select('[{"a":[1,{"b":2}]},{"a":[1.0,{"b":2e0}]}]', "$[?(@.a==$[0].a)].a[0]"), [
    "1",
    "1.0",
  ]);
});

test("what is no path is refused, with the column of what is wrong", () => {
  const cases: [string, string][] = [
    ["", "path, column 1: expected a name or *"],
    ["$.", "path, column 3: expected a name or *"],
    ["$..", "path, column 4: expected a name or *"],
    ["$.a[", "path, column 5: expected a position, a name in quotes, *, or ?"],
    ["$.a[1", "path, column 6: expected ]"],
    ["$.a['b]", "path, column 5: the quotes are not closed"],
    ["$.a['\\x']", "path, column 5: the quotes hold an escape or a character that JSON has not"],
    ["$é['b'", "path, column 7: expected ]"],
    ["$.a b", "path, column 4: expected . or [ or the end"],
    ["$.a[1:2:0]", "path, column 10: the step of a slice is above 0"],
    ["$.a[?(@.b=~'x')]", "path, column 12: filters have no regular expressions here"],
    ["$.a[?(@.b==)]", "path, column 12: expected @, $, a number, a string, true, false or null"],
    ["$.a[?(@.b==1]", "path, column 13: expected )"],
    [`$[?${"(".repeat(40)}`, "path, column 37: a filter nests 32 deep at most"],
    [`$${"[0]".repeat(130)}`, "path, column 389: more than 128 steps"],
    [`$${".aaaaaaa".repeat(513)}`, "the path has 4105 bytes: 4096 are the most"],
  ];
  for (const [path, message] of cases) {
    assert.throws(() => parseJsonPath(path), { code: "BAD_REQUEST", message }, path);
  }
});

test("a path that would take long is refused, soon", () => {
  const wide = `[${"[0,0],".repeat(5_000)}0]`;
  const long = `[${"0,".repeat(500_000)}0]`;
  const fields = `{"l":${long}}`;
  const names = `{${Array.from({ length: 50_000 }, (_, i) => `"${i}":0`).join(",")}}`;
  const texts = (end: string): string =>
    `[${Array(600)
      .fill(`"${"x".repeat(500)}${end}"`)
      .join(",")}]`;
  const cases: [document: string, path: string, message: RegExp][] = [
    [wide, "$[?(@[0]<$[*][0])]", /looks at more than/],
    [long, `$[?(${Array(1000).fill("1").join("&&")}&&@.x)]`, /looks at more than/],
    [names, `$..[${Array(500).fill("'x'").join(",")}]`, /looks at more than/],
    [long, `$[${Array(500).fill("499999").join(",")}]`, /walks over more than/],
    [fields, `$[${Array(500).fill("'x'").join(",")}]`, /walks over more than/],
    [fields, `$[${Array(500).fill("'l'").join(",")}]`, /walks over more than/],
    [`{"a":${texts("a")},"b":${texts("b")}}`, "$[?($.a[*]==$.b[*])]", /walks over more than/],
    [`["${"x".repeat(500_000)}"]`, `$[?(${Array(200).fill("@==1").join("||")})]`, /walks over more than/],
  ];
  for (const [document, path, message] of cases) {
    assert.throws(() => select(document, path), { code: "BAD_REQUEST", message }, path.slice(0, 40));
  }
});

test("what paths do together is counted together", () => {
  const bytes = asBytes(Buffer.from(`[${"0,".repeat(500_000)}0]`));
  const path = parseJsonPath("$..x");
  const work = new DocumentWork(bytes.length);
  const all = (): void => {
    for (let i = 0; i < 100; i += 1) selectPlaces(bytes, 0, bytes.length, path, work);
  };
  assert.throws(all, { code: "BAD_REQUEST", message: /looks at more than/ });
});

test("filters inside of filters go so deep that no stack overflows", () => {
  const deep = "[".repeat(128) + "]".repeat(128);
  const nested = (count: number): string => `$${"..[?(@".repeat(count)}${")]".repeat(count)}`;
  assert.throws(() => select(deep, nested(4)), { code: "BAD_REQUEST", message: /looks at more than/ });
  assert.throws(() => parseJsonPath(nested(5)), { code: "BAD_REQUEST", message: /4 filters inside/ });
  const inParentheses = `${"(".repeat(31)}1==1${")".repeat(31)}`;
  assert.equal(select("[1]", `$[?(@==1 && ${inParentheses})]`).length, 1);
  assert.throws(() => parseJsonPath(`$[?((${inParentheses}))]`), { message: /32 deep at most/ });
});

test("deep documents are walked at a cost of their length", () => {
  const depth = 128;
  const wide = `[${"1,".repeat(2_000)}1]`;
  const text = '{"a":'.repeat(depth - 1) + wide + "}".repeat(depth - 1);
  assert.equal(select(text, "$..*").length, depth - 1 + 2_001);
});
