/**
 * Proves that the code is layered as tools/layers.json says: the TypeScript projects have exactly those
 * references, no import crosses them, and the pure layers reach nothing of Node.js, clocks or chance.
 *
 * The compiler and the linter refuse most of this by themselves; this check holds them to the one table.
 *
 * Run: `node tools/checks/layers.mjs [ROOT]`. Prints one line a problem, and exits with 1 when there is one.
 */
import "../lib/node-version.mjs";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expectedProjects, readLayers } from "../lib/layers.mjs";
import { blankOut, importsOf, lineAt, listFiles } from "../lib/source.mjs";

/** What a pure layer may not name, even where the compiler would let it. */
const IMPURE =
  /(?<![.\w$#])(Date|setTimeout|setInterval|setImmediate|queueMicrotask|performance|process|console|globalThis|require|fetch)\b(?!\s*\??:)|\bMath\s*(?:\.\s*random\b|\[)|\bimport\s*\.\s*meta\b/g;

/** Ambient declarations would let a pure layer reach anything; the one that bytes need is here. */
const AMBIENT =
  /^\s*(?:export\s+)?declare\s+(?:const|let|var|function|class|global|module|namespace)\b(?!\s+\w+:\s*unique symbol)/gm;
const AMBIENT_ALLOWED = new Set(["src/core/bytes.ts"]);

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const same = (a, b) => a.length === b.length && a.every((item) => b.includes(item));
const referencesOf = (project) => (project.references ?? []).map((reference) => reference.path);

/** Problems of the table itself: unknown names, a use of a later layer, a pure layer that uses an impure one. */
function checkTable(layers) {
  const problems = [];
  const above = new Set();
  for (const [name, { pure, uses }] of Object.entries(layers)) {
    for (const used of uses) {
      if (!above.has(used))
        problems.push(`tools/layers.json: ${name} uses ${used}, which does not come before it`);
      else if (pure && !layers[used].pure)
        problems.push(`tools/layers.json: pure ${name} uses ${used}, which is not`);
    }
    above.add(name);
  }
  return problems;
}

/** Problems of the projects: each must have the references and the types of the table. */
function checkProjects(root, layers) {
  const problems = [];
  for (const { name, path, references, types } of expectedProjects(layers)) {
    if (!existsSync(join(root, path))) {
      problems.push(`${path}: missing, but tools/layers.json names ${name}`);
      continue;
    }
    const project = readJson(join(root, path));
    if (!same(referencesOf(project), references)) {
      problems.push(`${path}: references must be [${references.join(", ")}], as in tools/layers.json`);
    }
    if (!same(project.compilerOptions.types ?? [], types)) {
      problems.push(
        `${path}: "types" must be ${JSON.stringify(types)}: ${name} is ${types.length ? "not " : ""}pure`,
      );
    }
    if (project.extends !== "../../tsconfig.base.json" || project.compilerOptions.lib !== undefined) {
      problems.push(`${path}: must extend ../../tsconfig.base.json and leave "lib" to it`);
    }
  }
  return [...problems, ...checkOuterProjects(root, layers)];
}

/** The projects that see every layer: the root, and the tests and benchmarks. */
function checkOuterProjects(root, layers) {
  const names = Object.keys(layers);
  const outer = ["test", "bench", "sim", "torture", "examples"].filter((name) =>
    existsSync(join(root, name, "tsconfig.json")),
  );
  const problems = [];
  const whole = referencesOf(readJson(join(root, "tsconfig.json")));
  for (const wanted of [...names.map((name) => `src/${name}`), ...outer]) {
    if (!whole.includes(wanted)) problems.push(`tsconfig.json: no reference to ${wanted}`);
  }
  for (const name of ["test", "bench"].filter((wanted) => outer.includes(wanted))) {
    const references = referencesOf(readJson(join(root, name, "tsconfig.json")));
    for (const layer of names) {
      if (!references.includes(`../src/${layer}`))
        problems.push(`${name}/tsconfig.json: no reference to ../src/${layer}`);
    }
  }
  return problems;
}

/** Problems of one source file of a layer. */
function checkSource(path, text, name, layers, dependencies) {
  const problems = [];
  const { pure, uses, packages = [] } = layers[name];
  const report = (line, message) => problems.push(`${path}:${line}: ${message}`);
  for (const { specifier, line } of importsOf(text)) {
    if (specifier.startsWith(".")) {
      const [top, target] = posix.join(posix.dirname(path), specifier).split("/");
      if (top !== "src") report(line, `imports ${specifier}, which is outside src`);
      else if (target !== name && !uses.includes(target))
        report(line, `${name} may not import ${target} (${specifier})`);
    } else if (pure && !packages.includes(specifier))
      report(line, `${name} is pure and may not import ${specifier}`);
    else if (!specifier.startsWith("node:") && !dependencies.has(packageOf(specifier))) {
      report(line, `imports ${specifier}, which is not among "dependencies" in package.json`);
    }
  }
  if (pure) checkPure(path, text, report);
  return problems;
}

function checkPure(path, text, report) {
  const code = blankOut(text);
  for (const match of code.matchAll(IMPURE))
    report(lineAt(code, match.index), `pure layers may not use ${match[0]}`);
  if (AMBIENT_ALLOWED.has(path)) return;
  for (const match of code.matchAll(AMBIENT)) {
    report(
      lineAt(code, match.index + match[0].length),
      `pure layers may not declare what others provide: ${match[0].trim()}`,
    );
  }
}

function packageOf(specifier) {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/** All problems, one line each; none when the code is layered as it should be. */
export function checkLayers(root) {
  const layers = readLayers(root);
  const problems = [...checkTable(layers), ...checkProjects(root, layers)];
  const dependencies = new Set(Object.keys(readJson(join(root, "package.json")).dependencies ?? {}));
  for (const entry of readdirSync(join(root, "src"), { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    if (!(entry.name in layers)) {
      problems.push(`src/${entry.name}: not in tools/layers.json`);
      continue;
    }
    for (const file of listFiles(root, `src/${entry.name}`)) {
      if (!file.endsWith(".ts")) continue;
      const text = readFileSync(join(root, file), "utf8");
      problems.push(...checkSource(file, text, entry.name, layers, dependencies));
    }
  }
  return problems;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkLayers(process.argv[2] ?? dirname(dirname(dirname(process.argv[1]))));
  for (const problem of problems) console.log(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
