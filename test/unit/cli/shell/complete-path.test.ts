import assert from "node:assert/strict";
import { test } from "node:test";
import { complete } from "../../../../src/cli/shell/complete.js";
import type { PathSource } from "../../../../src/cli/shell/complete-path.js";

const KEYS = ["city:AD:El Tarter", "city:AD:Vila", "person1", "person2", "v1.2"];
const DOCUMENTS: Readonly<Record<string, string>> = {
  person2: '{"name":"Mary","address":{"street":"P","number":12,"a.b":1}}',
  "person2.address": '{"street":"P","number":12,"a.b":1}',
  '"city:AD:El Tarter"': '{"location":{"lat":1}}',
  list: '["a","b"]',
  "person2.name": '"Mary"',
};

const source: PathSource = {
  keysWithPrefix: (prefix) => Promise.resolve(KEYS.filter((key) => key.startsWith(prefix))),
  documentAt: (path) => Promise.resolve(DOCUMENTS[path]),
};

test("behind QUERY, keys are completed by their prefix, in quotes where blanks would break them", async () => {
  assert.deepEqual(await complete(source, "query per"), [["person1", "person2"], "per"]);
  assert.deepEqual(await complete(source, "QUERY city:AD:"), [
    ['"city:AD:El Tarter"', "city:AD:Vila"],
    "city:AD:",
  ]);
  assert.deepEqual(await complete(source, 'QUERY "city:AD:El T'), [['"city:AD:El Tarter"'], '"city:AD:El T']);
  assert.deepEqual(await complete(source, "QUERY v1."), [["v1.2"], "v1."]);
  assert.deepEqual((await complete(source, "QUERY "))[0].length, KEYS.length);
});

test("behind a dot, the fields of what the path leads to, and the positions of a list", async () => {
  assert.deepEqual(await complete(source, "QUERY person2."), [
    ["person2.name", "person2.address"],
    "person2.",
  ]);
  assert.deepEqual(await complete(source, "QUERY person2.address.n"), [
    ["person2.address.number"],
    "person2.address.n",
  ]);
  assert.deepEqual((await complete(source, "QUERY person2.address.a"))[0], ['person2.address."a.b"']);
  assert.deepEqual((await complete(source, 'QUERY person2.address."a.'))[0], ['person2.address."a.b"']);
  assert.deepEqual((await complete(source, "QUERY list."))[0], ["list.0", "list.1"]);
  assert.deepEqual((await complete(source, 'QUERY "city:AD:El Tarter".l'))[0], [
    '"city:AD:El Tarter".location',
  ]);
  assert.deepEqual(await complete(source, "QUERY person2.name."), [[], "person2.name."]);
  assert.deepEqual(await complete(source, "QUERY nobody."), [[], "nobody."]);
});

test("in a COMPUTE only paths are completed", async () => {
  assert.deepEqual(await complete(source, "compute 2*x where x = query person2.na"), [
    ["person2.name"],
    "person2.na",
  ]);
  assert.deepEqual((await complete(source, "COMPUTE x WHERE x = QUERY "))[0].length, KEYS.length);
  assert.deepEqual((await complete(source, "COMPUTE x+y WHERE x = QUERY a AND y=QUERY pers"))[0], [
    "person1",
    "person2",
  ]);
  for (const line of [
    "COMPUTE per",
    "COMPUTE x WHERE per",
    "COMPUTE x WHERE x = QUERY person2 per",
    "COMPUTE ",
  ]) {
    assert.deepEqual((await complete(source, line))[0], [], line);
  }
});
