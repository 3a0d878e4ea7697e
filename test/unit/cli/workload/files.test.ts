/** The files of `minikey workload`: the clients, and what each of them has to do. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseClients, readClients } from "../../../../src/cli/workload/clients-file.js";
import { type Pair, parseTestFile } from "../../../../src/cli/workload/test-file.js";
import { makeTempDir } from "../../../support/temp-dir.js";

function pairsOf(text: string | Buffer): Pair[] {
  const troubles: string[] = [];
  const pairs = parseTestFile(Buffer.from(text), "test.txt", troubles);
  assert.deepEqual(troubles, []);
  return pairs;
}

function troublesOf(text: string | Buffer): string[] {
  const troubles: string[] = [];
  parseTestFile(Buffer.from(text), "test.txt", troubles);
  return troubles;
}

test("the first colon separates, further ones are the value's, which may be empty or have blanks", () => {
  assert.deepEqual(pairsOf("k:v\nurl:http://host:80/\nempty:\na b: c d \nk:w"), [
    { key: "k", value: "v" },
    { key: "url", value: "http://host:80/" },
    { key: "empty", value: "" },
    { key: "a b", value: " c d " },
    { key: "k", value: "w" },
  ]);
});

test("blank lines count for nothing; lines end as on Unix or on Windows, the last one perhaps not at all", () => {
  const expected = [
    { key: "k", value: "v" },
    { key: "l", value: "w" },
  ];
  assert.deepEqual(pairsOf("\n\nk:v\n   \nl:w\n\n"), expected);
  assert.deepEqual(pairsOf("\r\nk:v\r\n \t\r\nl:w"), expected);
  assert.deepEqual(pairsOf("\uFEFFk:v\nl:w"), expected);
  assert.deepEqual(pairsOf(""), []);
});

test("a line that is no pair is named with its file and number", () => {
  assert.deepEqual(troublesOf("k:v\n\nnothing\n:v\nl:w"), [
    'test.txt:3: no ":" between key and value',
    'test.txt:4: no key before the ":"',
  ]);
  assert.deepEqual(troublesOf(`${"k".repeat(1025)}:v`), [
    "test.txt:1: the key has 1025 bytes, more than 1024",
  ]);
  assert.deepEqual(troublesOf(Buffer.from([0x6b, 0x3a, 0xff])), ["test.txt is not UTF-8"]);
});

test("a client is an id and a file beside the clients file, with a blank or a comma between; # is a comment", () => {
  const troubles: string[] = [];
  const text = "# clients\n\n0 a.txt\n1,b.txt\r\n two , my file.txt \n3\t/data/c.txt\n";
  assert.deepEqual(parseClients(Buffer.from(text), "some/clients.txt", troubles), [
    { id: "0", path: "some/a.txt" },
    { id: "1", path: "some/b.txt" },
    { id: "two", path: "some/my file.txt" },
    { id: "3", path: "/data/c.txt" },
  ]);
  assert.deepEqual(troubles, []);
});

test("a bad line of the clients file is named, and so is an id that comes twice", () => {
  const troubles: string[] = [];
  parseClients(Buffer.from("0 a.txt\nalone\n,b.txt\n0 c.txt"), "clients.txt", troubles);
  assert.deepEqual(troubles, [
    'clients.txt:2: expected a client\'s id and its test file, got "alone"',
    'clients.txt:3: expected a client\'s id and its test file, got ",b.txt"',
    "clients.txt:4: client 0 is in line 1 already",
  ]);
});

test("everything that is wrong with the files is said at once, files that cannot be read with their paths", async (t) => {
  const directory = makeTempDir(t);
  const path = (name: string): string => join(directory, name);
  mkdirSync(path("folder"));
  writeFileSync(path("good"), "k:v\n");
  writeFileSync(path("bad"), "k:v\nnothing\n");
  writeFileSync(path("clients"), "0 good\n1 missing\n2 folder\n3 bad\n4\n");
  await assert.rejects(readClients(path("clients")), {
    exitStatus: 1,
    message: [
      `${path("clients")}:5: expected a client's id and its test file, got "4"`,
      `cannot read ${path("missing")}: no such file`,
      `${path("folder")} is a directory`,
      `${path("bad")}:2: no ":" between key and value`,
    ].join("\nminikey: "),
  });
  await assert.rejects(readClients(path("nobody")), {
    message: `cannot read ${path("nobody")}: no such file`,
  });
});

test("clients that have nothing to do are no run; one of several may have nothing", async (t) => {
  const directory = makeTempDir(t);
  const clients = join(directory, "clients");
  writeFileSync(join(directory, "empty"), "\n\n");
  writeFileSync(join(directory, "full"), "k:v");
  writeFileSync(clients, "# nobody\n");
  await assert.rejects(readClients(clients), { message: /names no client/ });
  writeFileSync(clients, "0 empty");
  await assert.rejects(readClients(clients), { message: /have no key:value lines/ });
  writeFileSync(clients, "0 empty\n1 full");
  assert.deepEqual(await readClients(clients), [
    { id: "0", pairs: [] },
    { id: "1", pairs: [{ key: "k", value: "v" }] },
  ]);
});
