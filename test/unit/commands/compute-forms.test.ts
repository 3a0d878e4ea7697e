import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { computeCommands } from "../../../src/commands/compute.js";
import type { CommandSpec, Resolved } from "../../../src/commands/types.js";
import { utf8ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { FormulaCache } from "../../../src/document/formula-cache.js";
import { PathList } from "../../../src/document/path-list.js";
import { argsOf } from "../../support/commands.js";

/** A number that depends on the path, so that no two are taken for each other. */
function numberAt(path: string): Resolved {
  const bytes = utf8ToBytes(String(path.length + path.charCodeAt(0) / 1000));
  const found = { kind: "value", start: 0, end: bytes.length } as const;
  return { meaning: 0, type: "json", version: 1, expiresAtMs: 0, found, bytes };
}

/** What the command looks at and what it makes of that, or its mistake. */
function outcome(spec: CommandSpec, words: readonly string[]): unknown {
  const paths = new PathList();
  try {
    spec.check?.(argsOf(...words));
    const plan = spec.query?.(argsOf(...words), paths);
    const texts = Array.from({ length: paths.count }, (_, i) => paths.meaningsAt(i).text);
    return [texts, plan?.answer(texts.map(numberAt), paths)];
  } catch (error) {
    if (!(error instanceof MinikeyError)) throw error;
    return [error.code, error.message];
  }
}

const anyPath = fc.constantFrom(
  "a.b",
  "person2.age",
  "é.x",
  '"a.b".c',
  '"',
  " ",
  "  p",
  "AND",
  "DEGREES",
  "x y",
  "",
);
/** A formula, and the names that are bound. */
const anySum = fc.constantFrom<[string, string[]][]>(
  ["x", ["x"]],
  ["x+y", ["x", "y"]],
  ["x-y", ["x", "y"]],
  ["x-y", ["y", "x"]],
  ["y-x", ["x", "y"]],
  ["sin(x)", ["x"]],
  ["x", ["x", "x"]],
  ["x+y", ["x"]],
  ["x", ["=x"]],
  ["x +", ["x"]],
  ["x*y WHERE x = QUERY p AND", ["y"]],
  ["nosuch(x)", ["x"]],
);
const anyPaths = fc.tuple(anyPath, anyPath);
const anyUnit = fc.constantFrom([], [], ["DEGREES"], ["radians"], ["more"]);

/** `COMPUTE` as most clients cut it, and cut in other ways. */
const anyWords = fc
  .tuple(anySum, anyPaths, anyUnit, fc.nat(9))
  .map(([[formula, names], paths, unit, cut]) => {
    const bound = names.flatMap((name, i) => {
      const keyword = i === 0 ? "WHERE" : "AND";
      return cut === 0 ? [keyword, `${name}=QUERY`, paths[i]] : [keyword, name, "=", "QUERY", paths[i]];
    });
    const words = cut === 1 ? formula.split("+") : [formula];
    return ["COMPUTE"].concat(words, bound, unit);
  });

const anyPlaces = fc
  .tuple(fc.constantFrom("radians", "degrees"), anySum, anyPaths)
  .map(([unit, [formula, names], paths]) => {
    const bound = names.flatMap((name, i) => [name, paths[i]]);
    return ["KV.COMPUTE", unit, formula].concat(bound);
  });

for (const [position, anyCommand] of [anyWords, anyPlaces].entries()) {
  test(`${position === 0 ? "COMPUTE" : "KV.COMPUTE"} means the same whatever was computed before it`, () => {
    const planner = () => computeCommands(new FormulaCache())[position];
    const experienced = planner();
    const seen = { results: 0, mistakes: 0 };
    fc.assert(
      fc.property(anyCommand, (words) => {
        const expected = outcome(planner(), words);
        assert.deepEqual(outcome(experienced, words), expected);
        seen[Array.isArray((expected as unknown[])[0]) ? "results" : "mistakes"] += 1;
      }),
      { numRuns: 4_000 },
    );
    assert(seen.results > 300 && seen.mistakes > 300, JSON.stringify(seen));
  });
}
