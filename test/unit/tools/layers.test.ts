import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Fixture } from "./fixture.js";

/** The check names `expected` once the file has this text. */
function refuses(t: TestContext, path: string, text: string, expected: string): void {
  const fixture = new Fixture(t);
  fixture.write(path, text);
  const { status, output } = fixture.check("layers");
  assert.ok(output.includes(expected), `expected: ${expected}\ngot: ${output}`);
  assert.equal(status, 1);
}

function accepts(t: TestContext, path: string, text: string): void {
  const fixture = new Fixture(t);
  fixture.write(path, text);
  assert.deepEqual(fixture.check("layers"), { status: 0, output: "" });
}

describe("the check of the layers", () => {
  it("accepts code that follows the table", (t) => {
    accepts(t, "src/storage/log.ts", 'import { one } from "../core/ids.js";\nexport const two = one + 1;\n');
  });

  it("refuses an import of a layer that is not in the table's row", (t) => {
    const text = 'import type { Log } from "../storage/log.js";\nexport type X = Log;\n';
    refuses(t, "src/core/x.ts", text, "src/core/x.ts:1: core may not import storage");
  });

  it("finds imports in every form", (t) => {
    for (const text of [
      'export * from "../storage/log.js";',
      'export { a } from "../storage/log.js";',
      'import "../storage/log.js";',
      'const a = await import("../storage/log.js");',
      'import {\n  a,\n  type B,\n} from "../storage/log.js";',
      'type A = import("../storage/log.js").A;',
    ]) {
      refuses(t, "src/core/x.ts", text, "core may not import storage (../storage/log.js)");
    }
  });

  it("does not take a comment or a string for an import", (t) => {
    const text =
      '// import "../storage/log.js"\n/* from "node:fs" */\nexport const a = `import("node:fs")`;\n';
    accepts(t, "src/core/x.ts", text);
  });

  it("refuses an import from the tests", (t) => {
    refuses(t, "src/platform/x.ts", 'import "../../test/support/a.js";', "which is outside src");
  });

  it("refuses Node.js in a pure layer", (t) => {
    refuses(
      t,
      "src/storage/x.ts",
      'import { readFileSync } from "node:fs";',
      "storage is pure and may not import",
    );
  });

  it("refuses a package in a pure layer", (t) => {
    refuses(t, "src/storage/x.ts", 'import { open } from "lmdb";', "storage is pure and may not import lmdb");
  });

  it("lets a pure layer use the packages of its row, and no other layer these", (t) => {
    const fixture = new Fixture(t);
    const layers = {
      core: { pure: true, uses: [] },
      storage: { pure: true, uses: ["core"], packages: ["lmdb"] },
    };
    const platform = { pure: false, uses: ["core"] };
    fixture.write("tools/layers.json", JSON.stringify({ ...layers, platform }));
    fixture.write("src/storage/x.ts", 'import { open } from "lmdb";\n');
    assert.deepEqual(fixture.check("layers"), { status: 0, output: "" });
    fixture.write("src/core/x.ts", 'import { open } from "lmdb";\n');
    assert.match(fixture.check("layers").output, /core is pure and may not import lmdb/);
  });

  it("refuses a package that users of the product do not get", (t) => {
    refuses(t, "src/platform/x.ts", 'import { createClient } from "redis";', 'not among "dependencies"');
    accepts(t, "src/platform/x.ts", 'import { open } from "lmdb";\nimport { join } from "node:path";\n');
  });

  it("refuses clocks, timers, chance and the process in a pure layer", (t) => {
    for (const [code, found] of [
      ["Date.now()", "Date"],
      ["new Date()", "Date"],
      ["Math.random()", "Math.random"],
      ["Math['random']()", "Math["],
      ["setTimeout(f, 1)", "setTimeout"],
      ["setImmediate(f)", "setImmediate"],
      ["process.exit()", "process"],
      ["globalThis.Buffer", "globalThis"],
      ["`at ${Date.now()}`", "Date"],
    ] as const) {
      refuses(t, "src/core/x.ts", `export const x = ${code};\n`, `pure layers may not use ${found}`);
    }
  });

  it("knows a method or a field of such a name from the global", (t) => {
    accepts(
      t,
      "src/core/x.ts",
      "/** A Date. */\nexport const f = (a: { process: number }) => a.process + 1;\n",
    );
  });

  it("refuses a declaration that would let a pure layer reach Node.js", (t) => {
    const text = "declare const process: { exit(): void };\nexport const p = 1;\n";
    refuses(t, "src/core/x.ts", text, "pure layers may not declare what others provide");
  });

  it("allows a declared symbol, which only types use", (t) => {
    accepts(t, "src/core/x.ts", "declare const brand: unique symbol;\nexport type B = { [brand]: 1 };\n");
  });

  it("refuses a project whose references are not the table's", (t) => {
    const project = '{ "extends": "../../tsconfig.base.json", "compilerOptions": { "types": [] } }';
    refuses(
      t,
      "src/storage/tsconfig.json",
      project,
      "src/storage/tsconfig.json: references must be [../core]",
    );
  });

  it("refuses Node's types in a pure layer's project", (t) => {
    const project =
      '{ "extends": "../../tsconfig.base.json", "compilerOptions": { "types": ["node"] }, "references": [] }';
    refuses(t, "src/core/tsconfig.json", project, 'src/core/tsconfig.json: "types" must be []: core is pure');
  });

  it("refuses a folder that is not in the table", (t) => {
    refuses(t, "src/extra/x.ts", "export const x = 1;\n", "src/extra: not in tools/layers.json");
  });

  it("refuses a table in which a layer uses a later one, or a pure one an impure one", (t) => {
    const table = (uses: string[]): string =>
      JSON.stringify({
        core: { pure: true, uses },
        platform: { pure: false, uses: ["core"] },
        storage: { pure: true, uses: ["core", "platform"] },
      });
    refuses(t, "tools/layers.json", table(["storage"]), "core uses storage, which does not come before it");
    refuses(t, "tools/layers.json", table([]), "pure storage uses platform, which is not");
  });
});
