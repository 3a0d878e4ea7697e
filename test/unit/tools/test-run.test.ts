import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { repositoryRoot } from "../../support/repository.js";
import { makeTempDir } from "../../support/temp-dir.js";

interface Result {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: string[];
  readonly notes: string[];
}

/** Runs one file of tests with the runner of `npm test`; returns what it counted and what it wrote. */
function runFile(t: TestContext, body: string, shared = ""): Result & { readonly output: string } {
  const directory = makeTempDir(t, "minikey-tools");
  const file = join(directory, "a.test.mjs");
  writeFileSync(file, `import { describe, it, test } from "node:test";\n${body}\n`);
  writeFileSync(join(directory, "shared.mjs"), `import { it } from "node:test";\n${shared}\n`);
  const script = join(directory, "run.mjs");
  writeFileSync(
    script,
    `
    import { runTests } from ${JSON.stringify(join(repositoryRoot, "tools/lib/test-run.mjs"))};
    let output = "";
    const write = (text) => { output += text; };
    const options = { root: ${JSON.stringify(directory)}, concurrency: 1, timeoutMs: 2000, write };
    const result = await runTests([${JSON.stringify(file)}], options);
    console.log(JSON.stringify({ ...result, output }));
`,
  );
  // Inside a test, Node.js would take the runner for a part of it.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8", env });
  assert.equal(stderr, "");
  return JSON.parse(stdout) as Result & { output: string };
}

describe("the runner of npm test", () => {
  it("counts tests, not the suites around them", (t) => {
    const { passed, failed } = runFile(t, 'describe("a", () => { it("b", () => {}); it("c", () => {}); });');
    assert.deepEqual({ passed, failed }, { passed: 2, failed: 0 });
  });

  it("counts the tests of a suite that is written in another file", (t) => {
    const shared = 'export function suite() { it("b", () => {}); it("c", () => { throw new Error("d"); }); }';
    const { passed, failed, output } = runFile(t, 'import { suite } from "./shared.mjs";\nsuite();', shared);
    assert.deepEqual({ passed, failed }, { passed: 1, failed: 1 });
    assert.match(output, /✗ a\.test\.mjs > c\n {2}Error: d\n/);
  });

  it("tells a failure in full, with its place and what its process wrote", (t) => {
    const body =
      'describe("a", () => { it("b", () => { console.log("hint"); throw new Error("broken"); }); });';
    const { passed, failed, output } = runFile(t, body);
    assert.deepEqual({ passed, failed }, { passed: 0, failed: 1 });
    assert.match(output, /✗ a\.test\.mjs > a > b\n {2}Error: broken\n/);
    assert.match(output, /Output of a\.test\.mjs:\n {2}hint/);
  });

  it("collects skipped tests with their reason, and says when there is none", (t) => {
    const { passed, skipped } = runFile(
      t,
      'test("a", { skip: "no disk" }, () => {}); test.skip("b", () => {});',
    );
    assert.equal(passed, 0);
    assert.deepEqual(skipped, ["a.test.mjs > a: no disk", "a.test.mjs > b: NO REASON GIVEN"]);
  });

  it("counts a skipped suite, with its reason, and goes on with what stands beside it", (t) => {
    const body = `
      describe("a", { skip: "no redis-server" }, () => { it("b", () => {}); it("c", () => {}); });
      describe("d", () => { describe.skip("e", () => { it("f", () => {}); }); it("g", () => {}); });`;
    const { passed, failed, skipped } = runFile(t, body);
    assert.deepEqual({ passed, failed }, { passed: 1, failed: 0 });
    assert.deepEqual(skipped, ["a.test.mjs > a: no redis-server", "a.test.mjs > d > e: NO REASON GIVEN"]);
  });

  it("takes a file whose only suite is skipped for one that has tests", (t) => {
    const { failed, skipped, output } = runFile(
      t,
      'describe("a", { skip: "no disk" }, () => { it("b", () => {}); });',
    );
    assert.deepEqual(
      { failed, skipped, output },
      { failed: 0, skipped: ["a.test.mjs > a: no disk"], output: "" },
    );
  });

  it("collects the figures that tests report", (t) => {
    const { notes } = runFile(t, 'test("a", (t) => { t.diagnostic("median 3 ms"); });');
    assert.deepEqual(notes, ["median 3 ms"]);
  });

  it("counts a file that cannot be loaded as a failure", (t) => {
    const { failed, output } = runFile(t, 'import "./missing.mjs";\ntest("a", () => {});');
    assert.equal(failed, 1);
    assert.match(output, /Cannot find module/);
  });

  it("counts a file without tests, and one that does not end, as failures", (t) => {
    assert.equal(runFile(t, "").failed, 1);
    const { failed, output } = runFile(
      t,
      'test("a", () => new Promise((done) => setTimeout(done, 60_000)));',
    );
    assert.equal(failed, 1);
    assert.match(output, /timed out after 2000ms/);
  });

  it("counts what goes wrong after the last test as a failure", (t) => {
    const { failed } = runFile(
      t,
      'test("a", () => {}); process.on("exit", () => { process.exitCode = 3; });',
    );
    assert.equal(failed, 1);
  });
});
