/**
 * House rules that neither the compiler nor the linter knows: names, lengths, headers, and what must never be
 * committed. One line a problem.
 *
 * Run: `node tools/checks/tidy.mjs [ROOT]`. Exits with 1 when there is a problem.
 */
import "../lib/node-version.mjs";
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { blankOut, lineAt, listFiles } from "../lib/source.mjs";

const LINES_MAX = 600;
const FILE_BYTES_MAX = 1024 * 1024;
const FOLDERS = new Set(["src", "test", "bench", "sim", "torture", "examples", "tools", "docs"]);
const SOURCE = /\.(?:ts|mjs|js|tsx)$/;
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

const UNFINISHED = /\b(?:TODO|FIXME|XXX|HACK)\b/g;
// A table that reads better as it stands may keep its layout, with the reason.
const SILENCED =
  /@ts-(?:ignore|expect-error|nocheck)|(?:oxlint|eslint)-disable|biome-ignore(?! format: \w)|(?:c8|v8|istanbul) ignore/g;
const FOCUSED_CALL = /\b(?:test|it|describe|suite)\s*\.\s*only\b|\bonly\s*:\s*true\b/g;
const LEFT_OVER = /^\s*debugger\b/gm;
// `assert` runs on the hottest paths: it takes the details of its message apart from it.
const EAGER_MESSAGE = /\bassert\([^;`]*`[^`]*\$\{/g;
const PLACES = /\/(?:work|root|home\/\w+)\/\w/g;

/** The part of a path that a person names: `raft-core` of `src/raft/raft-core.test.ts`. */
function namesIn(path) {
  const parts = path.split("/");
  const file = parts.pop();
  return [...parts, ...file.split(".").slice(0, -1)];
}

/** A file opens with a comment that says what it is for: before everything but imports and a `#!` line. */
function hasHeader(text) {
  const code = text.replace(/^#!.*\n/, "");
  const first = code.search(/\/\*\*/);
  if (first === -1) return false;
  const before = blankOut(code.slice(0, first), { keepStrings: true });
  return before.replace(/\bimport\b[^;"']*["'][^"']+["']\s*;/g, "").trim() === "";
}

function checkSource(path, text) {
  const problems = [];
  const lines = text.split("\n").length - 1;
  if (lines > LINES_MAX)
    problems.push(`${path}: ${lines} lines; more than ${LINES_MAX} hide something: split it`);
  const isTest = path.startsWith("test/") && path.endsWith(".test.ts");
  if (!isTest && !hasHeader(text))
    problems.push(`${path}: no comment at the top that says what the file is for`);
  const code = blankOut(text);
  const comments = blankOut(text, { keepComments: true });
  for (const [pattern, content, message] of [
    [UNFINISHED, comments, "unfinished work belongs into an issue"],
    [SILENCED, comments, "a check is silenced"],
    [FOCUSED_CALL, code, "this test would keep the others from running"],
    [LEFT_OVER, code, "left over from debugging"],
    [EAGER_MESSAGE, path.startsWith("src/") ? text : "", "its details go after the message, in place of %"],
    [PLACES, text, "names a place on somebody's machine"],
  ]) {
    for (const match of content.matchAll(pattern)) {
      problems.push(`${path}:${lineAt(content, match.index)}: ${match[0].trim()}: ${message}`);
    }
  }
  return problems;
}

/** All problems, one line each. */
export function checkTidy(root) {
  const problems = [];
  for (const path of listFiles(root)) {
    const folder = path.split("/")[0];
    const size = statSync(join(root, path)).size;
    if (size > FILE_BYTES_MAX)
      problems.push(`${path}: ${size} bytes; files of the repository stay under 1 MiB`);
    if (!FOLDERS.has(folder)) continue;
    for (const name of SOURCE.test(path) ? namesIn(path) : []) {
      if (!KEBAB_CASE.test(name)) problems.push(`${path}: ${name} is not kebab-case`);
    }
    if (SOURCE.test(path)) problems.push(...checkSource(path, readFileSync(join(root, path), "utf8")));
  }
  if (/"resolved":/.test(readFileSync(join(root, "package-lock.json"), "utf8"))) {
    problems.push("package-lock.json: names a registry; install with the repository's .npmrc");
  }
  return problems;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkTidy(process.argv[2] ?? dirname(dirname(dirname(process.argv[1]))));
  for (const problem of problems) console.log(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
