import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Fixture } from "./fixture.js";

const HEADER = "/** What it is for. */\n";

function refuses(t: TestContext, path: string, text: string, expected: string): void {
  const fixture = new Fixture(t);
  fixture.write(path, text);
  const { status, output } = fixture.check("tidy");
  assert.ok(output.includes(expected), `expected: ${expected}\ngot: ${output}`);
  assert.equal(status, 1);
}

function accepts(t: TestContext, path: string, text: string): void {
  const fixture = new Fixture(t);
  fixture.write(path, text);
  assert.deepEqual(fixture.check("tidy"), { status: 0, output: "" });
}

describe("the check of the house rules", () => {
  it("accepts a file of 600 lines and refuses one of 601", (t) => {
    accepts(t, "src/core/x.ts", HEADER + "export {};\n".repeat(599));
    refuses(t, "src/core/x.ts", HEADER + "export {};\n".repeat(600), "src/core/x.ts: 601 lines");
  });

  it("refuses names that are not kebab-case", (t) => {
    for (const name of ["logFile", "LogFile", "log_file", "log--file"]) {
      refuses(t, `src/core/${name}.ts`, HEADER, `${name} is not kebab-case`);
    }
    refuses(t, "src/rawLog/x.ts", HEADER, "rawLog is not kebab-case");
    accepts(t, "src/core/log-file.test-helper.ts", HEADER);
  });

  it("asks for a header above everything but imports", (t) => {
    accepts(t, "src/core/x.ts", `#!/usr/bin/env node\n${HEADER}`);
    accepts(
      t,
      "src/core/x.ts",
      `import { a } from "./a.js";\nimport {\n  type B,\n} from "./b.js";\n\n${HEADER}`,
    );
    const expected = "src/core/x.ts: no comment at the top";
    refuses(t, "src/core/x.ts", "export const x = 1;\n", expected);
    refuses(t, "src/core/x.ts", `export const x = 1;\n${HEADER}`, expected);
    refuses(t, "src/core/x.ts", "// What it is for.\nexport const x = 1;\n", expected);
  });

  it("leaves the header of a test to its names", (t) => {
    accepts(t, "test/unit/x.test.ts", "export {};\n");
    refuses(t, "test/support/x.ts", "export {};\n", "no comment at the top");
  });

  it("refuses unfinished work in a comment, and knows it from a word in a string", (t) => {
    for (const word of ["TODO", "FIXME", "XXX", "HACK"]) {
      refuses(
        t,
        "src/core/x.ts",
        `${HEADER}// ${word}: later\n`,
        `src/core/x.ts:2: ${word}: unfinished work`,
      );
      accepts(t, "src/core/x.ts", `${HEADER}export const x = "${word}";\n`);
    }
  });

  it("refuses a silenced check", (t) => {
    for (const word of [
      "@ts-ignore",
      "@ts-expect-error",
      "oxlint-disable-next-line",
      "biome-ignore lint: x",
      "biome-ignore format",
    ]) {
      refuses(t, "src/core/x.ts", `${HEADER}// ${word}\n`, "a check is silenced");
    }
    accepts(t, "src/core/x.ts", `${HEADER}// biome-ignore format: a table\n`);
  });

  it("refuses an assertion whose message is put together when it holds, too", (t) => {
    const eager = ["assert(a, `x ", "{b}`);\n"].join("$");
    refuses(t, "src/core/x.ts", `${HEADER}${eager}`, "its details go after the message");
    refuses(t, "src/core/x.ts", `${HEADER}${eager.replace("a, ", "a,\n")}`, "its details go after");
    accepts(t, "src/core/x.ts", `${HEADER}assert(a, "x %", b);\n`);
    accepts(t, "test/unit/x.test.ts", eager);
  });

  it("refuses a test that keeps the others from running", (t) => {
    for (const code of ['test.only("a", f);', 'it . only("a", f);', 'test("a", { only: true }, f);']) {
      refuses(t, "test/unit/x.test.ts", `${code}\n`, "would keep the others from running");
    }
    accepts(t, "test/unit/x.test.ts", 'test("it.only runs alone", f);\n');
  });

  it("refuses places on somebody's machine", (t) => {
    const place = ["", "home", "ann", "data"].join("/");
    refuses(
      t,
      "src/core/x.ts",
      `${HEADER}export const x = "${place}";\n`,
      "names a place on somebody's machine",
    );
  });

  it("refuses a lock file that names a registry", (t) => {
    const lock = '{ "packages": { "a": { "resolved": "https://registry.example/a.tgz" } } }';
    refuses(t, "package-lock.json", lock, "package-lock.json: names a registry");
  });

  it("refuses a file of more than one mebibyte", (t) => {
    refuses(t, "docs/x.bin", "x".repeat(1024 * 1024 + 1), "docs/x.bin: 1048577 bytes");
  });
});
