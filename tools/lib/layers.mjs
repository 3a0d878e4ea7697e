/**
 * tools/layers.json: which layers there are, in order, which are pure, and what each may import. The
 * TypeScript projects must say the same; `expectedProjects` is what they have to contain.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * `{ [layer]: { pure, uses, packages? } }`, in the order of the file: a layer uses only layers above it, and a pure
 * one of all packages only those named, which are pure themselves.
 */
export function readLayers(root) {
  return JSON.parse(readFileSync(join(root, "tools/layers.json"), "utf8"));
}

/** For every layer: its project's references and whether it may see Node's types. */
export function expectedProjects(layers) {
  return Object.entries(layers).map(([name, { pure, uses }]) => ({
    name,
    path: `src/${name}/tsconfig.json`,
    references: uses.map((used) => `../${used}`),
    types: pure ? [] : ["node"],
  }));
}
