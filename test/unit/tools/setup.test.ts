/** What `npm start` and `npm test` do before their own work. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { repositoryRoot } from "../../support/repository.js";
import { makeTempDir } from "../../support/temp-dir.js";

type Packages = Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;

/** Whether set-up takes a directory with these lock files for installed; `installed` undefined: there is none. */
function isInstalled(t: TestContext, wanted: Packages, installed?: Packages): boolean {
  const directory = makeTempDir(t, "minikey-tools");
  const write = (path: string, packages: Packages): void =>
    writeFileSync(join(directory, path), JSON.stringify({ packages }));
  write("package-lock.json", wanted);
  if (installed !== undefined) {
    mkdirSync(join(directory, "node_modules"));
    write("node_modules/.package-lock.json", installed);
  }
  const module = JSON.stringify(join(repositoryRoot, "tools/lib/setup.mjs"));
  const script = `import { isInstalled } from ${module}; console.log(isInstalled(${JSON.stringify(directory)}));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  assert.equal(stderr, "");
  return JSON.parse(stdout) as boolean;
}

describe("packages count as installed", () => {
  const root = { "": { version: "0.1.0" } };

  it("when every one is there in its version, whatever the project's own version is", (t) => {
    const wanted = { ...root, "node_modules/a": { version: "1.0.0" } };
    assert.equal(isInstalled(t, wanted, { "node_modules/a": { version: "1.0.0" } }), true);
  });

  it("not when nothing is, one is missing, or one has another version", (t) => {
    const wanted = {
      ...root,
      "node_modules/a": { version: "1.0.0" },
      "node_modules/b": { version: "2.0.0" },
    };
    assert.equal(isInstalled(t, wanted), false);
    assert.equal(isInstalled(t, wanted, { "node_modules/a": { version: "1.0.0" } }), false);
    const older = { "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "1.9.9" } };
    assert.equal(isInstalled(t, wanted, older), false);
  });

  it("without optional ones of other machines, but not with a wrong version of one", (t) => {
    const wanted = { ...root, "node_modules/native": { version: "1.0.0", optional: true } };
    assert.equal(isInstalled(t, wanted, {}), true);
    assert.equal(isInstalled(t, wanted, { "node_modules/native": { version: "0.9.0" } }), false);
  });
});

/** Loads the check as if by that version of Node.js. */
function checkedBy(version: string): { readonly status: number | null; readonly stderr: string } {
  const module = JSON.stringify(join(repositoryRoot, "tools/lib/node-version.mjs"));
  const script =
    `Object.defineProperty(process.versions, "node", { value: ${JSON.stringify(version)} });` +
    `await import(${module}); console.log("on");`;
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  assert.equal(stdout, status === 0 ? "on\n" : "");
  return { status, stderr };
}

describe("Node.js", () => {
  it("older than 20.19 is refused in one sentence", () => {
    for (const version of ["20.18.3", "18.20.4", "20.9.0", "8.0.0"]) {
      const { status, stderr } = checkedBy(version);
      assert.equal(status, 1, version);
      assert.equal(
        stderr,
        `MinikeyDB needs Node.js 20.19 or later; this is ${version} (${process.execPath}).\n`,
      );
    }
  });

  it("of 20.19 and of every later release is taken", () => {
    for (const version of ["20.19.0", "20.20.2", "21.0.0", "22.1.0", "24.0.0", "100.0.0"]) {
      assert.deepEqual(checkedBy(version), { status: 0, stderr: "" }, version);
    }
  });
});
