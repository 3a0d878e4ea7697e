/**
 * Just enough reading of TypeScript for the checks: files of the repository, source text with its comments or
 * strings blanked out (same length, same lines, so that positions stay true), and what a file imports.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const SKIPPED = new Set(["node_modules", "dist", "data", ".git", ".minikey"]);

/** Files below `directory`, relative to it, with `/`, sorted; without what is installed, built or data. */
export function listFiles(directory, below = "") {
  const entries = readdirSync(join(directory, below), { withFileTypes: true });
  const files = [];
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (SKIPPED.has(entry.name)) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) files.push(...listFiles(directory, path));
    else if (entry.isFile()) files.push(path);
  }
  return files;
}

/** The line number, from 1, of a position in a text. */
export function lineAt(text, position) {
  let line = 1;
  for (let i = text.indexOf("\n"); i !== -1 && i < position; i = text.indexOf("\n", i + 1)) line += 1;
  return line;
}

// One token that is not plain code. A slash starts a regular expression where an operand may stand: after an
// operator, an opening bracket, a comma, a semicolon, a keyword, or at the start.
const TOKENS = new RegExp(
  [
    String.raw`(?<comment>/\*[^]*?\*/|//[^\n]*)`,
    String.raw`(?<string>"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*')`,
    String.raw`(?<template>\`)`,
    String.raw`(?<=(?:^|[(,;=:[!&|?{}+\-*%<>~^]|\breturn|\btypeof|\bcase)\s*)(?<regex>/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*)`,
  ].join("|"),
  "g",
);

const blank = (text) => text.replace(/[^\n]/g, " ");

/** End of the template literal that starts at `start` (its backquote), with the code in `${}` skipped over. */
function templateEnd(text, start) {
  for (let i = start + 1; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "`") return i + 1;
    else if (text[i] === "$" && text[i + 1] === "{") i = closingBrace(text, i + 2);
  }
  return text.length;
}

function closingBrace(text, start) {
  let depth = 1;
  for (let i = start; i < text.length; i += 1) {
    if (text[i] === "`") i = templateEnd(text, i) - 1;
    else if (text[i] === "{") depth += 1;
    else if (text[i] === "}") {
      depth -= 1;
      if (depth === 0) return i;
    }
  }
  return text.length;
}

/** The code inside a template's `${}` stays, its text goes. */
function blankTemplate(template, options) {
  let result = "";
  for (let i = 0; i < template.length; i += 1) {
    if (template[i] === "\\") {
      result += blank(template.slice(i, i + 2));
      i += 1;
    } else if (template[i] === "$" && template[i + 1] === "{") {
      const end = closingBrace(template, i + 2);
      result += `  ${blankOut(template.slice(i + 2, end), options)} `;
      i = end;
    } else result += blank(template[i]);
  }
  return result;
}

/**
 * The text with its comments and strings replaced by spaces; nothing moves.
 *
 * @param {string} text
 * @param {{ keepStrings?: boolean, keepComments?: boolean }} options what stays all the same
 * @returns {string}
 */
export function blankOut(text, options = {}) {
  let result = "";
  let position = 0;
  TOKENS.lastIndex = 0;
  const pattern = new RegExp(TOKENS);
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const start = match.index;
    const { comment, string, template, regex } = match.groups;
    const end = template === undefined ? start + match[0].length : templateEnd(text, start);
    const token = text.slice(start, end);
    result += text.slice(position, start);
    if (comment !== undefined) result += options.keepComments ? token : blank(token);
    else if (regex !== undefined) result += blank(token);
    else if (string !== undefined) result += options.keepStrings ? token : blank(token);
    else result += blankTemplate(token, options);
    position = end;
    pattern.lastIndex = end;
  }
  return result + text.slice(position);
}

const IMPORTS =
  /\b(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']|\bimport\s*["']([^"']+)["']|\b(?:import|require)\s*\(\s*["']([^"']+)["']/g;

/** Every module that a source names: `[{ specifier, line }]`; imports of types count as well. */
export function importsOf(text) {
  const code = blankOut(text, { keepStrings: true });
  return [...code.matchAll(IMPORTS)].map((match) => ({
    specifier: match[1] ?? match[2] ?? match[3],
    line: lineAt(code, match.index + match[0].length),
  }));
}
