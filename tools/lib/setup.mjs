/**
 * What `npm start` and `npm test` do before their own work: install what package-lock.json names, and build.
 * Both are quick when there is nothing to do. Nothing here runs a package's install script.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as util from "node:util";
import { readLayers } from "./layers.mjs";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const mainPath = join(root, "dist/src/cli/main.js");

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const LOCK_POLL_MS = 200;
/** Where nothing can be written, nothing can be disturbed; and where the file system has no links, there is no lock. */
const NO_LOCKS = new Set(["EACCES", "EROFS", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** A step of the set-up failed; the message is for people, and complete. */
export class SetupError extends Error {}

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Whether node_modules holds every package in the version that package-lock.json names. */
export function isInstalled(directory = root) {
  const record = join(directory, "node_modules/.package-lock.json");
  if (!existsSync(record)) return false;
  const installed = readJson(record).packages;
  const wanted = readJson(join(directory, "package-lock.json")).packages;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === "") return true;
    return path in installed ? installed[path].version === version : optional === true;
  });
}

/** Installs with `npm ci` when node_modules is not what package-lock.json asks for. Quiet unless it fails. */
export async function install({ note = () => {} } = {}) {
  if (isInstalled()) return;
  const modules = join(root, "node_modules");
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new SetupError(
      `${modules} is a link to packages other than package-lock.json names; run npm ci there.`,
    );
  }
  note("Installing packages …");
  const flags = ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  const npm = await runNpm([...flags, "--loglevel=error"]);
  if (npm.status === 0) return;
  throw new SetupError(
    `${npm.output.trim()}\n\nThe packages could not be installed (npm ci failed, see above). ` +
      "The first run needs the npm registry, or a filled npm cache; later runs work without a network.",
  );
}

/**
 * Runs npm. A signal kills it with all that it has started, and ends this process: npm itself would go on for
 * half a minute to undo what it did, and disturb the next set-up, which begins afresh anyway.
 */
async function runNpm(args) {
  // Under `npm start` and `npm test`, this names the very npm that runs.
  const cli = process.env.npm_execpath;
  const [program, first] = cli?.endsWith(".js") ? [process.execPath, [cli]] : ["npm", []];
  const isWindows = process.platform === "win32";
  const child = spawn(program, [...first, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    shell: isWindows && program === "npm",
    detached: !isWindows,
  });
  const onSignal = (signal) => {
    if (child.pid !== undefined) process.kill(isWindows ? child.pid : -child.pid, "SIGKILL");
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  let output = "";
  const keep = (chunk) => {
    output += chunk;
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  try {
    return await new Promise((resolve) => {
      child.once("error", (error) => resolve({ status: 1, output: String(error) }));
      child.once("close", (status) => resolve({ status: status ?? 1, output }));
    });
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}

/** Runs one of the development tools in node_modules; returns its exit status and what it printed. */
export function runTool(packageName, binName, args) {
  const directory = join(root, "node_modules", packageName);
  const { bin } = readJson(join(directory, "package.json"));
  const script = join(directory, typeof bin === "string" ? bin : bin[binName]);
  const result = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 * 1024 * 1024,
    env: process.stdout.isTTY ? { ...process.env, FORCE_COLOR: "1" } : process.env,
  });
  if (result.error) throw new SetupError(`${binName} did not run: ${result.error.message}`);
  const output = `${result.stdout}${result.stderr}`.trim();
  // Some tools colour what they print wherever CI is set, read or not.
  return {
    status: result.status ?? 1,
    output: process.stdout.isTTY ? output : util.stripVTControlCharacters(output),
  };
}

/** The projects of the product, in the order of their layers. */
export function productProjects() {
  const names = Object.keys(readLayers(root)).map((name) => `src/${name}`);
  return existsSync(join(root, "src/tsconfig.json")) ? [...names, "src"] : names;
}

/** Compiles what changed. Returns the compiler's exit status and messages. */
export function compile(projects) {
  const result = runTool("typescript", "tsc", ["-b", ...projects]);
  if (existsSync(mainPath)) makeRunnable();
  return result;
}

/** Makes `dist/src/cli/main.js` a program, and `npx minikey` in this directory find it. */
function makeRunnable() {
  chmodSync(mainPath, 0o755);
  const link = join(root, "node_modules/.bin/minikey");
  if (process.platform === "win32" || lstatSync(join(root, "node_modules")).isSymbolicLink()) return;
  const target = relative(dirname(link), mainPath);
  const stat = lstatSync(link, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() && readlinkSync(link) === target) return;
  rmSync(link, { force: true });
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(target, link);
}

/** Installs and builds the product; throws `SetupError` with everything the user needs to see. */
export async function setUp({ projects = productProjects(), note = () => {} } = {}) {
  await withLock(note, async () => {
    await install({ note });
    if (!existsSync(mainPath)) note("Building …");
    const { status, output } = compile(projects);
    if (status !== 0) throw new SetupError(`${output}\n\nThe build failed (see above).`);
  });
}

/** One set-up at a time in a clone: two would delete each other's packages, or run what is half written. */
export async function withLock(note, work) {
  const path = join(root, "dist/set-up.lock");
  let holder = takeLock(path);
  if (holder !== process.pid) note(`Waiting for another set-up of this clone (process ${holder}) …`);
  while (holder !== process.pid) {
    await sleep(LOCK_POLL_MS);
    holder = takeLock(path);
  }
  const release = () => rmSync(path, { force: true });
  process.once("exit", release);
  try {
    await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

/** Makes the lock this process's, unless one that runs has it. Returns whose it is now. */
function takeLock(path) {
  const mine = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    // Linked, so that nobody sees it without the number in it.
    writeFileSync(mine, String(process.pid));
    linkSync(mine, path);
    return process.pid;
  } catch (error) {
    if (NO_LOCKS.has(error.code)) return process.pid;
    if (error.code !== "EEXIST") throw error;
  } finally {
    rmSync(mine, { force: true });
  }
  try {
    const holder = Number(readFileSync(path, "utf8"));
    if (isRunning(holder)) return holder;
    removeLockOf(holder, path);
  } catch (error) {
    // Released, or taken, meanwhile.
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  }
  return takeLock(path);
}

/** Another may be quicker, and have the lock itself by now: then it is put back. */
function removeLockOf(holder, path) {
  const aside = `${path}.${process.pid}`;
  renameSync(path, aside);
  try {
    if (Number(readFileSync(aside, "utf8")) !== holder) linkSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // It is somebody else's.
    return error.code === "EPERM";
  }
}

/** Runs a tool's main function; a `SetupError` is printed without a stack. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof SetupError ? error.message : error);
    process.exitCode = 1;
  }
}
