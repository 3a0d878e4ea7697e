/** What `npm start` and `npm test` do before their own work. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { repositoryRoot } from "../../support/repository.js";
import { makeTempDir } from "../../support/temp-dir.js";
import { waitFor } from "../../support/wait.js";

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

/** A directory with the tools of set-up in it, and nothing else. */
function makeClone(t: TestContext): string {
  const directory = makeTempDir(t, "minikey-tools");
  cpSync(join(repositoryRoot, "tools"), join(directory, "tools"), { recursive: true });
  writeFileSync(
    join(directory, "package-lock.json"),
    JSON.stringify({ packages: { a: { version: "1.0.0" } } }),
  );
  return directory;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly output: () => string;
}

/** Runs `script` with all that set-up exports, in a process of its own. */
function runInClone(t: TestContext, directory: string, script: string, env = {}): Running {
  const module = JSON.stringify(join(directory, "tools/lib/setup.mjs"));
  const text = `import { install, withLock } from ${module}; const note = console.log; ${script}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", text], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const ended = once(child, "close");
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { child, ended, output: () => output };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("set-up of one clone", () => {
  const lockOf = (directory: string): string => join(directory, "dist/set-up.lock");
  const work = `await withLock(note, async () => note("works"));`;

  it("waits for another that is under way, and says for which process", async (t) => {
    const directory = makeClone(t);
    mkdirSync(join(directory, "dist"));
    writeFileSync(lockOf(directory), String(process.pid));
    const waiting = runInClone(t, directory, work);
    const said = `Waiting for another set-up of this clone (process ${process.pid}) …\n`;
    await waitFor("it says that it waits", () => waiting.output() === said);
    rmSync(lockOf(directory));
    await waiting.ended;
    assert.equal(waiting.output(), `${said}works\n`);
    assert.equal(existsSync(lockOf(directory)), false);
  });

  it("is waited for by npm test, too", async (t) => {
    const directory = makeClone(t);
    mkdirSync(join(directory, "dist"));
    writeFileSync(lockOf(directory), String(process.pid));
    const [npm, ran] = [join(directory, "npm.js"), join(directory, "ran")];
    writeFileSync(npm, `require("node:fs").writeFileSync(${JSON.stringify(ran)}, ""); process.exit(1);`);
    const script = `await import(${JSON.stringify(join(directory, "tools/test.mjs"))});`;
    const waiting = runInClone(t, directory, script, { npm_execpath: npm });
    const said = `Waiting for another set-up of this clone (process ${process.pid}) …\n`;
    await waitFor("it says that it waits", () => waiting.output() !== "");
    assert.equal(waiting.output(), said);
    assert.equal(existsSync(ran), false);
    rmSync(lockOf(directory));
    await waiting.ended;
    assert.deepEqual([existsSync(ran), existsSync(lockOf(directory))], [true, false]);
  });

  it("does not wait for one that was killed", async (t) => {
    const directory = makeClone(t);
    const killed = runInClone(
      t,
      directory,
      "await withLock(note, () => new Promise(() => setInterval(note, 1e6)));",
    );
    await waitFor("it has the lock", () => existsSync(lockOf(directory)));
    killed.child.kill("SIGKILL");
    await killed.ended;
    const next = runInClone(t, directory, work);
    await next.ended;
    assert.equal(next.output(), "works\n");
  });

  it("does not take the lock of one that was killed from another that was quicker", async (t) => {
    const directory = makeClone(t);
    mkdirSync(join(directory, "dist"));
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const lock = lockOf(directory);
    writeFileSync(lock, String(dead));
    const slow = `
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { readFileSync } = fs;
      fs.readFileSync = (path, encoding) => {
        const text = readFileSync(path, encoding);
        // The other takes it between the moment in which the lock is read and that in which it is removed.
        if (path === ${JSON.stringify(lock)} && text === "${dead}") fs.writeFileSync(path, "${process.pid}");
        return text;
      };
      syncBuiltinESMExports();`;
    const waiting = runInClone(t, directory, `${slow} ${work}`);
    await waitFor("it says something", () => waiting.output() !== "");
    assert.equal(waiting.output(), `Waiting for another set-up of this clone (process ${process.pid}) …\n`);
    assert.equal(readFileSync(lock, "utf8"), String(process.pid));
    rmSync(lock);
    await waiting.ended;
    assert.deepEqual(readdirSync(join(directory, "dist")), []);
  });

  it("goes on without a lock where there are no links: a file system need not have them", async (t) => {
    const directory = makeClone(t);
    const without = `
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      fs.linkSync = () => {
        throw Object.assign(new Error("operation not permitted"), { code: "EPERM" });
      };
      syncBuiltinESMExports();`;
    const running = runInClone(t, directory, `${without} ${work}`);
    await running.ended;
    assert.equal(running.output(), "works\n");
    assert.deepEqual(readdirSync(join(directory, "dist")), []);
  });

  it("kills npm and all that it has started when it is told to stop: npm would go on for long", async (t) => {
    const directory = makeClone(t);
    const [npm, pids] = [join(directory, "npm.js"), join(directory, "pids")];
    // What npm does of it: it goes on after Ctrl-C, and has processes of its own.
    writeFileSync(
      npm,
      `process.on("SIGINT", () => {});
       const child = require("node:child_process").spawn("sleep", ["1000"]);
       require("node:fs").writeFileSync(${JSON.stringify(pids)}, process.pid + " " + child.pid);
       setInterval(() => {}, 1e6);`,
    );
    const installing = runInClone(t, directory, "await install();", { npm_execpath: npm });
    await waitFor("npm runs", () => existsSync(pids) && readFileSync(pids, "utf8").includes(" "));
    const running = readFileSync(pids, "utf8").split(" ").map(Number);
    assert.deepEqual(running.map(isRunning), [true, true]);
    installing.child.kill("SIGINT");
    await installing.ended;
    assert.equal(installing.child.exitCode, 130);
    await waitFor("npm and its child are gone", () => !running.some(isRunning));
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
