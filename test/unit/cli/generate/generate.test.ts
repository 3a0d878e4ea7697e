import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseKeyFile } from "../../../../src/cli/generate/key-file.js";
import { minikeyPath, repositoryRoot } from "../../../support/repository.js";
import { type Ended, runMinikey } from "../../../support/run-minikey.js";
import { makeTempDir } from "../../../support/temp-dir.js";

const keyFile = join(repositoryRoot, "examples/keyFile.txt");

const generate = (args: readonly string[], stdout: "pipe" | number = "pipe"): Promise<Ended> =>
  runMinikey(["generate", ...args], "", stdout);

test("a seed prints the same records again, to the byte, and nothing on stderr", async () => {
  const args = ["-k", keyFile, "-n", "20000", "-d", "3", "-l", "6", "-m", "4", "--seed", "7"];
  const { status, out, err } = await generate(args);
  assert.deepEqual([status, err, out.split("\n").length - 1], [0, "", 20_000]);
  assert.equal(
    createHash("sha256").update(out).digest("hex"),
    "4a1b04014f91f94f63e3ba81e10ad9d6f68238b7672b33c82ea01ef046e6d4d0",
  );
});

test("without a seed the records differ, and stderr says how to make them again", async () => {
  const args = ["-k", keyFile, "-n", "50"];
  const [first, second] = await Promise.all([generate(args), generate(args)]);
  assert.notEqual(first.out, second.out);
  const seed = /^--seed (\d+) makes the same records again\n$/.exec(first.err)?.[1];
  assert.ok(seed !== undefined, first.err);
  assert.equal((await generate([...args, "--seed", seed])).out, first.out);
});

test("a reader that has had enough ends it, without a word", async () => {
  const child = spawn(
    process.execPath,
    [minikeyPath, "generate", "-k", keyFile, "-n", "9007199254740991", "--seed", "1"],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdout.once("data", () => child.stdout.destroy());
  const status = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  assert.deepEqual([status, err], [0, ""]);
});

test("a full disk ends it with a message", async (t) => {
  if (!existsSync("/dev/full")) {
    t.skip("this system has no /dev/full");
    return;
  }
  const full = openSync("/dev/full", "w");
  const { status, err } = await generate(["-k", keyFile, "-n", "100000", "--seed", "1"], full);
  closeSync(full);
  assert.deepEqual([status, err], [1, "minikey: cannot write the output: the disk is full\n"]);
});

test("a flag that is wrong is named, and nothing is printed", async () => {
  for (const [args, message] of [
    [
      ["-k", keyFile, "-n", "-1"],
      /'-n, --lines <n>' argument '-1' is invalid. Expected a whole number from 0\./,
    ],
    [["-k", keyFile, "-n", "1e3"], /'1e3' is invalid/],
    [
      ["-k", keyFile, "-d", "128"],
      /'-d, --depth <n>' argument '128' is invalid. Expected a whole number from 0 to 127\./,
    ],
    [
      ["-k", keyFile, "-l", "0"],
      /'-l, --longest <n>' argument '0' is invalid. Expected a whole number from 1 to 1048576\./,
    ],
    [["-k", keyFile, "-m", "x"], /'-m, --most <n>' argument 'x' is invalid/],
    [["-k", keyFile, "--seed", "9007199254740992"], /'--seed <n>' argument '9007199254740992' is invalid/],
    [["-n", "1"], /required option '-k, --key-file <file>' not specified/],
  ] as const) {
    const { status, out, err } = await generate(args);
    assert.match(err, message);
    assert.deepEqual([status, out], [2, ""]);
  }
});

test("a key file that is wrong is named, with the line", async (t) => {
  const path = join(makeTempDir(t), "keys");
  writeFileSync(path, "name string\nage integer\n");
  const wrong = await generate(["-k", path]);
  assert.deepEqual([wrong.status, wrong.out], [1, ""]);
  assert.equal(wrong.err, `minikey: ${path}:2: integer is no type: string, int or float\n`);
  const missing = await generate(["-k", `${path}.txt`]);
  assert.deepEqual([missing.status, missing.err], [1, `minikey: cannot read ${path}.txt: no such file\n`]);
});

test("a key file has a name and a type a line, blank lines and line ends of any kind apart", () => {
  assert.deepEqual(parseKeyFile("keys", Buffer.from("\ufeffname string\r\n\n  age\tint  \n\u00e9 float")), [
    { name: "name", type: "string" },
    { name: "age", type: "int" },
    { name: "é", type: "float" },
  ]);
  for (const [content, message] of [
    ["a string\n\na int\n", "keys:3: a is named in line 1 already"],
    ["a string b\n", "keys:1: expected a name and string, int or float"],
    ["a string\nb", "keys:2: expected a name and string, int or float"],
    ["a String", "keys:1: String is no type: string, int or float"],
    ["\n", "keys names no keys: expected name string|int|float a line"],
  ]) {
    assert.throws(() => parseKeyFile("keys", Buffer.from(content)), { message });
  }
  assert.throws(() => parseKeyFile("keys", Buffer.from([0xff])), { message: "keys is not UTF-8" });
});
